/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From a file to a struct config: read, index the lines, let libcyaml check the form, apply the
 * rules.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_common.h>

#include "config/internal.h"
#include "net/net.h"

enum {
	FILE_SIZE_MAX = 4 << 20,
	MAX_FRAGMENTS = 1024,
	FRAGMENTS_PART = 4, /* of the mbufs of a port */
};

/* ---------------------------------------------------------------- what libcyaml says */

/* libcyaml tells of one mistake in several log lines: what, then where from the inside out. */
struct trace {
	char what[256];
	unsigned int line; /* of the innermost value */
	unsigned int n;	   /* path components, innermost first */
	char components[16][CONFIG_PATH_MAX];
	bool innermost_is_mapping;
};

static cyaml_config_t cyaml_settings(cyaml_log_fn_t log, void *arg)
{
	return (cyaml_config_t){.log_fn = log,
				.log_ctx = arg,
				.log_level = CYAML_LOG_ERROR,
				.mem_fn = cyaml_mem,
				.flags = CYAML_CFG_NO_ALIAS};
}

static void on_log(cyaml_log_t level, void *arg, const char *format, va_list args)
{
	struct trace *t = arg;
	char text[256], key[CONFIG_PATH_MAX];
	unsigned int line, number;

	(void)level;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	if (strncmp(text, "Load: Backtrace", 15) == 0)
		return;
	if (strncmp(text, "Load: ", 6) == 0) {
		if (t->what[0] == '\0')
			snprintf(t->what, sizeof(t->what), "%s", text + 6);
		return;
	}
	if (t->n == sizeof(t->components) / sizeof(t->components[0]))
		return;
	if (sscanf(text, "  in mapping field '%127[^']' (line: %u", key, &line) == 2)
		snprintf(t->components[t->n++], CONFIG_PATH_MAX, "%s", key);
	else if (sscanf(text, "  in sequence entry '%u' (line: %u", &number, &line) == 2)
		snprintf(t->components[t->n++], CONFIG_PATH_MAX, "[%u]", number ? number - 1 : 0);
	else if (sscanf(text, "  in mapping (line: %u", &line) != 1)
		return;
	if (t->line == 0)
		t->line = line;
}

/* The first `inner` components left out. */
static void trace_path(const struct trace *t, unsigned int inner, char *path, size_t size)
{
	size_t n = 0;

	path[0] = '\0';
	for (unsigned int i = t->n; i-- > inner && n < size;)
		n += (size_t)snprintf(path + n, size - n, "%s%s",
				      n && t->components[i][0] != '[' ? "." : "", t->components[i]);
}

/* One line out of the trace, in the file's own terms. */
static void report_trace(struct loader *l, const struct trace *t, cyaml_err_t e)
{
	char path[CONFIG_MESSAGE_MAX], full[CONFIG_MESSAGE_MAX + CONFIG_PATH_MAX + 2];
	char expected[CONFIG_MESSAGE_MAX / 2];
	const char *subject = strstr(t->what, ": ");

	subject = subject ? subject + 2 : "";
	if (e == CYAML_ERR_INVALID_KEY) {
		trace_path(t, 0, path, sizeof(path));
		config_expected(path, expected, sizeof(expected));
		snprintf(full, sizeof(full), "%s%s%s", path, path[0] ? "." : "", subject);
		config_problem(l, full, "unknown key '%s'; known here: %s", subject, expected);
	} else if (e == CYAML_ERR_MAPPING_FIELD_MISSING) {
		/* The innermost component is the mapping's last key, not the mapping. */
		trace_path(t, t->n > 0 && t->components[0][0] != '[' ? 1 : 0, path, sizeof(path));
		snprintf(full, sizeof(full), "%s%s%s", path, path[0] ? "." : "", subject);
		config_expected(full, expected, sizeof(expected));
		config_problem(l, path, "'%s' is missing%s%s; add it (%s)", subject,
			       path[0] ? " in " : "", path, expected);
	} else if (t->n == 0) {
		config_problem(l, "", "%s; the file must be a mapping of keys, as in the examples",
			       t->what[0] ? t->what : cyaml_strerror(e));
	} else if (strncmp(t->what, "Mapping field already seen", 26) == 0) {
		trace_path(t, 0, path, sizeof(path));
		config_problem(l, path, "'%s' is given twice; keep one", path);
	} else {
		const char *value;

		trace_path(t, 0, path, sizeof(path));
		value = lines_value(l->lines, path);
		config_expected(path, expected, sizeof(expected));
		config_problem(l, path, "'%s': %s%s%s is not accepted%s%s", path, value ? "'" : "",
			       value ? value : "the value", value ? "'" : "",
			       expected[0] ? "; give " : "", expected);
	}
}

