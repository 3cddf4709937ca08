/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The control stage: sole writer of all UE state of its shard. What it does for each message, in
 * the order of the procedure (docs/protocol.md):
 *
 *	step 2	on_attach		-> AUTHENTICATION REQUEST
 *	step 6	on_response		-> SECURITY MODE COMMAND
 *	step 7	on_security_mode_complete -> CONTEXT SETUP REQUEST (to the AN)
 *		on_context_setup_response -> ATTACH ACCEPT
 *	step 8	on_attach_complete, on_session_request -> SESSION SETUP REQUEST, DL NAS TRANSPORT
 *		on_session_setup_response: attached
 *
 * and on_timer for what was lost on the way.
 */
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>

#include "au/control.h"

static const uint8_t ABBA[2] = {0x00, 0x00}; /* TS 33.501 Annex A.7.1 */
enum {
	NGKSI = 0, /* native context, first key set */
	EXPIRED_BURST = 32,
	AHEAD = 8,   /* jobs between a prefetch and its use */
	BURSTS = 16, /* a poll */
};

void control_count_cause(struct au_control *c, enum wire_cause cause)
{
	au_count(&c->counters.causes[cause], 1);
}

void control_count(struct au_control *c, enum au_counter counter)
{
	au_count(&c->counters.events[counter], 1);
}

static uint64_t ticks(unsigned int ms)
{
	return 1 + (uint64_t)ms * AU_TICKS_PER_S / 1000;
}

void control_arm(struct au_control *c, struct ue *ue, unsigned int ms)
{
	ue_table_arm(c->table, ue, c->tick + ticks(ms));
}

/* ---------------------------------------------------------------- answers */

static struct net_peer peer_of(struct au_control *c, const struct ue *ue)
{
	struct net_peer peer = c->peers[ue->an];

	peer.port = ue->udp_port;
	return peer;
}

/* A plain NAS message, or the IEs of a record, for a peer. */
void control_send_to(struct au_control *c, const struct net_peer *peer, uint8_t record_type,
		     uint32_t an_ue_id, uint64_t au_ue_id, const struct wire_message *m)
{
	size_t n = wire_encode(m, c->plain, sizeof(c->plain));

	/* A record may have no IEs; a NAS message is never empty. */
	if (n == 0 && m->epd != 0) {
		control_count_cause(c, WIRE_CAUSE_INTERNAL);
		return;
	}
	uint8_t *p = au_out_reserve(c->out, peer, n);

	if (!p)
		return;
	memcpy(p, c->plain, n);
	au_out_commit(c->out, record_type, an_ue_id, au_ue_id, n);
}

static void send_plain(struct au_control *c, const struct ue *ue, const struct wire_message *m)
{
	struct net_peer peer = peer_of(c, ue);

	control_send_to(c, &peer, WIRE_DOWNLINK_NAS, ue->an_ue_id, ue_table_id(c->table, ue), m);
}

void control_send_record(struct au_control *c, const struct ue *ue, const struct wire_message *m)
{
	struct net_peer peer = peer_of(c, ue);

	control_send_to(c, &peer, m->type, ue->an_ue_id, ue_table_id(c->table, ue), m);
}

static bool send_secured_at(struct au_control *c, struct ue *ue, enum sec_header header,
			    uint32_t count, const struct wire_message *m)
{
	struct net_peer peer = peer_of(c, ue);
	size_t n = wire_encode(m, c->plain, sizeof(c->plain)), length;
	uint8_t *p = au_out_reserve(c->out, &peer, n + SEC_NAS_HEADER_SIZE);

	if (!p)
		return true;
	if (sec_nas_protect(c->sec, &ue->secured.nas, SEC_DOWNLINK, count, header,
			    span_make(c->plain, n), p, n + SEC_NAS_HEADER_SIZE, &length) != SEC_OK)
		return false;
	au_out_commit(c->out, WIRE_DOWNLINK_NAS, ue->an_ue_id, ue_table_id(c->table, ue), length);
	return true;
}

bool control_send_secured(struct au_control *c, struct ue *ue, const struct wire_message *m)
{
	return send_secured_at(c, ue, SEC_HDR_INTEGRITY_CIPHERED, ue->secured.downlink_next++, m);
}

/* ---------------------------------------------------------------- ends */

/* Gives back what a half-open context holds. */
static void half_open_end(struct au_control *c, struct ue *ue)
{
	struct crypto_multiples *multiples = ue->half_open.multiples;

	au_count(&c->held[ue->half_open.epoch], (uint64_t)-1);
	if (multiples)
		rte_mempool_put(c->shared->multiples, multiples);
}

static void release(struct au_control *c, struct ue *ue)
{
	if (ue->state == UE_AUTHENTICATION)
		half_open_end(c, ue);
	else
		control_session_release(c, ue);
	ue_table_release(c->table, ue);
}

