/* SPDX-License-Identifier: BSD-3-Clause */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_eth_ring.h>
#include <rte_ip.h>
#include <rte_malloc.h>

#include "gtpu/gtpu.h"
#include "start_eal.h"
#include "au_fixture.h"

enum { RING = 1024, AN_MBUFS = 1023, MTU = 4000, FIRST_AN = 100, FIRST_PORT = 20000, DAYS = 30 };

#define HOST	"192.0.2.101" /* of the data network */
#define NETWORK "5G:mnc001.mcc001.3gppnetwork.org"

struct fixture f;

static struct authority operator_to_ci, ci_to_operator, au_credential;
static struct config_an range = {.name = "an", .count = FIXTURE_ANS};
static struct rte_ring *to_au, *from_au;
static struct rte_mempool *an_pool;
static struct net_rx *an_rx;
static struct net_if an_if = {
	.any_port = true,
	.mtu = MTU,
	.mac = {{0x02, 0, 0, 0, 0, 2}},
	.ipv4 = {.family = 4, .a = {192, 0, 2, FIRST_AN}},
	.addresses = FIXTURE_ANS,
};
static struct test_ue ues[FIXTURE_UES];
static unsigned int n_ues;

/* ---------------------------------------------------------------- credentials */

struct span fixture_der(const struct authority *a)
{
	return span_make(a->der, a->n);
}

void fixture_issue(struct authority *a, const struct authority *issuer,
		   struct issue_request request)
{
	if (!a->key)
		a->key = issue_key_generate(CRYPTO_P256);
	request.subject_key = a->key;
	request.issuer_key = issuer ? issuer->key : a->key;
	request.issuer_cert = issuer ? fixture_der(issuer) : span_make(NULL, 0);
	request.days = DAYS;
	free(a->der);
	a->der = issue_certificate(&request, &a->n);
	cr_assert_not_null(a->der);
}

/* A certificate for a CA of the other domain. */
static void cross(struct authority *a, const struct authority *subject,
		  const struct authority *issuer, enum issue_role role)
{
	struct issue_request r = {.role = role,
				  .subject_key = subject->key,
				  .subject_cert = fixture_der(subject),
				  .issuer_key = issuer->key,
				  .issuer_cert = fixture_der(issuer),
				  .days = DAYS};

	a->der = issue_certificate(&r, &a->n);
	cr_assert_not_null(a->der);
}

static void issue_all(void)
{
	fixture_issue(&f.ci, NULL,
		      (struct issue_request){
			      .role = ISSUE_CI, .organisation = "RSP", .common_name = "CI"});
	fixture_issue(&f.operator_ca, NULL,
		      (struct issue_request){.role = ISSUE_OPERATOR_CA,
					     .organisation = "Operator",
					     .common_name = "CA"});
	cross(&operator_to_ci, &f.ci, &f.operator_ca, ISSUE_CROSS_CI);
	cross(&ci_to_operator, &f.operator_ca, &f.ci, ISSUE_CROSS_OPERATOR);
	fixture_issue(&au_credential, &f.operator_ca,
		      (struct issue_request){
			      .role = ISSUE_AU, .organisation = "Operator", .common_name = "AU"});
	fixture_issue(&f.eum, &f.ci,
		      (struct issue_request){.role = ISSUE_EUM,
					     .country = "ES",
					     .organisation = "Maker",
					     .common_name = "EUM",
					     .eid_prefix = "89049032"});
}

static void authority_free(struct authority *a)
{
	issue_key_free(a->key);
	free(a->der);
}

static void put(const char *dir, const char *name, const void *p, size_t n)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *file = fopen(path, "wb");

	cr_assert(file && fwrite(p, n, 1, file) == 1, "%s", path);
	fclose(file);
}

