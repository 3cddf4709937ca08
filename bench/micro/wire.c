/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Encoding and decoding of each message of an attach, and the link's records.
 */
#include <stdlib.h>

#include <rte_common.h>

#include "micro/micro.h"

static struct wire_message *decoded[MICRO_MESSAGES]; /* MICRO_ITEMS each */
static uint8_t (*datagrams)[128];		     /* likewise: one record of a small message */
static uint8_t out[WIRE_DATAGRAM_MAX];

static bool is_record(enum micro_message m)
{
	return m == MICRO_CONTEXT_SETUP_REQUEST || m == MICRO_CONTEXT_SETUP_RESPONSE ||
	       m == MICRO_SESSION_SETUP_REQUEST || m == MICRO_SESSION_SETUP_RESPONSE;
}

static uint8_t record_type(enum micro_message m)
{
	switch (m) {
	case MICRO_CONTEXT_SETUP_REQUEST:
		return WIRE_CONTEXT_SETUP_REQUEST;
	case MICRO_CONTEXT_SETUP_RESPONSE:
		return WIRE_CONTEXT_SETUP_RESPONSE;
	case MICRO_SESSION_SETUP_REQUEST:
		return WIRE_SESSION_SETUP_REQUEST;
	default:
		return WIRE_SESSION_SETUP_RESPONSE;
	}
}

static void decode_nas(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct wire_message m;

	for (unsigned int i = 0; i < n; i++) {
		wire_nas_decode(&m, micro.items[items[i]].message[c->arg]);
		micro_keep(&m);
	}
}

static void decode_record(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct wire_message m;

	for (unsigned int i = 0; i < n; i++) {
		wire_record_decode(&m, record_type(c->arg), micro.items[items[i]].message[c->arg]);
		micro_keep(&m);
	}
}

static void prepare_encode(const struct micro_case *c)
{
	struct wire_message *all = calloc(MICRO_ITEMS, sizeof(*all));

	micro_check(all != NULL, "no memory");
	free(decoded[c->arg]);
	decoded[c->arg] = all;
	for (unsigned int i = 0; i < MICRO_ITEMS; i++) {
		struct span octets = micro.items[i].message[c->arg];
		enum wire_cause cause =
			is_record(c->arg) ? wire_record_decode(&all[i], record_type(c->arg), octets)
					  : wire_nas_decode(&all[i], octets);

		micro_check(cause == WIRE_CAUSE_NONE, "a message does not decode");
		if (is_record(c->arg))
			all[i].epd = 0;
		micro_check(wire_encode(&all[i], out, sizeof(out)) == octets.n,
			    "a message does not encode as it was");
	}
}

static void encode(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	const struct wire_message *all = decoded[c->arg];

	for (unsigned int i = 0; i < n; i++) {
		wire_encode(&all[items[i]], out, sizeof(out));
		micro_keep(out);
	}
}

/* As it comes, but for the big ones alone in its datagram. */
static void prepare_datagrams(const struct micro_case *c)
{
	(void)c;
	if (!datagrams)
		datagrams = calloc(MICRO_ITEMS, sizeof(datagrams[0]));
	micro_check(datagrams != NULL, "no memory");
	for (unsigned int i = 0; i < MICRO_ITEMS; i++) {
		const struct micro_item *item = &micro.items[i];
		const struct wire_record record = {
			.type = WIRE_UPLINK_NAS,
			.an_ue_id = item->an_ue_id,
			.au_ue_id = item->au_ue_id,
			.payload = item->message[MICRO_ATTACH_COMPLETE_SENT]};
		struct wire_writer w;

		wire_writer_open(&w, datagrams[i], sizeof(datagrams[i]));
		micro_check(wire_writer_add(&w, &record), "a record that does not fit");
	}
}

static void read_datagram(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	size_t size = WIRE_DATAGRAM_HEADER_SIZE + WIRE_RECORD_HEADER_SIZE +
		      micro.items[0].message[MICRO_ATTACH_COMPLETE_SENT].n;

	(void)c;
	for (unsigned int i = 0; i < n; i++) {
		struct wire_reader r;
		struct wire_record record;

		wire_reader_open(&r, span_make(datagrams[items[i]], size));
		while (wire_reader_next(&r, &record))
			micro_keep(&record);
	}
}

/* Room in a datagram, the copy of the payload, and the header. */
static void write_record(const struct micro_case *c, const uint32_t *items, unsigned int n)
{
	struct wire_writer w;

	wire_writer_open(&w, out, sizeof(out));
	for (unsigned int i = 0; i < n; i++) {
		const struct micro_item *item = &micro.items[items[i]];
		struct span payload = item->message[c->arg];
		uint8_t *p = wire_writer_reserve(&w, payload.n);

		if (!p) {
			wire_writer_open(&w, out, sizeof(out));
			p = wire_writer_reserve(&w, payload.n);
		}
		memcpy(p, payload.p, payload.n);
		wire_writer_commit(&w, WIRE_DOWNLINK_NAS, item->an_ue_id, item->au_ue_id,
				   payload.n);
	}
	micro_keep(out);
}

