/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The GTP-U codec. Octets are written out from TS 29.281 figures 5.1-1 and 5.2.1-1 and TS 38.415
 * figures 5.5.2.1-1 and 5.5.2.2-1. Messages are decoded from a copy of their exact size, so that a
 * sanitizer sees a read past the end.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "gtpu/gtpu.h"

#define MESSAGE(...) \
	span_make((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static uint8_t *copy;

static void forget(void)
{
	free(copy);
	copy = NULL;
}

TestSuite(gtpu, .fini = forget);

static struct span exact(struct span s)
{
	forget();
	copy = malloc(s.n ? s.n : 1);
	cr_assert_not_null(copy);
	if (s.n)
		memcpy(copy, s.p, s.n);
	return span_make(copy, s.n);
}

static enum gtpu_error decode(struct gtpu_header *h, struct span message)
{
	return gtpu_decode(h, exact(message));
}

Test(gtpu, a_g_pdu_without_options_is_read)
{
	struct gtpu_header h;

	cr_assert_eq(decode(&h, MESSAGE(0x30, 255, 0, 3, 1, 2, 3, 4, 'a', 'b', 'c')), GTPU_OK);
	cr_expect_eq(h.type, GTPU_G_PDU);
	cr_expect_eq(h.teid, 0x01020304);
	cr_expect_not(h.has_sequence);
	cr_expect_eq(h.qfi, 0);
	cr_expect_eq(h.header_len, 8);
	cr_expect(span_equal(h.payload, span_make("abc", 3)));
}

Test(gtpu, any_optional_flag_brings_all_optional_fields)
{
	for (uint8_t flag = 1; flag <= 4; flag = (uint8_t)(flag * 2)) {
		uint8_t octets[] = {0x30 | flag, 255, 0, 5, 0, 0, 0, 9, 0x12, 0x34, 7, 0, 'x'};
		struct gtpu_header h;

		cr_assert_eq(decode(&h, span_make(octets, sizeof(octets))), GTPU_OK);
		cr_expect_eq(h.has_sequence, flag == 2);
		cr_expect_eq(h.sequence, flag == 2 ? 0x1234 : 0);
		cr_expect_eq(h.header_len, 12);
		cr_expect_eq(h.payload.n, 1);
	}
}

Test(gtpu, a_pdu_session_container_gives_the_qfi)
{
	struct gtpu_header h;

	cr_assert_eq(decode(&h, MESSAGE(0x34, 255, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0x10, 0xc9,
					0, 'x')),
		     GTPU_OK);
	cr_expect_eq(h.qfi, 9);
	cr_expect_eq(h.header_len, 16);
	cr_expect(span_equal(h.payload, span_make("x", 1)));
}

Test(gtpu, extension_headers_that_need_not_be_understood_are_passed_over)
{
	struct gtpu_header h;

	/* UDP port (0x40), then a container of 8 octets. */
	cr_assert_eq(decode(&h, MESSAGE(0x34, 255, 0, 17, 0, 0, 0, 1, 0, 0, 0, 0x40, 1, 0x9c, 0x40,
					0x85, 2, 0x10, 5, 0, 0, 0, 0, 0, 'x')),
		     GTPU_OK);
	cr_expect_eq(h.qfi, 5);
	cr_expect_eq(h.header_len, 24);
}

Test(gtpu, extension_headers_that_must_be_understood_are_told)
{
	static const uint8_t unknown[] = {0x81, 0x82, 0x83, 0x84, 0xc0};

	for (size_t i = 0; i < sizeof(unknown); i++) {
		uint8_t octets[] = {0x36, 255, 0, 8, 0, 0, 0, 1, 0, 5, 0, unknown[i], 1, 0, 0, 0};
		struct gtpu_header h;

		cr_expect_eq(decode(&h, span_make(octets, sizeof(octets))), GTPU_EXTENSION_UNKNOWN);
		cr_expect_eq(h.teid, 1);
		cr_expect_eq(h.type, GTPU_G_PDU);
	}
}

Test(gtpu, malformed_extension_headers_are_told)
{
	struct gtpu_header h;

	/* Length 0 would go round for ever. */
	cr_expect_eq(decode(&h, MESSAGE(0x34, 255, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0x40, 0, 0, 0, 0)),
		     GTPU_EXTENSION);
	/* Longer than the message; and none where one is announced. */
	cr_expect_eq(decode(&h, MESSAGE(0x34, 255, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0x40, 2, 0, 0, 0)),
		     GTPU_TRUNCATED);
	cr_expect_eq(decode(&h, MESSAGE(0x34, 255, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0x40)),
		     GTPU_TRUNCATED);
	cr_expect_eq(decode(&h, MESSAGE(0x34, 255, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0x40, 1, 0, 0, 0x40)),
		     GTPU_TRUNCATED);
}

Test(gtpu, more_extension_headers_than_are_looked_at_are_refused)
{
	for (unsigned int n = 1; n <= GTPU_EXTENSIONS_MAX + 1; n++) {
		uint8_t octets[12 + 4 * (GTPU_EXTENSIONS_MAX + 1)] = {0x34, 255, 0, 0, 0, 0,
								      0,    1,	 0, 0, 0, 0x40};
		struct gtpu_header h;

		store_be16(octets + 2, (uint16_t)(4 + 4 * n));
		for (unsigned int i = 0; i < n; i++) {
			octets[12 + 4 * i] = 1;
			octets[15 + 4 * i] = i + 1 < n ? 0x40 : 0;
		}
		cr_expect_eq(decode(&h, span_make(octets, 12 + 4 * n)),
			     n <= GTPU_EXTENSIONS_MAX ? GTPU_OK : GTPU_EXTENSION, "%u", n);
	}
}

Test(gtpu, every_cut_of_a_message_is_truncated)
{
	const struct span whole =
		MESSAGE(0x36, 255, 0, 9, 0, 0, 0, 1, 0, 1, 0, 0x85, 1, 0x10, 9, 0, 'x');
	struct gtpu_header h;

	for (size_t n = 0; n < whole.n; n++)
		cr_expect_eq(decode(&h, span_make(whole.p, n)), GTPU_TRUNCATED, "%zu octets", n);
	cr_expect_eq(decode(&h, whole), GTPU_OK);
}

Test(gtpu, a_length_field_that_cuts_the_optional_fields_is_truncated)
{
	struct gtpu_header h;

	for (uint8_t n = 0; n < 4; n++) {
		uint8_t octets[] = {0x32, 1, 0, n, 0, 0, 0, 0, 0, 1, 0, 0};

		cr_expect_eq(decode(&h, span_make(octets, sizeof(octets))), GTPU_TRUNCATED);
	}
}

Test(gtpu, octets_behind_the_message_are_ignored)
{
	struct gtpu_header h;

	cr_assert_eq(decode(&h, MESSAGE(0x30, 255, 0, 1, 0, 0, 0, 1, 'x', 'y', 'z')), GTPU_OK);
	cr_expect(span_equal(h.payload, span_make("x", 1)));
}

Test(gtpu, other_versions_and_gtp_prime_are_told)
{
	struct gtpu_header h;

	for (unsigned int version = 0; version < 8; version++) {
		uint8_t octets[] = {(uint8_t)(version << 5 | 0x10), 255, 0, 0, 0, 0, 0, 7};

		cr_expect_eq(decode(&h, span_make(octets, sizeof(octets))),
			     version == 1 ? GTPU_OK : GTPU_VERSION);
		cr_expect_eq(h.teid, 7);
	}
	cr_expect_eq(decode(&h, MESSAGE(0x20, 255, 0, 0, 0, 0, 0, 7)), GTPU_VERSION);
}

Test(gtpu, headers_that_are_written_can_be_read)
{
	uint8_t octets[GTPU_CONTAINER_HEADER_SIZE + 3] = {[16] = 'a', 'b', 'c'};
	struct gtpu_header h;

	for (unsigned int downlink = 0; downlink < 2; downlink++) {
		gtpu_write_container_header(octets, downlink, 1, 0xdeadbeef, 3);
		cr_assert_eq(decode(&h, span_make(octets, sizeof(octets))), GTPU_OK);
		cr_expect_eq(h.type, GTPU_G_PDU);
		cr_expect_eq(h.teid, 0xdeadbeef);
		cr_expect_eq(h.qfi, 1);
		cr_expect_eq(octets[13] >> 4, downlink ? 0 : 1, "TS 38.415: the PDU type");
		cr_expect(span_equal(h.payload, span_make("abc", 3)));
	}
	gtpu_write_header(octets, GTPU_G_PDU, 5, 11);
	cr_assert_eq(decode(&h, span_make(octets, sizeof(octets))), GTPU_OK);
	cr_expect_eq(h.teid, 5);
	cr_expect_eq(h.payload.n, 11);
}

/* Every one fits exactly, and is refused one octet less. */
static struct gtpu_header encoded(size_t (*encode)(uint8_t *out, size_t size), uint8_t *out)
{
	struct gtpu_header h;
	size_t n = encode(out, 64);

	cr_assert_neq(n, 0);
	cr_expect_eq(encode(out, n - 1), 0);
	cr_expect_eq(encode(out, n), n);
	cr_assert_eq(decode(&h, span_make(out, n)), GTPU_OK);
	cr_expect_eq(h.header_len + h.payload.n, n);
	return h;
}

static size_t echo_request(uint8_t *out, size_t size)
{
	return gtpu_encode_echo_request(out, size, 0xabcd);
}

static size_t echo_response(uint8_t *out, size_t size)
{
	return gtpu_encode_echo_response(out, size, 0xabcd);
}

static size_t end_marker(uint8_t *out, size_t size)
{
	return gtpu_encode_end_marker(out, size, 77);
}

static size_t supported_extensions(uint8_t *out, size_t size)
{
	return gtpu_encode_supported_extensions(out, size, 0);
}

static size_t error_indication(uint8_t *out, size_t size)
{
	return gtpu_encode_error_indication(out, size, 0x01020304, (const uint8_t *)"\xc0\0\2\1",
					    4);
}

Test(gtpu, signalling_messages_are_as_clause_7_has_them)
{
	uint8_t out[64];
	struct gtpu_header h = encoded(echo_request, out);

	cr_expect(h.type == GTPU_ECHO_REQUEST && h.sequence == 0xabcd && h.payload.n == 0);
	h = encoded(echo_response, out);
	cr_expect(h.type == GTPU_ECHO_RESPONSE && h.sequence == 0xabcd && h.teid == 0);
	cr_expect(span_equal(h.payload, MESSAGE(14, 0)));
	h = encoded(end_marker, out);
	cr_expect(h.type == GTPU_END_MARKER && h.teid == 77 && !h.has_sequence);
	h = encoded(supported_extensions, out);
	cr_expect(h.type == GTPU_SUPPORTED_EXTENSION_HEADERS && h.has_sequence);
	cr_expect(span_equal(h.payload, MESSAGE(141, 1, 0x85)));
	h = encoded(error_indication, out);
	cr_expect(h.type == GTPU_ERROR_INDICATION && h.has_sequence && h.teid == 0);
	cr_expect(span_equal(h.payload, MESSAGE(16, 1, 2, 3, 4, 133, 0, 4, 192, 0, 2, 1)));
}

static bool decode_indication(struct span payload, uint32_t *teid, uint8_t address[16], size_t *n)
{
	return gtpu_decode_error_indication(exact(payload), teid, address, n);
}

Test(gtpu, an_error_indication_says_which_tunnel)
{
	const struct span ies = MESSAGE(16, 1, 2, 3, 4, 133, 0, 4, 192, 0, 2, 1);
	uint8_t address[16];
	uint32_t teid;
	size_t n;

	cr_assert(decode_indication(ies, &teid, address, &n));
	cr_expect_eq(teid, 0x01020304);
	cr_expect(span_equal(span_make(address, n), MESSAGE(192, 0, 2, 1)));
	for (size_t cut = 0; cut < ies.n; cut++)
		cr_expect_not(decode_indication(span_make(ies.p, cut), &teid, address, &n));
	cr_expect(decode_indication(MESSAGE(16, 0, 0, 0, 5, 133, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9,
					    10, 11, 12, 13, 14, 15, 16, 255, 0, 1, 0),
				    &teid, address, &n) &&
			  n == 16,
		  "IPv6, and a private extension behind");
}

Test(gtpu, a_malformed_error_indication_is_refused)
{
	uint8_t address[16];
	uint32_t teid;
	size_t n;

	cr_expect_not(decode_indication(MESSAGE(133, 0, 4, 192, 0, 2, 1, 16, 1, 2, 3, 4), &teid,
					address, &n));
	cr_expect_not(decode_indication(MESSAGE(16, 1, 2, 3, 4, 133, 0, 5, 1, 2, 3, 4, 5), &teid,
					address, &n));
	cr_expect_not(decode_indication(MESSAGE(16, 1, 2, 3, 4, 255, 0, 1, 0), &teid, address, &n),
		      "no address");
	cr_expect_not(decode_indication(MESSAGE(16, 1, 2, 3, 4, 14, 0), &teid, address, &n),
		      "an IE without a length");
}

Test(gtpu, every_error_has_a_text)
{
	for (unsigned int e = 0; e < GTPU_ERROR_N; e++)
		cr_expect_neq(*gtpu_error_text(e), '?');
	cr_expect_str_eq(gtpu_error_text(GTPU_ERROR_N), "?");
}
