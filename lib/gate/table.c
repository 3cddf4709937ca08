/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "gate/internal.h"

enum { FIND_STEPS = 16 /* of a chain */ };

/* ---------------------------------------------------------------- making */

static void *allocate(const struct gate_table *t, const char *name, size_t n, size_t size)
{
	return rte_zmalloc_socket(name, RTE_MAX(n, 1u) * size, RTE_CACHE_LINE_SIZE,
				  t->config.numa_node);
}

static bool allocate_all(struct gate_table *t)
{
	const struct gate_table_config *c = &t->config;

	t->rows = allocate(t, "gate_rows", t->n_rows, sizeof(*t->rows));
	t->answers = allocate(t, "gate_answers", t->n_rows, sizeof(*t->answers));
	t->by_ipv4 = allocate(t, "gate_ipv4", c->n_ipv4, sizeof(*t->by_ipv4));
	t->by_prefix = allocate(t, "gate_prefixes", c->n_prefixes, sizeof(*t->by_prefix));
	t->openings = allocate(t, "gate_openings", t->n_rows, sizeof(*t->openings));
	t->sessions = allocate(t, "gate_sessions", c->n_shards, sizeof(*t->sessions));
	t->heads =
		allocate(t, "gate_heads", (size_t)c->n_shards << t->head_bits, sizeof(*t->heads));
	t->next = allocate(t, "gate_next", t->n_rows, sizeof(*t->next));
	t->previous = allocate(t, "gate_previous", t->n_rows, sizeof(*t->previous));
	return t->rows && t->answers && t->by_ipv4 && t->by_prefix && t->openings && t->sessions &&
	       t->heads && t->next && t->previous;
}

struct gate_table *gate_table_create(const struct gate_table_config *config)
{
	struct gate_table *t = rte_zmalloc_socket("gate_table", sizeof(*t), RTE_CACHE_LINE_SIZE,
						  config->numa_node);

	if (!t)
		return NULL;
	t->config = *config;
	t->n_rows = config->n_shards * config->capacity;
	t->head_bits = rte_log2_u32(rte_align32pow2(RTE_MAX(config->capacity, 2u)));
	t->hash_key = rte_rand() | 1;
	if (!allocate_all(t)) {
		gate_table_destroy(t);
		return NULL;
	}
	/* Any generation but 0: tunnels of a run before are not to lead to sessions of this one. */
	for (uint32_t i = 0; i < t->n_rows; i++)
		t->rows[i].teid = i | (uint32_t)(1 + rte_rand_max(GATE_GENERATIONS - 1))
					      << GATE_GENERATION_SHIFT;
	return t;
}

void gate_table_destroy(struct gate_table *t)
{
	if (!t)
		return;
	rte_free(t->rows);
	rte_free(t->answers);
	rte_free(t->by_ipv4);
	rte_free(t->by_prefix);
	rte_free(t->openings);
	rte_free(t->sessions);
	rte_free(t->heads);
	rte_free(t->next);
	rte_free(t->previous);
	rte_free(t);
}

size_t gate_table_octets_per_session(void)
{
	const struct gate_table *t = NULL;

	return sizeof(*t->rows) + sizeof(*t->answers) + sizeof(*t->openings) + sizeof(*t->by_ipv4) +
	       sizeof(*t->by_prefix) + sizeof(*t->heads) + sizeof(*t->next) + sizeof(*t->previous);
}

void gate_table_join(struct gate_table *t)
{
	atomic_fetch_add(&t->n_gates, 1);
}

void gate_table_leave(struct gate_table *t)
{
	atomic_fetch_sub(&t->n_gates, 1);
}

/* ---------------------------------------------------------------- by access node and TEID */

/* Keyed, lest one access node puts its sessions in front of another's. */
static _Atomic uint32_t *head_of(const struct gate_table *t, unsigned int shard, uint16_t an,
				 uint32_t an_teid)
{
	uint64_t h = ((uint64_t)an << 32 | an_teid) * t->hash_key;

	return &t->heads[((size_t)shard << t->head_bits) + (h >> (64 - t->head_bits))];
}

