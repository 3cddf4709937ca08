/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What libcyaml cannot know: defaults, ranges, and whether the parts fit together. Each message
 * says what is wrong and what would be right. Every rule is checked, so that one run shows all
 * mistakes.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/internal.h"
#include "crypto/crypto.h"

enum {
	DNN_MAX = 62,
	FQDN_MAX = 200,
	AU_NAME_MAX = 64,
	AN_NAME_MAX = 58,
	KEY_HEX = 64,
	ANS_TOTAL_MAX = 65535
};

const char *config_path(char path[CONFIG_PATH_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(path, CONFIG_PATH_MAX, format, args);
	va_end(args);
	return path;
}

static bool given(const struct loader *l, const char *path)
{
	return lines_find(l->lines, path) != 0;
}

/* Replaces *text, which libcyaml's schema owns. */
void config_set_text(char **text, const char *value)
{
	char *copy = strdup(value);

	free(*text);
	*text = copy;
}

/* ---------------------------------------------------------------- numbers and durations */

static void number(struct loader *l, const struct config_number *n, void *base, const char *path)
{
	unsigned int *member = (unsigned int *)((char *)base + n->offset);
	const char *text = lines_value(l->lines, path);
	char decimal[16];

	if (!given(l, path)) {
		*member = n->preset;
		return;
	}
	/* libcyaml takes "32k" for 32 and "010" for 8. */
	snprintf(decimal, sizeof(decimal), "%u", *member);
	if (!text || strcmp(text, decimal) != 0)
		config_problem(l, path, "'%s' is '%s'; give a whole decimal number, %u to %u%s",
			       path, text ? text : "", n->least, n->most, n->unit);
	else if (*member < n->least || *member > n->most)
		config_problem(l, path, "'%s' is %u; give %u to %u%s", path, *member, n->least,
			       n->most, n->unit);
}

/* A table entry "ports[].mtu" applied to each port. */
static void numbers_of(struct loader *l, const char *prefix, void *entries, size_t size,
		       unsigned int n)
{
	char path[CONFIG_PATH_MAX];
	size_t prefix_len = strlen(prefix);

	for (unsigned int i = 0; i < config_numbers_n; i++) {
		const struct config_number *setting = &config_numbers[i];

		if (strncmp(setting->path, prefix, prefix_len) != 0 ||
		    strncmp(setting->path + prefix_len, "[].", 3) != 0)
			continue;
		for (unsigned int j = 0; j < n; j++)
			number(l, setting, (char *)entries + j * size,
			       config_path(path, "%s[%u].%s", prefix, j,
					   setting->path + prefix_len + 3));
	}
}

static void numbers(struct loader *l)
{
	struct config *c = &l->document->config;

	for (unsigned int i = 0; i < config_numbers_n; i++)
		if (!strstr(config_numbers[i].path, "[]"))
			number(l, &config_numbers[i], c, config_numbers[i].path);
	numbers_of(l, "ports", c->ports, sizeof(c->ports[0]), c->n_ports);
	numbers_of(l, "access-nodes", c->ans, sizeof(c->ans[0]), c->n_ans);
	numbers_of(l, "lcores", c->lcores, sizeof(c->lcores[0]), c->n_lcores);
	if (!given(l, "ue.max-half-open"))
		c->ue.max_half_open = c->ue.max < 4 ? c->ue.max : c->ue.max / 4;
}

/* "500ms", "6s", "2m", "1h", "0"; false: not a duration. Milliseconds. */
static bool duration_parse(const char *text, unsigned long *ms)
{
	static const struct {
		const char *name;
		unsigned long ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	char *end;

	if (!isdigit((unsigned char)text[0]) || strlen(text) > 12)
		return false;
	*ms = strtoul(text, &end, 10);
	if (*ms == 0 && *end == '\0')
		return true;
	for (unsigned int i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].name) == 0) {
			*ms *= units[i].ms;
			return true;
		}
	return false;
}

