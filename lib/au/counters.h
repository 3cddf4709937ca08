/* SPDX-License-Identifier: BSD-3-Clause
 *
 * counters: every event of the pipeline that is not a cause (wire/cause.h), declared once. Each
 * stage owns a block and alone writes it; telemetry and the log read and add them up.
 */
#ifndef CPAU_AU_COUNTERS_H
#define CPAU_AU_COUNTERS_H

#include <stdint.h>

#include "wire/cause.h"

/* X(symbol, name, text) */
#define AU_COUNTERS(X)                                                                           \
	X(DATAGRAMS, "datagrams", "datagrams received from configured access nodes")             \
	X(RECORDS, "records", "records read from them")                                          \
	X(STEERED, "steered", "packets handed to another worker by software steering")           \
	X(STEER_DROPPED, "steer-dropped", "packets dropped because that worker's ring was full") \
	X(HANDED_OVER, "handed-over", "packets handed to a gate by a worker")                    \
	X(HAND_OVER_DROPPED, "hand-over-dropped",                                                \
	  "packets dropped because that gate's ring was full")                                   \
	X(ATTACH_REQUESTS, "attach-requests", "ATTACH REQUESTs received")                        \
	X(AUTH_RESPONSES, "authentication-responses", "AUTHENTICATION RESPONSEs received")       \
	X(IN_FLIGHT_DUPLICATES, "in-flight-duplicates",                                          \
	  "requests dropped because the same one is being worked on")                            \
	X(RETRANSMITTED_REQUESTS, "retransmitted-requests",                                      \
	  "ATTACH REQUESTs that came again; answered again if step 5 is awaited, else ignored")  \
	X(JOBS_EXHAUSTED, "jobs-exhausted", "messages dropped because no job was free")          \
	X(MULTIPLES_EXHAUSTED, "multiples-exhausted",                                            \
	  "device keys of which nothing was kept for step 6, for want of room")                  \
	X(CRYPTO_RING_FULL, "crypto-ring-full", "jobs dropped because the crypto ring was full") \
	X(CONTROL_RING_FULL, "control-ring-full",                                                \
	  "jobs dropped because the control ring was full")                                      \
	X(CRYPTO_JOBS, "crypto-jobs", "jobs that the crypto stage finished")                     \
	X(VERIFIES, "verifies", "signatures verified")                                           \
	X(ATTACHED, "attached", "attaches completed (steps 1 to 8)")                             \
	X(AUTHENTICATED, "authenticated", "UEs authenticated (step 6)")                          \
	X(RETRANSMISSIONS, "retransmissions", "messages sent again because a timer expired")     \
	X(SESSIONS_OPENED, "sessions-opened", "PDU sessions that the gate was opened for")       \
	X(SESSIONS_UNKNOWN, "sessions-unknown",                                                  \
	  "PDU sessions ended because their access node did not know them")                      \
	X(RELEASED, "released", "contexts released after attach")                                \
	X(LATE, "late", "answers that came for a context that had moved on; dropped")            \
	X(EUMS_LEARNED, "eums-learned", "EUMs handed over to be learned")                        \
	X(TX_DATAGRAMS, "tx-datagrams", "datagrams sent")                                        \
	X(TX_NO_MBUF, "tx-no-mbuf", "answers not sent because no mbuf was free")                 \
	X(TX_DROPPED, "tx-dropped", "packets that the port did not take")                        \
	X(OVERLOAD_STARTS, "overload-starts", "OVERLOAD STARTs sent to access nodes")            \
	X(OVERLOAD_STOPS, "overload-stops", "OVERLOAD STOPs sent to access nodes")               \
	X(ERROR_INDICATIONS, "error-indications",                                                \
	  "ERROR INDICATIONs sent to access nodes that have not set up")                         \
	X(REFUSED, "refused", "refusals sent")

enum au_counter {
#define X(symbol, name, text) AU_COUNT_##symbol,
	AU_COUNTERS(X)
#undef X
		AU_COUNTER_N,
};

struct au_counters {
	uint64_t events[AU_COUNTER_N];
	uint64_t causes[WIRE_CAUSE_LIMIT]; /* by enum wire_cause */
	/* TSC cycles: of the stage's polls that found work, and of them in public-key operations */
	uint64_t busy, public_key;
};

const char *au_counter_name(unsigned int counter);
const char *au_counter_text(unsigned int counter);

#endif
