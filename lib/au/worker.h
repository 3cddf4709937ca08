/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The worker stage's context, for its files only.
 */
#ifndef CPAU_AU_WORKER_H
#define CPAU_AU_WORKER_H

#include "au/gather.h"
#include "au/stage.h"

enum {
	WORKER_QUEUES_MAX = 32,
	WORKER_NO_QUEUE = UINT16_MAX, /* a parser alone, for what is steered here */
	WORKER_IN_FLIGHT = 1 << 14,   /* direct-mapped: recent requests, by hash */
	WORKER_BURSTS = 64,	      /* of a queue, a poll */
};

struct worker_queue {
	uint16_t port_id, queue;
	bool user_plane; /* the port serves it too */
	const struct net_if *nif;
	struct net_rx *rx;
	uint64_t emptied; /* TSC: when there was last nothing left in it */
};

/* A request that was passed on not long ago. */
struct in_flight {
	uint64_t tag;
	uint64_t tsc;
};

struct au_worker {
	struct au_shared *shared;
	struct au_worker_config config;
	unsigned int n_queues;
	struct worker_queue queues[WORKER_QUEUES_MAX];
	struct sec *sec;
	const struct au_trust *trust; /* of this poll */
	int64_t now;		      /* unix time, seconds */
	uint64_t tsc;
	uint64_t next_clock;
	uint64_t tick;
	struct au_gather *to_control;		/* one a shard */
	struct au_gather *requests, *responses; /* one a crypto stage */
	unsigned int next_crypto;
	unsigned int jobs_counted; /* polls for which the count below is good */
	unsigned int jobs_free;	   /* as of when it was counted, less what was taken since */
	uint64_t polls;
	struct au_admission admission;
	uint64_t jobs_of_epoch[AU_EPOCHS];
	struct au_counters counters;
	uint64_t *told_not_set_up; /* one an AN: when it was last told so, TSC */
	struct in_flight in_flight[WORKER_IN_FLIGHT];
};

/* One record and whence it came. */
struct worker_record {
	struct wire_record record;
	struct net_peer peer;
	uint16_t an;
};

/* The AN's index, or -1: dropped at the first look. arg is the worker. */
int worker_find_source(void *arg, const struct net_addr *source);

#endif