static void put_der(const char *dir, const char *name, const struct authority *a)
{
	put(dir, name, a->der, a->n);
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void report(void *arg, const char *file, bool accepted, const char *text)
{
	(void)arg;
	cr_expect(accepted, "%s: %s", file, text);
}

/* The loader knows files alone: they are there while it reads them. */
struct pki_trust *fixture_load(struct fixture_trust trust)
{
	static const char *const folders[] = {"operator-ca", "cross", "ci", "eum", "au", "crl"};
	char dir[] = "/tmp/cpau-fixture-XXXXXX", path[128];

	cr_assert_not_null(mkdtemp(dir));
	for (unsigned int i = 0; i < RTE_DIM(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, folders[i]);
		cr_assert_eq(mkdir(path, 0700), 0);
	}
	put_der(dir, "operator-ca/ca.crt", &f.operator_ca);
	put_der(dir, "ci/ci.crt", &f.ci);
	put_der(dir, "cross/operator-to-ci.crt", &operator_to_ci);
	put_der(dir, "cross/ci-to-operator.crt", &ci_to_operator);
	put_der(dir, "au/au.crt", &au_credential);
	snprintf(path, sizeof(path), "%s/au/au.key", dir);
	cr_assert(issue_key_write(au_credential.key, path));
	if (!trust.unknown_eum)
		put_der(dir, "eum/eum.crt", &f.eum);
	if (trust.deny)
		put(dir, "deny.txt", trust.deny, strlen(trust.deny));
	if (trust.n_revoked > 0) {
		size_t n;
		uint8_t *crl = issue_crl(fixture_der(&f.ci), f.ci.key, trust.revoked,
					 trust.n_revoked, DAYS, &n);

		cr_assert_not_null(crl);
		put(dir, "crl/ci.crl", crl, n);
		free(crl);
	}
	struct pki_trust *t =
		pki_trust_load(&(struct pki_trust_config){.directory = dir,
							  .max_learned_eums = 4,
							  .crypto_backend = f.config.crypto_backend,
							  .key_table_octets = 64 << 10,
							  .now = time(NULL)},
			       report, NULL);

	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	cr_assert_not_null(t);
	return t;
}

void fixture_reload(struct fixture_trust trust)
{
	cr_assert(au_reload(f.au, fixture_load(trust)));
}

/* ---------------------------------------------------------------- UEs */

static void on_sent(void *arg, struct device *d, const uint8_t *nas, size_t n)
{
	struct test_ue *ue = container_of(d, struct test_ue, device);

	(void)arg;
	/* ATTACH COMPLETE goes before the session request, which is the second. */
	if (ue->pending)
		fixture_uplink(ue);
	memcpy(ue->nas, nas, n);
	ue->n = n;
	ue->pending = true;
}

void fixture_eid_text(const uint8_t eid[16], char text[33])
{
	for (unsigned int i = 0; i < 16; i++)
		sprintf(text + 2 * i, "%02x", eid[i]);
}

struct test_ue *fixture_ue_like(struct issue_request request, const struct authority *issuer)
{
	cr_assert_lt(n_ues, (unsigned int)FIXTURE_UES);
	struct test_ue *ue = &ues[n_ues++];
	char eid[33];

	snprintf(eid, sizeof(eid), "89049032%022u00", n_ues);
	issue_eid_check_digits(eid);
	request.role = ISSUE_EUICC;
	if (!request.serial_number)
		request.serial_number = eid;
	if (!request.organisation)
		request.organisation = "Maker";
	request.country = "ES";
	request.common_name = "eUICC";
	fixture_issue(&ue->euicc, issuer, request);
	issue_key_scalar(ue->euicc.key, ue->private_key);
	for (unsigned int i = 0; i < 16 && request.serial_number[2 * i]; i++)
		cr_assert_eq(sscanf(&request.serial_number[2 * i], "%2hhx", &ue->eid[i]), 1);
	ue->device.cert_euicc = fixture_der(&ue->euicc);
	ue->device.eid = ue->eid;
	ue->device.private_key = ue->private_key;
	ue->device.curve = CRYPTO_P256;
	ue->port = (uint16_t)(FIRST_PORT + n_ues);
	ue->an_ue_id = n_ues;
	return ue;
}

struct test_ue *fixture_ue(void)
{
	return fixture_ue_like((struct issue_request){0}, &f.eum);
}

static void make_world(void)
{
	const char *why;

	f.world.crypto = crypto_create("openssl", -1, &why);
	f.world.sec = sec_create(&why);
	cr_assert(f.world.crypto && f.world.sec, "%s", why);
	f.world.now = time(NULL);
	f.world.capability[0] = f.world.capability[1] = 0x70;
	f.world.cert_eum = fixture_der(&f.eum);
	f.world.send = on_sent;
	cr_assert(device_world_init(&f.world, fixture_der(&f.ci)));
	cr_assert(device_world_serving_network(&f.world, span_make(NETWORK, strlen(NETWORK))));
}

/* ---------------------------------------------------------------- start and end */

/* A minute for every timer: a test that waits for one sets it. */
static void make_config(void)
{
	const char *backend = getenv("CPAU_TEST_BACKEND");

	memset(range.key, 0x6b, sizeof(range.key));
	net_addr_parse("192.0.2.100", &range.first);
	range.n3_first = range.first;
	f.tunnel.type = 0;
	f.config = (struct config){
		.name = "cp-au",
		.mcc = "001",
		.mnc = "01",
		.n_lcores = 1,
		.lcores = {{.n_stages = 3,
			    .stages = {CONFIG_STAGE_WORKER, CONFIG_STAGE_CRYPTO,
				       CONFIG_STAGE_CONTROL}}},
		.n_ports = 1,
		.ports = {{.device = "net_ring_au",
			   .ipv4 = "192.0.2.1/24",
			   .mtu = MTU,
			   .serves = CONFIG_SERVES_AN,
			   .rx_descriptors = 256,
			   .tx_descriptors = 256}},
		.udp_port = WIRE_UDP_PORT,
		.n_ans = 1,
		.ans = &range,
		.mbufs = 1023,
		.crypto_backend = backend && *backend ? (char *)(uintptr_t)backend : "auto",
		.nas = {.nia = {2, 1, 3}, .n_nia = 3, .nea = {2, 1, 3, 0}, .n_nea = 4},
		.ue = {.max = 64, .max_half_open = 48, .jobs = FIXTURE_JOBS, .key_multiples = 31},
		.timers = {.t3560_ms = 60000,
			   .t3560_retries = 2,
			   .t3550_ms = 60000,
			   .t3550_retries = 2,
			   .t3522_ms = 60000,
			   .t3522_retries = 2,
			   .tan_ms = 60000,
			   .tan_retries = 2,
			   .session_ms = 60000,
			   .queue_delay_ms = 60000,
			   .back_off_s = 60,
			   .replay_s = 60},
		.session = {.dnn = "rsp",
			    .pool = "10.0.0.0/24",
			    .dns = "192.0.2.53",
			    .smdp_fqdn = "smdp.example",
			    .smdp_address = "192.0.2.80",
			    .ambr_kbps = 1000},
	};
	if (!f.gate)
		return;
	f.config.lcores[0].stages[f.config.lcores[0].n_stages++] = CONFIG_STAGE_GATE;
	f.config.ports[0].serves = CONFIG_SERVES_AN | CONFIG_SERVES_N3 | CONFIG_SERVES_N6;
	f.config.ports[0].ipv6 = "2001:db8::1/64";
	f.config.session.pool_ipv6 = "2001:db8:45::/56";
	f.config.session.smdp_address = HOST;
	f.config.timers.lifetime_s = 60;
	f.config.timers.idle_s = 60;
	f.config.timers.refresh_s = 60;
}

void fixture_prepare(void)
{
	if (f.telemetry)
		start_eal_with_telemetry();
	else
		start_eal();
	make_config();
	issue_all();
	make_world();
	to_au = rte_ring_create("to_au", RING, SOCKET_ID_ANY, 0);
	from_au = rte_ring_create("from_au", RING, SOCKET_ID_ANY, 0);
	an_pool = rte_pktmbuf_pool_create("an", AN_MBUFS, 0, 0, NET_MBUF_DATA, SOCKET_ID_ANY);
	an_rx = net_rx_create(&(struct net_rx_config){
		.nif = &an_if, .pool = an_pool, .numa_node = SOCKET_ID_ANY});
	cr_assert(to_au && from_au && an_pool && an_rx);
	cr_assert_geq(rte_eth_from_rings("au", &to_au, 1, &from_au, 1, 0), 0);
}

static void set_up_an(unsigned int an)
{
	struct wire_message m;
	uint8_t ies[64];

	wire_message_init(&m, 0, WIRE_AN_SETUP_REQUEST);
	wire_set(&m, WIRE_IE_AN_NAME, "an", 2);
	fixture_send_record(an, FIRST_PORT, WIRE_AN_SETUP_REQUEST, 0, 0,
			    span_make(ies, wire_encode(&m, ies, sizeof(ies))));
}

void fixture_start(void)
{
	char why[256];

	f.au = au_create(&f.config, fixture_load((struct fixture_trust){0}), why, sizeof(why));
	cr_assert_not_null(f.au, "%s", why);
	f.shared = &f.au->shared;
	f.worker = f.au->workers[0];
	f.crypto = f.au->cryptos[0];
	f.control = f.au->controls[0];
	for (unsigned int an = 0; an < FIXTURE_ANS; an++)
		set_up_an(an);
	fixture_settle();
	for (unsigned int an = 0; an < FIXTURE_ANS; an++)
		cr_assert(f.shared->an_ready[an]);
}

void fixture_setup(void)
{
	fixture_prepare();
	fixture_start();
}

/* Contexts that hold multiples: step 6 gives them back. */
static unsigned int held_multiples(void)
{
	unsigned int n = 0;
	uint32_t slot = 0;
	struct ue *ue;

	while ((ue = ue_table_next(f.shared->tables[0], &slot)) != NULL)
		n += ue->state == UE_AUTHENTICATION && ue->half_open.multiples;
	return n;
}

void fixture_teardown(void)
{
	struct authority *const all[] = {&f.ci, &f.operator_ca, &f.eum, &f.subca, &au_credential};

	if (!f.stopped)
		fixture_settle();
	fixture_downlink();
	cr_expect_eq(fixture_jobs_in_use(), 0, "a job is lost or given back twice");
	if (f.shared->multiples)
		cr_expect_eq(rte_mempool_in_use_count(f.shared->multiples), held_multiples());
	struct rte_mempool *pool = f.au->pools[0];

	if (!f.stopped)
		net_port_stop(&f.shared->nifs[0]);
	au_destroy(f.au);
	net_rx_destroy(an_rx);
	cr_expect_eq(rte_mempool_in_use_count(pool), 0, "a frame of the authenticator's is lost");
	cr_expect_eq(rte_mempool_in_use_count(an_pool), 0, "a received frame is lost");
	device_world_fini(&f.world);
	sec_destroy(f.world.sec);
	crypto_destroy(f.world.crypto);
	for (unsigned int i = 0; i < RTE_DIM(all); i++)
		authority_free(all[i]);
	free(operator_to_ci.der);
	free(ci_to_operator.der);
	for (unsigned int i = 0; i < n_ues; i++)
		authority_free(&ues[i].euicc);
	rte_eal_cleanup();
}

/* ---------------------------------------------------------------- uplink */

void fixture_send_record(unsigned int an, uint16_t port, enum wire_record_type type,
			 uint32_t an_ue_id, uint64_t au_ue_id, struct span payload)
{
	struct net_peer au = {.port = WIRE_UDP_PORT,
			      .mac = {{0x02, 0, 0, 0, 0, 1}},
			      .addr = {.family = 4, .a = {192, 0, 2, 1}}};
	struct rte_mbuf *m = rte_pktmbuf_alloc(an_pool), *frames[NET_FRAGMENTS_MAX];
	struct wire_writer w;

	cr_assert_not_null(m);
	if (f.shared)
		au.mac = f.shared->nifs[0].mac;
	net_addr_add(&an_if.ipv4, an, &au.local);
	wire_writer_open(&w, rte_pktmbuf_mtod(m, uint8_t *), WIRE_DATAGRAM_MAX);
	cr_assert(wire_writer_add(
		&w, &(struct wire_record){(uint8_t)type, an_ue_id, au_ue_id, payload}));
	rte_pktmbuf_append(m, (uint16_t)w.length);
	cr_assert_eq(net_udp_finish(&an_if, m, &au, port, 0, an_pool, an_pool, frames), 1);
	cr_assert_eq(rte_ring_enqueue(to_au, frames[0]), 0);
}

void fixture_send_nas(const struct test_ue *ue, struct span nas)
{
	fixture_send_record(ue->an, ue->port, WIRE_UPLINK_NAS, ue->an_ue_id, ue->au_ue_id, nas);
}

void fixture_send_ies(const struct test_ue *ue, const struct wire_message *m)
{
	uint8_t ies[256];
	size_t n = wire_encode(m, ies, sizeof(ies));

	fixture_send_record(ue->an, ue->port, m->type, ue->an_ue_id, ue->au_ue_id,
			    span_make(ies, n));
}

void fixture_send_cause(const struct test_ue *ue, enum wire_record_type type, enum wire_cause cause)
{
	struct wire_message m;
	uint8_t value = (uint8_t)cause;

	wire_message_init(&m, 0, (uint8_t)type);
	wire_set(&m, WIRE_IE_CAUSE, &value, 1);
	fixture_send_ies(ue, &m);
}

void fixture_begin(struct test_ue *ue)
{
	ue->pending = false;
	ue->released = 0;
	ue->au_ue_id = 0;
	device_start(&f.world, &ue->device);
	cr_assert(ue->pending);
}

void fixture_uplink(struct test_ue *ue)
{
	if (ue->pending)
		fixture_send_nas(ue, span_make(ue->nas, ue->n));
	ue->pending = false;
}

/* ---------------------------------------------------------------- the user plane */

enum { TCP_PACKET = 60, GTPU_TO_HOST = 443 };

uint32_t fixture_teid(const struct test_ue *ue)
{
	return 0x1000 + ue->an_ue_id;
}

/* IPv4 and TCP between the UE's address and the host's. */
static void put_tcp(uint8_t p[TCP_PACKET], uint32_t ipv4, bool to_host)
{
	uint32_t host = load_be32(an_if.ipv4.a) + 1;
	struct rte_ipv4_hdr ip = {.version_ihl = RTE_IPV4_VHL_DEF,
				  .total_length = RTE_BE16(TCP_PACKET),
				  .time_to_live = 64,
				  .next_proto_id = IPPROTO_TCP,
				  .src_addr = rte_cpu_to_be_32(to_host ? ipv4 : host),
				  .dst_addr = rte_cpu_to_be_32(to_host ? host : ipv4)};

	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memset(p, 0, TCP_PACKET);
	memcpy(p, &ip, sizeof(ip));
	store_be16(p + sizeof(ip), to_host ? 50000 : GTPU_TO_HOST);
	store_be16(p + sizeof(ip) + 2, to_host ? GTPU_TO_HOST : 50000);
	p[sizeof(ip) + 12] = 5 << 4;
}

static void send_message(const struct test_ue *ue, const uint8_t *message, size_t n)
{
	struct net_peer au = {.port = GTPU_PORT,
			      .mac = f.shared->nifs[0].mac,
			      .addr = {.family = 4, .a = {192, 0, 2, 1}}};
	struct rte_mbuf *m = rte_pktmbuf_alloc(an_pool);

	cr_assert_not_null(m);
	net_addr_add(&an_if.ipv4, ue->an, &au.local);
	memcpy(rte_pktmbuf_append(m, (uint16_t)n), message, n);
	cr_assert(net_tunnel_finish(&an_if, m, &au, GTPU_PORT, 0));
	cr_assert_eq(rte_ring_enqueue(to_au, m), 0);
}

void fixture_send_packet(const struct test_ue *ue, uint32_t teid, uint32_t ipv4)
{
	uint8_t message[GTPU_CONTAINER_HEADER_SIZE + TCP_PACKET];

	gtpu_write_container_header(message, false, 1, teid, TCP_PACKET);
	put_tcp(message + GTPU_CONTAINER_HEADER_SIZE, ipv4, true);
	send_message(ue, message, sizeof(message));
}

void fixture_send_error_indication(const struct test_ue *ue, uint32_t teid)
{
	uint8_t message[64];
	struct net_addr an;

	net_addr_add(&an_if.ipv4, ue->an, &an);
	send_message(ue, message,
		     gtpu_encode_error_indication(message, sizeof(message), teid, an.a, 4));
}

void fixture_send_answer(uint32_t ipv4)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(an_pool);

	cr_assert_not_null(m);
	put_tcp((uint8_t *)rte_pktmbuf_append(m, TCP_PACKET), ipv4, false);
	net_transit_finish(&an_if, m, &f.shared->nifs[0].mac);
	cr_assert_eq(rte_ring_enqueue(to_au, m), 0);
}

