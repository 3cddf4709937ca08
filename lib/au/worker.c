/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The worker stage: from packets to jobs. It parses, checks certificates but for their signatures,
 * and writes down for the crypto stage what is left to compute. What it can refuse, it refuses
 * here, before any cryptography. It writes nothing that another lcore writes.
 */
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_prefetch.h>
#include <time.h>

#include "au/worker.h"

enum { NOT_SET_UP_HZ = 10 }; /* an AN is told so at most, by each worker */

static void count(struct au_worker *w, enum au_counter counter)
{
	au_count(&w->counters.events[counter], 1);
}

static void count_cause(struct au_worker *w, enum wire_cause cause)
{
	au_count(&w->counters.causes[cause], 1);
}

/* ---------------------------------------------------------------- jobs */

/* Counting walks all lcores' caches: once in some polls while there is plenty, once in each when
 * there is not, and only when a new attach asks. */
static unsigned int jobs_free(struct au_worker *w)
{
	if (w->jobs_counted == 0) {
		w->jobs_free = rte_mempool_avail_count(w->shared->jobs);
		w->jobs_counted = w->jobs_free > w->shared->jobs_plenty ? AU_PLENTY_POLLS : 1;
	}
	return w->jobs_free;
}

/* New attaches leave the reserve to what was started before them. */
static struct au_job *job_take(struct au_worker *w, const struct worker_record *r,
			       bool may_use_reserve)
{
	struct au_shared *shared = w->shared;
	void *object;

	if (!may_use_reserve && jobs_free(w) <= shared->jobs_reserve)
		return NULL;
	if (rte_mempool_get(shared->jobs, &object) != 0) {
		count(w, AU_COUNT_JOBS_EXHAUSTED);
		return NULL;
	}
	struct au_job *job = object;

	if (w->jobs_free > 0)
		w->jobs_free--;
	memset(job, 0, offsetof(struct au_job, buffer));
	job->epoch = (uint8_t)w->trust->epoch;
	job->an = r->an;
	job->an_ue_id = r->record.an_ue_id;
	job->au_ue_id = r->record.au_ue_id;
	job->record_type = r->record.type;
	job->peer = r->peer;
	au_count(&w->jobs_of_epoch[job->epoch], 1);
	return job;
}

/* A ring holds as many as there are jobs: it is never full, and if it were, the job would be lost,
 * which the counter would say. */
static void flush(struct au_worker *w, struct au_gather *g, enum au_counter full)
{
	unsigned int n = g->n;

	for (unsigned int left = au_gather_flush(g); left > 0; left--) {
		struct au_job *job = g->jobs[n - left];

		count(w, full);
		w->jobs_of_epoch[job->epoch]--;
		au_job_free(w->shared, job);
	}
}

/* To control, past the crypto stage. */
static void job_to_control(struct au_worker *w, struct au_job *job)
{
	struct au_gather *g = &w->to_control[job->shard];

	if (au_gather_add(g, job))
		flush(w, g, AU_COUNT_CONTROL_RING_FULL);
}

/* Round robin over the crypto stages. */
static void job_to_crypto(struct au_worker *w, struct au_job *job)
{
	struct au_gather *g = job->kind == AU_JOB_ATTACH ? w->requests : w->responses;

	g += w->next_crypto++ % w->shared->n_crypto;
	if (au_gather_add(g, job))
		flush(w, g, AU_COUNT_CRYPTO_RING_FULL);
}

static void flush_all(struct au_worker *w)
{
	for (unsigned int i = 0; i < w->shared->n_shards; i++)
		flush(w, &w->to_control[i], AU_COUNT_CONTROL_RING_FULL);
	for (unsigned int i = 0; i < w->shared->n_crypto; i++) {
		flush(w, &w->requests[i], AU_COUNT_CRYPTO_RING_FULL);
		flush(w, &w->responses[i], AU_COUNT_CRYPTO_RING_FULL);
	}
}

static unsigned int shard_of_eid(const struct au_worker *w, const uint8_t eid[16])
{
	return (unsigned int)((load_be64(eid + 8) * UINT64_C(0x9e3779b97f4a7c15) >> 32) %
			      w->shared->n_shards);
}

static unsigned int shard_of_ue_id(const struct au_worker *w, uint64_t au_ue_id)
{
	return ue_id_shard(au_ue_id) % w->shared->n_shards;
}

/* Refuses through control, which alone talks to ANs. The job may be one under construction. */
static void refuse(struct au_worker *w, const struct worker_record *r, struct au_job *job,
		   uint8_t nas_type, enum wire_cause cause)
{
	if (!job)
		job = job_take(w, r, true);
	if (!job) {
		count_cause(w, cause);
		return;
	}
	job->kind = AU_JOB_REFUSE;
	job->nas_type = nas_type;
	job->cause = (uint8_t)cause;
	job->shard = (uint8_t)(r->record.au_ue_id == 0 ? r->an % w->shared->n_shards
						       : shard_of_ue_id(w, r->record.au_ue_id));
	job_to_control(w, job);
}