/* In the largest unit that is exact. */
static const char *duration_format(unsigned long ms, char text[32])
{
	if (ms >= 3600000 && ms % 3600000 == 0)
		snprintf(text, 32, "%luh", ms / 3600000);
	else if (ms >= 1000 && ms % 1000 == 0)
		snprintf(text, 32, "%lus", ms / 1000);
	else
		snprintf(text, 32, "%lums", ms);
	return text;
}

static void durations(struct loader *l)
{
	for (unsigned int i = 0; i < config_durations_n; i++) {
		const struct config_duration *d = &config_durations[i];
		const char *text = *(char **)((char *)l->document + d->text);
		unsigned long ms = d->preset;
		char least[32], most[32];

		if (text && (!duration_parse(text, &ms) || ms < d->least || ms > d->most))
			config_problem(l, d->path,
				       "'%s' is '%s'; give %s to %s, with the unit: \"500ms\", "
				       "\"6s\", \"2m\", \"1h\"",
				       d->path, text, duration_format(d->least, least),
				       duration_format(d->most, most));
		else if (ms % d->unit != 0)
			config_problem(l, d->path, "'%s' is '%s'; give whole seconds, as in \"6s\"",
				       d->path, text);
		*(unsigned int *)((char *)l->document + d->number) = (unsigned int)(ms / d->unit);
	}
}

/* "ports[3].mtu" to "ports[].mtu". */
static void without_indexes(const char *path, char *out, size_t size)
{
	size_t n = 0;

	for (; *path && n + 1 < size; path++)
		if (!isdigit((unsigned char)*path) || (n && out[n - 1] != '['))
			out[n++] = *path;
	out[n] = '\0';
}

void config_expected(const char *path, char *out, size_t size)
{
	char plain[CONFIG_PATH_MAX], least[32], most[32];

	without_indexes(path, plain, sizeof(plain));
	for (unsigned int i = 0; i < config_numbers_n; i++)
		if (strcmp(config_numbers[i].path, plain) == 0) {
			snprintf(out, size, "a whole number, %u to %u%s", config_numbers[i].least,
				 config_numbers[i].most, config_numbers[i].unit);
			return;
		}
	for (unsigned int i = 0; i < config_durations_n; i++)
		if (strcmp(config_durations[i].path, plain) == 0) {
			snprintf(out, size, "%s to %s",
				 duration_format(config_durations[i].least, least),
				 duration_format(config_durations[i].most, most));
			return;
		}
	config_schema_expected(path, out, size);
}

/* ---------------------------------------------------------------- texts */

static bool all_of(const char *text, int (*kind)(int))
{
	for (; *text; text++)
		if (!kind((unsigned char)*text))
			return false;
	return true;
}

static void check_name(struct loader *l, const char *path, const char *name, size_t longest)
{
	if (strlen(name) > longest || !all_of(name, isprint))
		config_problem(l, path,
			       "'%s' is not accepted; give 1 to %zu printable ASCII characters",
			       path, longest);
}

/* Labels of letters, digits and hyphens (RFC 1035 2.3.1). */
bool config_is_domain_name(const char *text, size_t longest)
{
	size_t label = 0;

	if (strlen(text) > longest)
		return false;
	for (const char *p = text;; p++) {
		if (*p == '.' || *p == '\0') {
			if (label == 0 || label > 63 || p[-1] == '-')
				return false;
			label = 0;
			if (*p == '\0')
				return true;
		} else if (isalnum((unsigned char)*p) || (*p == '-' && label > 0)) {
			label++;
		} else {
			return false;
		}
	}
}