/* ---------------------------------------------------------------- reports */

void config_problem(struct loader *l, const char *key, const char *format, ...)
{
	char message[CONFIG_MESSAGE_MAX], path[CONFIG_MESSAGE_MAX];
	unsigned int line = 0;
	va_list args;

	snprintf(path, sizeof(path), "%s", key);
	while (l->lines && path[0] && (line = lines_find(l->lines, path)) == 0) {
		char *dot = strrchr(path, '.'), *bracket = strrchr(path, '[');
		char *cut = !dot || (bracket && bracket > dot) ? bracket : dot;

		path[cut ? cut - path : 0] = '\0';
	}
	size_t n = (size_t)snprintf(message, sizeof(message), "%s:%u: ", l->path, line ? line : 1);

	va_start(args, format);
	if (n < sizeof(message))
		vsnprintf(message + n, sizeof(message) - n, format, args);
	va_end(args);
	l->report(l->arg, message);
	l->failed = true;
}

static void report_file(struct loader *l, unsigned int line, const char *why, const char *remedy)
{
	char message[CONFIG_MESSAGE_MAX];

	if (line)
		snprintf(message, sizeof(message), "%s:%u: %s; %s", l->path, line, why, remedy);
	else
		snprintf(message, sizeof(message), "%s: %s; %s", l->path, why, remedy);
	l->report(l->arg, message);
	l->failed = true;
}

/* ---------------------------------------------------------------- loading */

static char *read_file(struct loader *l, size_t *n)
{
	FILE *f = fopen(l->path, "rb");
	char *text = f ? malloc(FILE_SIZE_MAX) : NULL;
	const char *why = NULL;

	if (!f) {
		why = strerror(errno);
	} else if (!text) {
		why = "out of memory";
	} else {
		*n = fread(text, 1, FILE_SIZE_MAX, f);
		if (ferror(f))
			why = strerror(errno);
		else if (*n == FILE_SIZE_MAX)
			why = "larger than 4 MiB";
	}
	if (f)
		fclose(f);
	if (why) {
		report_file(l, 0, why, "give a configuration file that can be read");
		free(text);
		return NULL;
	}
	return text;
}

static void load_text(struct loader *l, const char *text, size_t n)
{
	struct trace trace = {0};
	cyaml_config_t settings = cyaml_settings(on_log, &trace);
	unsigned int line;
	const char *why;

	l->lines = lines_create(text, n, &line, &why);
	if (!l->lines) {
		report_file(l, line, why, "correct the YAML here or just above");
		return;
	}
	cyaml_err_t e = cyaml_load_data((const uint8_t *)text, n, &settings, &config_schema,
					(cyaml_data_t **)&l->document, NULL);

	if (e != CYAML_OK)
		report_trace(l, &trace, e);
	else if (!l->document)
		report_file(l, 1, "the file is empty", "begin with a copy of an example");
	else
		config_rules_apply(l);
}

bool config_load(const char *path, config_report report, void *arg, struct config **out)
{
	struct loader l = {.path = path, .report = report, .arg = arg};
	size_t n = 0;
	char *text = read_file(&l, &n);

	*out = NULL;
	if (!text)
		return false;
	load_text(&l, text, n);
	free(text);
	lines_free(l.lines);
	if (!l.failed) {
		*out = &l.document->config;
		return true;
	}
	config_free(l.document ? &l.document->config : NULL);
	return false;
}

