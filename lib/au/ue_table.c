/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_common.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>
#include <rte_random.h>

#include "au/ue_table.h"

enum {
	WHEEL_SLOTS = 4096,
	RAND_WAYS = 4, /* one bucket is one cache line */
	READ_TRIES = 16,
	VISITS = 4, /* contexts looked at for each that a caller can take */
};

struct rand_entry {
	_Atomic uint64_t tag; /* 0: free */
	uint32_t slot;
	_Atomic uint32_t expires; /* tick, low 32 bits */
};

struct ue_table {
	unsigned int shard;
	uint32_t capacity;
	unsigned int max_half_open;
	unsigned int replay_ticks;
	uint64_t salt[2];
	uint32_t free_head, free_tail;
	uint64_t wheel_tick;	      /* all slots before it are done */
	uint32_t eid_mask, rand_mask; /* buckets - 1 */
	uint32_t *eid_heads;
	struct rand_entry *rands;
	_Atomic uint32_t counts[UE_STATE_N];
	uint32_t wheel[WHEEL_SLOTS];
	struct ue ues[];
};

const char *ue_state_name(enum ue_state state)
{
	static const char *const names[UE_STATE_N] = {
		"free",	      "authentication", "security-mode", "an-context", "accept",
		"registered", "an-session",	"attached",	 "detaching",
	};

	return state < UE_STATE_N ? names[state] : "?";
}

/* Keyed, so that nobody outside can aim at one bucket: a 64-bit mix of salted words. */
static uint64_t hash16(const struct ue_table *t, const uint8_t a[16], const uint8_t b[16])
{
	uint64_t h = t->salt[0];
	const uint8_t *part[2] = {a, b};

	for (unsigned int i = 0; i < 4; i++) {
		h ^= load_be64(part[i >> 1] + 8 * (i & 1));
		h *= UINT64_C(0x9fb21c651e98df25);
		h ^= h >> 32;
		h += t->salt[1];
	}
	h *= UINT64_C(0xd6e8feb86659fd93);
	h ^= h >> 29;
	return h ? h : 1;
}

struct ue_table *ue_table_create(const struct ue_table_config *config)
{
	int node = config->numa_node >= 0 ? config->numa_node : SOCKET_ID_ANY;
	uint32_t buckets = rte_align32pow2(config->capacity);
	/* A remembered RAND_UE outlives its context: four times the contexts, in buckets of four.
	 */
	uint32_t rand_buckets = rte_align32pow2(config->capacity);
	struct ue_table *t = rte_zmalloc_socket(
		"ue_table", sizeof(*t) + (size_t)config->capacity * sizeof(struct ue),
		RTE_CACHE_LINE_SIZE, node);

	if (!t)
		return NULL;
	t->eid_heads = rte_malloc_socket("ue_eid", (size_t)buckets * sizeof(*t->eid_heads),
					 RTE_CACHE_LINE_SIZE, node);
	t->rands =
		rte_zmalloc_socket("ue_rand", (size_t)rand_buckets * RAND_WAYS * sizeof(*t->rands),
				   RTE_CACHE_LINE_SIZE, node);
	if (!t->eid_heads || !t->rands) {
		ue_table_destroy(t);
		return NULL;
	}
	/* Pages of memory that nobody has touched yet are mapped now, not by the first UEs. */
	memset(t->ues, 0, (size_t)config->capacity * sizeof(struct ue));
	memset(t->rands, 0, (size_t)rand_buckets * RAND_WAYS * sizeof(*t->rands));
	t->shard = config->shard;
	t->capacity = config->capacity;
	t->max_half_open = config->max_half_open;
	t->replay_ticks = config->replay_ticks;
	t->salt[0] = rte_rand();
	t->salt[1] = rte_rand();
	t->eid_mask = buckets - 1;
	t->rand_mask = rand_buckets - 1;
	t->wheel_tick = config->ticks_now;
	for (uint32_t i = 0; i < buckets; i++)
		t->eid_heads[i] = UE_NONE;
	for (unsigned int i = 0; i < WHEEL_SLOTS; i++)
		t->wheel[i] = UE_NONE;
	for (uint32_t i = 0; i < t->capacity; i++) {
		t->ues[i].generation = (uint32_t)(rte_rand() & UE_ID_GENERATION_MASK);
		t->ues[i].expires = UE_NEVER;
		t->ues[i].eid_next = i + 1 < t->capacity ? i + 1 : UE_NONE;
	}
	t->free_head = 0;
	t->free_tail = t->capacity - 1;
	atomic_store(&t->counts[UE_FREE], t->capacity);
	return t;
}

