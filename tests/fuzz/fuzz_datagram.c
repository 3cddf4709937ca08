/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Any octets as a datagram: every record is walked, its IEs or its NAS message decoded, and every
 * octet that a span claims is read, so that a sanitizer sees a span that reaches outside.
 */
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(struct span s)
{
	static volatile uint8_t sink;

	for (size_t i = 0; i < s.n; i++)
		sink = (uint8_t)(sink ^ s.p[i]);
}

static void touch_message(const struct wire_message *m)
{
	for (unsigned int ie = 0; ie < WIRE_IE_N; ie++)
		if (wire_has(m, (enum wire_ie)ie))
			touch(m->ie[ie]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_reader r;
	struct wire_record record;
	struct wire_message m;

	if (wire_reader_open(&r, span_make(data, size)) != WIRE_CAUSE_NONE)
		return 0;
	while (wire_reader_next(&r, &record)) {
		bool is_nas = record.type == WIRE_UPLINK_NAS || record.type == WIRE_DOWNLINK_NAS;
		enum wire_cause cause =
			is_nas ? wire_nas_decode(&m, record.payload)
			       : wire_record_decode(&m, record.type, record.payload);

		touch(record.payload);
		touch_message(&m);
		(void)wire_cause_text(cause);
	}
	return 0;
}