static void check_identity(struct loader *l)
{
	struct config *c = &l->document->config;

	if (!c->name)
		config_set_text(&c->name, "cpau");
	check_name(l, "name", c->name, AU_NAME_MAX);
	if (strlen(c->mcc) != 3 || !all_of(c->mcc, isdigit))
		config_problem(l, "plmn.mcc", "'plmn.mcc' is '%s'; give three digits", c->mcc);
	if (strlen(c->mnc) < 2 || strlen(c->mnc) > 3 || !all_of(c->mnc, isdigit))
		config_problem(l, "plmn.mnc", "'plmn.mnc' is '%s'; give two or three digits",
			       c->mnc);
}

static void check_eal(struct loader *l)
{
	const struct config *c = &l->document->config;
	char path[CONFIG_PATH_MAX];

	for (unsigned int i = 0; i < c->n_eal_args; i++)
		if (c->eal_args[i][0] == '-' && strchr(c->eal_args[i], ' '))
			config_problem(
				l, config_path(path, "eal[%u]", i),
				"'%s' holds a blank; write each argument as an item of its own: "
				"[-m, \"512\"]",
				c->eal_args[i]);
}

/* ---------------------------------------------------------------- lcores */

static void check_lcores(struct loader *l)
{
	const struct config *c = &l->document->config;
	char path[CONFIG_PATH_MAX];

	for (unsigned int i = 0; i < c->n_lcores; i++) {
		unsigned int seen = 0;

		for (unsigned int j = 0; j < i; j++)
			if (c->lcores[j].lcore == c->lcores[i].lcore)
				config_problem(l, config_path(path, "lcores[%u].lcore", i),
					       "lcore %u is listed twice; list all its stages in "
					       "one entry",
					       c->lcores[i].lcore);
		for (unsigned int j = 0; j < c->lcores[i].n_stages; j++) {
			unsigned int bit = 1u << c->lcores[i].stages[j];

			if (seen & bit)
				config_problem(l, config_path(path, "lcores[%u].stages[%u]", i, j),
					       "lcore %u runs %s twice; list a stage once an lcore",
					       c->lcores[i].lcore,
					       config_stage_name(c->lcores[i].stages[j]));
			seen |= bit;
		}
	}
	for (int s = CONFIG_STAGE_WORKER; s <= CONFIG_STAGE_CONTROL; s++) /* a gate is optional */
		if (config_stage_count(c, (enum config_stage)s) == 0)
			config_problem(l, "lcores",
				       "no lcore runs a %s stage; add '%s' to the stages of one",
				       config_stage_name((enum config_stage)s),
				       config_stage_name((enum config_stage)s));
	if (config_stage_count(c, CONFIG_STAGE_CONTROL) > CONFIG_SHARDS_MAX)
		config_problem(l, "lcores",
			       "%u control stages; at most %u can share the UE contexts",
			       config_stage_count(c, CONFIG_STAGE_CONTROL), CONFIG_SHARDS_MAX);
}

/* ---------------------------------------------------------------- ports */

/* An address that a host can have. */
bool config_is_unicast(const struct net_addr *a)
{
	static const struct net_addr none = {0};

	if (a->family == 4)
		return a->a[0] != 0 && a->a[0] < 224 && a->a[0] != 127;
	return a->a[0] != 0xff && memcmp(a->a, none.a, 16) != 0;
}

static void check_port_address(struct loader *l, const char *path, const char *text, uint8_t family)
{
	const char *example = family == 4 ? "192.0.2.1/24" : "2001:db8::1/64";
	struct net_addr address;
	unsigned int length;

	if (text && (!strchr(text, '/') || !net_prefix_parse(text, &address, &length) ||
		     address.family != family || !config_is_unicast(&address)))
		config_problem(l, path,
			       "'%s' is '%s'; give a host's address with prefix length, as in %s",
			       path, text, example);
}