static void take_user_plane(const struct net_datagram *d)
{
	struct gtpu_header h;

	cr_assert_eq(gtpu_decode(&h, d->payload), GTPU_OK);
	if (h.type == GTPU_G_PDU) {
		f.g_pdus++;
		f.last_teid = h.teid;
	}
}

/* ---------------------------------------------------------------- downlink */

static void keep(const struct net_datagram *d, const struct wire_record *record)
{
	cr_assert_lt(f.n_got, (unsigned int)FIXTURE_GOT);
	struct got *g = &f.got[f.n_got++];
	enum wire_cause cause = WIRE_CAUSE_NONE;

	g->an = d->from.local.a[3] - FIRST_AN;
	g->port = d->local_port;
	g->record = *record;
	memcpy(g->payload, record->payload.p, record->payload.n);
	g->record.payload = span_make(g->payload, record->payload.n);
	memset(&g->m, 0, sizeof(g->m));
	if (record->type != WIRE_DOWNLINK_NAS)
		cause = wire_record_decode(&g->m, record->type, g->record.payload);
	else if (g->payload[1] == SEC_HDR_PLAIN)
		cause = wire_nas_decode(&g->m, g->record.payload);
	cr_expect_eq(cause, WIRE_CAUSE_NONE);
}

static void take_datagram(const struct net_datagram *d)
{
	struct wire_reader reader;
	struct wire_record record;

	cr_assert_eq(wire_reader_open(&reader, d->payload), WIRE_CAUSE_NONE);
	while (wire_reader_next(&reader, &record))
		keep(d, &record);
	cr_expect_eq(reader.cause, WIRE_CAUSE_NONE);
}

