/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "base/sequence.h"
#include "net/internal.h"

enum {
	WINDOW = 8, /* entries from its hash on in which an address may stand */
	READ_TRIES = 16,
	USE_S = 1,	/* how finely use is noted */
	ASK_S = 1,	/* between two questions */
	ANSWER_S = 3,	/* after which one that never answered gives way */
	REFRESH_S = 30, /* after which one in use is asked again */
	IDLE_S = 60,	/* after which one is not in use */
};

/* Which address of which port; all 0: free. */
struct key {
	uint64_t high, low, rest;
};

/* One cache line. The key and whether there is a MAC are written under the lock; the times are
 * hints of their own. */
struct entry {
	_Alignas(RTE_CACHE_LINE_SIZE) struct sequence lock;
	_Atomic uint64_t high, low, rest;
	_Atomic uint64_t mac;		       /* packed; 0: not known */
	_Atomic uint64_t learned, used, asked; /* TSC */
};

struct net_neighbours {
	uint64_t hz, salt;
	uint32_t mask; /* entries - 1 */
	struct entry entries[];
};

struct net_neighbours *net_neighbours_create(unsigned int capacity, int numa_node)
{
	/* Half of them empty, so that few windows are full. */
	uint32_t entries = rte_align32pow2(RTE_MAX(2 * capacity, (unsigned int)WINDOW));
	struct net_neighbours *n = rte_zmalloc_socket(
		"net_neighbours", sizeof(*n) + (size_t)entries * sizeof(n->entries[0]),
		RTE_CACHE_LINE_SIZE, numa_node);

	if (!n)
		return NULL;
	n->hz = rte_get_tsc_hz();
	n->salt = rte_rand();
	n->mask = entries - 1;
	return n;
}

void net_neighbours_destroy(struct net_neighbours *n)
{
	rte_free(n);
}