static void send_release_command(struct au_control *c, const struct ue *ue, enum wire_cause cause)
{
	struct wire_message m;
	uint8_t value = (uint8_t)cause;

	wire_message_init(&m, 0, WIRE_RELEASE_COMMAND);
	wire_set(&m, WIRE_IE_CAUSE, &value, 1);
	control_send_record(c, ue, &m);
}

/* A refusal of ours with its cause, and the back-off where coming back at once would not help. */
static void reject_init(struct au_control *c, struct wire_message *m, uint8_t type,
			const uint8_t *cause)
{
	wire_message_init(m, WIRE_EPD_5GMM, type);
	wire_set(m, WIRE_IE_CAUSE, cause, 1);
	if (*cause == WIRE_CAUSE_CONGESTION)
		c->back_off = control_back_off(c);
	else if (*cause == WIRE_CAUSE_UE_TABLE_FULL || *cause == WIRE_CAUSE_SHUTTING_DOWN)
		c->back_off = wire_timer2_encode(c->shared->config->timers.back_off_s);
	else
		return;
	wire_set(m, WIRE_IE_BACK_OFF, &c->back_off, 1);
}

/* Ends an attach: the UE is told (in the protection that it has), the AN lets go, nothing stays. */
void control_abort(struct au_control *c, struct ue *ue, enum wire_cause cause)
{
	struct wire_message m;
	uint8_t value = (uint8_t)cause;

	control_count_cause(c, cause);
	control_count(c, AU_COUNT_REFUSED);
	reject_init(c, &m,
		    ue->state == UE_AUTHENTICATION ? WIRE_NAS_AUTHENTICATION_REJECT
						   : WIRE_NAS_ATTACH_REJECT,
		    &value);
	if (ue->state <= UE_SECURITY_MODE)
		send_plain(c, ue, &m);
	else
		control_send_secured(c, ue, &m);
	send_release_command(c, ue, cause);
	release(c, ue);
}

/* Ends a context without a word to the UE: it left, or another attach took its place. */
static void drop(struct au_control *c, struct ue *ue, enum wire_cause cause)
{
	control_count_cause(c, cause);
	if (ue->state >= UE_ATTACHED)
		control_count(c, AU_COUNT_RELEASED);
	send_release_command(c, ue, cause);
	release(c, ue);
}

/* A stateless refusal: there is no context. */
static void refuse(struct au_control *c, const struct au_job *job, uint8_t type,
		   enum wire_cause cause)
{
	struct wire_message m;
	uint8_t value = (uint8_t)cause;

	control_count_cause(c, cause);
	control_count(c, AU_COUNT_REFUSED);
	reject_init(c, &m, type, &value);
	control_send_to(c, &job->peer, WIRE_DOWNLINK_NAS, job->an_ue_id, 0, &m);
}

/* ---------------------------------------------------------------- steps 2 and 3 */

static void send_authentication_request(struct au_control *c, const struct ue *ue)
{
	const struct ue_half_open *h = &ue->half_open;
	const struct au_trust *trust = c->shared->epochs[h->epoch];
	uint8_t pk_au[1 + CRYPTO_POINT_SIZE] = {0x04}, ngksi = NGKSI;
	struct span cross = pki_trust_cross_der(trust->pki, h->cross);
	struct span cert_au = trust->au[h->curve].cert;
	struct wire_message m;

	memcpy(pk_au + 1, h->pk_au, CRYPTO_POINT_SIZE);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_AUTHENTICATION_REQUEST);
	wire_set(&m, WIRE_IE_NGKSI, &ngksi, 1);
	wire_set(&m, WIRE_IE_ABBA, ABBA, sizeof(ABBA));
	wire_set(&m, WIRE_IE_RAND_UE, ue->rand_ue, sizeof(ue->rand_ue));
	wire_set(&m, WIRE_IE_RAND_AU, h->rand_au, sizeof(h->rand_au));
	wire_set(&m, WIRE_IE_PK_AU, pk_au, sizeof(pk_au));
	wire_set(&m, WIRE_IE_AU_SIGNATURE, h->au_signature, sizeof(h->au_signature));
	wire_set(&m, WIRE_IE_CERT_AU, cert_au.p, cert_au.n);
	if (cross.n > 0)
		wire_set(&m, WIRE_IE_CERT_CROSS, cross.p, cross.n);
	send_plain(c, ue, &m);
}

/* An ATTACH REQUEST whose RAND_UE is remembered: a retransmission on the same connection gets the
 * same answer again, without cryptography; on any other connection it is a replay. */
static void on_known_rand(struct au_control *c, const struct au_job *job, uint32_t slot)
{
	struct ue *ue = ue_table_slot(c->table, slot);

	if (ue && ue->an == job->an && ue->an_ue_id == job->an_ue_id &&
	    memcmp(ue->rand_ue, job->rand_ue, sizeof(ue->rand_ue)) == 0) {
		control_count(c, AU_COUNT_RETRANSMITTED_REQUESTS);
		if (ue->state == UE_AUTHENTICATION)
			send_authentication_request(c, ue);
		return;
	}
	refuse(c, job, WIRE_NAS_ATTACH_REJECT, WIRE_CAUSE_REPLAYED_REQUEST);
}

