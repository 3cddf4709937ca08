/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The wire codec: every message of the table in every shape, and everything that is malformed.
 */
#include <criterion/criterion.h>

#include "wire_sample.h"

enum { NAS_TYPE_AT = 2, BUFFER_SIZE = WIRE_DATAGRAM_MAX };

static bool is_tagged(const struct wire_ie_definition *d)
{
	return d->format >= WIRE_FORMAT_TV1;
}

/* Decodes from a copy of exactly that size, so that a sanitizer sees a read past the end. */
static enum wire_cause decode_exact(struct wire_message *m, uint8_t epd, uint8_t type,
				    struct span octets, uint8_t **copy)
{
	*copy = malloc(octets.n != 0 ? octets.n : 1);
	if (octets.n != 0)
		memcpy(*copy, octets.p, octets.n);
	octets.p = *copy;
	return epd == 0 ? wire_record_decode(m, type, octets) : wire_nas_decode(m, octets);
}

static enum wire_cause decode(uint8_t epd, uint8_t type, struct span octets)
{
	struct wire_message m;
	uint8_t *copy;
	enum wire_cause cause = decode_exact(&m, epd, type, octets, &copy);

	free(copy);
	return cause;
}

static size_t header_size(const struct wire_message_definition *def)
{
	return def->epd == 0 ? 0 : def->epd == WIRE_EPD_5GMM ? 3 : 4;
}

/* Appends one IE as it stands on the wire. */
static size_t ie_put(uint8_t *p, const struct wire_ie_definition *d, struct span v)
{
	size_t n = 0;

	if (d->format == WIRE_FORMAT_TV1) {
		p[0] = (uint8_t)(d->tag | v.p[0]);
		return 1;
	}
	p[n++] = d->tag;
	if (d->format == WIRE_FORMAT_TLV_E)
		p[n++] = (uint8_t)(v.n >> 8);
	if (d->format != WIRE_FORMAT_TV)
		p[n++] = (uint8_t)v.n;
	memcpy(p + n, v.p, v.n);
	return n + v.n;
}

static const struct wire_message_definition *definition(uint8_t epd, uint8_t type)
{
	for (unsigned int i = 0; i < wire_messages_n; i++)
		if (wire_messages[i].epd == epd && wire_messages[i].type == type)
			return &wire_messages[i];
	return NULL;
}

/* For every message of the table, in both shapes. */
#define FOREACH_SAMPLE(s, def)                                                                \
	for (unsigned int row_ = 0; row_ < 2 * wire_messages_n; row_++)                       \
		if (def = &wire_messages[row_ / 2],                                           \
		    !sample_carries_nas(def) &&                                               \
			    (sample_fill(s, def, row_ % 2 ? SAMPLE_MAXIMAL : SAMPLE_MINIMAL), \
			     sample_encode(s), true))

static struct sample sample;

/* --- the table --- */

Test(wire_table, every_definition_is_consistent)
{
	for (unsigned int i = 0; i < wire_messages_n; i++) {
		const struct wire_message_definition *def = &wire_messages[i];
		bool tagged = false;

		cr_assert_not_null(def->name);
		cr_assert_eq(def, definition(def->epd, def->type), "%s is twice", def->name);
		for (unsigned int j = 0; j < def->n_ies; j++) {
			const struct wire_ie_definition *d = &def->ies[j];

			cr_assert_leq(d->min, d->max);
			cr_assert_geq(d->min, 1);
			cr_assert(is_tagged(d) || !tagged, "%s: untagged after tagged", def->name);
			cr_assert(is_tagged(d) || d->presence == WIRE_MANDATORY);
			cr_assert((d->tag != 0) == is_tagged(d));
			tagged = is_tagged(d);
			cr_assert_str_neq(wire_ie_name(d->ie), "unknown");
			if (d->format == WIRE_FORMAT_V || d->format == WIRE_FORMAT_TV)
				cr_assert_eq(d->min, d->max);
			for (unsigned int k = 0; k < j; k++) {
				cr_assert_neq(def->ies[k].ie, d->ie);
				if (is_tagged(d))
					cr_assert_neq(def->ies[k].tag, d->tag);
			}
		}
	}
}

/* TS 24.007 11.2.4: the tag alone tells a receiver that does not know the IE how long it is. */
Test(wire_table, nas_tags_tell_the_format)
{
	for (unsigned int i = 0; i < wire_messages_n; i++) {
		const struct wire_message_definition *def = &wire_messages[i];

		for (unsigned int j = 0; def->epd != 0 && j < def->n_ies; j++) {
			const struct wire_ie_definition *d = &def->ies[j];

			if (!is_tagged(d))
				continue;
			cr_assert_eq(d->tag >= 0x80, d->format == WIRE_FORMAT_TV1);
			cr_assert_eq((d->tag & 0xf0) == 0x70, d->format == WIRE_FORMAT_TLV_E);
			cr_assert_geq(d->tag, 0x10);
		}
	}
}

Test(wire_table, every_ie_has_a_name_of_its_own)
{
	for (unsigned int i = 0; i < WIRE_IE_N; i++) {
		cr_assert_not_null(wire_ie_name((enum wire_ie)i));
		for (unsigned int j = 0; j < i; j++)
			cr_assert_str_neq(wire_ie_name((enum wire_ie)i),
					  wire_ie_name((enum wire_ie)j));
	}
	cr_assert_str_eq(wire_ie_name(WIRE_IE_N), "unknown");
}

