/* SPDX-License-Identifier: BSD-3-Clause
 *
 * au: the authenticator as a whole. Takes a configuration and a trust store, starts ports and
 * stages, and keeps them supplied: new trust snapshots, EUMs learned, an orderly end. All functions
 * are for the main thread, after rte_eal_init.
 */
#ifndef CPAU_AU_H
#define CPAU_AU_H

#include "au/counters.h"
#include "config/config.h"
#include "gate/gate.h"
#include "net/net.h"
#include "pki/trust.h"
#include "au/ue_table.h"

struct au;

/* Makes ports, tables, rings and stages. Takes trust over, also on failure. config must outlive it.
 * NULL: why (at least 256 octets) says what failed and what would help. */
struct au *au_create(const struct config *config, struct pki_trust *trust, char *why,
		     size_t why_size);
/* Launches the stages on their lcores; those of the main lcore run in au_poll. */
void au_start(struct au *au);
/* The main lcore's share: its stages, if it has any, and the housekeeping. Call it in a loop; true:
 * it found packets or jobs to handle. */
bool au_poll(struct au *au);
/* Replaces the trust snapshot without a pause; takes trust over. False: too many snapshots are
 * still in use, or no memory: trust is still the caller's, who may try again after an au_poll. */
bool au_reload(struct au *au, struct pki_trust *trust);
/* From here on ATTACH REQUESTs are refused (SHUTTING_DOWN); what was begun goes on. */
void au_drain(struct au *au);
/* True: no attach is on the way any more. */
bool au_idle(const struct au *au);
/* Refuses what is still on the way, stops the lcores and the ports. */
void au_stop(struct au *au);
void au_destroy(struct au *au);

/* ---- what it says of itself: any thread; sums over all stages ---- */

uint64_t au_event(const struct au *au, enum au_counter counter);
uint64_t au_cause(const struct au *au, enum wire_cause cause);
uint64_t au_net_counter(const struct au *au, enum net_counter counter);
/* Of the user plane; 0 where no gate is configured. */
uint64_t au_gate_counter(const struct au *au, enum gate_counter counter);
uint64_t au_sessions(const struct au *au); /* that are open */
unsigned int au_ues(const struct au *au, enum ue_state state);
const char *au_backend(const struct au *au);
const char *au_backend_reason(const struct au *au);
/* Busy and idle TSC cycles of the i-th configured lcore; false: there is none. */
bool au_lcore(const struct au *au, unsigned int i, unsigned int *lcore, uint64_t *busy,
	      uint64_t *idle);
/* Access nodes that were told to hold back some of their new attaches. */
unsigned int au_ans_holding_back(const struct au *au);
/* TSC cycles that all stages of a kind spent in polls that found work. */
uint64_t au_stage_busy(const struct au *au, enum config_stage stage);
/* Of those of the crypto stages, the ones in public-key operations. */
uint64_t au_public_key_cycles(const struct au *au);
/* Registers the telemetry commands /cpau/... for this instance (one a process). */
void au_telemetry_register(struct au *au);

#endif