static void on_retry(struct au_control *c, const struct au_job *job)
{
	uint32_t slot = ue_table_find_rand(c->table, job->rand_ue, job->eid, c->tick);

	if (slot == UE_NONE)
		control_count(c, AU_COUNT_LATE);
	else
		on_known_rand(c, job, slot);
}

static void on_attach(struct au_control *c, struct au_job *job)
{
	if (job->cause != WIRE_CAUSE_NONE) {
		refuse(c, job, WIRE_NAS_ATTACH_REJECT, job->cause);
		return;
	}
	uint32_t slot = ue_table_find_rand(c->table, job->rand_ue, job->eid, c->tick);

	if (slot != UE_NONE) {
		on_known_rand(c, job, slot);
		return;
	}
	struct ue *ue = ue_table_room(c->table) > 0 ? ue_table_allocate(c->table) : NULL;

	if (!ue) {
		refuse(c, job, WIRE_NAS_ATTACH_REJECT, WIRE_CAUSE_UE_TABLE_FULL);
		return;
	}
	ue_table_write_begin(ue);
	ue_table_set_state(c->table, ue, UE_AUTHENTICATION);
	ue->retries = 0;
	ue->capability_len = job->capability_len;
	memcpy(ue->capability, job->capability, sizeof(ue->capability));
	ue->udp_port = job->peer.port;
	ue->an = job->an;
	ue->an_ue_id = job->an_ue_id;
	memcpy(ue->eid, job->eid, sizeof(ue->eid));
	memcpy(ue->rand_ue, job->rand_ue, sizeof(ue->rand_ue));

	struct ue_half_open *h = &ue->half_open;

	memcpy(h->rand_au, job->rand_au, sizeof(h->rand_au));
	memcpy(h->sk_au, job->sk_au, sizeof(h->sk_au));
	memcpy(h->pk_au, job->pk_au, sizeof(h->pk_au));
	memcpy(h->au_signature, job->au_signature, sizeof(h->au_signature));
	memcpy(h->device_key, job->device_key, sizeof(h->device_key));
	h->multiples = job->verifies[job->n_verifies - 1].multiples_out;
	if (h->multiples)
		job->multiples = NULL; /* the context's now */
	memcpy(h->fingerprint, job->fingerprint, sizeof(h->fingerprint));
	h->eum = job->eum;
	h->curve = job->curve;
	h->epoch = job->epoch;
	h->cross = job->cross;
	ue_table_write_end(ue);

	au_count(&c->held[job->epoch], 1);
	ue_table_remember_rand(c->table, ue, c->tick);
	control_arm(c, ue, c->shared->config->timers.t3560_ms);
	send_authentication_request(c, ue);
}

/* ---------------------------------------------------------------- steps 6 and 7 */

static bool send_security_mode_command(struct au_control *c, struct ue *ue)
{
	struct wire_message m;
	uint8_t algorithms = (uint8_t)(ue->secured.nas.nea << 4 | ue->secured.nas.nia);
	uint8_t ngksi = NGKSI;

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_SECURITY_MODE_COMMAND);
	wire_set(&m, WIRE_IE_NAS_ALGORITHMS, &algorithms, 1);
	wire_set(&m, WIRE_IE_NGKSI, &ngksi, 1);
	wire_set(&m, WIRE_IE_UE_SECURITY_CAPABILITY, ue->capability, ue->capability_len);
	/* Always COUNT 0: a retransmission is the same octets. */
	return send_secured_at(c, ue, SEC_HDR_INTEGRITY_NEW, 0, &m);
}

/* False: there is nothing to derive. */
static bool prepare_keys(struct au_control *c, const struct au_job *job, unsigned int at)
{
	const struct ue *ue = ue_table_find(c->table, job->au_ue_id);
	struct sec_derivation *d = &c->keys[at];
	struct au_points *points = &c->points[at];

	if (!ue || ue->state != UE_AUTHENTICATION || job->cause != WIRE_CAUSE_NONE)
		return false;
	const struct ue_half_open *h = &ue->half_open;

	/* The index is cold, most likely, and comes while keys are derived. */
	ue_table_prefetch_eid(c->table, ue->eid);
	points->pk_au[0] = points->pk_ue[0] = 0x04;
	memcpy(points->pk_au + 1, h->pk_au, CRYPTO_POINT_SIZE);
	memcpy(points->pk_ue + 1, job->pk_ue, CRYPTO_POINT_SIZE);
	d->in = (struct sec_session_input){
		.z = job->z,
		.rand_ue = ue->rand_ue,
		.rand_au = h->rand_au,
		.eid = ue->eid,
		.pk_au = points->pk_au,
		.pk_ue = points->pk_ue,
		.cert_au_hash = c->shared->epochs[h->epoch]->au[h->curve].cert_hash,
	};
	au_choose_algorithms(c->shared->config, ue->capability, ue->capability_len, &d->nas.nia,
			     &d->nas.nea);
	return true;
}