void ue_table_destroy(struct ue_table *t)
{
	if (!t)
		return;
	wipe(t->ues, (size_t)t->capacity * sizeof(struct ue));
	rte_free(t->eid_heads);
	rte_free(t->rands);
	rte_free(t);
}

size_t ue_table_octets_per_ue(void)
{
	return sizeof(struct ue) + sizeof(uint32_t) + RAND_WAYS * sizeof(struct rand_entry);
}

static uint32_t slot_of(const struct ue_table *t, const struct ue *ue)
{
	return (uint32_t)(ue - t->ues);
}

static void count_add(struct ue_table *t, enum ue_state state, int32_t n)
{
	uint32_t now = atomic_load_explicit(&t->counts[state], memory_order_relaxed);

	/* One writer: a plain read and write, atomic only for its readers. */
	atomic_store_explicit(&t->counts[state], now + (uint32_t)n, memory_order_relaxed);
}

struct ue *ue_table_allocate(struct ue_table *t)
{
	uint32_t slot = t->free_head;

	if (slot == UE_NONE)
		return NULL;
	struct ue *ue = &t->ues[slot];

	t->free_head = ue->eid_next;
	if (t->free_head == UE_NONE)
		t->free_tail = UE_NONE;
	ue->eid_next = UE_NONE;
	return ue;
}

static void unlink_timer(struct ue_table *t, struct ue *ue)
{
	if (ue->timer_previous != UE_NONE)
		t->ues[ue->timer_previous].timer_next = ue->timer_next;
	else
		t->wheel[ue->timer_due % WHEEL_SLOTS] = ue->timer_next;
	if (ue->timer_next != UE_NONE)
		t->ues[ue->timer_next].timer_previous = ue->timer_previous;
	ue->timer_linked = false;
}

static void unindex_eid(struct ue_table *t, struct ue *ue)
{
	uint32_t *link = &t->eid_heads[hash16(t, ue->eid, ue->eid) & t->eid_mask];
	uint32_t slot = slot_of(t, ue);

	while (*link != slot)
		link = &t->ues[*link].eid_next;
	*link = ue->eid_next;
	ue->eid_next = UE_NONE;
	ue->eid_indexed = false;
}

void ue_table_release(struct ue_table *t, struct ue *ue)
{
	uint32_t slot = slot_of(t, ue);

	ue->expires = UE_NEVER;
	if (ue->timer_linked)
		unlink_timer(t, ue);
	if (ue->eid_indexed)
		unindex_eid(t, ue);
	ue_table_write_begin(ue);
	ue_table_set_state(t, ue, UE_FREE);
	ue->generation = (uint32_t)((ue->generation + 1) & UE_ID_GENERATION_MASK);
	ue->retries = 0;
	wipe(&ue->half_open, RTE_MAX(sizeof(struct ue_half_open), sizeof(struct ue_secured)));
	ue_table_write_end(ue);
	/* At the tail: an id is used again as late as possible. */
	ue->eid_next = UE_NONE;
	if (t->free_tail == UE_NONE)
		t->free_head = slot;
	else
		t->ues[t->free_tail].eid_next = slot;
	t->free_tail = slot;
}

struct ue *ue_table_find(struct ue_table *t, uint64_t au_ue_id)
{
	uint32_t slot = ue_id_slot(au_ue_id);

	if (ue_id_shard(au_ue_id) != t->shard || slot >= t->capacity)
		return NULL;
	struct ue *ue = &t->ues[slot];

	if (ue->state == UE_FREE || ue->generation != (au_ue_id & UE_ID_GENERATION_MASK))
		return NULL;
	return ue;
}

void ue_table_prefetch(const struct ue_table *t, uint64_t au_ue_id)
{
	const struct ue *ue = &t->ues[RTE_MIN(ue_id_slot(au_ue_id), t->capacity - 1)];

	rte_prefetch0(ue);
	rte_prefetch0((const uint8_t *)ue + RTE_CACHE_LINE_SIZE);
	rte_prefetch0((const uint8_t *)ue + 2 * RTE_CACHE_LINE_SIZE);
}

uint64_t ue_table_id(const struct ue_table *t, const struct ue *ue)
{
	return ue_id_make(t->shard, slot_of(t, ue), ue->generation);
}

struct ue *ue_table_slot(struct ue_table *t, uint32_t slot)
{
	return slot < t->capacity && t->ues[slot].state != UE_FREE ? &t->ues[slot] : NULL;
}

uint32_t ue_table_slot_of(const struct ue_table *t, const struct ue *ue)
{
	return slot_of(t, ue);
}