unsigned int fixture_downlink(void)
{
	struct rte_mbuf *frame;
	struct net_datagram d;

	f.n_got = 0;
	while (rte_ring_dequeue(from_au, (void **)&frame) == 0) {
		if (net_rx_burst(an_rx, &frame, 1, rte_rdtsc(), &d) == 0)
			continue;
		if (d.local_port == GTPU_PORT)
			take_user_plane(&d);
		else
			take_datagram(&d);
		rte_pktmbuf_free(d.mbuf);
	}
	/* ARP, for the gate. */
	while (net_rx_answers(an_rx, &frame, 1) == 1)
		cr_assert_eq(rte_ring_enqueue(to_au, frame), 0);
	return f.n_got;
}

void fixture_send_solicitation(void)
{
	const struct net_addr au = {.family = 4, .a = {192, 0, 2, 1}};
	struct rte_mbuf *frame = net_solicit(&an_if, &an_if.ipv4, &au, an_pool);

	cr_assert_not_null(frame);
	cr_assert_eq(rte_ring_enqueue(to_au, frame), 0);
}

bool fixture_is_resolved(void)
{
	const struct net_addr au = {.family = 4, .a = {192, 0, 2, 1}};
	struct rte_ether_addr mac;

	return net_rx_neighbour(an_rx, &au, &mac) &&
	       rte_is_same_ether_addr(&mac, &f.shared->nifs[0].mac);
}