/* From the ECDH x-coordinate to K_gNB, of all that answered in this burst: their hashes go in
 * pairs. */
static unsigned int derive_keys(struct au_control *c, struct au_job *const *jobs, unsigned int n)
{
	const struct au_shared *shared = c->shared;
	const struct sec_derive_config network = {
		.serving_network =
			span_make(shared->serving_network, strlen(shared->serving_network)),
		.realm = shared->realm,
		.abba = {ABBA[0], ABBA[1]},
	};
	unsigned int n_ues = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct au_job *job = jobs[i];

		if (job->kind == AU_JOB_RESPONSE)
			job->keys = prepare_keys(c, job, n_ues) ? &c->keys[n_ues++] : NULL;
	}
	sec_derive_burst(c->sec, &network, c->keys, n_ues);
	return n_ues;
}

/* Gives the EUM that came with the response to the main lcore, which verifies it once more and
 * publishes a snapshot that knows it. True: the job is not ours any more. */
static bool hand_over_eum(struct au_control *c, struct au_job *job)
{
	if (!job->eum_learnable || rte_ring_enqueue(c->shared->learn, job) != 0)
		return false;
	control_count(c, AU_COUNT_EUMS_LEARNED);
	return true;
}

static void take_keys(struct ue *ue, const struct sec_derivation *keys)
{
	memset(&ue->secured, 0, sizeof(ue->secured));
	ue->secured.nas = keys->nas;
	memcpy(ue->secured.k_amf, keys->k_amf, SEC_KEY_SIZE);
	memcpy(ue->secured.k_gnb, keys->k_gnb, SEC_KEY_SIZE);
}

static void on_response(struct au_control *c, struct au_job *job)
{
	struct ue *ue = ue_table_find(c->table, job->au_ue_id);

	if (ue && ue->state == UE_AUTHENTICATION && job->cause != WIRE_CAUSE_NONE) {
		control_abort(c, ue, job->cause);
		return;
	}
	if (!ue || ue->state != UE_AUTHENTICATION || !job->keys) {
		control_count(c, AU_COUNT_LATE);
		return;
	}
	struct ue *older = ue_table_find_eid(c->table, ue->eid);

	if (older)
		drop(c, older, WIRE_CAUSE_SUPERSEDED);
	half_open_end(c, ue);
	ue_table_write_begin(ue);
	ue_table_set_state(c->table, ue, UE_SECURITY_MODE);
	wipe(&ue->half_open, sizeof(ue->half_open));
	take_keys(ue, job->keys);
	ue->secured.downlink_next = 1; /* 0 is SECURITY MODE COMMAND's */
	ue->retries = 0;
	ue_table_write_end(ue);
	ue_table_index_eid(c->table, ue);
	control_session_context(c, ue);
	control_count(c, AU_COUNT_AUTHENTICATED);
	if (!send_security_mode_command(c, ue)) {
		control_abort(c, ue, WIRE_CAUSE_INTERNAL);
		return;
	}
	control_arm(c, ue, c->shared->config->timers.t3560_ms);
}

static void send_context_setup_request(struct au_control *c, struct ue *ue)
{
	uint8_t sealed[SEC_SEALED_KEY_SIZE], nonce[SEC_SEAL_NONCE_SIZE], aad[12];
	struct wire_message m;

	memcpy(nonce, c->seal_prefix, sizeof(c->seal_prefix));
	store_be64(nonce + sizeof(c->seal_prefix), c->seal_counter++);
	store_be32(aad, ue->an_ue_id);
	store_be64(aad + 4, ue_table_id(c->table, ue));
	sec_seal_key(c->sec, c->shared->ans[ue->an].key, nonce, span_make(aad, sizeof(aad)),
		     ue->secured.k_gnb, sealed);
	wire_message_init(&m, 0, WIRE_CONTEXT_SETUP_REQUEST);
	wire_set(&m, WIRE_IE_SEALED_KGNB, sealed, sizeof(sealed));
	wire_set(&m, WIRE_IE_UE_SECURITY_CAPABILITY, ue->capability, ue->capability_len);
	control_send_record(c, ue, &m);
}

/* Moves on: the next state, its timer, no retries yet. */
void control_enter(struct au_control *c, struct ue *ue, enum ue_state state, unsigned int timer_ms)
{
	ue_table_write_begin(ue);
	ue_table_set_state(c->table, ue, state);
	ue_table_write_end(ue);
	ue->retries = 0;
	if (timer_ms > 0)
		control_arm(c, ue, timer_ms);
	else
		ue_table_disarm(ue);
}