#define NAS(title, stage, n, kind)                                      \
	{                                                               \
		"wire", title, stage, n, .arg = kind, .run = decode_nas \
	}
#define RECORD(title, stage, n, kind)                                      \
	{                                                                  \
		"wire", title, stage, n, .arg = kind, .run = decode_record \
	}
#define ENCODE(title, stage, n, kind)                                                          \
	{                                                                                      \
		"wire", title, stage, n, .arg = kind, .run = encode, .prepare = prepare_encode \
	}

static const struct micro_case cases[] = {
	{"wire", "link: a datagram of one record, read", "worker", 7, .run = read_datagram,
	 .prepare = prepare_datagrams},
	NAS("ATTACH REQUEST, decoded", "worker", 1, MICRO_ATTACH_REQUEST),
	ENCODE("AUTHENTICATION REQUEST, encoded", "control", 1, MICRO_AUTHENTICATION_REQUEST),
	NAS("AUTHENTICATION RESPONSE, decoded", "worker", 1, MICRO_AUTHENTICATION_RESPONSE),
	ENCODE("SECURITY MODE COMMAND, encoded", "control", 1, MICRO_SECURITY_MODE_COMMAND),
	NAS("SECURITY MODE COMPLETE, decoded", "control", 1, MICRO_SECURITY_MODE_COMPLETE),
	ENCODE("CONTEXT SETUP REQUEST, encoded", "control", 1, MICRO_CONTEXT_SETUP_REQUEST),
	RECORD("CONTEXT SETUP RESPONSE, decoded", "control", 1, MICRO_CONTEXT_SETUP_RESPONSE),
	ENCODE("ATTACH ACCEPT, encoded", "control", 1, MICRO_ATTACH_ACCEPT),
	NAS("ATTACH COMPLETE, decoded", "control", 1, MICRO_ATTACH_COMPLETE),
	NAS("UL NAS TRANSPORT, decoded", "control", 1, MICRO_UL_NAS_TRANSPORT),
	NAS("SESSION ESTABLISHMENT REQUEST, decoded", "control", 1, MICRO_SESSION_REQUEST),
	ENCODE("SESSION SETUP REQUEST, encoded", "control", 1, MICRO_SESSION_SETUP_REQUEST),
	RECORD("SESSION SETUP RESPONSE, decoded", "control", 1, MICRO_SESSION_SETUP_RESPONSE),
	ENCODE("SESSION ESTABLISHMENT ACCEPT, encoded", "control", 1, MICRO_SESSION_ACCEPT),
	ENCODE("DL NAS TRANSPORT, encoded", "control", 1, MICRO_DL_NAS_TRANSPORT),
	{"wire", "link: AUTHENTICATION REQUEST, written", "control", 1,
	 .arg = MICRO_AUTHENTICATION_REQUEST, .run = write_record},
	{"wire", "link: a small record, written", "control", 5, .arg = MICRO_CONTEXT_SETUP_REQUEST,
	 .run = write_record},
	/* The UE's side, for those who write one. */
	ENCODE("ATTACH REQUEST, encoded", NULL, 0, MICRO_ATTACH_REQUEST),
	NAS("AUTHENTICATION REQUEST, decoded", NULL, 0, MICRO_AUTHENTICATION_REQUEST),
	ENCODE("AUTHENTICATION RESPONSE, encoded", NULL, 0, MICRO_AUTHENTICATION_RESPONSE),
	NAS("SECURITY MODE COMMAND, decoded", NULL, 0, MICRO_SECURITY_MODE_COMMAND),
	ENCODE("SECURITY MODE COMPLETE, encoded", NULL, 0, MICRO_SECURITY_MODE_COMPLETE),
	RECORD("CONTEXT SETUP REQUEST, decoded", NULL, 0, MICRO_CONTEXT_SETUP_REQUEST),
	NAS("ATTACH ACCEPT, decoded", NULL, 0, MICRO_ATTACH_ACCEPT),
	ENCODE("ATTACH COMPLETE, encoded", NULL, 0, MICRO_ATTACH_COMPLETE),
	ENCODE("UL NAS TRANSPORT, encoded", NULL, 0, MICRO_UL_NAS_TRANSPORT),
	NAS("DL NAS TRANSPORT, decoded", NULL, 0, MICRO_DL_NAS_TRANSPORT),
};

const struct micro_group micro_wire = {"wire", cases, RTE_DIM(cases)};