static struct test_ue *ue_of(const struct got *g)
{
	for (unsigned int i = 0; i < n_ues; i++)
		if (ues[i].an == g->an && ues[i].an_ue_id == g->record.an_ue_id)
			return &ues[i];
	return NULL;
}

/* K_gNB opens under the AN's key and is the UE's. */
static void check_kgnb(const struct test_ue *ue, const struct got *g)
{
	struct sec_an_key *key = sec_an_key_create(f.world.sec, range.key);
	uint8_t k_gnb[SEC_KEY_SIZE], aad[12];

	store_be32(aad, ue->an_ue_id);
	store_be64(aad + 4, g->record.au_ue_id);
	cr_expect_eq(sec_open_key(f.world.sec, key, span_make(aad, sizeof(aad)),
				  g->m.ie[WIRE_IE_SEALED_KGNB].p, k_gnb),
		     SEC_OK);
	cr_expect(device_check_kgnb(&ue->device, k_gnb));
	sec_an_key_destroy(key);
}

static void answer_tunnel(struct test_ue *ue, const struct got *g, struct wire_message *m)
{
	static uint8_t tunnel[8];
	struct net_addr an;

	if (f.tunnel.type != 0) {
		*m = f.tunnel;
		return;
	}
	if (!wire_has(&g->m, WIRE_IE_UPLINK_TUNNEL))
		return;
	ue->uplink_teid = load_be32(g->m.ie[WIRE_IE_UPLINK_TUNNEL].p);
	net_addr_add(&an_if.ipv4, ue->an, &an);
	store_be32(tunnel, fixture_teid(ue));
	memcpy(tunnel + 4, an.a, 4);
	wire_set(m, WIRE_IE_DOWNLINK_TUNNEL, tunnel, sizeof(tunnel));
}

