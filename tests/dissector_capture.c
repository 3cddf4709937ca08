/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Writes a capture (libpcap format, standard output) of one attach as the encoder makes it, plus
 * every record and message that an attach does not use, for tests/dissector.sh. MACs are zero and
 * ciphering is NEA0, as nothing here checks them.
 *
 *	dissector-capture CERT_EUM CERT_EUICC    certificates in DER
 *	dissector-capture --malformed            datagrams that are wrong, each in its own way
 */
#include <stdio.h>
#include <stdlib.h>

#include "wire/wire.h"

enum { AN_PORT = 40001, ETHERNET_IPV4_UDP_SIZE = 14 + 20 + 8, CERT_MAX = 1024 };
enum { HEADER_PLAIN, HEADER_INTEGRITY_CIPHERED = 2, HEADER_NEW = 3, HEADER_CIPHERED_NEW = 4 };

static struct wire_writer writer;
static uint8_t frame[ETHERNET_IPV4_UDP_SIZE + WIRE_DATAGRAM_MAX];
static uint8_t sequence[2]; /* NAS sequence numbers, uplink and downlink */
static uint32_t packets;

static void put_le32(uint32_t v)
{
	for (int i = 0; i < 4; i++)
		putchar((int)(v >> (8 * i) & 0xff));
}

static void pcap_open(void)
{
	put_le32(0xa1b2c3d4);
	put_le32(0x00040002);
	put_le32(0);
	put_le32(0);
	put_le32(65535);
	put_le32(1);
}

static uint16_t ipv4_checksum(const uint8_t *header)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += load_be16(header + i);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

static void datagram_begin(void)
{
	wire_writer_open(&writer, frame + ETHERNET_IPV4_UDP_SIZE, WIRE_DATAGRAM_MAX);
}

static void datagram_end(bool uplink)
{
	uint8_t *ip = frame + 14, *udp = ip + 20;
	size_t n = ETHERNET_IPV4_UDP_SIZE + writer.length;

	memset(frame, 0, ETHERNET_IPV4_UDP_SIZE);
	frame[0] = frame[6] = 2;
	frame[5] = uplink ? 1 : 2;
	frame[11] = uplink ? 2 : 1;
	store_be16(frame + 12, 0x0800);
	ip[0] = 0x45;
	store_be16(ip + 2, (uint16_t)(n - 14));
	ip[8] = 64;
	ip[9] = 17;
	store_be32(ip + 12, uplink ? 0x0a000002 : 0x0a000001);
	store_be32(ip + 16, uplink ? 0x0a000001 : 0x0a000002);
	store_be16(ip + 10, ipv4_checksum(ip));
	store_be16(udp, uplink ? AN_PORT : WIRE_UDP_PORT);
	store_be16(udp + 2, uplink ? WIRE_UDP_PORT : AN_PORT);
	store_be16(udp + 4, (uint16_t)(n - 34));
	put_le32(1750000000);
	put_le32(1000 * packets++);
	put_le32((uint32_t)n);
	put_le32((uint32_t)n);
	fwrite(frame, 1, n, stdout);
}

static void fail(const char *what)
{
	fprintf(stderr, "dissector-capture: %s\n", what);
	exit(EXIT_FAILURE);
}

static size_t encode(const struct wire_message *m, uint8_t *out, size_t size)
{
	size_t n = wire_encode(m, out, size);

	if (n == 0 && m->present != 0)
		fail(m->epd == 0 ? wire_record_name(m->type) : wire_nas_name(m->epd, m->type));
	return n;
}

static void add_record(const struct wire_message *m)
{
	uint8_t payload[256];
	struct wire_record r = {.type = m->type, .an_ue_id = 17, .au_ue_id = 0x10000001};

	r.payload = span_make(payload, encode(m, payload, sizeof(payload)));
	if (!wire_writer_add(&writer, &r))
		fail("datagram full");
}