static void set(_Atomic uint32_t *place, uint32_t row)
{
	atomic_store_explicit(place, row, memory_order_release);
}

static uint32_t get(const _Atomic uint32_t *place)
{
	return atomic_load_explicit(place, memory_order_acquire);
}

static void chain_insert(struct gate_table *t, unsigned int shard, uint32_t row)
{
	const struct gate_session *s = &t->rows[row].session;
	_Atomic uint32_t *head = head_of(t, shard, s->an, s->an_teid);
	uint32_t first = get(head);

	set(&t->next[row], first);
	t->previous[row] = 0;
	if (first)
		t->previous[first - 1] = row + 1;
	set(head, row + 1);
}

static void chain_remove(struct gate_table *t, unsigned int shard, uint32_t row)
{
	const struct gate_session *s = &t->rows[row].session;
	uint32_t next = get(&t->next[row]), previous = t->previous[row];

	set(previous ? &t->next[previous - 1] : head_of(t, shard, s->an, s->an_teid), next);
	if (next)
		t->previous[next - 1] = previous;
}

uint32_t gate_table_find(const struct gate_table *t, uint16_t an, uint32_t an_teid)
{
	if (an_teid == 0) /* of sessions whose access node has not answered yet */
		return 0;
	for (unsigned int shard = 0; shard < t->config.n_shards; shard++) {
		uint32_t row = get(head_of(t, shard, an, an_teid));

		for (unsigned int i = 0; i < FIND_STEPS && row; i++) {
			struct gate_session s;
			uint32_t teid;

			if (gate_row_read(&t->rows[row - 1], &teid, &s) == GATE_ROW_OPEN &&
			    s.an == an && s.an_teid == an_teid)
				return teid;
			row = get(&t->next[row - 1]);
		}
	}
	return 0;
}

/* ---------------------------------------------------------------- by UE address */

/* The place of the address; NULL: not of the pool. */
static _Atomic uint32_t *place_of_ipv4(const struct gate_table *t, uint32_t ipv4)
{
	uint32_t i = ipv4 - t->config.first_ipv4;

	return i < t->config.n_ipv4 ? &t->by_ipv4[i] : NULL;
}

static _Atomic uint32_t *place_of_prefix(const struct gate_table *t, uint64_t prefix)
{
	uint64_t i = prefix - t->config.first_prefix;

	return i < t->config.n_prefixes ? &t->by_prefix[i] : NULL;
}

/* Another shard may want the same. */
static bool claim(_Atomic uint32_t *place, uint32_t row)
{
	uint32_t none = 0;

	return place && (atomic_compare_exchange_strong(place, &none, row + 1) || none == row + 1);
}

static void give_up(_Atomic uint32_t *place, uint32_t row)
{
	uint32_t own = row + 1;

	if (place)
		atomic_compare_exchange_strong(place, &own, 0);
}

/* What the session had and has no longer; none of it if it is to have none. */
static void give_up_addresses(struct gate_table *t, uint32_t row, const struct gate_session *had,
			      const struct gate_session *has)
{
	if (had->ipv4 && had->ipv4 != has->ipv4)
		give_up(place_of_ipv4(t, had->ipv4), row);
	if (had->ipv6_prefix && had->ipv6_prefix != has->ipv6_prefix)
		give_up(place_of_prefix(t, had->ipv6_prefix), row);
}

static bool claim_addresses(struct gate_table *t, uint32_t row, const struct gate_session *wanted)
{
	if (!wanted->ipv4 && !wanted->ipv6_prefix)
		return false;
	if (wanted->ipv4 && !claim(place_of_ipv4(t, wanted->ipv4), row))
		return false;
	return !wanted->ipv6_prefix || claim(place_of_prefix(t, wanted->ipv6_prefix), row);
}

/* ---------------------------------------------------------------- sessions */

static uint32_t row_of(const struct gate_table *t, unsigned int shard, uint32_t slot)
{
	return shard * t->config.capacity + slot;
}