static void answer_record(struct test_ue *ue, const struct got *g)
{
	struct wire_message m;

	switch (g->record.type) {
	case WIRE_CONTEXT_SETUP_REQUEST:
		check_kgnb(ue, g);
		wire_message_init(&m, 0, WIRE_CONTEXT_SETUP_RESPONSE);
		break;
	case WIRE_SESSION_SETUP_REQUEST:
		wire_message_init(&m, 0, WIRE_SESSION_SETUP_RESPONSE);
		m.ie[WIRE_IE_PDU_SESSION_ID] = g->m.ie[WIRE_IE_PDU_SESSION_ID];
		m.present = UINT64_C(1) << WIRE_IE_PDU_SESSION_ID;
		answer_tunnel(ue, g, &m);
		break;
	case WIRE_RELEASE_COMMAND:
		ue->released = g->m.ie[WIRE_IE_CAUSE].p[0];
		wire_message_init(&m, 0, WIRE_RELEASE_COMPLETE);
		break;
	default:
		return;
	}
	if (!ue->silent)
		fixture_send_ies(ue, &m);
}

void fixture_deliver(void)
{
	for (unsigned int i = 0; i < f.n_got; i++) {
		const struct got *g = &f.got[i];
		struct test_ue *ue = ue_of(g);

		if (!ue)
			continue;
		if (g->record.au_ue_id != 0)
			ue->au_ue_id = g->record.au_ue_id;
		if (g->record.type == WIRE_DOWNLINK_NAS)
			device_handle(&f.world, &ue->device, g->record.payload);
		else
			answer_record(ue, g);
		if (ue->silent)
			ue->pending = false;
	}
}