/* Whether there is a job for an answer that nobody's attach waits for: it must not cost the jobs
 * that others need. */
static bool may_answer(struct au_worker *w)
{
	return jobs_free(w) > w->shared->jobs_reserve / 2;
}

/* An ATTACH REQUEST that was not let in, or cannot be read. In the last resort it gets no answer,
 * and comes again. */
static void refuse_at_the_door(struct au_worker *w, const struct worker_record *r,
			       enum wire_cause cause)
{
	if (may_answer(w))
		refuse(w, r, NULL, WIRE_NAS_ATTACH_REQUEST, cause);
	else
		count_cause(w, cause);
}

/* Where a message is remembered while its answer is being made; in the cache by the time that
 * in_flight_enter looks there. */
static struct in_flight *in_flight_find(struct au_worker *w, uint64_t a, uint64_t b, uint64_t *tag)
{
	*tag = (a ^ (b << 17 | b >> 47)) * UINT64_C(0x9e3779b97f4a7c15);
	rte_prefetch0(&w->in_flight[*tag >> 50]);
	return &w->in_flight[*tag >> 50];
}

/* True the first time that this tag is seen within a second. A UE repeats itself after seconds;
 * what comes sooner was duplicated on the way, and its answer is being made. */
static bool in_flight_enter(const struct au_worker *w, struct in_flight *f, uint64_t tag)
{
	if (f->tag == tag && w->tsc - f->tsc < w->shared->tsc_hz)
		return false;
	f->tag = tag;
	f->tsc = w->tsc;
	return true;
}

/* ---------------------------------------------------------------- certificates */

static enum wire_cause cause_of(enum pki_error e)
{
	switch (e) {
	case PKI_OK:
		return WIRE_CAUSE_NONE;
	case PKI_MALFORMED:
		return WIRE_CAUSE_CERT_MALFORMED;
	case PKI_UNSUPPORTED:
		return WIRE_CAUSE_CERT_UNSUPPORTED;
	case PKI_EXPIRED:
		return WIRE_CAUSE_CERT_EXPIRED;
	case PKI_NOT_YET_VALID:
		return WIRE_CAUSE_CERT_NOT_YET_VALID;
	case PKI_POLICY:
		return WIRE_CAUSE_CERT_POLICY;
	case PKI_USAGE:
		return WIRE_CAUSE_CERT_USAGE;
	case PKI_EID:
		return WIRE_CAUSE_CERT_EID;
	case PKI_EID_CHECK:
		return WIRE_CAUSE_CERT_EID_CHECK;
	case PKI_NAME_CONSTRAINT:
		return WIRE_CAUSE_CERT_NAME_CONSTRAINT;
	case PKI_ISSUER_MISMATCH:
		return WIRE_CAUSE_CERT_ISSUER_MISMATCH;
	case PKI_UNKNOWN_CI:
		return WIRE_CAUSE_CERT_UNKNOWN_CI;
	case PKI_REVOKED:
		return WIRE_CAUSE_CERT_REVOKED;
	case PKI_EID_DENIED:
		return WIRE_CAUSE_CERT_EID_DENIED;
	case PKI_CURVE:
		return WIRE_CAUSE_CERT_CURVE;
	case PKI_KEY:
		return WIRE_CAUSE_CERT_KEY;
	default:
		return WIRE_CAUSE_CERT_UNSUPPORTED;
	}
}

/* With a key that is prepared, or with a given one; the other is NULL. */
static struct au_verify *add_verify(struct au_job *job, enum crypto_curve curve,
				    const struct crypto_key *key, const uint8_t *public_key,
				    struct span message, const uint8_t *signature,
				    enum wire_cause bad_signature)
{
	struct au_verify *v = &job->verifies[job->n_verifies++];

	v->curve = curve;
	v->key = key;
	if (public_key)
		memcpy(v->public_key, public_key, CRYPTO_POINT_SIZE);
	v->multiples = NULL;
	v->multiples_out = NULL;
	memcpy(v->signature, signature, CRYPTO_SIGNATURE_SIZE);
	v->message = message;
	v->bad_signature = bad_signature;
	v->bad_key = WIRE_CAUSE_CERT_KEY;
	return v;
}

/* The signature of a certificate that the job keeps. */
static void add_verify_cert(struct au_job *job, const struct pki_cert *cert,
			    const struct crypto_key *key, const uint8_t *public_key,
			    enum wire_cause bad_signature)
{
	add_verify(job, cert->curve, key, public_key, cert->tbs, cert->signature, bad_signature);
}

/* Everything about Cert_eUICC but who signed it. */
static enum wire_cause check_cert_euicc(struct au_worker *w, const struct pki_cert *cert)
{
	enum pki_error e = pki_cert_check(cert, PKI_ROLE_EUICC, w->now);

	if (e == PKI_OK && pki_trust_is_denied(w->trust->pki, cert->eid))
		e = PKI_EID_DENIED;
	return cause_of(e);
}