uint32_t ue_table_tmsi(const struct ue_table *t, const struct ue *ue)
{
	return slot_of(t, ue) ^ (ue->generation << 24) ^ (ue->generation << 20);
}

void ue_table_write_begin(struct ue *ue)
{
	sequence_write_begin(&ue->sequence);
}

void ue_table_write_end(struct ue *ue)
{
	sequence_write_end(&ue->sequence);
}

void ue_table_set_state(struct ue_table *t, struct ue *ue, enum ue_state state)
{
	count_add(t, ue->state, -1);
	count_add(t, state, 1);
	ue->state = (uint8_t)state;
}

bool ue_table_read(const struct ue_table *t, uint64_t au_ue_id, struct ue_view *view)
{
	uint32_t slot = ue_id_slot(au_ue_id);

	if (slot >= t->capacity)
		return false;
	const struct ue *ue = &t->ues[slot];

	for (unsigned int i = 0; i < READ_TRIES; i++) {
		uint32_t before;

		if (!sequence_read_begin(&ue->sequence, &before))
			continue;
		uint32_t generation = ue->generation;

		view->state = ue->state;
		view->an = ue->an;
		view->an_ue_id = ue->an_ue_id;
		memcpy(view->eid, ue->eid, sizeof(view->eid));
		memcpy(view->rand_ue, ue->rand_ue, sizeof(view->rand_ue));
		memcpy(&view->half_open, &ue->half_open, sizeof(view->half_open));
		if (sequence_read_end(&ue->sequence, before)) {
			if (view->state != UE_FREE &&
			    generation == (au_ue_id & UE_ID_GENERATION_MASK))
				return true;
			break;
		}
	}
	/* Another's secrets, perhaps. */
	wipe(view, sizeof(*view));
	return false;
}

/* ---------------------------------------------------------------- EID index */

struct ue *ue_table_find_eid(struct ue_table *t, const uint8_t eid[16])
{
	uint32_t slot = t->eid_heads[hash16(t, eid, eid) & t->eid_mask];

	while (slot != UE_NONE) {
		if (memcmp(t->ues[slot].eid, eid, 16) == 0)
			return &t->ues[slot];
		slot = t->ues[slot].eid_next;
	}
	return NULL;
}

void ue_table_prefetch_eid(const struct ue_table *t, const uint8_t eid[16])
{
	rte_prefetch0(&t->eid_heads[hash16(t, eid, eid) & t->eid_mask]);
}

void ue_table_index_eid(struct ue_table *t, struct ue *ue)
{
	uint32_t *head = &t->eid_heads[hash16(t, ue->eid, ue->eid) & t->eid_mask];

	ue->eid_next = *head;
	*head = slot_of(t, ue);
	ue->eid_indexed = true;
}

/* ---------------------------------------------------------------- RAND_UE index */

/* Of what is left, 32 bits are known, which come round in 497 days: none has more left than it got,
 * or, as a reader with an older tick sees it, little more. */
static bool rand_entry_live(const struct ue_table *t, const struct rand_entry *e, uint64_t tick)
{
	uint32_t expires = atomic_load_explicit(&e->expires, memory_order_relaxed);

	return expires - (uint32_t)tick - 1 < 2 * t->replay_ticks;
}

static struct rand_entry *rand_bucket(const struct ue_table *t, uint64_t tag)
{
	return &t->rands[((tag >> 16) & t->rand_mask) * RAND_WAYS];
}

void ue_table_remember_rand(struct ue_table *t, struct ue *ue, uint64_t tick)
{
	uint64_t tag = hash16(t, ue->rand_ue, ue->eid);
	struct rand_entry *bucket = rand_bucket(t, tag), *victim = bucket;

	for (unsigned int i = 0; i < RAND_WAYS; i++) {
		if (bucket[i].tag == 0 || !rand_entry_live(t, &bucket[i], tick)) {
			victim = &bucket[i];
			break;
		}
		if ((int32_t)(bucket[i].expires - victim->expires) < 0)
			victim = &bucket[i];
	}
	atomic_store_explicit(&victim->tag, 0, memory_order_relaxed);
	victim->slot = slot_of(t, ue);
	atomic_store_explicit(&victim->expires, (uint32_t)(tick + t->replay_ticks),
			      memory_order_relaxed);
	atomic_store_explicit(&victim->tag, tag, memory_order_release);
}