static void on_security_mode_complete(struct au_control *c, struct ue *ue, uint32_t count)
{
	/* It was made for COUNT 0, with which a UE's first protected message comes. */
	if (count != 0)
		sec_derive_kgnb(ue->secured.k_amf, count, ue->secured.k_gnb);
	control_enter(c, ue, UE_AN_CONTEXT, c->shared->config->timers.tan_ms);
	send_context_setup_request(c, ue);
}

/* ---------------------------------------------------------------- step 8 */

static bool send_attach_accept(struct au_control *c, struct ue *ue)
{
	struct wire_message m;
	uint8_t guti[11], t3512 = wire_timer3_encode(0);

	wire_guti_encode(c->shared->config->mcc, c->shared->config->mnc, 1,
			 (uint16_t)(c->shard + 1), 0, ue_table_tmsi(c->table, ue), guti);
	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_ATTACH_ACCEPT);
	wire_set(&m, WIRE_IE_GUTI, guti, sizeof(guti));
	wire_set(&m, WIRE_IE_T3512, &t3512, 1);
	return control_send_secured(c, ue, &m);
}

static void on_context_setup_response(struct au_control *c, struct ue *ue)
{
	control_enter(c, ue, UE_ACCEPT, c->shared->config->timers.t3550_ms);
	send_attach_accept(c, ue);
}

static void on_attach_complete(struct au_control *c, struct ue *ue)
{
	control_enter(c, ue, UE_REGISTERED, c->shared->config->timers.session_ms);
}

static void on_session_setup_response(struct au_control *c, struct ue *ue,
				      const struct wire_message *m)
{
	enum wire_cause cause = control_session_open(c, ue, m);

	if (cause != WIRE_CAUSE_NONE) {
		control_abort(c, ue, cause);
		return;
	}
	control_enter(c, ue, UE_ATTACHED, control_session_first_look(c, ue));
	control_count(c, AU_COUNT_ATTACHED);
}

/* ---------------------------------------------------------------- NAS */

/* Plain messages that a UE may send, and when (TS 24.501 4.4.4.3 in spirit): all else must be
 * protected. */
static void on_plain_nas(struct au_control *c, struct ue *ue, struct span message)
{
	struct wire_message m;
	enum wire_cause cause = wire_nas_decode(&m, message);

	if (cause != WIRE_CAUSE_NONE)
		control_count_cause(c, cause);
	else if (ue->state == UE_AUTHENTICATION && m.type == WIRE_NAS_AUTHENTICATION_FAILURE)
		drop(c, ue, WIRE_CAUSE_NETWORK_REFUSED);
	else if (ue->state == UE_SECURITY_MODE && m.type == WIRE_NAS_SECURITY_MODE_REJECT)
		drop(c, ue, WIRE_CAUSE_SMC_REJECTED);
	else if (ue->state == UE_AUTHENTICATION)
		control_count_cause(c, WIRE_CAUSE_OUT_OF_ORDER);
	else
		control_count_cause(c, WIRE_CAUSE_NAS_UNPROTECTED);
}

static void on_detach(struct au_control *c, struct ue *ue)
{
	struct wire_message m;

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_DETACH_ACCEPT);
	control_send_secured(c, ue, &m);
	drop(c, ue, WIRE_CAUSE_RELEASED);
}

static void on_secured_nas(struct au_control *c, struct ue *ue, const struct wire_message *m,
			   enum sec_header header, uint32_t count)
{
	bool new_context = header == SEC_HDR_INTEGRITY_CIPHERED_NEW;

	if (new_context != (m->type == WIRE_NAS_SECURITY_MODE_COMPLETE)) {
		control_count_cause(c, WIRE_CAUSE_BAD_HEADER);
		return;
	}
	switch (m->type) {
	case WIRE_NAS_SECURITY_MODE_COMPLETE:
		if (ue->state == UE_SECURITY_MODE) {
			on_security_mode_complete(c, ue, count);
			return;
		}
		break;
	case WIRE_NAS_ATTACH_COMPLETE:
		if (ue->state == UE_ACCEPT) {
			on_attach_complete(c, ue);
			return;
		}
		/* The answer to an ATTACH ACCEPT that was sent twice. */
		if (ue->state > UE_ACCEPT) {
			control_count(c, AU_COUNT_LATE);
			return;
		}
		break;
	case WIRE_NAS_UL_NAS_TRANSPORT:
		/* In UE_ACCEPT: ATTACH COMPLETE was lost or overtaken; this says as much, whatever
		 * comes of the session. */
		if (ue->state == UE_ACCEPT)
			on_attach_complete(c, ue);
		if (ue->state >= UE_REGISTERED && ue->state <= UE_ATTACHED) {
			control_session_request(c, ue, m);
			return;
		}
		break;
	case WIRE_NAS_DETACH_REQUEST:
		if (ue->state >= UE_ACCEPT) {
			on_detach(c, ue);
			return;
		}
		break;
	case WIRE_NAS_DETACH_ACCEPT:
		if (ue->state == UE_DETACHING) {
			drop(c, ue, (enum wire_cause)ue->secured.end_cause);
			return;
		}
		break;
	case WIRE_NAS_5GMM_STATUS:
		return;
	default:
		control_count_cause(c, WIRE_CAUSE_MESSAGE_UNKNOWN);
		return;
	}
	control_count_cause(c, WIRE_CAUSE_OUT_OF_ORDER);
}