static void add_nas(const struct wire_message *m, bool uplink, uint8_t header)
{
	uint8_t payload[WIRE_NAS_MAX];
	struct wire_record r = {.type = uplink ? WIRE_UPLINK_NAS : WIRE_DOWNLINK_NAS,
				.an_ue_id = 17,
				.au_ue_id = m->type == WIRE_NAS_ATTACH_REQUEST ? 0 : 0x10000001};
	size_t offset = header == HEADER_PLAIN ? 0 : 7;

	if (offset != 0) {
		memset(payload, 0, offset);
		payload[0] = WIRE_EPD_5GMM;
		payload[1] = header;
		payload[6] = sequence[uplink]++;
	}
	r.payload =
		span_make(payload, offset + encode(m, payload + offset, sizeof(payload) - offset));
	if (!wire_writer_add(&writer, &r))
		fail("datagram full");
}

static uint8_t cert_eum[CERT_MAX], cert_euicc[CERT_MAX];
static size_t cert_eum_n, cert_euicc_n;

static size_t read_cert(const char *path, uint8_t *cert)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL)
		fail(path);
	n = fread(cert, 1, CERT_MAX, f);
	fclose(f);
	return n;
}

static const uint8_t rand_ue[16] = "RAND_UE RAND_UE", rand_au[16] = "RAND_AU RAND_AU";
static const uint8_t signature[64] = {1}, point[65] = {4}, capability[] = {0xf0, 0x70};
static const uint8_t one = 1, two = 2, abba[2], ambr[6] = {6, 0, 1, 6, 0, 1};
static const uint8_t guti[] = {0xf2, 0x00, 0xf1, 0x10, 1, 0, 0x41, 1, 2, 3, 4};
static const uint8_t dnn[] = "\3rsp\3iot";
static const uint8_t address[] = {1, 10, 45, 0, 2};
/* TEID, and where it is */
static const uint8_t uplink_ipv4[] = {0, 0, 0x12, 0x34, 192, 0, 2, 1};
static const uint8_t downlink_ipv4[] = {0, 0, 0, 0x2a, 192, 0, 2, 100};
static const uint8_t uplink_ipv6[] = "\0\0\x56\x78\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1";
static const uint8_t downlink_ipv6[] = "\0\0\0\x2b\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\1\0";
static const uint8_t prefix[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0x0a, 0xbc, 0xde};
/* DNS server; operator specific use: MCC/MNC 001/01, SM-DP+ address and name */
static const uint8_t epco[] = "\x80\x00\x0d\x04\x0a\x00\x00\x35"
			      "\xff\x00\x17\x00\xf1\x10\x0a\x00\x00\x50smdp.example.org";

static struct wire_message m;

static void start(uint8_t epd, uint8_t type)
{
	wire_message_init(&m, epd, type);
}

#define SET(ie, value)	wire_set(&m, WIRE_IE_##ie, (value), sizeof(value))
#define SET1(ie, value) wire_set(&m, WIRE_IE_##ie, &(value), 1)

static void an_setup(void)
{
	datagram_begin();
	start(0, WIRE_AN_SETUP_REQUEST);
	wire_set(&m, WIRE_IE_AN_NAME, "an-1", 4);
	add_record(&m);
	datagram_end(true);

	datagram_begin();
	start(0, WIRE_AN_SETUP_RESPONSE);
	wire_set(&m, WIRE_IE_AU_NAME, "cpau-1", 6);
	wire_set(&m, WIRE_IE_SERVING_NETWORK, "5G:mnc001.mcc001.3gppnetwork.org", 32);
	add_record(&m);
	datagram_end(false);
}