/* That this issuer may have issued it, and did not take it back. */
static enum wire_cause check_issued(struct au_worker *w, const struct pki_cert *cert,
				    const struct pki_cert *issuer)
{
	enum pki_error e = pki_cert_issued_by(cert, issuer);

	/* A known issuer was valid when it was loaded; time goes on. */
	if (e == PKI_OK && w->now > issuer->not_after)
		e = PKI_EXPIRED;
	if (e == PKI_OK && pki_trust_is_revoked(w->trust->pki, issuer->ski, cert->serial))
		e = PKI_REVOKED;
	return cause_of(e);
}

/* The same of a known issuer, which was verified when it was loaded or learned, with all above it;
 * time goes on for these too. */
static enum wire_cause check_issued_by_known(struct au_worker *w, const struct pki_cert *cert,
					     const struct pki_issuer *issuer)
{
	enum wire_cause cause = check_issued(w, cert, &issuer->cert);

	for (const struct pki_issuer *i = issuer->parent; i && cause == WIRE_CAUSE_NONE;
	     i = i->parent)
		if (w->now > i->cert.not_after)
			cause = WIRE_CAUSE_CERT_EXPIRED;
	return cause;
}

/* ---------------------------------------------------------------- step 1 */

/* Which cross-certificate leads the UE from a CI that it trusts to Cert_AU. */
static int choose_cross(const struct au_worker *w, const struct wire_message *m,
			const struct pki_issuer *eum, enum crypto_curve curve)
{
	const struct pki_trust *pki = w->trust->pki;

	if (wire_has(m, WIRE_IE_CI_PKID_LIST)) {
		struct span list = m->ie[WIRE_IE_CI_PKID_LIST];

		for (size_t at = 0; at + 20 <= list.n; at += 20) {
			int cross = pki_trust_cross_for_ci(pki, span_make(list.p + at, 20));

			if (cross >= 0)
				return cross;
		}
	}
	while (eum && eum->parent)
		eum = eum->parent;
	if (eum) {
		int cross = pki_trust_cross_for_ci(pki, eum->cert.ski);

		if (cross >= 0)
			return cross;
	}
	return pki_trust_cross_default(pki, curve);
}

/* What is known of an ATTACH REQUEST before it asks for its turn. */
struct attach_request {
	struct pki_cert cert;	      /* Cert_eUICC, where it lies in the packet */
	const struct pki_issuer *eum; /* that issued it; NULL: not known */
	unsigned int shard;
	uint8_t fingerprint[SEC_FINGERPRINT_SIZE];
	bool rand_seen;
};

/* Everything in step 2 that is not arithmetic. */
static enum wire_cause prepare_attach(struct au_worker *w, const struct wire_message *m,
				      const struct attach_request *q, struct au_job *job)
{
	const struct pki_cert *cert = &q->cert;
	const struct pki_issuer *eum = q->eum;
	struct span capability = m->ie[WIRE_IE_UE_SECURITY_CAPABILITY];
	enum wire_cause cause = check_cert_euicc(w, cert);
	uint8_t nia, nea;

	if (cause != WIRE_CAUSE_NONE)
		return cause;
	if (!w->trust->au[cert->curve].present)
		return WIRE_CAUSE_CERT_CURVE;
	if (!au_choose_algorithms(w->shared->config, capability.p, capability.n, &nia, &nea))
		return WIRE_CAUSE_NO_COMMON_ALGORITHM;

	/* With a known issuer a stranger's certificate is found out by the first, cheap check. */
	if (eum) {
		cause = check_issued_by_known(w, cert, eum);
		if (cause != WIRE_CAUSE_NONE)
			return cause;
		add_verify(job, cert->curve, eum->key, NULL, au_job_keep(job, cert->tbs),
			   cert->signature, WIRE_CAUSE_SIGNATURE_EUICC);
	}
	job->eum = eum;
	uint8_t signed_data[32];

	memcpy(signed_data, job->rand_ue, 16);
	memcpy(signed_data + 16, cert->eid, 16);
	add_verify(job, cert->curve, NULL, cert->public_key,
		   au_job_keep(job, span_make(signed_data, sizeof(signed_data))),
		   m->ie[WIRE_IE_UE_SIGNATURE1].p, WIRE_CAUSE_SIGNATURE_UE1);
	job->capability_len = (uint8_t)capability.n;
	memcpy(job->capability, capability.p, capability.n);
	job->curve = (uint8_t)cert->curve;
	job->cross = (int16_t)choose_cross(w, m, eum, cert->curve);
	job->sign_key = w->trust->au[cert->curve].sign_key;
	memcpy(job->device_key, cert->public_key, CRYPTO_POINT_SIZE);
	return WIRE_CAUSE_NONE;
}

/* What verifying UE_Signature1 finds out about the device's key is kept for UE_Signature2, while
 * there is room for it. */