uint32_t gate_table_teid(const struct gate_table *t, unsigned int shard, uint32_t slot)
{
	return t->rows[row_of(t, shard, slot)].teid;
}

static uint64_t read_number(const _Atomic uint64_t *number)
{
	return atomic_load_explicit(number, memory_order_relaxed);
}

static struct gate_usage read_meter(const struct gate_row *row)
{
	return (struct gate_usage){.uplink_packets = read_number(&row->meter.uplink_packets),
				   .uplink_octets = read_number(&row->meter.uplink_octets),
				   .downlink_packets = read_number(&row->meter.downlink_packets),
				   .downlink_octets = read_number(&row->meter.downlink_octets),
				   .dropped = read_number(&row->meter.dropped),
				   .last_tsc = read_number(&row->meter.last_tsc)};
}

static void count_sessions(struct gate_table *t, unsigned int shard, uint32_t change)
{
	atomic_store_explicit(&t->sessions[shard],
			      atomic_load_explicit(&t->sessions[shard], memory_order_relaxed) +
				      change,
			      memory_order_relaxed);
}

bool gate_table_open(struct gate_table *t, unsigned int shard, uint32_t slot,
		     const struct gate_session *session)
{
	static const struct gate_session nothing;
	uint32_t i = row_of(t, shard, slot);
	struct gate_row *row = &t->rows[i];
	struct gate_session had = row->open ? row->session : nothing;

	if (!claim_addresses(t, i, session)) {
		give_up_addresses(t, i, session, &had);
		return false;
	}
	if (row->open) {
		chain_remove(t, shard, i);
	} else {
		t->openings[i] = read_meter(row);
		t->openings[i].last_tsc = rte_rdtsc();
		count_sessions(t, shard, 1);
	}
	sequence_write_begin(&row->sequence);
	row->session = *session;
	row->open = true;
	sequence_write_end(&row->sequence);
	chain_insert(t, shard, i);
	give_up_addresses(t, i, &had, session);
	return true;
}

void gate_table_close(struct gate_table *t, unsigned int shard, uint32_t slot)
{
	static const struct gate_session nothing;
	uint32_t i = row_of(t, shard, slot);
	struct gate_row *row = &t->rows[i];

	if (!row->open)
		return;
	chain_remove(t, shard, i);
	struct gate_session had = row->session;

	sequence_write_begin(&row->sequence);
	row->open = false;
	row->session = nothing;
	row->teid = gate_teid_after(row->teid);
	sequence_write_end(&row->sequence);
	give_up_addresses(t, i, &had, &nothing);
	count_sessions(t, shard, UINT32_MAX);
}

bool gate_table_slot(const struct gate_table *t, unsigned int shard, uint32_t teid, uint32_t *slot)
{
	uint32_t row = gate_row_of_teid(teid);

	*slot = row - shard * t->config.capacity;
	return *slot < t->config.capacity && t->rows[row].open && t->rows[row].teid == teid;
}

bool gate_table_usage(const struct gate_table *t, unsigned int shard, uint32_t slot,
		      struct gate_usage *usage)
{
	uint32_t i = row_of(t, shard, slot);
	const struct gate_row *row = &t->rows[i];
	const struct gate_usage *opened = &t->openings[i];

	if (!row->open)
		return false;
	*usage = read_meter(row);
	usage->uplink_packets -= opened->uplink_packets;
	usage->uplink_octets -= opened->uplink_octets;
	usage->downlink_packets -= opened->downlink_packets;
	usage->downlink_octets -= opened->downlink_octets;
	usage->dropped -= opened->dropped;
	if (usage->last_tsc <= opened->last_tsc)
		usage->last_tsc = 0;
	return true;
}

uint64_t gate_table_sessions(const struct gate_table *t)
{
	uint64_t n = 0;

	for (unsigned int shard = 0; shard < t->config.n_shards; shard++)
		n += atomic_load_explicit(&t->sessions[shard], memory_order_relaxed);
	return n;
}