static void authentication(void)
{
	datagram_begin();
	start(WIRE_EPD_5GMM, WIRE_NAS_ATTACH_REQUEST);
	SET1(ATTACH_TYPE, one);
	SET(RAND_UE, rand_ue);
	wire_set(&m, WIRE_IE_CERT_EUICC, cert_euicc, cert_euicc_n);
	SET(UE_SIGNATURE1, signature);
	SET(UE_SECURITY_CAPABILITY, capability);
	wire_set(&m, WIRE_IE_CI_PKID_LIST, signature, 40);
	add_nas(&m, true, HEADER_PLAIN);
	add_nas(&m, true, HEADER_PLAIN); /* two in one datagram, as under a storm */
	datagram_end(true);

	datagram_begin();
	start(WIRE_EPD_5GMM, WIRE_NAS_AUTHENTICATION_REQUEST);
	SET1(NGKSI, one);
	SET(ABBA, abba);
	SET(RAND_UE, rand_ue);
	SET(RAND_AU, rand_au);
	SET(PK_AU, point);
	SET(AU_SIGNATURE, signature);
	wire_set(&m, WIRE_IE_CERT_AU, cert_eum, cert_eum_n);
	wire_set(&m, WIRE_IE_CERT_CROSS, cert_eum, cert_eum_n);
	add_nas(&m, false, HEADER_PLAIN);
	datagram_end(false);

	datagram_begin();
	start(WIRE_EPD_5GMM, WIRE_NAS_AUTHENTICATION_RESPONSE);
	SET(RAND_AU, rand_au);
	wire_set(&m, WIRE_IE_CERT_EUM, cert_eum, cert_eum_n);
	wire_set(&m, WIRE_IE_CERT_EUICC, cert_euicc, cert_euicc_n);
	SET(UE_SIGNATURE2, signature);
	SET(PK_UE, point);
	wire_set(&m, WIRE_IE_CERT_EUM_SUBCA, cert_eum, cert_eum_n);
	add_nas(&m, true, HEADER_PLAIN);
	datagram_end(true);
}

static void security_mode_and_context(void)
{
	static const uint8_t sealed[60] = {7}, algorithms = 0x02;

	datagram_begin();
	start(WIRE_EPD_5GMM, WIRE_NAS_SECURITY_MODE_COMMAND);
	SET1(NAS_ALGORITHMS, algorithms);
	SET1(NGKSI, one);
	SET(UE_SECURITY_CAPABILITY, capability);
	add_nas(&m, false, HEADER_NEW);
	datagram_end(false);

	datagram_begin();
	start(WIRE_EPD_5GMM, WIRE_NAS_SECURITY_MODE_COMPLETE);
	add_nas(&m, true, HEADER_CIPHERED_NEW);
	datagram_end(true);

	datagram_begin();
	start(0, WIRE_CONTEXT_SETUP_REQUEST);
	SET(SEALED_KGNB, sealed);
	SET(UE_SECURITY_CAPABILITY, capability);
	add_record(&m);
	datagram_end(false);

	datagram_begin();
	start(0, WIRE_CONTEXT_SETUP_RESPONSE);
	add_record(&m);
	datagram_end(true);

	datagram_begin();
	start(WIRE_EPD_5GMM, WIRE_NAS_ATTACH_ACCEPT);
	SET(GUTI, guti);
	SET1(T3512, one);
	add_nas(&m, false, HEADER_INTEGRITY_CIPHERED);
	datagram_end(false);

	datagram_begin();
	start(WIRE_EPD_5GMM, WIRE_NAS_ATTACH_COMPLETE);
	add_nas(&m, true, HEADER_INTEGRITY_CIPHERED);
	datagram_end(true);
}

static void session(void)
{
	static const uint8_t rules[] = {1, 0, 6, 0x31, 0x31, 1, 1, 0xff, 1};
	static const uint8_t full_rate[] = {0xff, 0xff};
	uint8_t container[512];

	datagram_begin();
	start(WIRE_EPD_5GSM, WIRE_NAS_SESSION_ESTABLISHMENT_REQUEST);
	m.pdu_session_id = m.pti = 1;
	SET(INTEGRITY_MAX_RATE, full_rate);
	SET1(PDU_SESSION_TYPE, one);
	wire_set(&m, WIRE_IE_EPCO, "\x80\0\x0d\0\xff\0\3\0\xf1\x10", 10);
	size_t n = encode(&m, container, sizeof(container));
	start(WIRE_EPD_5GMM, WIRE_NAS_UL_NAS_TRANSPORT);
	SET1(PAYLOAD_CONTAINER_TYPE, one);
	wire_set(&m, WIRE_IE_PAYLOAD_CONTAINER, container, n);
	SET1(PDU_SESSION_ID, one);
	SET1(REQUEST_TYPE, one);
	wire_set(&m, WIRE_IE_DNN, dnn, 8);
	add_nas(&m, true, HEADER_INTEGRITY_CIPHERED);
	datagram_end(true);

	datagram_begin();
	start(0, WIRE_SESSION_SETUP_REQUEST);
	SET1(PDU_SESSION_ID, one);
	wire_set(&m, WIRE_IE_UE_IPV4, address + 1, 4);
	SET1(QFI, one);
	wire_set(&m, WIRE_IE_DNN, dnn, 8);
	SET(UPLINK_TUNNEL, uplink_ipv4);
	add_record(&m);
	start(WIRE_EPD_5GSM, WIRE_NAS_SESSION_ESTABLISHMENT_ACCEPT);
	m.pdu_session_id = m.pti = 1;
	SET1(PDU_SESSION_TYPE, one);
	SET1(SSC_MODE, one);
	SET(QOS_RULES, rules);
	SET(SESSION_AMBR, ambr);
	SET(PDU_ADDRESS, address);
	wire_set(&m, WIRE_IE_EPCO, epco, sizeof(epco) - 1);
	wire_set(&m, WIRE_IE_DNN, dnn, 8);
	n = encode(&m, container, sizeof(container));
	start(WIRE_EPD_5GMM, WIRE_NAS_DL_NAS_TRANSPORT);
	SET1(PAYLOAD_CONTAINER_TYPE, one);
	wire_set(&m, WIRE_IE_PAYLOAD_CONTAINER, container, n);
	SET1(PDU_SESSION_ID, one);
	add_nas(&m, false, HEADER_INTEGRITY_CIPHERED);
	datagram_end(false);

	datagram_begin();
	start(0, WIRE_SESSION_SETUP_RESPONSE);
	SET1(PDU_SESSION_ID, one);
	SET(DOWNLINK_TUNNEL, downlink_ipv4);
	add_record(&m);
	datagram_end(true);
}