Test(wire_table, messages_are_named)
{
	cr_assert_str_eq(wire_nas_name(WIRE_EPD_5GMM, WIRE_NAS_ATTACH_REQUEST), "ATTACH REQUEST");
	cr_assert_str_eq(wire_nas_name(WIRE_EPD_5GSM, WIRE_NAS_SESSION_ESTABLISHMENT_ACCEPT),
			 "PDU SESSION ESTABLISHMENT ACCEPT");
	cr_assert_str_eq(wire_nas_name(WIRE_EPD_5GMM, 0xff), "unknown");
	cr_assert_str_eq(wire_nas_name(0x07, WIRE_NAS_ATTACH_REQUEST), "unknown");
	cr_assert_str_eq(wire_record_name(WIRE_UPLINK_NAS), "UPLINK NAS");
	cr_assert_str_eq(wire_record_name(0), "unknown");
}

/* --- round trips --- */

Test(wire_codec, every_message_round_trips_at_both_sizes)
{
	const struct wire_message_definition *def;

	FOREACH_SAMPLE(&sample, def)
	{
		struct wire_message m;
		uint8_t *copy, again[BUFFER_SIZE];

		sample.m.pdu_session_id = def->epd == WIRE_EPD_5GSM ? 5 : 0;
		sample.m.pti = def->epd == WIRE_EPD_5GSM ? 7 : 0;
		sample_encode(&sample);
		if (sample.m.present != 0)
			cr_assert_gt(sample.n, 0, "%s", def->name);
		cr_assert_eq(decode_exact(&m, def->epd, def->type, sample_span(&sample), &copy),
			     WIRE_CAUSE_NONE, "%s", def->name);
		cr_assert_eq(m.epd, def->epd);
		cr_assert_eq(m.type, def->type);
		cr_assert_eq(m.present, sample.m.present, "%s", def->name);
		cr_assert_eq(m.pdu_session_id, sample.m.pdu_session_id);
		cr_assert_eq(m.pti, sample.m.pti);
		for (unsigned int i = 0; i < def->n_ies; i++) {
			enum wire_ie ie = def->ies[i].ie;

			if (wire_has(&m, ie))
				cr_assert(span_equal(m.ie[ie], sample.m.ie[ie]), "%s: %s",
					  def->name, wire_ie_name(ie));
		}
		cr_assert_eq(wire_encode(&m, again, sizeof(again)), sample.n);
		cr_assert(span_equal(span_make(again, sample.n), sample_span(&sample)));
		free(copy);
	}
}

Test(wire_codec, the_longest_message_fits_when_protected)
{
	const struct wire_message_definition *def;
	size_t longest = 0;

	FOREACH_SAMPLE(&sample, def)
	if (sample.n > longest)
		longest = sample.n;
	cr_assert_leq(longest + 7, WIRE_NAS_MAX);
	cr_assert_leq(WIRE_NAS_MAX + WIRE_RECORD_HEADER_SIZE + WIRE_DATAGRAM_HEADER_SIZE,
		      WIRE_DATAGRAM_MAX);
}

Test(wire_codec, attach_request_octets_are_as_specified)
{
	static const uint8_t head[] = {0x7e, 0x00, 0x6e, 0x91, 0x40, 16};

	sample_fill(&sample, definition(WIRE_EPD_5GMM, WIRE_NAS_ATTACH_REQUEST), SAMPLE_MINIMAL);
	sample_encode(&sample);
	cr_assert_arr_eq(sample.octets, head, sizeof(head));
	cr_assert_eq(sample.octets[sizeof(head) + 16], 0x70);
	cr_assert_eq(load_be16(sample.octets + sizeof(head) + 17), 1);
	cr_assert_eq(sample.n, 3 + 1 + 18 + 4 + 66 + 4);
}

/* TS 24.501 8.2.25: algorithms, ngKSI in the low half with a spare half, replayed capability. */
Test(wire_codec, security_mode_command_octets_are_those_of_the_standard)
{
	static const uint8_t expected[] = {0x7e, 0x00, 0x5d, 0x22, 0x01, 0x02, 0xf0, 0x70};
	uint8_t octets[16], algorithms = 0x22, ngksi = 1, capability[] = {0xf0, 0x70};
	struct wire_message m;

	wire_message_init(&m, WIRE_EPD_5GMM, WIRE_NAS_SECURITY_MODE_COMMAND);
	wire_set(&m, WIRE_IE_NAS_ALGORITHMS, &algorithms, 1);
	wire_set(&m, WIRE_IE_NGKSI, &ngksi, 1);
	wire_set(&m, WIRE_IE_UE_SECURITY_CAPABILITY, capability, sizeof(capability));
	cr_assert_eq(wire_encode(&m, octets, sizeof(octets)), sizeof(expected));
	cr_assert_arr_eq(octets, expected, sizeof(expected));
}