static void keep_multiples(struct au_worker *w, struct au_job *job)
{
	struct rte_mempool *pool = w->shared->multiples;
	void *object;

	if (!pool || job->curve != CRYPTO_P256)
		return;
	if (rte_mempool_get(pool, &object) != 0) {
		count(w, AU_COUNT_MULTIPLES_EXHAUSTED);
		return;
	}
	job->multiples = object;
	job->verifies[job->n_verifies - 1].multiples_out = object;
}

/* What a request would wait for a crypto stage, on average over them. */
static void begin_admission(struct au_worker *w)
{
	const struct au_shared *shared = w->shared;
	uint64_t delay = 0, pace = 0;

	for (unsigned int i = 0; i < shared->n_crypto; i++) {
		uint64_t cycles =
			atomic_load_explicit(&shared->paces[i].cycles, memory_order_relaxed);

		pace += cycles;
		delay += cycles * rte_ring_count(shared->request_rings[i]);
	}
	au_admission_begin(&w->admission, w->tsc, delay / shared->n_crypto,
			   pace / (shared->n_crypto * shared->n_crypto));
}

/* Reads Cert_eUICC, and whether RAND_UE was seen before: replays and retransmissions are told
 * before anything dear. */
static enum wire_cause look_at_request(struct au_worker *w, const struct wire_message *m,
				       struct attach_request *q)
{
	/* Read where it lies, in the packet: a copy would still be on its way to the cache. */
	struct span der = m->ie[WIRE_IE_CERT_EUICC];
	const uint8_t *rand_ue = m->ie[WIRE_IE_RAND_UE].p;
	enum wire_cause cause = cause_of(pki_cert_parse(&q->cert, der));

	if (cause == WIRE_CAUSE_NONE && !q->cert.has_eid)
		cause = WIRE_CAUSE_CERT_EID;
	if (cause != WIRE_CAUSE_NONE)
		return cause;
	q->shard = shard_of_eid(w, q->cert.eid);

	const struct ue_table *table = w->shared->tables[q->shard];

	ue_table_prefetch_rand(table, rand_ue, q->cert.eid);
	q->eum = pki_trust_find_eum(w->trust->pki, q->cert.aki, q->cert.issuer);
	sec_fingerprint(w->sec, w->shared->fingerprint_key, der, q->fingerprint);
	q->rand_seen = ue_table_rand_seen(table, rand_ue, q->cert.eid, w->tick);
	return WIRE_CAUSE_NONE;
}

/* Its RAND_UE is remembered, so that it takes no turn: a request is repeated because its answer was
 * lost, and gets it again however busy we are. Control tells that from a replay. */
static void repeat(struct au_worker *w, const struct worker_record *r, const struct wire_message *m,
		   const struct attach_request *q)
{
	struct au_job *job = job_take(w, r, true);

	if (!job)
		return;
	memcpy(job->rand_ue, m->ie[WIRE_IE_RAND_UE].p, sizeof(job->rand_ue));
	memcpy(job->eid, q->cert.eid, sizeof(job->eid));
	job->shard = (uint8_t)q->shard;
	job->kind = AU_JOB_RETRY;
	job_to_control(w, job);
}

/* Whether the request gets a turn at the crypto stages. */
static bool ask(struct au_worker *w, const struct worker_record *r, const struct attach_request *q)
{
	bool room = jobs_free(w) > w->shared->jobs_reserve;

	if (!q->eum)
		return au_admission_ask_stranger(
			&w->admission,
			room && ue_table_has_room_for_strangers(w->shared->tables[q->shard]));
	return au_admission_ask(&w->admission, r->an, room);
}

static void let_in(struct au_worker *w, const struct worker_record *r, const struct wire_message *m,
		   const struct attach_request *q, struct au_job *job)
{
	const uint8_t type = WIRE_NAS_ATTACH_REQUEST;
	uint64_t tag;

	memcpy(job->rand_ue, m->ie[WIRE_IE_RAND_UE].p, sizeof(job->rand_ue));

	struct in_flight *f = in_flight_find(w, load_be64(job->rand_ue),
					     (uint64_t)r->an << 32 | job->an_ue_id, &tag);

	memcpy(job->eid, q->cert.eid, sizeof(job->eid));
	memcpy(job->fingerprint, q->fingerprint, sizeof(job->fingerprint));
	job->shard = (uint8_t)q->shard;
	if (ue_table_room(w->shared->tables[job->shard]) == 0) {
		refuse(w, r, job, type, WIRE_CAUSE_UE_TABLE_FULL);
		return;
	}
	enum wire_cause cause = prepare_attach(w, m, q, job);

	if (cause != WIRE_CAUSE_NONE) {
		refuse(w, r, job, type, cause);
		return;
	}
	if (!in_flight_enter(w, f, tag)) {
		count(w, AU_COUNT_IN_FLIGHT_DUPLICATES);
		w->jobs_of_epoch[job->epoch]--;
		au_job_free(w->shared, job);
		return;
	}
	job->kind = AU_JOB_ATTACH;
	job->nas_type = type;
	keep_multiples(w, job);
	job_to_crypto(w, job);
}