static uint64_t get(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void set(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

static struct key key_of(uint8_t nif, const struct net_addr *addr)
{
	return (struct key){load_be64(addr->a), load_be64(addr->a + 8),
			    (uint64_t)addr->family << 8 | nif};
}

static bool key_equal(const struct key *a, const struct key *b)
{
	return a->high == b->high && a->low == b->low && a->rest == b->rest;
}

static struct entry *entry_at(struct net_neighbours *n, const struct key *k, unsigned int i)
{
	/* Keyed, so that nobody outside can aim at one window. */
	uint64_t h = (k->high ^ n->salt) * UINT64_C(0x9e3779b97f4a7c15);

	h = (h ^ h >> 29 ^ k->low ^ k->rest << 40) * UINT64_C(0xbf58476d1ce4e5b9);
	return &n->entries[(uint32_t)((h >> 32) + i) & n->mask];
}

/* What an entry said at one moment. False: it was written all the time. */
static bool read_entry(const struct entry *e, struct key *k, uint64_t *mac)
{
	for (unsigned int i = 0; i < READ_TRIES; i++) {
		uint32_t before;

		if (!sequence_read_begin(&e->lock, &before))
			continue;
		*k = (struct key){get(&e->high), get(&e->low), get(&e->rest)};
		*mac = get(&e->mac);
		if (sequence_read_end(&e->lock, before))
			return true;
	}
	return false;
}

static bool is_older(const struct net_neighbours *n, uint64_t then, uint64_t tsc, unsigned int s)
{
	/* Another lcore's time may be a little ahead of ours. */
	return (int64_t)(tsc - then) > (int64_t)(n->hz * s);
}

/* Whether a neighbour that nobody asked for (wanted false), or a next hop, may have its place. */
static bool gives_way(const struct net_neighbours *n, const struct entry *e, uint64_t mac,
		      uint64_t tsc, bool wanted)
{
	if (!mac)
		return is_older(n, get(&e->asked), tsc, ANSWER_S);
	return is_older(n, get(&e->used), tsc, IDLE_S) &&
	       (wanted || is_older(n, get(&e->learned), tsc, IDLE_S));
}

/* The entry of the key, or NULL; then *room is one that it may have, or NULL. */
static struct entry *find(struct net_neighbours *n, const struct key *wanted_key, uint64_t tsc,
			  bool wanted, uint64_t *mac, struct entry **room)
{
	struct entry *idle = NULL;
	bool busy = false;

	*room = NULL;
	for (unsigned int i = 0; i < WINDOW; i++) {
		struct entry *e = entry_at(n, wanted_key, i);
		struct key k;

		if (!read_entry(e, &k, mac))
			busy = true;
		else if (key_equal(&k, wanted_key))
			return e;
		else if (k.rest == 0)
			*room = *room ? *room : e;
		else if (!idle && gives_way(n, e, *mac, tsc, wanted))
			idle = e;
	}
	if (!*room)
		*room = idle;
	/* It may be the very address that another lcore is writing. */
	if (busy)
		*room = NULL;
	return NULL;
}

/* Puts the key into an entry that find() gave. False: another lcore was there first. */
static bool take(struct net_neighbours *n, struct entry *e, const struct key *k, uint64_t mac,
		 uint64_t tsc, bool wanted)
{
	if (!sequence_try_write_begin(&e->lock))
		return false;
	bool mine = get(&e->rest) == 0 || gives_way(n, e, get(&e->mac), tsc, wanted);

	if (mine) {
		set(&e->high, k->high);
		set(&e->low, k->low);
		set(&e->rest, k->rest);
		set(&e->mac, mac);
		set(&e->learned, tsc);
		set(&e->asked, tsc);
		/* One that was only heard of was never used: as if long ago. */
		set(&e->used, wanted ? tsc : tsc - n->hz * (IDLE_S + 1));
	}
	sequence_write_end(&e->lock);
	return mine;
}

static uint64_t pack_mac(const struct rte_ether_addr *mac)
{
	uint8_t octets[8] = {0, 1}; /* known, even if it is all 0 */

	memcpy(octets + 2, mac, RTE_ETHER_ADDR_LEN);
	return load_be64(octets);
}

static void unpack_mac(uint64_t packed, struct rte_ether_addr *mac)
{
	uint8_t octets[8];

	store_be64(octets, packed);
	memcpy(mac, octets + 2, RTE_ETHER_ADDR_LEN);
}

/* A new MAC for an address that is there. */
static void change(struct entry *e, const struct key *k, uint64_t mac, uint64_t tsc)
{
	if (!sequence_try_write_begin(&e->lock))
		return;
	struct key now = {get(&e->high), get(&e->low), get(&e->rest)};

	if (key_equal(&now, k)) {
		set(&e->mac, mac);
		set(&e->learned, tsc);
	}
	sequence_write_end(&e->lock);
}

bool net_neighbours_learn(struct net_neighbours *n, uint8_t nif, const struct net_addr *addr,
			  const struct rte_ether_addr *mac, uint64_t tsc)
{
	struct key k = key_of(nif, addr);
	uint64_t packed = pack_mac(mac), known;
	struct entry *room, *e = find(n, &k, tsc, false, &known, &room);

	if (!e) {
		/* Who was there first may have learned the same. */
		if (room)
			(void)take(n, room, &k, packed, tsc, false);
		return room != NULL;
	}
	/* The usual refresh closes nobody out. */
	if (known == packed)
		set(&e->learned, tsc);
	else
		change(e, &k, packed, tsc);
	return true;
}

/* One lcore a second may ask. */
static bool may_ask(const struct net_neighbours *n, struct entry *e, uint64_t tsc)
{
	uint64_t asked = get(&e->asked);

	return is_older(n, asked, tsc, ASK_S) &&
	       atomic_compare_exchange_strong_explicit(&e->asked, &asked, tsc, memory_order_relaxed,
						       memory_order_relaxed);
}

static const struct net_addr *choose_hop(const struct net_if *nif,
					 const struct net_addr *destination)
{
	const struct net_addr *hop =
		destination->family == 4 ? &nif->gateway_ipv4 : &nif->gateway_ipv6;

	if (net_is_on_link(nif, destination))
		hop = destination;
	return hop->family != 0 && !net_is_ours(nif, hop) ? hop : NULL;
}

enum net_hop net_next_hop(struct net_neighbours *n, const struct net_if *nif, uint8_t nif_index,
			  const struct net_addr *destination, uint64_t tsc, struct net_addr *hop,
			  struct rte_ether_addr *mac, bool *known)
{
	const struct net_addr *chosen = choose_hop(nif, destination);
	uint64_t packed;
	struct entry *room;

	*known = false;
	if (!chosen)
		return NET_HOP_NONE;
	*hop = *chosen;
	struct key k = key_of(nif_index, chosen);
	struct entry *e = find(n, &k, tsc, true, &packed, &room);

	if (!e)
		return room && take(n, room, &k, 0, tsc, true) ? NET_HOP_ASK : NET_HOP_WAIT;
	if (is_older(n, get(&e->used), tsc, USE_S))
		set(&e->used, tsc);
	if (!packed)
		return may_ask(n, e, tsc) ? NET_HOP_ASK : NET_HOP_WAIT;
	unpack_mac(packed, mac);
	*known = true;
	return is_older(n, get(&e->learned), tsc, REFRESH_S) && may_ask(n, e, tsc) ? NET_HOP_ASK
										   : NET_HOP_KNOWN;
}