/* ---------------------------------------------------------------- turns */

static bool poll_gate(void)
{
	const struct au_lcore *l = &f.au->lcores[0];

	return f.gate && gate_poll(l->stages[l->n_stages - 1].context) > 0;
}

void fixture_settle(void)
{
	bool more;

	do {
		more = false;
		for (unsigned int i = 0; i < n_ues; i++) {
			more |= ues[i].pending;
			fixture_uplink(&ues[i]);
		}
		for (unsigned int i = 0; i < f.au->n_workers; i++)
			more |= au_worker_poll(f.au->workers[i]) > 0;
		more |= au_crypto_poll(f.crypto, false) > 0;
		more |= au_control_poll(f.control) > 0;
		more |= poll_gate();
		fixture_downlink();
		fixture_deliver();
	} while (more);
}

void fixture_lose(struct test_ue *ue)
{
	struct rte_mbuf *frame;

	ue->pending = false;
	while (rte_ring_dequeue(to_au, (void **)&frame) == 0)
		rte_pktmbuf_free(frame);
}

void fixture_advance(struct test_ue *ue, enum ue_state state)
{
	const struct ue *context = NULL;

	for (unsigned int i = 0; i < 16; i++) {
		fixture_uplink(ue);
		au_worker_poll(f.worker);
		au_crypto_poll(f.crypto, false);
		au_control_poll(f.control);
		fixture_downlink();
		fixture_deliver();
		context = fixture_context(ue);
		if (context && context->state == state)
			return;
	}
	cr_assert_fail("the UE is %s, not %s",
		       context ? ue_state_name(context->state) : "without a context",
		       ue_state_name(state));
}