static void on_attach_request(struct au_worker *w, const struct worker_record *r,
			      const struct wire_message *m)
{
	struct attach_request q;

	count(w, AU_COUNT_ATTACH_REQUESTS);
	if (atomic_load_explicit(&w->shared->mode, memory_order_relaxed) != AU_RUNNING) {
		refuse_at_the_door(w, r, WIRE_CAUSE_SHUTTING_DOWN);
		return;
	}
	enum wire_cause cause = look_at_request(w, m, &q);

	if (cause != WIRE_CAUSE_NONE) {
		refuse_at_the_door(w, r, cause);
		return;
	}
	if (q.rand_seen) {
		repeat(w, r, m, &q);
		return;
	}
	struct au_job *job = ask(w, r, &q) ? job_take(w, r, false) : NULL;

	if (job)
		let_in(w, r, m, &q, job);
	else
		refuse_at_the_door(w, r, WIRE_CAUSE_CONGESTION);
}

/* ---------------------------------------------------------------- step 5 */

/* The chain above a Cert_eUICC whose issuer is not known: Cert_EUM (and SubCA) up to a CI. */
static enum wire_cause prepare_unknown_chain(struct au_worker *w, struct au_job *job,
					     const struct pki_cert *euicc,
					     const struct pki_cert *eum,
					     const struct pki_cert *subca)
{
	const struct pki_issuer *ci = pki_trust_find_ci(w->trust->pki, eum->aki, eum->issuer);
	const struct pki_cert *issuer = subca ? subca : eum;

	if (!ci)
		return WIRE_CAUSE_CERT_UNKNOWN_CI;
	enum pki_error e = pki_cert_check(eum, PKI_ROLE_EUM, w->now);

	if (e == PKI_OK && subca)
		e = pki_cert_check(subca, PKI_ROLE_EUM_SUBCA, w->now);
	if (e != PKI_OK)
		return cause_of(e);
	enum wire_cause cause = check_issued(w, eum, &ci->cert);

	if (cause == WIRE_CAUSE_NONE && subca)
		cause = check_issued(w, subca, eum);
	if (cause == WIRE_CAUSE_NONE)
		cause = check_issued(w, euicc, issuer);
	if (cause != WIRE_CAUSE_NONE)
		return cause;
	add_verify_cert(job, eum, ci->key, NULL, WIRE_CAUSE_SIGNATURE_EUM);
	if (subca)
		add_verify_cert(job, subca, NULL, eum->public_key, WIRE_CAUSE_SIGNATURE_EUM);
	add_verify_cert(job, euicc, NULL, issuer->public_key, WIRE_CAUSE_SIGNATURE_EUICC);
	job->eum_learnable = 1;
	return WIRE_CAUSE_NONE;
}

/* The three certificates of step 5, of which Cert_eUICC is the one of step 1. */
static enum wire_cause prepare_chain(struct au_worker *w, const struct wire_message *m,
				     const struct ue_half_open *h, struct au_job *job)
{
	struct pki_cert euicc, eum, subca;
	bool has_subca = wire_has(m, WIRE_IE_CERT_EUM_SUBCA);
	struct span issuer_der = m->ie[has_subca ? WIRE_IE_CERT_EUM_SUBCA : WIRE_IE_CERT_EUM];
	enum pki_error e;

	/* A known issuer, octet for octet: step 1 checked and verified all there is, and by the
	 * same lists. */
	if (h->eum && h->epoch == w->trust->epoch && span_equal(h->eum->cert.der, issuer_der))
		return WIRE_CAUSE_NONE;

	struct span cert_euicc = au_job_keep(job, m->ie[WIRE_IE_CERT_EUICC]);

	job->cert_eum = au_job_keep(job, m->ie[WIRE_IE_CERT_EUM]);
	job->cert_subca = span_make(NULL, 0);
	if (has_subca)
		job->cert_subca = au_job_keep(job, m->ie[WIRE_IE_CERT_EUM_SUBCA]);
	e = pki_cert_parse(&euicc, cert_euicc);
	if (e == PKI_OK)
		e = pki_cert_parse(&eum, job->cert_eum);
	if (e == PKI_OK && has_subca)
		e = pki_cert_parse(&subca, job->cert_subca);
	if (e != PKI_OK)
		return cause_of(e);
	/* Again, as lists may have changed since step 1. */
	enum wire_cause cause = check_cert_euicc(w, &euicc);

	if (cause != WIRE_CAUSE_NONE)
		return cause;
	const struct pki_issuer *known = pki_trust_find_eum(w->trust->pki, euicc.aki, euicc.issuer);

	if (known && span_equal(known->cert.der, issuer_der)) {
		cause = check_issued_by_known(w, &euicc, known);
		if (cause == WIRE_CAUSE_NONE)
			add_verify_cert(job, &euicc, known->key, NULL, WIRE_CAUSE_SIGNATURE_EUICC);
		return cause;
	}
	return prepare_unknown_chain(w, job, &euicc, &eum, has_subca ? &subca : NULL);
}