/* A next hop that ARP or ND can find: on the port's own prefix. */
static void check_gateway(struct loader *l, const char *path, const char *text, const char *own,
			  uint8_t family)
{
	struct net_addr gateway, ours;
	unsigned int length = 0;

	if (!text)
		return;
	if (!net_addr_parse(text, &gateway) || gateway.family != family ||
	    !config_is_unicast(&gateway))
		config_problem(l, path, "'%s' is '%s'; give a router's IPv%u address", path, text,
			       family);
	else if (!own || !net_prefix_parse(own, &ours, &length) ||
		 !net_prefix_has(&ours, length, &gateway))
		config_problem(
			l, path,
			"'%s' is '%s', which is not on the port's prefix '%s'; give a router "
			"on its link",
			path, text, own ? own : "(none)");
}

static void check_vdev(struct loader *l, unsigned int i)
{
	const struct config_port *p = &l->document->config.ports[i];
	char path[CONFIG_PATH_MAX];
	size_t n = p->vdev ? strcspn(p->vdev, ",") : 0;

	if (!p->vdev)
		return;
	if (strlen(p->device) != n || strncmp(p->device, p->vdev, n) != 0)
		config_problem(
			l, config_path(path, "ports[%u].vdev", i),
			"the vdev is called '%.*s' and the device '%s'; give both the same name",
			(int)n, p->vdev, p->device);
}

static void check_promiscuous(struct loader *l, unsigned int i)
{
	char path[CONFIG_PATH_MAX];
	const char *text = lines_value(l->lines, config_path(path, "ports[%u].promiscuous", i));

	/* libcyaml takes every text that is not a known "no" for a yes. */
	if (text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		config_problem(l, path, "'%s' is '%s'; give true or false", path, text);
}

static void check_port(struct loader *l, unsigned int i)
{
	const struct config *c = &l->document->config;
	const struct config_port *p = &c->ports[i];
	unsigned int rx_queues = config_rx_queues(c, i), tx_queues = config_tx_queues(c, i);
	char path[CONFIG_PATH_MAX];

	check_vdev(l, i);
	check_promiscuous(l, i);
	check_gateway(l, config_path(path, "ports[%u].gateway-ipv4", i), p->gateway_ipv4, p->ipv4,
		      4);
	check_gateway(l, config_path(path, "ports[%u].gateway-ipv6", i), p->gateway_ipv6, p->ipv6,
		      6);
	for (unsigned int j = 0; j < i; j++)
		if (strcmp(c->ports[j].device, p->device) == 0)
			config_problem(l, config_path(path, "ports[%u].device", i),
				       "'%s' is listed twice; list a device once", p->device);
	check_port_address(l, config_path(path, "ports[%u].ipv4", i), p->ipv4, 4);
	check_port_address(l, config_path(path, "ports[%u].ipv6", i), p->ipv6, 6);
	if (p->ipv6 && p->mtu < 1280)
		config_problem(
			l, config_path(path, "ports[%u].mtu", i),
			"IPv6 needs an MTU of 1280 octets or more; raise it or remove 'ipv6'");
	if (!p->ipv4 && !p->ipv6)
		config_problem(l, config_path(path, "ports[%u]", i),
			       "the port has no address; give 'ipv4', 'ipv6' or both");
	uint64_t rings =
		(uint64_t)rx_queues * p->rx_descriptors + (uint64_t)tx_queues * p->tx_descriptors;
	unsigned int fragments = config_fragment_mbufs(c);

	if (c->mbufs <= rings + fragments)
		config_problem(l, "mbufs",
			       "'mbufs' is %u, and the rings of %s can hold %llu (%u receive and "
			       "%u transmit queues), fragments %u; give more than both, better "
			       "twice as many",
			       c->mbufs, p->device, (unsigned long long)rings, rx_queues, tx_queues,
			       fragments);
}

/* ---------------------------------------------------------------- access nodes */

struct range {
	unsigned int index; /* in access-nodes */
	struct net_addr first, last;
};

static int compare_range(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->first.family != y->first.family)
		return x->first.family - y->first.family;
	return memcmp(x->first.a, y->first.a, 16);
}