void fixture_attach_until(struct test_ue *ue, enum ue_state state)
{
	fixture_begin(ue);
	fixture_advance(ue, state);
}

void fixture_control_for(unsigned int ms)
{
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz() / 1000 * ms;

	while (rte_rdtsc() < until) {
		au_control_poll(f.control);
		rte_delay_us_sleep(500);
	}
}

/* ---------------------------------------------------------------- looking */

uint8_t *fixture_ie(struct test_ue *ue, enum wire_ie ie)
{
	struct wire_message m;

	cr_assert_eq(wire_nas_decode(&m, span_make(ue->nas, ue->n)), WIRE_CAUSE_NONE);
	cr_assert(wire_has(&m, ie));
	return ue->nas + (m.ie[ie].p - ue->nas);
}

static const struct got *find(const struct test_ue *ue, uint8_t record_type, uint8_t type)
{
	const struct got *found = NULL;

	for (unsigned int i = 0; i < f.n_got; i++) {
		const struct got *g = &f.got[i];

		if (g->an != ue->an || g->record.an_ue_id != ue->an_ue_id ||
		    g->record.type != record_type || g->m.type != type)
			continue;
		cr_expect_null(found, "sent twice");
		cr_expect_eq(g->port, ue->port);
		found = g;
	}
	return found;
}

const struct got *fixture_got_nas(const struct test_ue *ue, enum wire_nas_type type)
{
	const struct got *g = find(ue, WIRE_DOWNLINK_NAS, (uint8_t)type);

	cr_assert_not_null(g, "no %s", wire_nas_name(WIRE_EPD_5GMM, (uint8_t)type));
	return g;
}

const struct got *fixture_got_record(const struct test_ue *ue, enum wire_record_type type)
{
	const struct got *g = find(ue, (uint8_t)type, (uint8_t)type);

	cr_assert_not_null(g, "no %s", wire_record_name((uint8_t)type));
	return g;
}

uint64_t fixture_event(enum au_counter counter)
{
	return au_event(f.au, counter);
}

uint64_t fixture_cause(enum wire_cause cause)
{
	return au_cause(f.au, cause);
}

struct ue *fixture_context(const struct test_ue *ue)
{
	return ue->au_ue_id ? ue_table_find(f.shared->tables[0], ue->au_ue_id) : NULL;
}

unsigned int fixture_jobs_in_use(void)
{
	return rte_mempool_in_use_count(f.shared->jobs);
}

unsigned int fixture_contexts(void)
{
	unsigned int n = 0;

	for (unsigned int s = UE_FREE + 1; s < UE_STATE_N; s++)
		n += au_ues(f.au, (enum ue_state)s);
	return n;
}
