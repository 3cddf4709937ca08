/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The stages of the authenticator as they are polled, on batches of the messages of real attaches:
 * an instance of lib/au whose port is a pair of rings, with an access node at the other end.
 *
 * Before a batch its UEs attach until the message at hand is where the stage takes it from; after
 * it the message goes the rest of its way, every UE must be where that leads, and is released.
 * Where the crypto stage is not what is timed, its results are put in by hand.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_eth_ring.h>

#include "au/instance.h"
#include "micro/micro.h"

enum {
	RING = 4 * MICRO_CHUNK,
	MTU = 1500,
	AN_PORT = 40000,
	CONTEXTS = 4 * MICRO_CHUNK,
	JOBS = 1023,
	MINUTE_MS = 60000,
	KEY_TABLE_OCTETS = 64 << 10,
};

/* What is sent, in the order of the procedure. */
enum message { ATTACH_REQUEST, AUTHENTICATION_RESPONSE, SECURITY_MODE_COMPLETE, CONTEXT_SETUP };
enum stage { WORKER, CRYPTO, CONTROL };
enum { OPENSSL = 1 << 8 };
#define ARG(message, stage) ((message) | (stage) << 4)

static char au_name[] = "cp-au", mcc[] = "001", mnc[] = "01", device[] = "net_ring_au",
	    address[] = "192.0.2.1/24", dnn[] = "rsp", ue_pool[] = "10.0.0.0/16",
	    dns[] = "192.0.2.53", fqdn[] = "smdp.example", smdp[] = "192.0.2.80",
	    openssl[] = "openssl";
static struct config_an access_node = {
	.name = "an", .count = 1, .first = {.family = 4, .a = {192, 0, 2, 100}}};
static struct config config = {
	.name = au_name,
	.mcc = mcc,
	.mnc = mnc,
	.n_lcores = 1,
	.lcores = {{.n_stages = 3,
		    .stages = {CONFIG_STAGE_WORKER, CONFIG_STAGE_CRYPTO, CONFIG_STAGE_CONTROL}}},
	.n_ports = 1,
	.ports = {{.device = device,
		   .ipv4 = address,
		   .mtu = MTU,
		   .serves = CONFIG_SERVES_AN,
		   .rx_descriptors = 256,
		   .tx_descriptors = 256}},
	.udp_port = WIRE_UDP_PORT,
	.n_ans = 1,
	.ans = &access_node,
	.mbufs = 2047,
	.nas = {.nia = {2, 1, 3}, .n_nia = 3, .nea = {2, 1, 3, 0}, .n_nea = 4},
	.ue = {.max = CONTEXTS, .max_half_open = CONTEXTS, .jobs = JOBS, .key_multiples = JOBS},
	.timers = {.t3560_ms = MINUTE_MS,
		   .t3550_ms = MINUTE_MS,
		   .t3522_ms = MINUTE_MS,
		   .tan_ms = MINUTE_MS,
		   .session_ms = MINUTE_MS,
		   .queue_delay_ms = MINUTE_MS,
		   .back_off_s = 60,
		   .replay_s = 60},
	.session = {.dnn = dnn,
		    .pool = ue_pool,
		    .dns = dns,
		    .smdp_fqdn = fqdn,
		    .smdp_address = smdp,
		    .ambr_kbps = 1000},
};

static struct au *au;
static struct ue_table *table;
static struct au_crypto *backends[2]; /* the chosen one, and OpenSSL */
static struct au_trust *trusts[2];    /* with keys for each */
static struct rte_ring *to_au, *from_au;
static struct rte_mempool *pool;
static const struct net_if an_side = {.mtu = MTU, .mac = {{0x02, 0, 0, 0, 0, 2}}};