static enum wire_cause prepare_response(struct au_worker *w, const struct wire_message *m,
					const struct ue_view *view, struct au_job *job)
{
	const struct ue_half_open *h = &view->half_open;
	struct span pk_ue = m->ie[WIRE_IE_PK_UE];
	uint8_t signed_data[16 + 65], fingerprint[SEC_FINGERPRINT_SIZE];

	if (memcmp(m->ie[WIRE_IE_RAND_AU].p, h->rand_au, sizeof(h->rand_au)) != 0)
		return WIRE_CAUSE_RAND_MISMATCH;
	if (pk_ue.p[0] != 0x04)
		return WIRE_CAUSE_PK_UE;
	sec_fingerprint(w->sec, w->shared->fingerprint_key, m->ie[WIRE_IE_CERT_EUICC], fingerprint);
	if (!equal_ct(fingerprint, h->fingerprint, sizeof(fingerprint)))
		return WIRE_CAUSE_CERT_CHANGED;

	enum wire_cause cause = prepare_chain(w, m, h, job);

	if (cause != WIRE_CAUSE_NONE)
		return cause;
	memcpy(signed_data, h->rand_au, 16);
	memcpy(signed_data + 16, pk_ue.p, 65);
	add_verify(job, h->curve, NULL, h->device_key,
		   au_job_keep(job, span_make(signed_data, sizeof(signed_data))),
		   m->ie[WIRE_IE_UE_SIGNATURE2].p, WIRE_CAUSE_SIGNATURE_UE2)
		->multiples = h->multiples;
	job->curve = h->curve;
	memcpy(job->eid, view->eid, sizeof(job->eid));
	memcpy(job->pk_ue, pk_ue.p + 1, CRYPTO_POINT_SIZE);
	memcpy(job->sk_au, h->sk_au, sizeof(job->sk_au));
	return WIRE_CAUSE_NONE;
}

static void on_authentication_response(struct au_worker *w, const struct worker_record *r,
				       const struct wire_message *m)
{
	const uint8_t type = WIRE_NAS_AUTHENTICATION_RESPONSE;
	unsigned int shard = ue_id_shard(r->record.au_ue_id);
	struct ue_view view;
	uint64_t tag;
	struct in_flight *f = in_flight_find(w, r->record.au_ue_id, UINT64_C(1) << 40, &tag);

	count(w, AU_COUNT_AUTH_RESPONSES);
	/* A context that is gone, or that awaits something else, or of another connection: the run
	 * is over, or never was this connection's. */
	if (shard >= w->shared->n_shards ||
	    !ue_table_read(w->shared->tables[shard], r->record.au_ue_id, &view)) {
		count_cause(w, r->record.au_ue_id == 0 ? WIRE_CAUSE_OUT_OF_ORDER
						       : WIRE_CAUSE_UE_UNKNOWN);
		return;
	}
	if (view.state != UE_AUTHENTICATION || view.an != r->an ||
	    view.an_ue_id != r->record.an_ue_id) {
		count_cause(w, WIRE_CAUSE_REPLAYED_RESPONSE);
		wipe(&view, sizeof(view));
		return;
	}
	if (!in_flight_enter(w, f, tag)) {
		count(w, AU_COUNT_IN_FLIGHT_DUPLICATES);
		wipe(&view, sizeof(view));
		return;
	}
	struct au_job *job = job_take(w, r, true);

	if (job) {
		enum wire_cause cause = prepare_response(w, m, &view, job);

		job->shard = (uint8_t)shard;
		if (cause != WIRE_CAUSE_NONE) {
			refuse(w, r, job, type, cause);
		} else {
			job->kind = AU_JOB_RESPONSE;
			job->nas_type = type;
			job_to_crypto(w, job);
		}
	}
	wipe(&view, sizeof(view));
}

/* ---------------------------------------------------------------- records */

static void pass_on(struct au_worker *w, const struct worker_record *r, enum au_job_kind kind,
		    unsigned int shard)
{
	struct au_job *job = job_take(w, r, true);

	if (!job)
		return;
	job->kind = (uint8_t)kind;
	job->shard = (uint8_t)shard;
	if (au_job_keep(job, r->record.payload).n != r->record.payload.n) {
		refuse(w, r, job, 0, WIRE_CAUSE_IE_TOO_LONG);
		return;
	}
	job_to_control(w, job);
}

/* Nothing but an ATTACH REQUEST makes sense without a context. The decoder ignores the spare bits
 * of the header, which are refused here as they are with a context. */
static enum wire_cause cause_without_context(struct span nas)
{
	struct wire_message m;
	enum sec_header header;
	enum wire_cause cause = wire_nas_decode(&m, nas);

	if (cause != WIRE_CAUSE_NONE)
		return cause;
	return sec_nas_peek(nas, &header) == SEC_OK ? WIRE_CAUSE_OUT_OF_ORDER
						    : WIRE_CAUSE_BAD_HEADER;
}

