/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sequence: a sequence lock. A writer never waits; readers read around it and find out afterwards
 * whether what they read belongs together. It owns a count and nothing else; what it guards stands
 * beside it. What a reader has read is not to be trusted, nor followed where it points, before
 * sequence_read_end says so. No allocation, no waiting: how often to try again is the reader's.
 */
#ifndef CPAU_SEQUENCE_H
#define CPAU_SEQUENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Even: stable. Odd: being written. All zero octets are a stable one. */
struct sequence {
	_Atomic uint32_t count;
};

/* For the one writer that there is. */
static inline void sequence_write_begin(struct sequence *s)
{
	uint32_t count = atomic_load_explicit(&s->count, memory_order_relaxed);

	atomic_store_explicit(&s->count, count + 1, memory_order_relaxed);
	/* Who sees a write that follows sees the odd count, too. */
	atomic_thread_fence(memory_order_release);
}

/* Where there may be several writers. False: another one writes, and this one gives way. */
static inline bool sequence_try_write_begin(struct sequence *s)
{
	uint32_t count = atomic_load_explicit(&s->count, memory_order_relaxed);

	if (count & 1 ||
	    !atomic_compare_exchange_strong_explicit(&s->count, &count, count + 1,
						     memory_order_acquire, memory_order_relaxed))
		return false;
	atomic_thread_fence(memory_order_release);
	return true;
}

static inline void sequence_write_end(struct sequence *s)
{
	uint32_t count = atomic_load_explicit(&s->count, memory_order_relaxed);

	atomic_store_explicit(&s->count, count + 1, memory_order_release);
}

/* False: it is being written. */
static inline bool sequence_read_begin(const struct sequence *s, uint32_t *before)
{
	*before = atomic_load_explicit(&s->count, memory_order_acquire);
	return (*before & 1) == 0;
}

/* True: nobody has written since *before, and all that was read in between belongs together. */
static inline bool sequence_read_end(const struct sequence *s, uint32_t before)
{
	/* What was read stays before the count that is read now. */
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&s->count, memory_order_relaxed) == before;
}

#endif