/* The batch at hand. Numbers are never used again: nothing of it is a repetition. */
static struct {
	unsigned int n;
	uint32_t first; /* AN UE id of the first */
	const struct micro_item *items[MICRO_CHUNK];
	uint64_t au_ue_ids[MICRO_CHUNK];
	struct au_job *jobs[MICRO_CHUNK]; /* in the crypto stage's hands */
	struct au_crypto *crypto;
} batch = {.first = 1};

/* ---------------------------------------------------------------- the instance */

static char folder[] = "/tmp/bench-micro-XXXXXX", eum_folder[64];

static struct credential {
	const char *name;
	const struct span *der;
	char path[64];
} credentials[] = {
	{"ca.crt", &micro.cert_operator_ca, ""},
	{"cross.crt", &micro.cert_cross, ""},
	{"ci.crt", &micro.cert_ci, ""},
	{"ci-cross.crt", &micro.cert_ci_cross, ""},
	{"au.crt", &micro.cert_au, ""},
	{"eum/eum.crt", &micro.cert_eum, ""},
	{"au.key", NULL, ""},
};
enum { CA, CROSS, CI, CI_CROSS, AU, EUM, AU_KEY };

static void write_credential(struct credential *f)
{
	snprintf(f->path, sizeof(f->path), "%s/%s", folder, f->name);
	if (!f->der) {
		micro_check(issue_key_write(micro.au_key, f->path), "a key cannot be written");
		return;
	}
	FILE *file = fopen(f->path, "wb");

	micro_check(file && fwrite(f->der->p, f->der->n, 1, file) == 1 && fclose(file) == 0,
		    "a certificate cannot be written");
}

static void write_credentials(void)
{
	micro_check(mkdtemp(folder) != NULL, "no directory for credentials");
	snprintf(eum_folder, sizeof(eum_folder), "%s/eum", folder);
	micro_check(mkdir(eum_folder, 0700) == 0, "no directory for credentials");
	for (unsigned int i = 0; i < RTE_DIM(credentials); i++)
		write_credential(&credentials[i]);
}

static void remove_credentials(void)
{
	for (unsigned int i = 0; i < RTE_DIM(credentials); i++)
		unlink(credentials[i].path);
	rmdir(eum_folder);
	rmdir(folder);
}

static void on_loaded(void *arg, const char *file, bool accepted, const char *text)
{
	(void)arg;
	(void)file;
	micro_check(accepted, text);
}

/* The loader knows files alone. */
static struct pki_trust *load_trust(void)
{
	char *const crosses[] = {credentials[CROSS].path, credentials[CI_CROSS].path},
		    *const ca[] = {credentials[CA].path}, *const ci[] = {credentials[CI].path},
		    *const cert[] = {credentials[AU].path},
		    *const key[] = {credentials[AU_KEY].path};
	struct pki_trust *trust =
		pki_trust_load(&(struct pki_trust_config){.operator_cas = ca,
							  .n_operator_cas = 1,
							  .cross_certificates = crosses,
							  .n_cross_certificates = 2,
							  .cis = ci,
							  .n_cis = 1,
							  .au_certificates = cert,
							  .n_au_certificates = 1,
							  .au_keys = key,
							  .n_au_keys = 1,
							  .eum_directory = eum_folder,
							  .crypto_backend = config.crypto_backend,
							  .key_table_octets = KEY_TABLE_OCTETS,
							  .now = micro.now},
			       on_loaded, NULL);

	micro_check(trust != NULL, "no trust store");
	return trust;
}

static void make_port(void)
{
	to_au = rte_ring_create("to_au", RING, SOCKET_ID_ANY, 0);
	from_au = rte_ring_create("from_au", RING, SOCKET_ID_ANY, 0);
	pool = rte_pktmbuf_pool_create("micro_an", RING, 0, 0, NET_MBUF_DATA, SOCKET_ID_ANY);
	micro_check(to_au && from_au && pool &&
			    rte_eth_from_rings("au", &to_au, 1, &from_au, 1, 0) >= 0,
		    "no port for the stages");
}