static void on_uplink_nas(struct au_worker *w, const struct worker_record *r)
{
	struct span nas = r->record.payload;
	struct wire_message m;

	/* Steps 1 and 5 are plain and dear, and handled here; the rest is control's. */
	uint8_t type = nas.n >= 3 && nas.p[0] == WIRE_EPD_5GMM && nas.p[1] == 0 ? nas.p[2] : 0;

	if (type == WIRE_NAS_ATTACH_REQUEST || type == WIRE_NAS_AUTHENTICATION_RESPONSE) {
		if (type == WIRE_NAS_AUTHENTICATION_RESPONSE)
			ue_table_prefetch(w->shared->tables[shard_of_ue_id(w, r->record.au_ue_id)],
					  r->record.au_ue_id);
		enum wire_cause cause = wire_nas_decode(&m, nas);

		if (cause != WIRE_CAUSE_NONE && type == WIRE_NAS_ATTACH_REQUEST)
			refuse_at_the_door(w, r, cause);
		else if (cause != WIRE_CAUSE_NONE)
			refuse(w, r, NULL, type, cause);
		else if (type == WIRE_NAS_ATTACH_REQUEST)
			on_attach_request(w, r, &m);
		else
			on_authentication_response(w, r, &m);
		return;
	}
	if (r->record.au_ue_id == 0) {
		count_cause(w, cause_without_context(nas));
		return;
	}
	pass_on(w, r, AU_JOB_NAS, shard_of_ue_id(w, r->record.au_ue_id));
}

/* We have restarted, and the AN does not know, or it never set up. It is told through control,
 * however much it sends, but for ERROR INDICATIONs, which are never answered. */
static void on_not_set_up(struct au_worker *w, const struct worker_record *r)
{
	count_cause(w, WIRE_CAUSE_AN_NOT_SET_UP);
	if (r->record.type == WIRE_ERROR_INDICATION ||
	    w->tsc - w->told_not_set_up[r->an] < w->shared->tsc_hz / NOT_SET_UP_HZ ||
	    !may_answer(w))
		return;
	struct au_job *job = job_take(w, r, true);

	if (!job)
		return;
	job->kind = AU_JOB_NOT_SET_UP;
	job->shard = (uint8_t)(r->an % w->shared->n_shards);
	w->told_not_set_up[r->an] = w->tsc;
	job_to_control(w, job);
}

static void on_record(struct au_worker *w, const struct worker_record *r)
{
	count(w, AU_COUNT_RECORDS);
	if (r->record.type == WIRE_AN_SETUP_REQUEST) {
		pass_on(w, r, AU_JOB_RECORD, r->an % w->shared->n_shards);
		return;
	}
	if (!atomic_load_explicit(&w->shared->an_ready[r->an], memory_order_acquire)) {
		on_not_set_up(w, r);
		return;
	}
	switch (r->record.type) {
	case WIRE_UPLINK_NAS:
		on_uplink_nas(w, r);
		return;
	case WIRE_CONTEXT_SETUP_RESPONSE:
	case WIRE_CONTEXT_SETUP_FAILURE:
	case WIRE_SESSION_SETUP_RESPONSE:
	case WIRE_SESSION_SETUP_FAILURE:
	case WIRE_RELEASE_REQUEST:
	case WIRE_RELEASE_COMPLETE:
	case WIRE_ERROR_INDICATION:
		pass_on(w, r, AU_JOB_RECORD, shard_of_ue_id(w, r->record.au_ue_id));
		return;
	default:
		count_cause(w, WIRE_CAUSE_RECORD_UNKNOWN);
	}
}

static void on_datagram(struct au_worker *w, const struct net_datagram *d)
{
	struct worker_record r = {.peer = d->from, .an = (uint16_t)d->source};
	struct wire_reader reader;

	count(w, AU_COUNT_DATAGRAMS);
	if (wire_reader_open(&reader, d->payload) == WIRE_CAUSE_NONE)
		while (wire_reader_next(&reader, &r.record))
			on_record(w, &r);
	if (reader.cause != WIRE_CAUSE_NONE)
		count_cause(w, reader.cause);
}

/* ---------------------------------------------------------------- packets */

int worker_find_source(void *arg, const struct net_addr *source)
{
	struct au_worker *w = arg;
	int an = au_an_find(w->shared->an_index, source);

	if (an < 0)
		count_cause(w, WIRE_CAUSE_AN_UNKNOWN);
	return an;
}