uint32_t ue_table_find_rand(struct ue_table *t, const uint8_t rand_ue[16], const uint8_t eid[16],
			    uint64_t tick)
{
	uint64_t tag = hash16(t, rand_ue, eid);
	const struct rand_entry *bucket = rand_bucket(t, tag);

	for (unsigned int i = 0; i < RAND_WAYS; i++)
		if (bucket[i].tag == tag && rand_entry_live(t, &bucket[i], tick))
			return bucket[i].slot;
	return UE_NONE;
}

bool ue_table_rand_seen(const struct ue_table *t, const uint8_t rand_ue[16], const uint8_t eid[16],
			uint64_t tick)
{
	uint64_t tag = hash16(t, rand_ue, eid);
	const struct rand_entry *bucket = rand_bucket(t, tag);

	for (unsigned int i = 0; i < RAND_WAYS; i++)
		if (atomic_load_explicit(&bucket[i].tag, memory_order_acquire) == tag &&
		    rand_entry_live(t, &bucket[i], tick))
			return true;
	return false;
}

void ue_table_prefetch_rand(const struct ue_table *t, const uint8_t rand_ue[16],
			    const uint8_t eid[16])
{
	rte_prefetch0(rand_bucket(t, hash16(t, rand_ue, eid)));
}

/* ---------------------------------------------------------------- timers */

static void link_timer(struct ue_table *t, struct ue *ue, uint64_t due)
{
	uint32_t *head = &t->wheel[due % WHEEL_SLOTS];

	ue->timer_due = due;
	ue->timer_previous = UE_NONE;
	ue->timer_next = *head;
	if (*head != UE_NONE)
		t->ues[*head].timer_previous = slot_of(t, ue);
	*head = slot_of(t, ue);
	ue->timer_linked = true;
}

/* Where the wheel looks next at a context that expires then: a round ahead at most. */
static uint64_t due_of(const struct ue_table *t, uint64_t expires)
{
	return RTE_MIN(expires, t->wheel_tick + WHEEL_SLOTS - 1);
}

/* A context that is armed again, later, as happens at every step of an attach, stays where it is in
 * the wheel, whose look at it comes too early then and moves it on: its neighbours, most likely out
 * of the cache, are touched once and not at every step. */
void ue_table_arm(struct ue_table *t, struct ue *ue, uint64_t expires)
{
	ue->expires = RTE_MAX(expires, t->wheel_tick);
	if (ue->timer_linked && ue->timer_due <= ue->expires)
		return;
	if (ue->timer_linked)
		unlink_timer(t, ue);
	link_timer(t, ue, due_of(t, ue->expires));
}

void ue_table_disarm(struct ue *ue)
{
	ue->expires = UE_NEVER;
}

unsigned int ue_table_expired(struct ue_table *t, uint64_t tick, struct ue **expired,
			      unsigned int n)
{
	unsigned int found = 0, visited = 0;

	/* Visits are bounded: what is left of a crowded slot is for the next call. */
	for (; t->wheel_tick <= tick; t->wheel_tick++) {
		uint32_t *head = &t->wheel[t->wheel_tick % WHEEL_SLOTS];

		while (*head != UE_NONE) {
			struct ue *ue = &t->ues[*head];

			if (found == n || visited++ == VISITS * n)
				return found;
			unlink_timer(t, ue);
			if (ue->expires <= tick) {
				ue->expires = UE_NEVER;
				expired[found++] = ue;
			} else if (ue->expires != UE_NEVER) {
				/* Beyond this slot, or this loop would meet it again. */
				link_timer(t, ue, due_of(t, ue->expires));
			}
		}
	}
	return found;
}

struct ue *ue_table_next(struct ue_table *t, uint32_t *slot)
{
	while (*slot < t->capacity) {
		struct ue *ue = &t->ues[(*slot)++];

		if (ue->state != UE_FREE)
			return ue;
	}
	return NULL;
}

unsigned int ue_table_count(const struct ue_table *t, enum ue_state state)
{
	return atomic_load_explicit(&t->counts[state], memory_order_relaxed);
}

unsigned int ue_table_room(const struct ue_table *t)
{
	unsigned int half_open = ue_table_count(t, UE_AUTHENTICATION);
	unsigned int left = half_open < t->max_half_open ? t->max_half_open - half_open : 0;

	return RTE_MIN(left, ue_table_count(t, UE_FREE));
}

bool ue_table_has_room_for_strangers(const struct ue_table *t)
{
	return ue_table_count(t, UE_AUTHENTICATION) < (t->max_half_open + 1) / 2;
}

bool ue_table_is_crowded(const struct ue_table *t)
{
	return ue_table_count(t, UE_AUTHENTICATION) > t->max_half_open - t->max_half_open / 4;
}