/* TS 24.501 8.3.2: PDU session type in bits 1-4 and SSC mode in bits 5-8 of one octet. */
Test(wire_codec, two_halves_share_an_octet)
{
	struct wire_message m;
	uint8_t type = 1, ssc = 3;

	sample_fill(&sample, definition(WIRE_EPD_5GSM, WIRE_NAS_SESSION_ESTABLISHMENT_ACCEPT),
		    SAMPLE_MINIMAL);
	wire_set(&sample.m, WIRE_IE_PDU_SESSION_TYPE, &type, 1);
	wire_set(&sample.m, WIRE_IE_SSC_MODE, &ssc, 1);
	sample_encode(&sample);
	cr_assert_eq(sample.octets[4], 0x31);
	cr_assert_eq(wire_nas_decode(&m, sample_span(&sample)), WIRE_CAUSE_NONE);
	cr_assert_eq(*m.ie[WIRE_IE_PDU_SESSION_TYPE].p, 1);
	cr_assert_eq(*m.ie[WIRE_IE_SSC_MODE].p, 3);
}

Test(wire_codec, tagged_ies_may_come_in_any_order)
{
	const struct wire_message_definition *def =
		definition(WIRE_EPD_5GMM, WIRE_NAS_ATTACH_REQUEST);
	struct wire_message m;
	uint8_t octets[BUFFER_SIZE] = {WIRE_EPD_5GMM, 0, WIRE_NAS_ATTACH_REQUEST};
	size_t n = 3;

	sample_fill(&sample, def, SAMPLE_MAXIMAL);
	for (unsigned int i = def->n_ies; i-- > 0;)
		n += ie_put(octets + n, &def->ies[i], sample.m.ie[def->ies[i].ie]);
	cr_assert_eq(wire_nas_decode(&m, span_make(octets, n)), WIRE_CAUSE_NONE);
	cr_assert_eq(m.present, sample.m.present);
}

Test(wire_codec, encoder_refuses_a_buffer_that_is_too_small)
{
	const struct wire_message_definition *def;
	static uint8_t octets[BUFFER_SIZE];

	FOREACH_SAMPLE(&sample, def)
	for (size_t size = 0; size<sample.n; size += sample.n> 200 ? 97 : 1)
		cr_assert_eq(wire_encode(&sample.m, octets, size), 0, "%s", def->name);
}

Test(wire_codec, encoder_refuses_a_message_that_breaks_its_definition)
{
	const struct wire_message_definition *def;
	static uint8_t octets[BUFFER_SIZE];
	uint8_t seventeen = 0x11;

	FOREACH_SAMPLE(&sample, def)
	{
		struct wire_message m = sample.m;

		for (unsigned int i = 0; i < def->n_ies; i++) {
			const struct wire_ie_definition *d = &def->ies[i];

			if (d->presence == WIRE_MANDATORY) {
				m.present &= ~(UINT64_C(1) << d->ie);
				cr_assert_eq(wire_encode(&m, octets, sizeof(octets)), 0);
			}
			wire_set(&m, d->ie, sample.values[d->ie], d->max + 1u);
			cr_assert_eq(wire_encode(&m, octets, sizeof(octets)), 0);
			wire_set(&m, d->ie, sample.values[d->ie], d->min - 1u);
			cr_assert_eq(wire_encode(&m, octets, sizeof(octets)), 0);
			if (sample_is_half(d)) {
				wire_set(&m, d->ie, &seventeen, 1);
				cr_assert_eq(wire_encode(&m, octets, sizeof(octets)), 0);
			}
			m = sample.m;
		}
		for (unsigned int ie = 0; ie < WIRE_IE_N; ie++) {
			bool has = false;

			for (unsigned int i = 0; i < def->n_ies; i++)
				has |= def->ies[i].ie == ie;
			if (has)
				continue;
			wire_set(&m, (enum wire_ie)ie, octets, 1);
			cr_assert_eq(wire_encode(&m, octets, sizeof(octets)), 0, "%s with %s",
				     def->name, wire_ie_name((enum wire_ie)ie));
			m = sample.m;
		}
	}
}

Test(wire_codec, encoder_knows_no_other_message)
{
	uint8_t octets[16];
	struct wire_message m;

	wire_message_init(&m, WIRE_EPD_5GMM, 0x41);
	cr_assert_eq(wire_encode(&m, octets, sizeof(octets)), 0);
	wire_message_init(&m, 0x07, WIRE_NAS_ATTACH_COMPLETE);
	cr_assert_eq(wire_encode(&m, octets, sizeof(octets)), 0);
	wire_message_init(&m, 0, WIRE_UPLINK_NAS);
	cr_assert_eq(wire_encode(&m, octets, sizeof(octets)), 0);
}

/* --- malformed messages --- */

Test(wire_malformed, truncation_at_any_length_is_refused_or_loses_whole_optional_ies)
{
	const struct wire_message_definition *def;

	FOREACH_SAMPLE(&sample, def)
	for (size_t n = 0; n < sample.n; n++) {
		struct wire_message m;
		uint8_t *copy, again[BUFFER_SIZE];
		enum wire_cause cause =
			decode_exact(&m, def->epd, def->type, span_make(sample.octets, n), &copy);

		if (cause == WIRE_CAUSE_NONE) {
			cr_assert_neq(m.present, sample.m.present, "%s", def->name);
			cr_assert_eq(wire_encode(&m, again, sizeof(again)), n);
		} else {
			cr_assert(cause == WIRE_CAUSE_TRUNCATED ||
					  cause == WIRE_CAUSE_IE_TRUNCATED ||
					  cause == WIRE_CAUSE_IE_MISSING,
				  "%s at %zu: %s", def->name, n, wire_cause_name(cause));
		}
		if (n < header_size(def))
			cr_assert_eq(cause, WIRE_CAUSE_TRUNCATED);
		free(copy);
	}
}