static void handle_packets(struct au_worker *w, struct worker_queue *q, struct rte_mbuf **packets,
			   unsigned int n)
{
	struct net_datagram datagrams[NET_BURST];
	struct rte_mbuf *answers[NET_BURST];

	n = net_rx_burst(q->rx, packets, n, w->tsc, datagrams);
	for (unsigned int i = 0; i < n; i++) {
		on_datagram(w, &datagrams[i]);
		rte_pktmbuf_free(datagrams[i].mbuf);
	}
	/* ARP, ND, echo: control alone transmits. */
	n = net_rx_answers(q->rx, answers, NET_BURST);
	for (unsigned int i = 0; i < n; i++) {
		answers[i]->port = q->port_id;
		if (rte_ring_enqueue(w->shared->answers, answers[i]) != 0) {
			count(w, AU_COUNT_TX_DROPPED);
			rte_pktmbuf_free(answers[i]);
		}
	}
}

/* A port that serves the user plane too: its frames go to the gates. Returns how many are left, at
 * the front of packets. */
static unsigned int hand_over(struct au_worker *w, const struct worker_queue *q,
			      struct rte_mbuf **packets, unsigned int n)
{
	unsigned int own = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (!net_is_user_plane(q->nif, packets[i])) {
			packets[own++] = packets[i];
			continue;
		}
		unsigned int to = net_flow_hash(packets[i]) % w->config.n_gates;

		packets[i]->port = (uint16_t)(q->nif - w->shared->nifs);
		if (rte_ring_enqueue(w->config.gates[to], packets[i]) == 0) {
			count(w, AU_COUNT_HANDED_OVER);
		} else {
			count(w, AU_COUNT_HAND_OVER_DROPPED);
			rte_pktmbuf_free(packets[i]);
		}
	}
	return own;
}

/* Where the ethdev does not spread flows: each packet to the worker of its flow. Returns how many
 * are our own, at the front of packets. */
static unsigned int steer(struct au_worker *w, struct rte_mbuf **packets, unsigned int n)
{
	unsigned int own = 0;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int to = net_flow_hash(packets[i]) % w->config.n_workers;

		if (to == w->config.index) {
			packets[own++] = packets[i];
		} else if (rte_ring_enqueue(w->config.steering[to], packets[i]) == 0) {
			count(w, AU_COUNT_STEERED);
		} else {
			count(w, AU_COUNT_STEER_DROPPED);
			rte_pktmbuf_free(packets[i]);
		}
	}
	return own;
}

/* Each worker has a queue, or at least a parser, for every port. */
static struct worker_queue *queue_of_port(struct au_worker *w, uint16_t port_id)
{
	unsigned int i = 0;

	while (i + 1 < w->n_queues && w->queues[i].port_id != port_id)
		i++;
	return &w->queues[i];
}

/* One queue: a burst; or until it is empty, when it has not been so for long or requests wait
 * already: admission sees what waits in our rings, not what waits in the port, where responses are
 * stuck among requests. */
static unsigned int poll_queue(struct au_worker *w, struct worker_queue *q)
{
	struct rte_mbuf *packets[NET_BURST];
	unsigned int done = 0;

	for (unsigned int i = 0; i < WORKER_BURSTS; i++) {
		unsigned int n = rte_eth_rx_burst(q->port_id, q->queue, packets, NET_BURST);
		bool full = n == NET_BURST;

		done += n;
		if (!full)
			q->emptied = w->tsc;
		if (q->user_plane)
			n = hand_over(w, q, packets, n);
		if (w->config.steering)
			n = steer(w, packets, n);
		if (n > 0)
			handle_packets(w, q, packets, n);
		if (!full || w->jobs_free < w->shared->jobs_reserve ||
		    !au_admission_presses(&w->admission, w->tsc - q->emptied))
			break;
	}
	return done;
}

unsigned int au_worker_poll(struct au_worker *w)
{
	struct rte_mbuf *packets[NET_BURST];
	unsigned int done = 0;

	w->tsc = rte_rdtsc();
	w->tick = au_tick(w->shared, w->tsc);
	if (w->tsc >= w->next_clock) {
		w->now = (int64_t)time(NULL); /* vDSO: no system call */
		w->next_clock = w->tsc + w->shared->tsc_hz / 10;
	}
	w->trust = atomic_load_explicit(&w->shared->trust, memory_order_acquire);
	if (w->jobs_counted > 0)
		w->jobs_counted--;
	/* What was taken since the last count may have been given back. */
	if (w->jobs_free <= w->shared->jobs_plenty)
		w->jobs_counted = 0;
	begin_admission(w);
	for (unsigned int i = 0; i < w->n_queues; i++) {
		if (w->queues[i].queue != WORKER_NO_QUEUE)
			done += poll_queue(w, &w->queues[i]);
		net_rx_expire(w->queues[i].rx, w->tsc);
	}
	if (w->config.steering && w->n_queues > 0) {
		unsigned int n = rte_ring_dequeue_burst(w->config.steering[w->config.index],
							(void **)packets, NET_BURST, NULL);

		done += n;
		for (unsigned int i = 0; i < n; i++)
			handle_packets(w, queue_of_port(w, packets[i]->port), &packets[i], 1);
	}
	flush_all(w);
	__atomic_store_n(&w->polls, w->polls + 1, __ATOMIC_RELEASE);
	return done;
}
