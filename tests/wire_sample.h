/* SPDX-License-Identifier: BSD-3-Clause
 *
 * wire_sample: any message of the table, filled with legal values, for tests and fuzzing seeds.
 * Owns nothing; the values lie in the sample.
 */
#ifndef CPAU_TESTS_WIRE_SAMPLE_H
#define CPAU_TESTS_WIRE_SAMPLE_H

#include "wire/wire.h"

static inline bool sample_is_half(const struct wire_ie_definition *d)
{
	return d->format == WIRE_FORMAT_TV1 || d->format == WIRE_FORMAT_HALF;
}

static inline bool sample_carries_nas(const struct wire_message_definition *def)
{
	return def->epd == 0 && (def->type == WIRE_UPLINK_NAS || def->type == WIRE_DOWNLINK_NAS);
}

/* A value of n octets that this IE allows. */
static inline struct span sample_value(const struct wire_ie_definition *d, size_t n,
				       uint8_t *storage)
{
	for (size_t i = 0; i < n; i++)
		storage[i] = (uint8_t)(sample_is_half(d) ? 1 : 'a' + i % 26);
	if (d->ie == WIRE_IE_DNN)
		for (size_t at = 0; at < n; at += 1 + storage[at])
			storage[at] = (uint8_t)(n - at - 1 <= 20 ? n - at - 1 : 18);
	if (d->ie == WIRE_IE_PDU_SESSION_ID || d->ie == WIRE_IE_QFI ||
	    d->ie == WIRE_IE_TRAFFIC_REDUCTION)
		storage[0] = 1;
	return span_make(storage, n);
}

enum sample_shape { SAMPLE_MINIMAL, SAMPLE_MAXIMAL };

struct sample {
	struct wire_message m;
	uint8_t values[WIRE_IE_N][1100];
	uint8_t octets[WIRE_DATAGRAM_MAX];
	size_t n;
};

/* Minimal: mandatory IEs at their smallest. Maximal: all IEs at their largest. */
static inline void sample_fill(struct sample *s, const struct wire_message_definition *def,
			       enum sample_shape shape)
{
	wire_message_init(&s->m, def->epd, def->type);
	for (unsigned int i = 0; i < def->n_ies; i++) {
		const struct wire_ie_definition *d = &def->ies[i];
		struct span v = sample_value(d, shape == SAMPLE_MAXIMAL ? d->max : d->min,
					     s->values[d->ie]);

		if (shape == SAMPLE_MAXIMAL || d->presence == WIRE_MANDATORY)
			wire_set(&s->m, d->ie, v.p, v.n);
	}
}

static inline void sample_encode(struct sample *s)
{
	s->n = wire_encode(&s->m, s->octets, sizeof(s->octets));
}

static inline struct span sample_span(const struct sample *s)
{
	return span_make(s->octets, s->n);
}

#endif
