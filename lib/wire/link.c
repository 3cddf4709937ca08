/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/wire.h"

/* Datagram: version (1), reserved (1), number of records (2).
 * Record: type (1), reserved (1), payload length (2), AN UE id (4), AU UE id (8), payload.
 * Reserved octets are sent as 0 and ignored by the receiver. */

enum wire_cause wire_reader_open(struct wire_reader *r, struct span datagram)
{
	r->rest = span_make(NULL, 0);
	r->left = 0;
	r->cause = WIRE_CAUSE_DATAGRAM_MALFORMED;
	if (datagram.n < WIRE_DATAGRAM_HEADER_SIZE || datagram.n > WIRE_DATAGRAM_MAX)
		return r->cause;
	if (datagram.p[0] != WIRE_LINK_VERSION || load_be16(datagram.p + 2) == 0)
		return r->cause;
	r->rest = span_make(datagram.p + WIRE_DATAGRAM_HEADER_SIZE,
			    datagram.n - WIRE_DATAGRAM_HEADER_SIZE);
	r->left = load_be16(datagram.p + 2);
	r->cause = WIRE_CAUSE_NONE;
	return r->cause;
}

static bool reader_fail(struct wire_reader *r)
{
	r->left = 0;
	r->rest.n = 0;
	r->cause = WIRE_CAUSE_DATAGRAM_MALFORMED;
	return false;
}

bool wire_reader_next(struct wire_reader *r, struct wire_record *record)
{
	const uint8_t *p = r->rest.p;

	if (r->left == 0)
		return r->rest.n != 0 ? reader_fail(r) : false;
	if (r->rest.n < WIRE_RECORD_HEADER_SIZE)
		return reader_fail(r);

	size_t n = load_be16(p + 2);

	if (n > r->rest.n - WIRE_RECORD_HEADER_SIZE)
		return reader_fail(r);
	record->type = p[0];
	record->an_ue_id = load_be32(p + 4);
	record->au_ue_id = load_be64(p + 8);
	record->payload = span_make(p + WIRE_RECORD_HEADER_SIZE, n);
	r->rest.p += WIRE_RECORD_HEADER_SIZE + n;
	r->rest.n -= WIRE_RECORD_HEADER_SIZE + n;
	r->left--;
	return true;
}

void wire_writer_open(struct wire_writer *w, uint8_t *buffer, size_t size)
{
	w->buffer = buffer;
	w->size = size < WIRE_DATAGRAM_MAX ? size : WIRE_DATAGRAM_MAX;
	w->records = 0;
	w->length = 0;
	if (size < WIRE_DATAGRAM_HEADER_SIZE)
		return;
	buffer[0] = WIRE_LINK_VERSION;
	buffer[1] = 0;
	store_be16(buffer + 2, 0);
	w->length = WIRE_DATAGRAM_HEADER_SIZE;
}

uint8_t *wire_writer_reserve(struct wire_writer *w, size_t payload_size)
{
	if (w->length < WIRE_DATAGRAM_HEADER_SIZE ||
	    w->size - w->length < WIRE_RECORD_HEADER_SIZE ||
	    w->size - w->length - WIRE_RECORD_HEADER_SIZE < payload_size)
		return NULL;
	return w->buffer + w->length + WIRE_RECORD_HEADER_SIZE;
}

void wire_writer_commit(struct wire_writer *w, enum wire_record_type type, uint32_t an_ue_id,
			uint64_t au_ue_id, size_t payload_size)
{
	uint8_t *p = w->buffer + w->length;

	p[0] = (uint8_t)type;
	p[1] = 0;
	store_be16(p + 2, (uint16_t)payload_size);
	store_be32(p + 4, an_ue_id);
	store_be64(p + 8, au_ue_id);
	w->length += WIRE_RECORD_HEADER_SIZE + payload_size;
	w->records++;
	store_be16(w->buffer + 2, w->records);
}

bool wire_writer_add(struct wire_writer *w, const struct wire_record *record)
{
	uint8_t *payload = wire_writer_reserve(w, record->payload.n);

	if (payload == NULL)
		return false;
	if (record->payload.n != 0)
		memcpy(payload, record->payload.p, record->payload.n);
	wire_writer_commit(w, (enum wire_record_type)record->type, record->an_ue_id,
			   record->au_ue_id, record->payload.n);
	return true;
}