Test(wire_malformed, a_message_cut_between_ies_lacks_an_ie)
{
	const struct wire_message_definition *def =
		definition(WIRE_EPD_5GMM, WIRE_NAS_ATTACH_REQUEST);

	sample_fill(&sample, def, SAMPLE_MINIMAL);
	sample_encode(&sample);
	cr_assert_eq(decode(def->epd, def->type, span_make(sample.octets, 3)),
		     WIRE_CAUSE_IE_MISSING);
	cr_assert_eq(decode(def->epd, def->type, span_make(sample.octets, 3 + 1 + 18)),
		     WIRE_CAUSE_IE_MISSING);
	cr_assert_eq(decode(def->epd, def->type, span_make(sample.octets, 3 + 1 + 17)),
		     WIRE_CAUSE_IE_TRUNCATED);
}

Test(wire_malformed, each_tagged_ie_twice_is_refused)
{
	const struct wire_message_definition *def;

	FOREACH_SAMPLE(&sample, def)
	for (unsigned int i = 0; i < def->n_ies; i++) {
		const struct wire_ie_definition *d = &def->ies[i];
		size_t n = sample.n;

		if (!is_tagged(d) || !wire_has(&sample.m, d->ie))
			continue;
		n += ie_put(sample.octets + n, d, sample.m.ie[d->ie]);
		if (n > WIRE_NAS_MAX - 7)
			continue;
		cr_assert_eq(decode(def->epd, def->type, span_make(sample.octets, n)),
			     WIRE_CAUSE_IE_DUPLICATED, "%s: %s", def->name, wire_ie_name(d->ie));
	}
}

Test(wire_malformed, each_mandatory_tagged_ie_missing_is_refused)
{
	const struct wire_message_definition *def;

	FOREACH_SAMPLE(&sample, def)
	for (unsigned int left_out = 0; left_out < def->n_ies; left_out++) {
		uint8_t octets[BUFFER_SIZE];
		size_t n = 0;

		if (!is_tagged(&def->ies[left_out]) ||
		    def->ies[left_out].presence != WIRE_MANDATORY || !is_tagged(&def->ies[0]))
			continue;
		n = header_size(def);
		memcpy(octets, sample.octets, n);
		for (unsigned int i = 0; i < def->n_ies; i++)
			if (i != left_out && wire_has(&sample.m, def->ies[i].ie))
				n += ie_put(octets + n, &def->ies[i], sample.m.ie[def->ies[i].ie]);
		cr_assert_eq(decode(def->epd, def->type, span_make(octets, n)),
			     WIRE_CAUSE_IE_MISSING, "%s without %s", def->name,
			     wire_ie_name(def->ies[left_out].ie));
	}
}

/* Each tagged IE of each message, alone after the header, one octet too short or too long. */
static void wrong_size(int by, enum wire_cause expected)
{
	static uint8_t octets[BUFFER_SIZE], value[1100];

	for (unsigned int row = 0; row < wire_messages_n; row++) {
		const struct wire_message_definition *def = &wire_messages[row];

		for (unsigned int i = 0; i < def->n_ies; i++) {
			const struct wire_ie_definition *d = &def->ies[i];
			size_t n = header_size(def);
			size_t size = by < 0 ? d->min - 1u : d->max + 1u;

			if (!is_tagged(&def->ies[0]) || d->format < WIRE_FORMAT_TLV)
				continue;
			memcpy(octets, (uint8_t[]){def->epd, 0, 0}, n < 3 ? n : 3);
			if (def->epd == WIRE_EPD_5GMM)
				octets[NAS_TYPE_AT] = def->type;
			n += ie_put(octets + n, d, sample_value(d, size, value));
			cr_assert_eq(decode(def->epd, def->type, span_make(octets, n)), expected,
				     "%s: %s", def->name, wire_ie_name(d->ie));
		}
	}
}

Test(wire_malformed, each_undersized_ie_is_refused)
{
	wrong_size(-1, WIRE_CAUSE_IE_TOO_SHORT);
}

Test(wire_malformed, each_oversized_ie_is_refused)
{
	wrong_size(1, WIRE_CAUSE_IE_TOO_LONG);
}

Test(wire_malformed, an_unknown_ie_in_our_own_messages_is_refused)
{
	static const uint8_t unknown[] = {0x6d, 1, 0};
	const struct wire_message_definition *def;

	FOREACH_SAMPLE(&sample, def)
	{
		if (!def->strict || sample.n + sizeof(unknown) > WIRE_NAS_MAX - 7)
			continue;
		memcpy(sample.octets + sample.n, unknown, sizeof(unknown));
		cr_assert_eq(decode(def->epd, def->type,
				    span_make(sample.octets, sample.n + sizeof(unknown))),
			     WIRE_CAUSE_IE_UNKNOWN, "%s", def->name);
	}
}

static enum wire_cause standard_with(const uint8_t *ie, size_t n, struct wire_message *m)
{
	static const uint8_t status[] = {0x7e, 0x00, 0x64, 0x6f};
	static uint8_t octets[64];