static void make_au(void)
{
	static char backend[32], why[256];

	snprintf(backend, sizeof(backend), "%s", crypto_backend_name(micro.crypto));
	config.crypto_backend = backend;
	au = au_create(&config, load_trust(), why, sizeof(why));
	micro_check(au != NULL, why);
	table = au->shared.tables[0];
	backends[0] = au->cryptos[0];
	trusts[0] = atomic_load(&au->shared.trust);
}

/* A second crypto stage beside it, and the snapshot whose keys are prepared for it. */
static void add_openssl(void)
{
	const char *no_crypto;

	config.crypto_backend = openssl;
	micro_check(au_reload(au, load_trust()), "no snapshot for OpenSSL");
	trusts[1] = atomic_load(&au->shared.trust);
	backends[1] = au_crypto_create(&au->shared, 0, SOCKET_ID_ANY, &no_crypto);
	micro_check(backends[1] != NULL, no_crypto);
}

/* ---------------------------------------------------------------- the access node */

static void send_record(enum wire_record_type type, uint32_t an_ue_id, uint64_t au_ue_id,
			struct span payload)
{
	const struct net_peer peer = {.mac = au->shared.nifs[0].mac,
				      .port = WIRE_UDP_PORT,
				      .addr = au->shared.nifs[0].ipv4,
				      .local = access_node.first};
	const struct wire_record record = {(uint8_t)type, an_ue_id, au_ue_id, payload};
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool), *frames[NET_FRAGMENTS_MAX];
	struct wire_writer w;

	micro_check(m != NULL, "no mbufs");
	wire_writer_open(&w, rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_tailroom(m));
	micro_check(
		wire_writer_add(&w, &record) && rte_pktmbuf_append(m, (uint16_t)w.length) != NULL &&
			net_udp_finish(&an_side, m, &peer, AN_PORT, 0, pool, pool, frames) == 1 &&
			rte_ring_enqueue(to_au, frames[0]) == 0,
		"a message could not be sent");
}

static void send_security_mode_complete(unsigned int i)
{
	const struct ue *ue = ue_table_find(table, batch.au_ue_ids[i]);
	uint8_t nas[WIRE_NAS_MAX];
	size_t n = 0;

	micro_check(ue && sec_nas_protect(micro.sec, &ue->secured.nas, SEC_UPLINK, 0,
					  SEC_HDR_INTEGRITY_CIPHERED_NEW,
					  batch.items[i]->message[MICRO_SECURITY_MODE_COMPLETE],
					  nas, sizeof(nas), &n) == SEC_OK,
		    "a message could not be protected");
	send_record(WIRE_UPLINK_NAS, batch.first + i, batch.au_ue_ids[i], span_make(nas, n));
}

static void send_message(unsigned int i, enum message which)
{
	const struct span *message = batch.items[i]->message;
	uint32_t id = batch.first + i;

	switch (which) {
	case ATTACH_REQUEST:
		send_record(WIRE_UPLINK_NAS, id, 0, message[MICRO_ATTACH_REQUEST]);
		return;
	case AUTHENTICATION_RESPONSE:
		send_record(WIRE_UPLINK_NAS, id, batch.au_ue_ids[i],
			    message[MICRO_AUTHENTICATION_RESPONSE]);
		return;
	case SECURITY_MODE_COMPLETE:
		send_security_mode_complete(i);
		return;
	case CONTEXT_SETUP:
		send_record(WIRE_CONTEXT_SETUP_RESPONSE, id, batch.au_ue_ids[i],
			    message[MICRO_CONTEXT_SETUP_RESPONSE]);
	}
}

static void send_all(enum message which)
{
	for (unsigned int i = 0; i < batch.n; i++)
		send_message(i, which);
}

static void drop_answers(void)
{
	struct rte_mbuf *frame;

	while (rte_ring_dequeue(from_au, (void **)&frame) == 0)
		rte_pktmbuf_free(frame);
}

/* ---------------------------------------------------------------- the stages */

