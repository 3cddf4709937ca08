/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of lib/config share: the document as libcyaml fills it, the index of its lines,
 * and the table of settings, which holds every default and range once.
 */
#ifndef CPAU_CONFIG_INTERNAL_H
#define CPAU_CONFIG_INTERNAL_H

#include <cyaml/cyaml.h>

#include "config/config.h"

enum { CONFIG_PATH_MAX = 128, CONFIG_MESSAGE_MAX = 1024 };

/* ---- lines.c: where each key stands. Paths are as in "ports[0].mtu". ---- */

struct lines;
/* The text must be well-formed YAML: otherwise NULL, with *line and *why (valid for as long as the
 * process runs) of the first mistake. */
struct lines *lines_create(const char *text, size_t n, unsigned int *line, const char **why);
void lines_free(struct lines *l);
/* Line of the key or the sequence entry, from 1; 0 when it is not in the file. */
unsigned int lines_find(const struct lines *l, const char *path);
/* The scalar as it is written; NULL when there is none. */
const char *lines_value(const struct lines *l, const char *path);

/* ---- schema.c ---- */

/* X(name, key, member, milliseconds in the member's unit, least, most, preset), values in ms */
#define CONFIG_DURATIONS(X)                                                       \
	X(t3560, "t3560", timers.t3560_ms, 1, 100, 60000, 6000)                   \
	X(t3522, "t3522", timers.t3522_ms, 1, 100, 60000, 6000)                   \
	X(lifetime, "lifetime", timers.lifetime_s, 1000, 1000, 604800000, 600000) \
	X(idle, "idle", timers.idle_s, 1000, 1000, 604800000, 30000)              \
	X(refresh, "refresh", timers.refresh_s, 1000, 1000, 604800000, 60000)     \
	X(t3550, "t3550", timers.t3550_ms, 1, 100, 60000, 6000)                   \
	X(tan, "tan", timers.tan_ms, 1, 100, 60000, 1000)                         \
	X(session, "session", timers.session_ms, 1, 1000, 3600000, 60000)         \
	X(attached, "attached", timers.attached_s, 1000, 0, 604800000, 3600000)   \
	X(back_off, "back-off", timers.back_off_s, 1000, 2000, 11160000, 30000)   \
	X(queue_delay, "queue-delay", timers.queue_delay_ms, 1, 1, 1000, 20)      \
	X(replay, "replay", timers.replay_s, 1000, 1000, 3600000, 120000)         \
	X(shutdown, "shutdown", timers.shutdown_ms, 1, 0, 600000, 5000)

/* What libcyaml fills. Durations are text until the rules have read them. */
struct document {
	struct config config; /* first: config_free finds the document by it */
	struct {
#define X(name, ...) char *name;
		CONFIG_DURATIONS(X)
#undef X
	} durations;
};

extern const cyaml_schema_value_t config_schema;

/* What may stand at a path ("" is the whole file), in words: the keys of a mapping, the values of
 * an enum. Empty when the path is not known. */
void config_schema_expected(const char *path, char *out, size_t size);

/* A whole number. path has "[]" where entries are counted; members of ports[] are offsets in struct
 * config_port, all others in struct config. */
struct config_number {
	const char *path;
	size_t offset;
	unsigned int least, most, preset;
	const char *unit;
};
extern const struct config_number config_numbers[];
extern const unsigned int config_numbers_n;

/* Offsets in struct document: of the text, and of the number that it becomes. */
struct config_duration {
	const char *path;
	size_t text, number;
	unsigned int unit, least, most, preset;
};
extern const struct config_duration config_durations[];
extern const unsigned int config_durations_n;

/* ---- rules.c: defaults, and what is wrong although its form is right ---- */

struct loader {
	const char *path;
	config_report report;
	void *arg;
	struct lines *lines;
	struct document *document;
	bool failed;
};

/* Reports at the line of the key, or of the nearest enclosing one that is in the file. */
void config_problem(struct loader *l, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
const char *config_path(char path[CONFIG_PATH_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Replaces *text, which libcyaml's schema owns. */
void config_set_text(char **text, const char *value);
/* An address that a host can have. */
bool config_is_unicast(const struct net_addr *a);
/* Labels of letters, digits and hyphens. */
bool config_is_domain_name(const char *text, size_t most);
void config_rules_apply(struct loader *l);

/* ---- rules_session.c: the PDU session and the user plane ---- */

/* What each port is for, and whether that fits the stages; before the rules of ports. */
void config_rules_ports_serve(struct loader *l);
void config_rules_session(struct loader *l);

/* What may stand at a path, from the tables and the schema: "576 to 9000 octets". */
void config_expected(const char *path, char *out, size_t size);

#endif