/* The records of a session over IPv6, inside and out. */
static void session_over_ipv6(void)
{
	datagram_begin();
	start(0, WIRE_SESSION_SETUP_REQUEST);
	SET1(PDU_SESSION_ID, one);
	SET1(QFI, one);
	wire_set(&m, WIRE_IE_UPLINK_TUNNEL, uplink_ipv6, 20);
	SET(UE_IPV6_PREFIX, prefix);
	add_record(&m);
	datagram_end(false);

	datagram_begin();
	start(0, WIRE_SESSION_SETUP_RESPONSE);
	SET1(PDU_SESSION_ID, one);
	wire_set(&m, WIRE_IE_DOWNLINK_TUNNEL, downlink_ipv6, 20);
	add_record(&m);
	datagram_end(true);
}

/* Refusals, release, overload: all that carries little more than a cause. */
static void everything_else(void)
{
	static const uint8_t uplink_nas[] = {WIRE_NAS_AUTHENTICATION_FAILURE,
					     WIRE_NAS_DETACH_REQUEST};
	static const uint8_t downlink_nas[] = {WIRE_NAS_ATTACH_REJECT,
					       WIRE_NAS_AUTHENTICATION_REJECT};
	static const uint8_t uplink_records[] = {WIRE_CONTEXT_SETUP_FAILURE, WIRE_RELEASE_REQUEST};
	static const uint8_t downlink_records[] = {WIRE_AN_SETUP_FAILURE, WIRE_RELEASE_COMMAND,
						   WIRE_ERROR_INDICATION};
	static const uint8_t cause = WIRE_CAUSE_CERT_EXPIRED, percent = 50, status = 111;

	datagram_begin();
	for (size_t i = 0; i < sizeof(uplink_nas); i++) {
		start(WIRE_EPD_5GMM, uplink_nas[i]);
		SET1(CAUSE, cause);
		add_nas(&m, true, HEADER_PLAIN);
	}
	for (size_t i = 0; i < sizeof(uplink_records); i++) {
		start(0, uplink_records[i]);
		SET1(CAUSE, cause);
		add_record(&m);
	}
	start(0, WIRE_SESSION_SETUP_FAILURE);
	SET1(PDU_SESSION_ID, one);
	SET1(CAUSE, cause);
	add_record(&m);
	start(0, WIRE_RELEASE_COMPLETE);
	add_record(&m);
	start(WIRE_EPD_5GMM, WIRE_NAS_SECURITY_MODE_REJECT);
	SET1(5GMM_CAUSE, status);
	add_nas(&m, true, HEADER_PLAIN);
	datagram_end(true);

	datagram_begin();
	for (size_t i = 0; i < sizeof(downlink_nas); i++) {
		start(WIRE_EPD_5GMM, downlink_nas[i]);
		SET1(CAUSE, cause);
		SET1(BACK_OFF, two);
		add_nas(&m, false, HEADER_PLAIN);
	}
	for (size_t i = 0; i < sizeof(downlink_records); i++) {
		start(0, downlink_records[i]);
		SET1(CAUSE, cause);
		add_record(&m);
	}
	start(WIRE_EPD_5GMM, WIRE_NAS_5GMM_STATUS);
	SET1(5GMM_CAUSE, status);
	add_nas(&m, false, HEADER_PLAIN);
	start(WIRE_EPD_5GMM, WIRE_NAS_DETACH_ACCEPT);
	add_nas(&m, false, HEADER_INTEGRITY_CIPHERED);
	start(0, WIRE_OVERLOAD_START);
	SET1(TRAFFIC_REDUCTION, percent);
	SET1(BACK_OFF, two);
	add_record(&m);
	start(0, WIRE_OVERLOAD_STOP);
	add_record(&m);
	datagram_end(false);
}