	memcpy(octets, status, sizeof(status));
	memcpy(octets + sizeof(status), ie, n);
	return wire_nas_decode(m, span_make(octets, sizeof(status) + n));
}

/* TS 24.501 7.6.1 with TS 24.007 11.2.4 */
Test(wire_malformed, an_unknown_optional_ie_in_a_standard_message_is_skipped)
{
	struct wire_message m;

	cr_assert_eq(standard_with((const uint8_t[]){0x36, 2, 1, 2}, 4, &m), WIRE_CAUSE_NONE);
	cr_assert_eq(standard_with((const uint8_t[]){0xe1}, 1, &m), WIRE_CAUSE_NONE);
	cr_assert_eq(standard_with((const uint8_t[]){0x7c, 0, 1, 9, 0xe1}, 5, &m), WIRE_CAUSE_NONE);
	cr_assert_eq(*m.ie[WIRE_IE_5GMM_CAUSE].p, 0x6f);
}

Test(wire_malformed, an_unknown_ie_still_may_not_reach_past_the_end)
{
	struct wire_message m;

	cr_assert_eq(standard_with((const uint8_t[]){0x36}, 1, &m), WIRE_CAUSE_IE_TRUNCATED);
	cr_assert_eq(standard_with((const uint8_t[]){0x36, 3, 1, 2}, 4, &m),
		     WIRE_CAUSE_IE_TRUNCATED);
	cr_assert_eq(standard_with((const uint8_t[]){0x7c, 0}, 2, &m), WIRE_CAUSE_IE_TRUNCATED);
	cr_assert_eq(standard_with((const uint8_t[]){0x7c, 0xff, 0xff, 9}, 4, &m),
		     WIRE_CAUSE_IE_TRUNCATED);
}

Test(wire_malformed, an_unknown_ie_whose_comprehension_is_required_is_refused)
{
	struct wire_message m;

	cr_assert_eq(standard_with((const uint8_t[]){0x0d, 1, 1}, 3, &m), WIRE_CAUSE_IE_UNKNOWN);
}

Test(wire_malformed, an_untagged_part_that_is_cut_is_truncated)
{
	struct wire_message m;

	cr_assert_eq(wire_nas_decode(&m, span_make("\x7e\0\x5d", 3)), WIRE_CAUSE_TRUNCATED);
	cr_assert_eq(wire_nas_decode(&m, span_make("\x7e\0\x5d\x22", 4)), WIRE_CAUSE_TRUNCATED);
	cr_assert_eq(wire_nas_decode(&m, span_make("\x7e\0\x5d\x22\1", 5)), WIRE_CAUSE_TRUNCATED);
	cr_assert_eq(wire_nas_decode(&m, span_make("\x7e\0\x5d\x22\1\2\xf0", 7)),
		     WIRE_CAUSE_IE_TRUNCATED);
	cr_assert_eq(wire_nas_decode(&m, span_make("\x7e\0\x5d\x22\1\1\xf0", 7)),
		     WIRE_CAUSE_IE_TOO_SHORT);
	cr_assert_eq(wire_nas_decode(&m, span_make("\x7e\0\x67\1\0", 5)), WIRE_CAUSE_IE_TRUNCATED);
	cr_assert_eq(wire_nas_decode(&m, span_make("\x2e\1\1\xc1\xff", 5)), WIRE_CAUSE_TRUNCATED);
}

Test(wire_malformed, headers_that_do_not_belong_here_are_refused)
{
	struct wire_message m;

	cr_assert_eq(wire_nas_decode(&m, span_make(NULL, 0)), WIRE_CAUSE_TRUNCATED);
	cr_assert_eq(wire_nas_decode(&m, span_make("\x07\0\x70", 3)), WIRE_CAUSE_BAD_HEADER);
	cr_assert_eq(wire_nas_decode(&m, span_make("\x7e\2\x70", 3)), WIRE_CAUSE_BAD_HEADER);
	cr_assert_eq(wire_nas_decode(&m, span_make("\x7e\0\x41", 3)), WIRE_CAUSE_MESSAGE_UNKNOWN);
	cr_assert_eq(wire_nas_decode(&m, span_make("\x7e\0\xc1", 3)), WIRE_CAUSE_MESSAGE_UNKNOWN);
	cr_assert_eq(wire_nas_decode(&m, span_make("\x2e\1\1\x6e", 4)), WIRE_CAUSE_MESSAGE_UNKNOWN);
	cr_assert_eq(wire_nas_decode(&m, span_make("\x7e\0\x70", 3)), WIRE_CAUSE_NONE);
}

Test(wire_malformed, a_message_longer_than_the_limit_is_refused)
{
	static uint8_t octets[WIRE_NAS_MAX + 1] = {0x7e, 0x00, 0x6e};
	struct wire_message m;

	cr_assert_eq(wire_nas_decode(&m, span_make(octets, sizeof(octets))),
		     WIRE_CAUSE_IE_TOO_LONG);
}

Test(wire_malformed, unknown_records_and_nas_records_have_no_ies_to_decode)
{
	struct wire_message m;

	cr_assert_eq(wire_record_decode(&m, 0x7f, span_make(NULL, 0)), WIRE_CAUSE_RECORD_UNKNOWN);
	cr_assert_eq(wire_record_decode(&m, WIRE_UPLINK_NAS, span_make(NULL, 0)),
		     WIRE_CAUSE_RECORD_UNKNOWN);
}

