/* SPDX-License-Identifier: BSD-3-Clause
 *
 * admission: which ATTACH REQUESTs a worker lets in, when more come than the crypto stages can
 * serve. Two rules:
 *
 *	1. Who is let in waits no longer than the target: the queue's length times what a request
 *	   takes, as measured by the crypto stages, is the delay; past the target nobody is let in.
 *	2. The room goes to the access nodes in equal parts (max-min): one that asks for less than
 *	   its part gets all of it, the others what is left. The part, a number of requests a
 *	   window, is found by trial: smaller while rule 1 refuses, larger while nobody is refused.
 *	   Requests above it are refused at random while the queue is longer than a quarter of the
 *	   target; those below it may wait AU_ADMISSION_PATIENCE times the target, so that a flood
 *	   of others does not meet them; and so may all in a burst after a calm, for being refused
 *	   costs a UE seconds.
 *	3. Strangers, UEs whose certificate nobody known has issued, come last: they are let in
 *	   while nobody else is refused and the queue is within the target, which the others may
 *	   pass. They count for nobody's part, and their refusal is nobody's overload: however many
 *	   they are, others notice no more of them than a queue as long as the target.
 *
 * Each worker decides for the requests that it sees. Arithmetic alone: no clock, no lock, no memory
 * of its own.
 */
#ifndef CPAU_AU_ADMISSION_H
#define CPAU_AU_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

enum { AU_ADMISSION_PATIENCE = 2 };

/* What a worker knows of an access node's requests. The totals are read by control; all else is the
 * worker's alone. */
struct au_demand {
	uint32_t asked, let_in; /* since start, modulo 2^32 */
	uint32_t window;	/* to which now belongs */
	uint32_t now, before;	/* requests in it, and in the window before */
};

struct au_admission {
	/* ---- constants ---- */
	uint64_t target; /* TSC cycles that an admitted request may wait */
	uint64_t length; /* of a window, TSC cycles */
	struct au_demand *demand;
	/* ---- of this poll ---- */
	uint64_t delay; /* that the next admitted request meets */
	uint64_t step;	/* by which an admitted request prolongs it */
	/* ---- of this window ---- */
	uint32_t window;
	uint64_t window_end;
	uint32_t highest; /* requests of the node that asked most */
	uint32_t passed;  /* by rule 2 */
	uint32_t above;	  /* refused by rule 2 */
	uint32_t late;	  /* refused by rule 1 */
	/* ---- from window to window ---- */
	double part; /* requests a node and window; INFINITY: nobody is held to it */
	uint64_t random;
};

/* demand: one an access node, zeroed, lent for the life of a. */
void au_admission_init(struct au_admission *a, uint64_t target, uint64_t length,
		       struct au_demand *demand);
/* At the beginning of a poll, at tsc. delay: cycles that a request would wait now; step: by how
 * much each that is let in prolongs that. */
void au_admission_begin(struct au_admission *a, uint64_t tsc, uint64_t delay, uint64_t step);
/* Whether a request of this access node is let in. room: there is memory for it; without, it is as
 * if the queue were too long. */
bool au_admission_ask(struct au_admission *a, unsigned int an, bool room);
/* The same for a stranger's. */
bool au_admission_ask_stranger(struct au_admission *a, bool room);
/* True: requests are being refused in this window, or were in the last. */
static inline bool au_admission_refuses(const struct au_admission *a)
{
	return a->late > 0 || a->part < UINT32_MAX;
}

/* True: that, or soon, as seen from our queue or from one before it in which something has been
 * waiting for so many cycles. */
static inline bool au_admission_presses(const struct au_admission *a, uint64_t waiting)
{
	return a->delay > a->target / 2 || waiting > a->target / 2 || au_admission_refuses(a);
}

#endif
