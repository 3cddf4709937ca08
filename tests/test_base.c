/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The sequence lock: by one thread, and by writers and readers at once.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>

#include "base/sequence.h"

Test(sequence, reader_sees_whether_somebody_writes)
{
	struct sequence s = {0};
	uint32_t before;

	cr_assert(sequence_read_begin(&s, &before));
	cr_expect(sequence_read_end(&s, before));
	sequence_write_begin(&s);
	cr_expect_not(sequence_read_end(&s, before), "begun while it read");
	cr_expect_not(sequence_read_begin(&s, &before), "being written");
	sequence_write_end(&s);
	cr_assert(sequence_read_begin(&s, &before));
	cr_expect(sequence_read_end(&s, before));
}

Test(sequence, write_that_ends_while_one_reads_is_seen)
{
	struct sequence s = {0};
	uint32_t before;

	cr_assert(sequence_read_begin(&s, &before));
	sequence_write_begin(&s);
	sequence_write_end(&s);
	cr_expect_not(sequence_read_end(&s, before));
}

Test(sequence, second_writer_gives_way)
{
	struct sequence s = {0};

	cr_assert(sequence_try_write_begin(&s));
	cr_expect_not(sequence_try_write_begin(&s));
	sequence_write_end(&s);
	cr_assert(sequence_try_write_begin(&s));
	sequence_write_end(&s);
}

Test(sequence, count_that_wraps_stays_a_lock)
{
	struct sequence s = {UINT32_MAX - 1};
	uint32_t before;

	cr_assert(sequence_try_write_begin(&s));
	cr_expect_not(sequence_read_begin(&s, &before));
	sequence_write_end(&s);
	cr_assert(sequence_read_begin(&s, &before));
	cr_expect_eq(before, 0);
}

enum { WORDS = 16, WRITES = 20000 };

static struct sequence lock;
static _Atomic uint64_t words[WORDS];
static atomic_uint written;

static void *write_words(void *first)
{
	uint64_t value = (uint64_t)(uintptr_t)first;

	for (unsigned int i = 0; i < WRITES; value += 2) {
		if (!sequence_try_write_begin(&lock)) {
			sched_yield();
			continue;
		}
		for (unsigned int j = 0; j < WORDS; j++)
			atomic_store_explicit(&words[j], value, memory_order_relaxed);
		sequence_write_end(&lock);
		atomic_fetch_add(&written, 1);
		i++;
	}
	return NULL;
}

/* Every word is the same, whoever wrote them. */
Test(sequence, what_two_writers_write_is_never_seen_mixed)
{
	pthread_t writers[2];
	unsigned int seen = 0;

	for (uintptr_t i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&writers[i], NULL, write_words, (void *)i), 0);
	while (atomic_load(&written) < 2 * WRITES || seen == 0) {
		uint64_t read[WORDS];
		uint32_t before;

		if (!sequence_read_begin(&lock, &before)) {
			sched_yield();
			continue;
		}
		for (unsigned int j = 0; j < WORDS; j++)
			read[j] = atomic_load_explicit(&words[j], memory_order_relaxed);
		if (!sequence_read_end(&lock, before))
			continue;
		seen++;
		for (unsigned int j = 1; j < WORDS; j++)
			cr_assert_eq(read[j], read[0]);
	}
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(writers[i], NULL);
}