static void work(void)
{
	micro_check(au_worker_poll(au->workers[0]) == batch.n, "a message is left");
}

static void compute(void)
{
	au_crypto_run(batch.crypto, batch.jobs, batch.n);
}

static void control(void)
{
	micro_check(au_control_poll(au->controls[0]) == batch.n, "a job is left");
}

static bool has_programme(enum message which)
{
	return which <= AUTHENTICATION_RESPONSE;
}

/* What the worker brought for the crypto stage. */
static void take_jobs(enum message which)
{
	struct rte_ring *ring = which == ATTACH_REQUEST ? au->shared.request_rings[0]
							: au->shared.response_rings[0];

	micro_check(rte_ring_dequeue_bulk(ring, (void **)batch.jobs, batch.n, NULL) == batch.n,
		    "a message is refused");
}

/* As in the attach from which the UE's messages are: its answer fits. */
static void put_results(struct au_job *job)
{
	const struct micro_item *item = batch.items[job->an_ue_id - batch.first];

	memcpy(job->rand_au, item->rand_au, sizeof(job->rand_au));
	memcpy(job->pk_au, item->pk_au + 1, sizeof(job->pk_au));
	memcpy(job->sk_au, item->z, sizeof(job->sk_au));
	/* A UE of its own each, however few attaches there are. */
	store_be32(job->eid, job->an_ue_id);
	store_be32(job->rand_ue, job->an_ue_id);
}

static void pass_jobs(enum message which)
{
	for (unsigned int i = 0; i < batch.n; i++) {
		micro_check(batch.jobs[i]->cause == WIRE_CAUSE_NONE, "a signature is wrong");
		if (which == ATTACH_REQUEST)
			put_results(batch.jobs[i]);
	}
	micro_check(rte_ring_enqueue_bulk(au->shared.control_rings[0], (void **)batch.jobs, batch.n,
					  NULL) == batch.n,
		    "a ring is full");
}

/* All UEs are where the message leads to. */
static void look(enum message which)
{
	enum ue_state state = UE_AUTHENTICATION + which;
	uint32_t slot = 0;
	struct ue *ue;

	micro_check(ue_table_count(table, state) == batch.n, "a message is refused");
	while (which == ATTACH_REQUEST && (ue = ue_table_next(table, &slot)) != NULL)
		batch.au_ue_ids[ue->an_ue_id - batch.first] = ue_table_id(table, ue);
	drop_answers();
}

static void release_all(void)
{
	uint8_t cause = WIRE_CAUSE_RELEASED, ies[16];
	struct wire_message m;

	wire_message_init(&m, 0, WIRE_RELEASE_REQUEST);
	wire_set(&m, WIRE_IE_CAUSE, &cause, 1);
	for (unsigned int i = 0; i < batch.n; i++)
		send_record(WIRE_RELEASE_REQUEST, batch.first + i, batch.au_ue_ids[i],
			    span_make(ies, wire_encode(&m, ies, sizeof(ies))));
	work();
	control();
	drop_answers();
	micro_check(ue_table_room(table) == CONTEXTS, "a context is left");
}

/* ---------------------------------------------------------------- a batch */

static enum message message_of(const struct micro_case *c)
{
	return (enum message)(c->arg & 0xf);
}

static enum stage stage_of(const struct micro_case *c)
{
	return (enum stage)(c->arg >> 4 & 0xf);
}

/* From the access node to the stage, which is not polled. */
static void bring(enum message which, enum stage stage)
{
	send_all(which);
	if (stage > WORKER)
		work();
	if (stage > WORKER && has_programme(which))
		take_jobs(which);
	if (stage > CRYPTO && has_programme(which))
		pass_jobs(which);
}

/* The rest of the way of a message that the stage is done with. */
static void finish(enum message which, enum stage stage)
{
	if (stage < CRYPTO && has_programme(which))
		take_jobs(which);
	if (stage < CONTROL) {
		if (has_programme(which))
			pass_jobs(which);
		control();
	}
	look(which);
}