static enum wire_cause cause_of_security(enum sec_error e)
{
	switch (e) {
	case SEC_BAD_MAC:
		return WIRE_CAUSE_NAS_MAC;
	case SEC_REPLAYED:
		return WIRE_CAUSE_NAS_REPLAYED;
	case SEC_TRUNCATED:
		return WIRE_CAUSE_TRUNCATED;
	case SEC_BAD_HEADER:
		return WIRE_CAUSE_BAD_HEADER;
	default:
		return WIRE_CAUSE_INTERNAL;
	}
}

static void on_nas(struct au_control *c, const struct au_job *job)
{
	struct ue *ue = ue_table_find(c->table, job->au_ue_id);
	struct span message = span_make(job->buffer, job->buffer_len);
	enum sec_header header;
	uint32_t count;
	size_t n;

	if (!ue || ue->an != job->an || ue->an_ue_id != job->an_ue_id) {
		control_count_cause(c, WIRE_CAUSE_UE_UNKNOWN);
		return;
	}
	enum sec_error e = sec_nas_peek(message, &header);

	if (e != SEC_OK) {
		control_count_cause(c, cause_of_security(e));
		return;
	}
	if (header == SEC_HDR_PLAIN) {
		on_plain_nas(c, ue, message);
		return;
	}
	if (ue->state < UE_SECURITY_MODE) {
		control_count_cause(c, WIRE_CAUSE_OUT_OF_ORDER);
		return;
	}
	if (header != SEC_HDR_INTEGRITY_CIPHERED && header != SEC_HDR_INTEGRITY_CIPHERED_NEW) {
		control_count_cause(c, WIRE_CAUSE_BAD_HEADER);
		return;
	}
	/* Wrong MACs and replays are counted and dropped: answering would tell a forger something,
	 * and giving up would let him end another's attach. */
	e = sec_nas_unprotect(c->sec, &ue->secured.nas, SEC_UPLINK, &ue->secured.uplink_next,
			      message, c->plain, sizeof(c->plain), &n, &header, &count);
	if (e != SEC_OK) {
		control_count_cause(c, cause_of_security(e));
		return;
	}
	struct wire_message m;
	enum wire_cause cause = wire_nas_decode(&m, span_make(c->plain, n));

	if (cause != WIRE_CAUSE_NONE)
		control_count_cause(c, cause);
	else
		on_secured_nas(c, ue, &m, header, count);
}

/* ---------------------------------------------------------------- records of the AN */

static void on_an_setup(struct au_control *c, const struct au_job *job)
{
	const struct au_shared *shared = c->shared;
	struct wire_message m;

	atomic_store_explicit(&shared->an_ready[job->an], 1, memory_order_release);
	wire_message_init(&m, 0, WIRE_AN_SETUP_RESPONSE);
	wire_set(&m, WIRE_IE_AU_NAME, shared->config->name, strlen(shared->config->name));
	wire_set(&m, WIRE_IE_SERVING_NETWORK, shared->serving_network,
		 strlen(shared->serving_network));
	control_send_to(c, &job->peer, WIRE_AN_SETUP_RESPONSE, 0, 0, &m);
}

/* A record came before the AN's SETUP: it is told to set up. But not if it has done so meanwhile:
 * it would let go of UEs that are ours. */
static void on_not_set_up(struct au_control *c, const struct au_job *job)
{
	struct wire_message m;
	const uint8_t cause = WIRE_CAUSE_AN_NOT_SET_UP;

	if (atomic_load_explicit(&c->shared->an_ready[job->an], memory_order_relaxed))
		return;
	wire_message_init(&m, 0, WIRE_ERROR_INDICATION);
	wire_set(&m, WIRE_IE_CAUSE, &cause, 1);
	control_send_to(c, &job->peer, WIRE_ERROR_INDICATION, 0, 0, &m);
	control_count(c, AU_COUNT_ERROR_INDICATIONS);
}

