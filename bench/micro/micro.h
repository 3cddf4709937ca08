/* SPDX-License-Identifier: BSD-3-Clause
 *
 * micro: what each part of an attach costs by itself. A case is one function of lib/, or a poll of
 * a stage, on the octets of real attaches; main.c times them all alike.
 *
 * Hot: over a few attaches, again and again, all in the first cache. Cold: once over more attaches
 * than the second-level cache holds, in an order that no prefetcher guesses, after that cache was
 * swept; what is read is in the third-level cache or in memory then, on ordinary pages. The code
 * is warm both times. In turn: all parts of an attach that need no preparation one after the other,
 * over as many attaches as a burst has, as stages do: code and branches of all are in each other's
 * way, and data is in the second-level cache.
 */
#ifndef CPAU_BENCH_MICRO_H
#define CPAU_BENCH_MICRO_H

#include "crypto/crypto.h"
#include "pki/issue.h"
#include "pki/pki.h"
#include "sec/sec.h"
#include "wire/wire.h"

enum {
	MICRO_HOT = 8,	     /* attaches, each of a UE of its own */
	MICRO_ITEMS = 8192,  /* the same, in memory of their own each */
	MICRO_TURN = 64,     /* items of a burst, as a stage takes them in turn */
	MICRO_CHUNK = 64,    /* items in hand at a time, at most */
	MICRO_OCTETS = 7168, /* all messages of one attach */
};

/* The messages of an attach, in the order of the procedure. Protected ones twice: as they are made
 * and read, and as they travel. */
enum micro_message {
	MICRO_ATTACH_REQUEST,
	MICRO_AUTHENTICATION_REQUEST,
	MICRO_AUTHENTICATION_RESPONSE,
	MICRO_SECURITY_MODE_COMMAND,
	MICRO_SECURITY_MODE_COMMAND_SENT,
	MICRO_SECURITY_MODE_COMPLETE,
	MICRO_SECURITY_MODE_COMPLETE_SENT,
	MICRO_CONTEXT_SETUP_REQUEST, /* its IEs, as of all records */
	MICRO_CONTEXT_SETUP_RESPONSE,
	MICRO_ATTACH_ACCEPT,
	MICRO_ATTACH_ACCEPT_SENT,
	MICRO_ATTACH_COMPLETE,
	MICRO_ATTACH_COMPLETE_SENT,
	MICRO_SESSION_REQUEST, /* 5GSM, in UL NAS TRANSPORT */
	MICRO_UL_NAS_TRANSPORT,
	MICRO_UL_NAS_TRANSPORT_SENT,
	MICRO_SESSION_SETUP_REQUEST,
	MICRO_SESSION_SETUP_RESPONSE,
	MICRO_SESSION_ACCEPT, /* 5GSM, in DL NAS TRANSPORT */
	MICRO_DL_NAS_TRANSPORT,
	MICRO_DL_NAS_TRANSPORT_SENT,
	MICRO_MESSAGES,
};

/* One attach: its messages and what they were made with. */
struct micro_item {
	struct span message[MICRO_MESSAGES]; /* in octets */
	struct span cert_euicc;		     /* likewise: of ATTACH REQUEST */
	size_t used;
	uint8_t eid[16], rand_ue[16], rand_au[16];
	uint8_t pk_au[65], pk_ue[65], device_key[CRYPTO_POINT_SIZE];
	uint8_t z[32], ksession[SEC_KEY_SIZE], k_amf[SEC_KEY_SIZE], k_gnb[SEC_KEY_SIZE];
	uint8_t sealed[SEC_SEALED_KEY_SIZE];
	struct sec_nas_context nas;
	uint64_t au_ue_id;
	uint32_t an_ue_id;
	uint8_t octets[MICRO_OCTETS];
};

/* What all attaches share. */
struct micro_world {
	struct sec *sec;
	struct crypto *crypto;
	const char *serving_network, *realm;
	uint8_t cert_au_hash[32];
	struct span cert_ci, cert_eum, cert_operator_ca, cert_au;
	struct span cert_cross, cert_ci_cross; /* of the operator CA for UEs; of the CI for us */
	struct issue_key *ci_key, *au_key;
	struct pki_cert ci, eum;
	struct sec_an_key *an_key;
	int64_t now;
	struct micro_item *items; /* MICRO_ITEMS: copies of the first MICRO_HOT */
};
extern struct micro_world micro;
/* The round at hand is one of cold items. */
extern bool micro_cold;

/* Exits with a message when something cannot be made. */
void micro_world_create(const char *backend);
void micro_check(bool ok, const char *what);

struct micro_case {
	const char *group, *name;
	const char *stage; /* in which an attach needs it: worker, crypto, control; NULL: none */
	double per_attach; /* how often; with one message a datagram, where it goes by datagrams */
	/* What it goes by, where access nodes put several messages in a datagram: "received",
	 * "received-small", "sent", "sent-small". NULL: the attach. */
	const char *per;
	unsigned int batch; /* items a call of lib/'s function, or in a row; 0: 1 */
	/* In an attach nothing has touched what it reads for a while: its cold figure counts. */
	bool met_cold;
	bool no_cold; /* what it touches is always hot, or does not matter */
	/* Items between looks at the clock; 0: MICRO_CHUNK with before or after, else all. */
	unsigned int chunk;
	int arg;
	/* Runs it on the items of these numbers; n is a multiple of batch. */
	void (*run)(const struct micro_case *c, const uint32_t *items, unsigned int n);
	/* Not timed: once, before the first round; and before and after every chunk of items. */
	void (*prepare)(const struct micro_case *c);
	void (*before)(const struct micro_case *c, const uint32_t *items, unsigned int n);
	void (*after)(const struct micro_case *c, const uint32_t *items, unsigned int n);
};

/* A row for each size of batch: ROW(size, title, ...). */
#define MICRO_BATCHES(ROW, title, ...)                                                  \
	ROW(1, title ", 1 at a time", __VA_ARGS__), ROW(2, title ", 2", __VA_ARGS__),   \
		ROW(4, title ", 4", __VA_ARGS__), ROW(8, title ", 8", __VA_ARGS__),     \
		ROW(16, title ", 16", __VA_ARGS__), ROW(32, title ", 32", __VA_ARGS__), \
		ROW(64, title ", 64", __VA_ARGS__)

struct micro_group {
	const char *name;
	const struct micro_case *cases;
	unsigned int n;
};
extern const struct micro_group micro_wire, micro_pki, micro_sec, micro_net, micro_port, micro_gate,
	micro_stages, micro_tables, micro_crypto;

/* Touches so much memory of nobody's, so that what was in the caches is not. */
void micro_sweep(size_t octets);

/* Keeps the compiler from dropping what nobody reads. */
static inline void micro_keep(const void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

#endif
