/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Any octets as a NAS message: what the decoder accepts, the encoder must be able to write, and
 * decoding that must give the same message.
 */
#include <stdlib.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t octets[WIRE_NAS_MAX];
	struct wire_message m, again;
	size_t n;

	if (wire_nas_decode(&m, span_make(data, size)) != WIRE_CAUSE_NONE)
		return 0;
	n = wire_encode(&m, octets, sizeof(octets));
	require(n != 0 && n <= size);
	require(wire_nas_decode(&again, span_make(octets, n)) == WIRE_CAUSE_NONE);
	require(again.epd == m.epd && again.type == m.type && again.present == m.present);
	require(again.pdu_session_id == m.pdu_session_id && again.pti == m.pti);
	for (unsigned int ie = 0; ie < WIRE_IE_N; ie++)
		if (wire_has(&m, (enum wire_ie)ie))
			require(span_equal(m.ie[ie], again.ie[ie]));
	return 0;
}