static enum wire_cause record_of(uint8_t type, const char *octets, size_t n)
{
	return decode(0, type, span_make(octets, n));
}

Test(wire_malformed, reserved_values_are_refused)
{
	const struct wire_message_definition *def =
		definition(WIRE_EPD_5GMM, WIRE_NAS_ATTACH_REQUEST);

	sample_fill(&sample, def, SAMPLE_MAXIMAL);
	sample_encode(&sample);
	sample.octets[3] = 0x92; /* attach type 2 */
	cr_assert_eq(decode(def->epd, def->type, sample_span(&sample)), WIRE_CAUSE_IE_BAD_VALUE);
	sample.octets[3] = 0x91;
	sample.octets[sample.n - 81] = 79; /* CI PKID list, one octet short of four identifiers */
	cr_assert_eq(decode(def->epd, def->type, span_make(sample.octets, sample.n - 1)),
		     WIRE_CAUSE_IE_BAD_VALUE);

	cr_assert_eq(record_of(WIRE_RELEASE_REQUEST, "\1\0\1\0", 4), WIRE_CAUSE_IE_BAD_VALUE);
	cr_assert_eq(record_of(WIRE_RELEASE_REQUEST, "\1\0\1\x46", 4), WIRE_CAUSE_NONE);
	cr_assert_eq(record_of(WIRE_SESSION_SETUP_RESPONSE, "\7\0\1\0", 4),
		     WIRE_CAUSE_IE_BAD_VALUE);
	cr_assert_eq(record_of(WIRE_SESSION_SETUP_RESPONSE, "\7\0\1\x10", 4),
		     WIRE_CAUSE_IE_BAD_VALUE);
	cr_assert_eq(record_of(WIRE_AN_SETUP_REQUEST, "\2\0\3a\nb", 6), WIRE_CAUSE_IE_BAD_VALUE);
	cr_assert_eq(record_of(WIRE_AN_SETUP_REQUEST, "\2\0\3a-b", 6), WIRE_CAUSE_NONE);
	cr_assert_eq(record_of(WIRE_OVERLOAD_START, "\x0b\0\1\x65", 4), WIRE_CAUSE_IE_BAD_VALUE);
	cr_assert_eq(record_of(WIRE_SESSION_SETUP_REQUEST, "\x09\0\1\x40", 4),
		     WIRE_CAUSE_IE_BAD_VALUE);
	cr_assert_eq(record_of(WIRE_SESSION_SETUP_REQUEST, "\x0a\0\3\4ab", 6),
		     WIRE_CAUSE_IE_BAD_VALUE);
}

/* --- datagrams --- */

static size_t datagram_make(uint8_t *octets, size_t size, unsigned int records)
{
	struct wire_writer w;

	wire_writer_open(&w, octets, size);
	for (unsigned int i = 0; i < records; i++) {
		struct wire_record r = {.type = WIRE_UPLINK_NAS,
					.an_ue_id = 0x01020304 + i,
					.au_ue_id = UINT64_C(0x1122334455667788) + i,
					.payload = span_make("\x7e\0\x70", 3)};

		cr_assert(wire_writer_add(&w, &r));
	}
	return w.length;
}

static unsigned int datagram_walk(struct span datagram, enum wire_cause *cause)
{
	struct wire_reader r;
	struct wire_record record;
	unsigned int n = 0;

	if (wire_reader_open(&r, datagram) == WIRE_CAUSE_NONE)
		while (wire_reader_next(&r, &record)) {
			cr_assert_eq(record.type, WIRE_UPLINK_NAS);
			cr_assert_eq(record.an_ue_id, 0x01020304 + n);
			cr_assert_eq(record.au_ue_id, UINT64_C(0x1122334455667788) + n);
			cr_assert(span_equal(record.payload, span_make("\x7e\0\x70", 3)));
			n++;
		}
	*cause = r.cause;
	cr_assert_not(wire_reader_next(&r, &record));
	return n;
}

Test(wire_link, several_records_travel_in_one_datagram)
{
	uint8_t octets[512];
	enum wire_cause cause;

	for (unsigned int records = 1; records <= 20; records++) {
		size_t n = datagram_make(octets, sizeof(octets), records);

		cr_assert_eq(n, 4 + records * 19);
		cr_assert_eq(datagram_walk(span_make(octets, n), &cause), records);
		cr_assert_eq(cause, WIRE_CAUSE_NONE);
	}
}

Test(wire_link, octets_are_as_specified)
{
	static const uint8_t expected[] = {0x01, 0x00, 0x00, 0x01, 0x10, 0x00, 0x00, 0x03,
					   0x01, 0x02, 0x03, 0x04, 0x11, 0x22, 0x33, 0x44,
					   0x55, 0x66, 0x77, 0x88, 0x7e, 0x00, 0x70};
	uint8_t octets[64];

	cr_assert_eq(datagram_make(octets, sizeof(octets), 1), sizeof(expected));
	cr_assert_arr_eq(octets, expected, sizeof(expected));
}

