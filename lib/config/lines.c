/* SPDX-License-Identifier: BSD-3-Clause
 *
 * libcyaml forgets lines once it has loaded a value. This second look, with libyaml, which libcyaml
 * reads with too, remembers for every key and entry the line and the scalar's text.
 */
#include <stdio.h>
#include <stdlib.h>

#include <yaml.h>

#include "config/internal.h"

enum { DEPTH_MAX = 16, ENTRIES_MAX = 100000 };

struct entry {
	char *path, *value;
	unsigned int line;
};

struct lines {
	unsigned int n, room;
	struct entry *entries;
};

/* An open mapping or sequence. */
struct level {
	size_t path_len; /* of its own path */
	bool sequence;
	bool has_key; /* the next event is the key's value */
	unsigned int next;
};

struct walk {
	struct lines *lines;
	char path[CONFIG_PATH_MAX];
	unsigned int depth;
	struct level levels[DEPTH_MAX];
	const char *why;
};

static bool add(struct walk *w, unsigned int line)
{
	struct lines *l = w->lines;

	if (l->n == l->room) {
		unsigned int room = l->room ? 2 * l->room : 256;
		struct entry *grown =
			room <= ENTRIES_MAX ? realloc(l->entries, room * sizeof(*grown)) : NULL;

		if (!grown) {
			w->why = "the file has too many entries";
			return false;
		}
		l->entries = grown;
		l->room = room;
	}
	l->entries[l->n] = (struct entry){.path = strdup(w->path), .line = line};
	if (!l->entries[l->n].path) {
		w->why = "out of memory";
		return false;
	}
	l->n++;
	return true;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static bool append(struct walk *w, size_t at, const char *format, const char *name, unsigned int n)
{
	int written = name ? snprintf(w->path + at, sizeof(w->path) - at, format, name)
			   : snprintf(w->path + at, sizeof(w->path) - at, "[%u]", n);

	if (written < 0 || (size_t)written >= sizeof(w->path) - at) {
		w->why = "the key is too long";
		return false;
	}
	return true;
}

/* The value of a key or an entry begins: its path is complete afterwards. */
static bool begin_value(struct walk *w, unsigned int line)
{
	struct level *top = w->depth ? &w->levels[w->depth - 1] : NULL;

	if (!top || !top->sequence)
		return true;
	return append(w, top->path_len, NULL, NULL, top->next++) && add(w, line);
}

static void end_value(struct walk *w)
{
	if (w->depth)
		w->levels[w->depth - 1].has_key = false;
}

static bool open_level(struct walk *w, bool sequence, unsigned int line)
{
	if (!begin_value(w, line))
		return false;
	if (w->depth == DEPTH_MAX) {
		w->why = "nested too deeply";
		return false;
	}
	w->levels[w->depth++] = (struct level){.path_len = strlen(w->path), .sequence = sequence};
	return true;
}

static bool on_scalar(struct walk *w, const char *text, unsigned int line)
{
	struct level *top = w->depth ? &w->levels[w->depth - 1] : NULL;

	if (top && !top->sequence && !top->has_key) {
		top->has_key = true;
		return append(w, top->path_len, top->path_len ? ".%s" : "%s", text, 0) &&
		       add(w, line);
	}
	if (!begin_value(w, line))
		return false;
	end_value(w);
	if (w->lines->n) {
		struct entry *e = &w->lines->entries[w->lines->n - 1];

		free(e->value);
		e->value = strdup(text);
	}
	return true;
}

static bool on_event(struct walk *w, const yaml_event_t *event, unsigned int line)
{
	switch (event->type) {
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		return open_level(w, event->type == YAML_SEQUENCE_START_EVENT, line);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		w->path[w->levels[--w->depth].path_len] = '\0';
		end_value(w);
		return true;
	case YAML_SCALAR_EVENT:
		return on_scalar(w, (const char *)event->data.scalar.value, line);
	case YAML_ALIAS_EVENT:
		w->why = "aliases (*name) are not taken here; write the value out";
		return false;
	default:
		return true;
	}
}

struct lines *lines_create(const char *text, size_t n, unsigned int *line, const char **why)
{
	struct walk w = {.lines = calloc(1, sizeof(*w.lines))};
	bool more = w.lines != NULL;
	yaml_parser_t parser;

	*line = 1;
	*why = "out of memory";
	if (!w.lines || !yaml_parser_initialize(&parser)) {
		free(w.lines);
		return NULL;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
	while (more) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event)) {
			*line = (unsigned int)parser.problem_mark.line + 1;
			w.why = parser.problem ? parser.problem : "not YAML";
			break;
		}
		*line = (unsigned int)event.start_mark.line + 1;
		more = event.type != YAML_STREAM_END_EVENT && on_event(&w, &event, *line);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (w.why) {
		*why = w.why;
		lines_free(w.lines);
		return NULL;
	}
	if (w.lines->n)
		qsort(w.lines->entries, w.lines->n, sizeof(struct entry), compare);
	return w.lines;
}

void lines_free(struct lines *l)
{
	if (!l)
		return;
	for (unsigned int i = 0; i < l->n; i++) {
		free(l->entries[i].path);
		free(l->entries[i].value);
	}
	free(l->entries);
	free(l);
}

static const struct entry *find(const struct lines *l, const char *path)
{
	struct entry key = {.path = (char *)(uintptr_t)path};

	return l->n ? bsearch(&key, l->entries, l->n, sizeof(key), compare) : NULL;
}

unsigned int lines_find(const struct lines *l, const char *path)
{
	const struct entry *e = find(l, path);

	return e ? e->line : 0;
}

const char *lines_value(const struct lines *l, const char *path)
{
	const struct entry *e = find(l, path);

	return e ? e->value : NULL;
}