static void on_record(struct au_control *c, const struct au_job *job)
{
	struct wire_message m;
	enum wire_cause cause =
		wire_record_decode(&m, job->record_type, span_make(job->buffer, job->buffer_len));

	if (cause != WIRE_CAUSE_NONE) {
		control_count_cause(c, cause);
		return;
	}
	if (job->record_type == WIRE_AN_SETUP_REQUEST) {
		on_an_setup(c, job);
		return;
	}
	struct ue *ue = ue_table_find(c->table, job->au_ue_id);

	if (!ue || ue->an != job->an || ue->an_ue_id != job->an_ue_id) {
		/* RELEASE COMPLETE is the last word about a context that is gone already. */
		if (job->record_type != WIRE_RELEASE_COMPLETE)
			control_count_cause(c, WIRE_CAUSE_UE_UNKNOWN);
		return;
	}
	switch (job->record_type) {
	case WIRE_CONTEXT_SETUP_RESPONSE:
		if (ue->state == UE_AN_CONTEXT)
			on_context_setup_response(c, ue);
		else
			control_count(c, AU_COUNT_LATE);
		return;
	case WIRE_CONTEXT_SETUP_FAILURE:
		if (ue->state == UE_AN_CONTEXT)
			control_abort(c, ue, WIRE_CAUSE_AN_CONTEXT_REFUSED);
		return;
	case WIRE_SESSION_SETUP_RESPONSE:
		if (ue->state == UE_AN_SESSION)
			on_session_setup_response(c, ue, &m);
		else
			control_count(c, AU_COUNT_LATE);
		return;
	case WIRE_SESSION_SETUP_FAILURE:
		if (ue->state == UE_AN_SESSION)
			control_abort(c, ue, WIRE_CAUSE_SESSION_REFUSED);
		return;
	case WIRE_RELEASE_REQUEST:
		drop(c, ue, WIRE_CAUSE_RELEASED);
		return;
	case WIRE_RELEASE_COMPLETE:
	case WIRE_ERROR_INDICATION:
		return;
	default:
		control_count_cause(c, WIRE_CAUSE_RECORD_UNKNOWN);
	}
}

/* ---------------------------------------------------------------- timers */

static void retransmit(struct au_control *c, struct ue *ue)
{
	switch (ue->state) {
	case UE_AUTHENTICATION:
		send_authentication_request(c, ue);
		return;
	case UE_SECURITY_MODE:
		send_security_mode_command(c, ue);
		return;
	case UE_AN_CONTEXT:
		send_context_setup_request(c, ue);
		return;
	case UE_ACCEPT:
		send_attach_accept(c, ue);
		return;
	case UE_DETACHING:
		control_session_send_detach(c, ue);
		return;
	default:
		control_session_retransmit(c, ue);
	}
}

/* Its time may be over. */
static void on_attached_timer(struct au_control *c, struct ue *ue)
{
	if (!c->shared->user_plane) {
		drop(c, ue, WIRE_CAUSE_TIMEOUT);
		return;
	}
	enum wire_cause cause = control_session_look(c, ue);

	if (cause != WIRE_CAUSE_NONE)
		control_session_end(c, ue, cause);
}

static void on_timer(struct au_control *c, struct ue *ue)
{
	const struct config *config = c->shared->config;
	unsigned int ms = config->timers.tan_ms, retries = config->timers.tan_retries;

	switch (ue->state) {
	case UE_AUTHENTICATION:
	case UE_SECURITY_MODE:
		ms = config->timers.t3560_ms;
		retries = config->timers.t3560_retries;
		/* Those that never answer do not keep others out: when room becomes scarce they are
		 * asked once, as TCP does with SYN-ACKs. */
		if (ue->state == UE_AUTHENTICATION && ue_table_is_crowded(c->table))
			retries = 0;
		break;
	case UE_ACCEPT:
		ms = config->timers.t3550_ms;
		retries = config->timers.t3550_retries;
		break;
	case UE_REGISTERED: /* it never asked for its session */
		retries = 0;
		break;
	case UE_ATTACHED:
		on_attached_timer(c, ue);
		return;
	case UE_DETACHING:
		ms = config->timers.t3522_ms;
		retries = config->timers.t3522_retries;
		break;
	default:
		break;
	}
	if (ue->retries >= retries && ue->state == UE_DETACHING) { /* it is gone */
		drop(c, ue, (enum wire_cause)ue->secured.end_cause);
		return;
	}
	if (ue->retries >= retries) {
		control_abort(c, ue, WIRE_CAUSE_TIMEOUT);
		return;
	}
	ue->retries++;
	control_count(c, AU_COUNT_RETRANSMISSIONS);
	retransmit(c, ue);
	control_arm(c, ue, ms);
}

/* ---------------------------------------------------------------- refusals of the worker */

/* The connection's own context, if it awaits step 5, ends with it; anyone else's is not touched. */
static void on_refused_response(struct au_control *c, const struct au_job *job)
{
	struct ue *ue = ue_table_find(c->table, job->au_ue_id);

	if (ue && ue->state == UE_AUTHENTICATION && ue->an == job->an &&
	    ue->an_ue_id == job->an_ue_id)
		control_abort(c, ue, job->cause);
	else
		control_count_cause(c, job->cause);
}

static void on_refusal(struct au_control *c, const struct au_job *job)
{
	if (job->nas_type == WIRE_NAS_ATTACH_REQUEST)
		refuse(c, job, WIRE_NAS_ATTACH_REJECT, job->cause);
	else if (job->nas_type == WIRE_NAS_AUTHENTICATION_RESPONSE)
		on_refused_response(c, job);
	else
		control_count_cause(c, job->cause);
}