static bool in_range(const struct range *r, const struct net_addr *a)
{
	return a->family == r->first.family && memcmp(a->a, r->first.a, 16) >= 0 &&
	       memcmp(a->a, r->last.a, 16) <= 0;
}

/* The N3 addresses: those of the AN link, or a range of their own. */
static bool check_n3(struct loader *l, unsigned int i, struct range *range)
{
	struct config_an *an = &l->document->config.ans[i];
	char path[CONFIG_PATH_MAX];

	an->n3_first = an->first;
	if (!an->n3_address)
		return false;
	*range = (struct range){.index = i};
	if (!net_addr_parse(an->n3_address, &an->n3_first) || !config_is_unicast(&an->n3_first) ||
	    !net_addr_add(&an->n3_first, an->count - 1, &range->last) ||
	    !config_is_unicast(&range->last)) {
		config_problem(l, config_path(path, "access-nodes[%u].n3-address", i),
			       "'%s' is '%s'; give the first of %u hosts' addresses", path,
			       an->n3_address, an->count);
		return false;
	}
	range->first = an->n3_first;
	/* A node may use one address for both. */
	return !net_addr_equal(&an->n3_first, &an->first);
}

/* False: not comparable with the other ranges. */
static bool check_an(struct loader *l, unsigned int i, struct range *range)
{
	const struct config *c = &l->document->config;
	struct config_an *an = &c->ans[i];
	char path[CONFIG_PATH_MAX];
	bool served = false;

	check_name(l, config_path(path, "access-nodes[%u].name", i), an->name,
		   AN_NAME_MAX); /* and "-65535" */
	config_path(path, "access-nodes[%u].address", i);
	if (!net_addr_parse(an->address, &an->first) || !config_is_unicast(&an->first)) {
		config_problem(l, path, "'%s' is '%s'; give a host's IPv4 or IPv6 address", path,
			       an->address);
		return false;
	}
	*range = (struct range){.index = i, .first = an->first};
	if (an->count == 0 || !net_addr_add(&an->first, an->count - 1, &range->last) ||
	    !config_is_unicast(&range->last)) {
		config_problem(l, config_path(path, "access-nodes[%u].count", i),
			       "%u addresses from %s on do not exist; lower 'count'", an->count,
			       an->address);
		return false;
	}
	for (unsigned int p = 0; p < c->n_ports; p++) {
		const char *ours[] = {c->ports[p].ipv4, c->ports[p].ipv6};

		for (unsigned int k = 0; k < 2; k++) {
			struct net_addr own;
			unsigned int length;

			if (!ours[k] || !net_prefix_parse(ours[k], &own, &length))
				continue;
			served |= own.family == an->first.family;
			if (in_range(range, &own))
				config_problem(l, path,
					       "the range holds %s, which is ours; give the access "
					       "nodes other addresses",
					       ours[k]);
		}
	}
	if (!served)
		config_problem(l, path,
			       "no port has an IPv%u address to serve %s; add 'ipv%u' to a port",
			       an->first.family, an->address, an->first.family);
	return true;
}

static void check_ans(struct loader *l)
{
	struct config *c = &l->document->config;
	struct range *ranges = calloc(2 * (size_t)c->n_ans, sizeof(*ranges));
	unsigned int n = 0;
	uint64_t total = 0;
	char path[CONFIG_PATH_MAX];

	for (unsigned int i = 0; ranges && i < c->n_ans; i++) {
		total += c->ans[i].count;
		if (check_an(l, i, &ranges[n])) {
			n++;
			n += check_n3(l, i, &ranges[n]);
		}
		for (unsigned int j = 0; j < i; j++)
			if (strcmp(c->ans[i].name, c->ans[j].name) == 0)
				config_problem(
					l, config_path(path, "access-nodes[%u].name", i),
					"'%s' is used twice; give each range a name of its own",
					c->ans[i].name);
	}
	if (n)
		qsort(ranges, n, sizeof(*ranges), compare_range);
	for (unsigned int i = 1; i < n; i++)
		if (in_range(&ranges[i - 1], &ranges[i].first)) {
			unsigned int a = ranges[i - 1].index, b = ranges[i].index;
			unsigned int later = a > b ? a : b, earlier = a > b ? b : a;

			config_problem(l, config_path(path, "access-nodes[%u].address", later),
				       "the addresses of '%s' overlap those of '%s'; lower 'count' "
				       "or move one",
				       c->ans[later].name, c->ans[earlier].name);
		}
	if (total > ANS_TOTAL_MAX)
		config_problem(l, "access-nodes", "%llu access nodes; at most %d can be served",
			       (unsigned long long)total, ANS_TOTAL_MAX);
	free(ranges);
}