void config_free(struct config *c)
{
	cyaml_config_t settings = cyaml_settings(NULL, NULL);

	if (!c)
		return;
	for (unsigned int i = 0; i < c->n_ans; i++)
		wipe(c->ans[i].key, sizeof(c->ans[i].key));
	free(c->session.allowed);
	free(c->file);
	cyaml_free(&settings, &config_schema, (struct document *)c, 0);
}

/* ---------------------------------------------------------------- reading it */

unsigned int config_stage_count(const struct config *c, enum config_stage stage)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < c->n_lcores; i++)
		for (unsigned int j = 0; j < c->lcores[i].n_stages; j++)
			count += c->lcores[i].stages[j] == stage;
	return count;
}

static bool runs(const struct config_lcore *l, enum config_stage stage)
{
	for (unsigned int i = 0; i < l->n_stages; i++)
		if (l->stages[i] == stage)
			return true;
	return false;
}

unsigned int config_rx_queues(const struct config *c, unsigned int port)
{
	const struct config_port *p = &c->ports[port];
	enum config_stage reader =
		p->serves & CONFIG_SERVES_AN ? CONFIG_STAGE_WORKER : CONFIG_STAGE_GATE;

	return p->rx_queues ? p->rx_queues : config_stage_count(c, reader);
}

/* A port is read by workers or by gates. */
static unsigned int readers(const struct config *c)
{
	unsigned int workers = config_stage_count(c, CONFIG_STAGE_WORKER),
		     gates = config_stage_count(c, CONFIG_STAGE_GATE),
		     most = RTE_MAX(workers, gates);

	return RTE_MAX(most, 1u);
}

unsigned int config_max_fragments(const struct config *c)
{
	unsigned int part = c->mbufs / FRAGMENTS_PART / NET_REASSEMBLY_MBUFS / readers(c);

	return RTE_MIN(RTE_MAX(part, 1u), (unsigned int)MAX_FRAGMENTS);
}

unsigned int config_fragment_mbufs(const struct config *c)
{
	return readers(c) * config_max_fragments(c) * NET_REASSEMBLY_MBUFS;
}

unsigned int config_tx_queue(const struct config *c, unsigned int port, unsigned int n)
{
	unsigned int serves = c->ports[port].serves, queue = 0;

	for (unsigned int i = 0; i < n; i++)
		queue += (serves & CONFIG_SERVES_AN && runs(&c->lcores[i], CONFIG_STAGE_CONTROL)) ||
			 (serves & (CONFIG_SERVES_N3 | CONFIG_SERVES_N6) &&
			  runs(&c->lcores[i], CONFIG_STAGE_GATE));
	return queue;
}

unsigned int config_tx_queues(const struct config *c, unsigned int port)
{
	return config_tx_queue(c, port, c->n_lcores);
}

const char *config_stage_name(enum config_stage stage)
{
	static const char *const names[] = {
		[CONFIG_STAGE_WORKER] = "worker",
		[CONFIG_STAGE_CRYPTO] = "crypto",
		[CONFIG_STAGE_CONTROL] = "control",
		[CONFIG_STAGE_GATE] = "gate",
	};

	return stage < CONFIG_STAGE_KINDS ? names[stage] : "?";
}

const char *config_eal_value(const struct config *c, const char *argument)
{
	size_t n = strlen(argument);
	bool is_long = strncmp(argument, "--", 2) == 0;

	for (unsigned int i = 0; i < c->n_eal_args; i++) {
		const char *a = c->eal_args[i];

		if (strncmp(a, argument, n) != 0)
			continue;
		if (a[n] == '=' && is_long)
			return a + n + 1;
		if (a[n] != '\0' && is_long)
			continue;
		if (a[n] != '\0')
			return a + n;
		if (i + 1 < c->n_eal_args && c->eal_args[i + 1][0] != '-')
			return c->eal_args[i + 1];
		return "";
	}
	return NULL;
}