/* ---------------------------------------------------------------- the stage */

void au_control_job_done(struct au_control *c, struct au_job *job)
{
	__atomic_fetch_add(&c->learned_of_epoch[job->epoch], 1, __ATOMIC_RELAXED);
	au_job_free(c->shared, job);
}

static void handle(struct au_control *c, struct au_job *job)
{
	c->peers[job->an] = job->peer;
	switch (job->kind) {
	case AU_JOB_ATTACH:
		on_attach(c, job);
		break;
	case AU_JOB_RESPONSE:
		on_response(c, job);
		if (job->cause == WIRE_CAUSE_NONE && hand_over_eum(c, job))
			return;
		break;
	case AU_JOB_RETRY:
		on_retry(c, job);
		break;
	case AU_JOB_NAS:
		on_nas(c, job);
		break;
	case AU_JOB_RECORD:
		on_record(c, job);
		break;
	case AU_JOB_REFUSE:
		on_refusal(c, job);
		break;
	case AU_JOB_NOT_SET_UP:
		on_not_set_up(c, job);
		break;
	}
	au_count(&c->jobs_of_epoch[job->epoch], 1);
	au_job_free(c->shared, job);
}

/* At the end of a shutdown's grace: whoever is still on the way is refused. One burst a poll. */
static unsigned int refuse_remaining(struct au_control *c)
{
	struct ue *ue;
	unsigned int n = 0;

	while (n < AU_BURST && (ue = ue_table_next(c->table, &c->stop_cursor)) != NULL) {
		if (ue->state < UE_ATTACHED) {
			control_abort(c, ue, WIRE_CAUSE_SHUTTING_DOWN);
			n++;
		}
	}
	return n;
}

static unsigned int send_answers(struct au_control *c)
{
	struct rte_mbuf *frames[NET_BURST];
	unsigned int n =
		rte_ring_dequeue_burst(c->shared->answers, (void **)frames, NET_BURST, NULL);

	for (unsigned int i = 0; i < n; i++)
		au_out_frame(c->out, frames[i]);
	return n;
}

static void prefetch_job(const struct au_job *job)
{
	rte_prefetch0(job);
	rte_prefetch0((const uint8_t *)job + RTE_CACHE_LINE_SIZE);
	rte_prefetch0(job->eid);
	rte_prefetch0(job->z);
}

static void prefetch_context(const struct au_control *c, const struct au_job *job)
{
	if (job->kind == AU_JOB_ATTACH)
		ue_table_prefetch_rand(c->table, job->rand_ue, job->eid);
	else
		ue_table_prefetch(c->table, job->au_ue_id);
}

/* What the burst will be read from comes into the cache before it is: the jobs, which say whose
 * contexts they are, then the contexts. */
static void prefetch(const struct au_control *c, struct au_job *const *jobs, unsigned int n)
{
	for (unsigned int i = 0; i < RTE_MIN(n, (unsigned int)AHEAD); i++)
		prefetch_job(jobs[i]);
	for (unsigned int i = 0; i < n; i++) {
		if (i + AHEAD < n)
			prefetch_job(jobs[i + AHEAD]);
		prefetch_context(c, jobs[i]);
	}
}

static unsigned int handle_burst(struct au_control *c)
{
	struct au_job *jobs[AU_BURST];
	unsigned int n = rte_ring_dequeue_burst(c->in, (void **)jobs, AU_BURST, NULL);

	prefetch(c, jobs, n);
	unsigned int n_keys = derive_keys(c, jobs, n);

	for (unsigned int i = 0; i < n; i++)
		handle(c, jobs[i]);
	wipe(c->keys, n_keys * sizeof(c->keys[0]));
	return n;
}

unsigned int au_control_poll(struct au_control *c)
{
	struct ue *expired[EXPIRED_BURST];
	unsigned int done = 0, n;

	c->tsc = rte_rdtsc();
	c->tick = au_tick(c->shared, c->tsc);
	/* All that is there: under overload a worker on the same lcore brings many bursts a turn,
	 * and what is begun is finished first. */
	for (unsigned int i = 0; i < BURSTS; i++, done += n)
		if ((n = handle_burst(c)) == 0)
			break;
	n = ue_table_expired(c->table, c->tick, expired, EXPIRED_BURST);
	for (unsigned int i = 0; i < n; i++)
		on_timer(c, expired[i]);
	done += n;
	if (c->shard == 0)
		done += send_answers(c);
	control_overload_poll(c);
	if (c->shared->user_plane)
		done += control_session_events(c);
	if (atomic_load_explicit(&c->shared->mode, memory_order_relaxed) == AU_STOPPING)
		done += refuse_remaining(c);
	au_out_flush(c->out);
	return done;
}