/* ---------------------------------------------------------------- files */

/* Relative to the file's directory. */
static void resolve(const struct loader *l, char **path)
{
	const char *slash = strrchr(l->path, '/');
	char *joined;

	if (!*path || (*path)[0] == '/' || !slash)
		return;
	if (asprintf(&joined, "%.*s%s", (int)(slash - l->path + 1), l->path, *path) < 0)
		return;
	free(*path);
	*path = joined;
}

static void resolve_all(const struct loader *l, char **paths, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		resolve(l, &paths[i]);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 64 hex digits and at most a line end. */
static bool key_parse(const char *text, size_t n, uint8_t key[32])
{
	while (n > KEY_HEX && isspace((unsigned char)text[n - 1]))
		n--;
	if (n != KEY_HEX)
		return false;
	for (unsigned int i = 0; i < 32; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void read_key(struct loader *l, unsigned int i)
{
	struct config_an *an = &l->document->config.ans[i];
	char path[CONFIG_PATH_MAX], text[KEY_HEX + 16];

	resolve(l, &an->key_file);
	config_path(path, "access-nodes[%u].key-file", i);
	FILE *f = fopen(an->key_file, "rb");

	if (!f) {
		config_problem(l, path,
			       "'%s' cannot be read: %s; make it with: (umask 077; openssl rand "
			       "-hex 32 > %s), and give the access node the same key",
			       an->key_file, strerror(errno), an->key_file);
		return;
	}
	setvbuf(f, NULL, _IONBF, 0); /* no copy of the key stays in stdio */
	size_t n = fread(text, 1, sizeof(text), f);

	fclose(f);
	if (!key_parse(text, n, an->key))
		config_problem(
			l, path,
			"'%s' does not hold 64 hex digits; make it with: (umask 077; openssl "
			"rand -hex 32 > %s)",
			an->key_file, an->key_file);
	wipe(text, sizeof(text));
}

static void check_credentials(struct loader *l)
{
	struct config *c = &l->document->config;

	resolve(l, &c->credentials.directory);
	resolve(l, &c->credentials.eum_directory);
	resolve(l, &c->credentials.eid_deny_list);
	resolve_all(l, c->credentials.operator_cas, c->credentials.n_operator_cas);
	resolve_all(l, c->credentials.cross_certificates, c->credentials.n_cross_certificates);
	resolve_all(l, c->credentials.cis, c->credentials.n_cis);
	resolve_all(l, c->credentials.au_certificates, c->credentials.n_au_certificates);
	resolve_all(l, c->credentials.au_keys, c->credentials.n_au_keys);
	resolve_all(l, c->credentials.crls, c->credentials.n_crls);
	if (!c->credentials.directory &&
	    (!c->credentials.n_operator_cas || !c->credentials.n_cross_certificates ||
	     !c->credentials.n_cis || !c->credentials.n_au_certificates))
		config_problem(l, "credentials",
			       "without 'directory' all of operator-cas, cross-certificates, "
			       "cis, au-certificates and au-keys are needed; make a directory "
			       "with: cpau-pki "
			       "init --dir credentials");
	if (c->credentials.n_au_certificates != c->credentials.n_au_keys)
		config_problem(l, "credentials.au-keys",
			       "%u 'au-certificates' and %u 'au-keys'; give one key "
			       "a certificate, in the same order",
			       c->credentials.n_au_certificates, c->credentials.n_au_keys);
	for (unsigned int i = 0; i < c->n_ans; i++)
		read_key(l, i);
}

/* ---------------------------------------------------------------- the rest */

static void check_algorithms(struct loader *l, const char *list, const char *prefix, uint8_t *ids,
			     unsigned int *n, const uint8_t *preset, unsigned int n_preset)
{
	char path[CONFIG_PATH_MAX];

	if (*n == 0) {
		memcpy(ids, preset, n_preset);
		*n = n_preset;
	}
	for (unsigned int i = 0; i < *n; i++)
		for (unsigned int j = 0; j < i; j++)
			if (ids[i] == ids[j])
				config_problem(l, config_path(path, "%s[%u]", list, i),
					       "%s%u is listed twice; list each algorithm once, "
					       "the best first",
					       prefix, ids[i]);
}

static void check_nas(struct loader *l)
{
	static const uint8_t nia[] = {2, 1, 3}, nea[] = {2, 1, 3, 0};
	struct config *c = &l->document->config;
	char path[CONFIG_PATH_MAX];

	check_algorithms(l, "nas.integrity", "nia", c->nas.nia, &c->nas.n_nia, nia, sizeof(nia));
	check_algorithms(l, "nas.ciphering", "nea", c->nas.nea, &c->nas.n_nea, nea, sizeof(nea));
	for (unsigned int i = 0; i < c->nas.n_nia; i++)
		if (c->nas.nia[i] == 0)
			config_problem(l, config_path(path, "nas.integrity[%u]", i),
				       "nia0 is no integrity protection, and this attach has no "
				       "other proof of "
				       "Ksession than NAS MACs (TS 33.501 6.7.3.6 is for emergency "
				       "sessions "
				       "alone); give nia1, nia2 or nia3");
}

static void check_backend(struct loader *l)
{
	struct config *c = &l->document->config;
	char known[128] = "auto";
	const char *name;

	if (!c->crypto_backend)
		config_set_text(&c->crypto_backend, known);
	if (strcmp(c->crypto_backend, "auto") == 0)
		return;
	for (unsigned int i = 0; (name = crypto_backend_at(i)) != NULL; i++) {
		if (strcmp(c->crypto_backend, name) == 0)
			return;
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
			 crypto_backend_at(i + 1) ? ", " : " or ", name);
	}
	config_problem(l, "crypto.backend", "'crypto.backend' is '%s'; give %s", c->crypto_backend,
		       known);
}

static void check_ue(struct loader *l)
{
	const struct config *c = &l->document->config;

	if (c->ue.max_half_open == 0 || c->ue.max_half_open > c->ue.max)
		config_problem(l, "ue.max-half-open",
			       "'ue.max-half-open' is %u and 'ue.max' %u; give 1 to %u",
			       c->ue.max_half_open, c->ue.max, c->ue.max);
	if (c->ue.max < config_stage_count(c, CONFIG_STAGE_CONTROL))
		config_problem(l, "ue.max",
			       "'ue.max' is %u for %u control stages; give each one context "
			       "at least",
			       c->ue.max, config_stage_count(c, CONFIG_STAGE_CONTROL));
}

void config_rules_apply(struct loader *l)
{
	struct config *c = &l->document->config;

	c->file = strdup(l->path);
	numbers(l);
	durations(l);
	check_identity(l);
	check_eal(l);
	check_lcores(l);
	config_rules_ports_serve(l);
	for (unsigned int i = 0; i < c->n_ports; i++)
		check_port(l, i);
	check_ans(l);
	check_credentials(l);
	check_backend(l);
	check_nas(l);
	check_ue(l);
	config_rules_session(l);
}