Test(wire_link, records_before_a_malformed_one_are_given_out)
{
	uint8_t octets[512];
	size_t n = datagram_make(octets, sizeof(octets), 3);
	enum wire_cause cause;

	for (size_t cut = 1; cut <= 19; cut++) {
		cr_assert_eq(datagram_walk(span_make(octets, n - cut), &cause), 2);
		cr_assert_eq(cause, WIRE_CAUSE_DATAGRAM_MALFORMED);
	}
	store_be16(octets + 4 + 2 * 19 + 2, 0xffff);
	cr_assert_eq(datagram_walk(span_make(octets, n), &cause), 2);
	cr_assert_eq(cause, WIRE_CAUSE_DATAGRAM_MALFORMED);
}

Test(wire_link, octets_after_the_last_record_are_malformed)
{
	uint8_t octets[512];
	size_t n = datagram_make(octets, sizeof(octets), 2);
	enum wire_cause cause;

	octets[n] = 0;
	cr_assert_eq(datagram_walk(span_make(octets, n + 1), &cause), 2);
	cr_assert_eq(cause, WIRE_CAUSE_DATAGRAM_MALFORMED);
}

Test(wire_link, bad_datagram_headers_are_refused)
{
	static uint8_t octets[WIRE_DATAGRAM_MAX + 1];
	size_t n = datagram_make(octets, sizeof(octets), 1);
	struct wire_reader r;

	for (size_t i = 0; i < WIRE_DATAGRAM_HEADER_SIZE; i++)
		cr_assert_eq(wire_reader_open(&r, span_make(octets, i)),
			     WIRE_CAUSE_DATAGRAM_MALFORMED);
	cr_assert_eq(wire_reader_open(&r, span_make(octets, sizeof(octets))),
		     WIRE_CAUSE_DATAGRAM_MALFORMED);
	octets[0] = 2;
	cr_assert_eq(wire_reader_open(&r, span_make(octets, n)), WIRE_CAUSE_DATAGRAM_MALFORMED);
	octets[0] = 1;
	store_be16(octets + 2, 0);
	cr_assert_eq(wire_reader_open(&r, span_make(octets, n)), WIRE_CAUSE_DATAGRAM_MALFORMED);
}

Test(wire_link, writer_never_writes_past_its_buffer)
{
	uint8_t octets[64];
	struct wire_writer w;

	memset(octets, 0xee, sizeof(octets));
	wire_writer_open(&w, octets, 3);
	cr_assert_eq(w.length, 0);
	cr_assert_null(wire_writer_reserve(&w, 0));
	cr_assert_eq(octets[0], 0xee);

	wire_writer_open(&w, octets, 4 + 16 + 10);
	cr_assert_null(wire_writer_reserve(&w, 11));
	cr_assert_null(wire_writer_reserve(&w, SIZE_MAX));
	cr_assert_not_null(wire_writer_reserve(&w, 10));
	wire_writer_commit(&w, WIRE_OVERLOAD_STOP, 0, 0, 10);
	cr_assert_null(wire_writer_reserve(&w, 0));
	cr_assert_eq(w.length, 30);
	cr_assert_eq(octets[30], 0xee);
}

Test(wire_link, a_record_may_be_committed_shorter_than_reserved)
{
	uint8_t octets[64];
	struct wire_writer w;
	struct wire_reader r;
	struct wire_record record;

	wire_writer_open(&w, octets, sizeof(octets));
	cr_assert_not_null(wire_writer_reserve(&w, 40));
	wire_writer_commit(&w, WIRE_RELEASE_COMPLETE, 7, 8, 0);
	cr_assert_eq(wire_reader_open(&r, span_make(octets, w.length)), WIRE_CAUSE_NONE);
	cr_assert(wire_reader_next(&r, &record));
	cr_assert_eq(record.type, WIRE_RELEASE_COMPLETE);
	cr_assert_eq(record.payload.n, 0);
	cr_assert_not(wire_reader_next(&r, &record));
	cr_assert_eq(r.cause, WIRE_CAUSE_NONE);
}

/* --- small codecs --- */

/* TS 24.008 10.5.7.4 */
Test(wire_small, timer2_has_the_units_of_the_standard)
{
	cr_assert_eq(wire_timer2_encode(0), 0x00);
	cr_assert_eq(wire_timer2_encode(2), 0x01);
	cr_assert_eq(wire_timer2_encode(3), 0x02);
	cr_assert_eq(wire_timer2_encode(62), 0x1f);
	cr_assert_eq(wire_timer2_encode(63), 0x22);
	cr_assert_eq(wire_timer2_encode(31 * 60), 0x3f);
	cr_assert_eq(wire_timer2_encode(31 * 60 + 1), 0x46);
	cr_assert_eq(wire_timer2_encode(1000000), 0x5f);
	cr_assert_eq(wire_timer2_encode(UINT32_MAX), 0xe0);
	cr_assert_eq(wire_timer2_decode(0x1f), 62);
	cr_assert_eq(wire_timer2_decode(0x22), 120);
	cr_assert_eq(wire_timer2_decode(0x5f), 31 * 360);
	cr_assert_eq(wire_timer2_decode(0x62), 120);
	cr_assert_eq(wire_timer2_decode(0xe0), UINT32_MAX);
}