/* One way of being malformed a datagram; the dissector must flag each and survive. */
static void malformed(void)
{
#define DATAGRAM(octets)                   \
	{                                  \
		octets, sizeof(octets) - 1 \
	}
#define IDS "\0\0\0\1\0\0\0\0\0\0\0\2"
	static const struct {
		const char *octets;
		size_t n;
	} datagrams[] = {
		DATAGRAM("\1\0\0"),					/* no header */
		DATAGRAM("\2\0\0\1"),					/* version */
		DATAGRAM("\1\0\0\0"),					/* no record */
		DATAGRAM("\1\0\0\1\x32\0\0\0"),				/* half a record header */
		DATAGRAM("\1\0\0\1\x32\0\0\1" IDS),			/* payload past the end */
		DATAGRAM("\1\0\0\1\x32\0\0\0" IDS "x"),			/* octets left over */
		DATAGRAM("\1\0\0\1\x7f\0\0\0" IDS),			/* unknown record */
		DATAGRAM("\1\0\0\1\x30\0\0\0" IDS),			/* cause missing */
		DATAGRAM("\1\0\0\1\x30\0\0\2" IDS "\1\0"),		/* IE without length */
		DATAGRAM("\1\0\0\1\x30\0\0\3" IDS "\1\0\1"),		/* IE without value */
		DATAGRAM("\1\0\0\1\x30\0\0\3" IDS "\1\0\0"),		/* empty cause */
		DATAGRAM("\1\0\0\1\x30\0\0\4" IDS "\x6d\0\1\1"),	/* unknown IE */
		DATAGRAM("\1\0\0\1\x30\0\0\x8" IDS "\1\0\1\1\1\0\1\1"), /* cause twice */
		/* tunnel of 9 octets */
		DATAGRAM("\1\0\0\1\x29\0\0\x10" IDS "\7\0\1\1\x0e\0\x9"
			 "123456789"),
		DATAGRAM("\1\0\0\1\x10\0\0\0" IDS),		 /* no NAS */
		DATAGRAM("\1\0\0\1\x10\0\0\3" IDS "\x7e\0\x6e"), /* no IEs */
		DATAGRAM("\1\0\0\1\x10\0\0\3" IDS "\x7e\2\0"),	 /* half a security header */
		DATAGRAM("\1\0\0\1\x10\0\0\x8" IDS "\x7e\7\0\0\0\0\0\0"), /* header type 7 */
	};

	for (size_t i = 0; i < sizeof(datagrams) / sizeof(datagrams[0]); i++) {
		datagram_begin();
		memcpy(writer.buffer, datagrams[i].octets, datagrams[i].n);
		writer.length = datagrams[i].n;
		datagram_end(true);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--malformed") == 0) {
		pcap_open();
		malformed();
		return EXIT_SUCCESS;
	}
	if (argc != 3)
		fail("usage: dissector-capture CERT_EUM CERT_EUICC | --malformed");
	cert_eum_n = read_cert(argv[1], cert_eum);
	cert_euicc_n = read_cert(argv[2], cert_euicc);
	pcap_open();
	an_setup();
	authentication();
	security_mode_and_context();
	session();
	session_over_ipv6();
	everything_else();
	return EXIT_SUCCESS;
}