static void before(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	bool second = c->arg & OPENSSL;

	batch.n = n;
	batch.crypto = backends[second];
	atomic_store(&au->shared.trust, trusts[second]);
	for (unsigned int i = 0; i < n; i++)
		batch.items[i] = &micro.items[items[i]];
	for (unsigned int m = ATTACH_REQUEST; m < message_of(c); m++) {
		bring(m, CRYPTO);
		/* UE_Signature2 is verified with what UE_Signature1 left. */
		if (stage_of(c) == CRYPTO)
			compute();
		finish(m, CRYPTO);
	}
	bring(message_of(c), stage_of(c));
}

static void poll(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)items;
	(void)n;
	switch (stage_of(c)) {
	case WORKER:
		work();
		return;
	case CRYPTO:
		compute();
		return;
	case CONTROL:
		control();
	}
}

static void after(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	(void)items;
	finish(message_of(c), stage_of(c));
	release_all();
	batch.first += n;
}

static void set_up_an(void)
{
	uint8_t ies[64];
	struct wire_message m;

	wire_message_init(&m, 0, WIRE_AN_SETUP_REQUEST);
	wire_set(&m, WIRE_IE_AN_NAME, "an", 2);
	send_record(WIRE_AN_SETUP_REQUEST, 0, 0, span_make(ies, wire_encode(&m, ies, sizeof(ies))));
	batch.n = 1;
	work();
	control();
	drop_answers();
	micro_check(au->shared.an_ready[0], "the access node is not set up");
}

static void prepare(const struct micro_case *c)
{
	(void)c;
	if (au)
		return;
	access_node.n3_first = access_node.first;
	make_port();
	write_credentials();
	make_au();
	add_openssl();
	remove_credentials();
	set_up_an();
}

#define ROW(size, title, what)                                                           \
	{                                                                                \
		"stages", title, NULL, 0, .batch = size, .chunk = size, .no_cold = true, \
					  .arg = what, .run = poll, .prepare = prepare,  \
					  .before = before, .after = after               \
	}

static const struct micro_case cases[] = {
	MICRO_BATCHES(ROW, "worker: ATTACH REQUEST", ARG(ATTACH_REQUEST, WORKER)),
	MICRO_BATCHES(ROW, "worker: AUTHENTICATION RESPONSE", ARG(AUTHENTICATION_RESPONSE, WORKER)),
	MICRO_BATCHES(ROW, "worker: SECURITY MODE COMPLETE", ARG(SECURITY_MODE_COMPLETE, WORKER)),
	MICRO_BATCHES(ROW, "crypto: step 2", ARG(ATTACH_REQUEST, CRYPTO)),
	MICRO_BATCHES(ROW, "crypto: step 6", ARG(AUTHENTICATION_RESPONSE, CRYPTO)),
	MICRO_BATCHES(ROW, "crypto: step 2, OpenSSL", ARG(ATTACH_REQUEST, CRYPTO) | OPENSSL),
	MICRO_BATCHES(ROW, "crypto: step 6, OpenSSL",
		      ARG(AUTHENTICATION_RESPONSE, CRYPTO) | OPENSSL),
	MICRO_BATCHES(ROW, "control: result of step 2", ARG(ATTACH_REQUEST, CONTROL)),
	MICRO_BATCHES(ROW, "control: result of step 6", ARG(AUTHENTICATION_RESPONSE, CONTROL)),
	MICRO_BATCHES(ROW, "control: SECURITY MODE COMPLETE", ARG(SECURITY_MODE_COMPLETE, CONTROL)),
	MICRO_BATCHES(ROW, "control: CONTEXT SETUP RESPONSE", ARG(CONTEXT_SETUP, CONTROL)),
};

const struct micro_group micro_stages = {"stages", cases, RTE_DIM(cases)};