/* TS 24.008 10.5.7.4a */
Test(wire_small, timer3_has_the_units_of_the_standard)
{
	cr_assert_eq(wire_timer3_encode(0), 0x60);
	cr_assert_eq(wire_timer3_encode(61), 0x7f);
	cr_assert_eq(wire_timer3_encode(63), 0x83);
	cr_assert_eq(wire_timer3_encode(3240), 0x06); /* 54 minutes: six times ten */
	cr_assert_eq(wire_timer3_encode(UINT32_MAX), 0xe0);
	cr_assert_eq(wire_timer3_encode(UINT32_MAX - 1), 0xdf);
	cr_assert_eq(wire_timer3_decode(0x06), 3600);
	cr_assert_eq(wire_timer3_decode(0x21), 3600);
	cr_assert_eq(wire_timer3_decode(0x41), 36000);
	cr_assert_eq(wire_timer3_decode(0x61), 2);
	cr_assert_eq(wire_timer3_decode(0x81), 30);
	cr_assert_eq(wire_timer3_decode(0xa1), 60);
	cr_assert_eq(wire_timer3_decode(0xc1), 1152000);
	cr_assert_eq(wire_timer3_decode(0xff), UINT32_MAX);
}

Test(wire_small, timers_never_round_down)
{
	for (uint32_t s = 0; s <= 11160; s++)
		cr_assert_geq(wire_timer2_decode(wire_timer2_encode(s)), s);
	for (uint32_t s = 0; s <= 35712000; s += 997)
		cr_assert_geq(wire_timer3_decode(wire_timer3_encode(s)), s);
}

Test(wire_small, dnn_is_labels)
{
	uint8_t octets[128];
	char name[128];

	cr_assert_eq(wire_dnn_encode("rsp.iot", octets, sizeof(octets)), 8);
	cr_assert_arr_eq(octets, "\3rsp\3iot", 8);
	cr_assert(wire_dnn_decode(span_make(octets, 8), name, sizeof(name)));
	cr_assert_str_eq(name, "rsp.iot");
	cr_assert_eq(wire_dnn_encode("x", octets, sizeof(octets)), 2);
	cr_assert(wire_dnn_decode(span_make(octets, 2), name, 2));
	cr_assert_str_eq(name, "x");
}

Test(wire_small, malformed_dnns_are_refused)
{
	uint8_t octets[128];
	char name[128], longest[128] = {0};

	cr_assert_eq(wire_dnn_encode("", octets, sizeof(octets)), 0);
	cr_assert_eq(wire_dnn_encode(".a", octets, sizeof(octets)), 0);
	cr_assert_eq(wire_dnn_encode("a..b", octets, sizeof(octets)), 0);
	cr_assert_eq(wire_dnn_encode("a.", octets, sizeof(octets)), 0);
	cr_assert_eq(wire_dnn_encode("a b", octets, sizeof(octets)), 0);
	cr_assert_eq(wire_dnn_encode("abc", octets, 3), 0);
	memset(longest, 'a', 64);
	cr_assert_eq(wire_dnn_encode(longest, octets, sizeof(octets)), 0);
	longest[63] = '\0';
	cr_assert_eq(wire_dnn_encode(longest, octets, sizeof(octets)), 64);
	memset(longest, 'a', 100);
	longest[50] = '.';
	cr_assert_eq(wire_dnn_encode(longest, octets, sizeof(octets)), 0);

	cr_assert_not(wire_dnn_decode(span_make("", 0), name, sizeof(name)));
	cr_assert_not(wire_dnn_decode(span_make("\4abc", 4), name, sizeof(name)));
	cr_assert_not(wire_dnn_decode(span_make("\2abc", 4), name, sizeof(name)));
	cr_assert_not(wire_dnn_decode(span_make("\1a\0", 3), name, sizeof(name)));
	cr_assert_not(wire_dnn_decode(span_make("\3a.b", 4), name, sizeof(name)));
	cr_assert_not(wire_dnn_decode(span_make("\3abc", 4), name, 3));
}

/* TS 24.501 Figure 9.11.3.4.1 */
Test(wire_small, guti_is_laid_out_as_in_the_standard)
{
	static const uint8_t two_digits[11] = {0xf2, 0x00, 0xf1, 0x10, 0xca, 0xff,
					       0xc5, 0xde, 0xad, 0xbe, 0xef};
	uint8_t guti[11];

	wire_guti_encode("001", "01", 0xca, 0x3ff, 5, 0xdeadbeef, guti);
	cr_assert_arr_eq(guti, two_digits, 11);
	wire_guti_encode("310", "410", 0xca, 0x3ff, 5, 0xdeadbeef, guti);
	cr_assert_arr_eq(guti + 1, "\x13\x00\x14", 3);
}

Test(wire_cause, names_lead_back_to_their_values)
{
	for (unsigned int i = 1; i < WIRE_CAUSE_LIMIT; i++)
		if (strcmp(wire_cause_name(i), "unassigned") != 0)
			cr_assert_eq(wire_cause_from_name(wire_cause_name(i)), i);
	cr_assert_str_eq(wire_cause_name(WIRE_CAUSE_NONE), "none");
	cr_assert_str_eq(wire_cause_name(0x0f), "unassigned");
	cr_assert_str_eq(wire_cause_name(UINT32_MAX), "unassigned");
	cr_assert_str_eq(wire_cause_text(WIRE_CAUSE_NAS_MAC),
			 "wrong NAS message authentication code");
	cr_assert_eq(wire_cause_from_name("no such thing"), WIRE_CAUSE_NONE);
}
