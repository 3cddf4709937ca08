/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The rules of the PDU session and the user plane: addresses, what sessions may reach, and which
 * port and stage carries them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "config/internal.h"

enum {
	DNN_MAX = 62,
	FQDN_MAX = 200,
	HTTPS = 443,
	SESSIONS_MAX = 1 << 24, /* that a TEID can tell apart */
	/* IPv6's least MTU in GTP-U with a session container, UDP and IPv6. */
	N3_MTU_IPV6 = 1280 + 16 + 8 + 40,
};

/* ---------------------------------------------------------------- ports and stages */

static unsigned int ports_that_serve(const struct config *c, unsigned int what)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->n_ports; i++)
		n += (c->ports[i].serves & what) != 0;
	return n;
}

/* The data network is one: a port for each family at most, so that there is no choice. */
static void check_n6(struct loader *l)
{
	const struct config *c = &l->document->config;
	char path[CONFIG_PATH_MAX];
	const struct config_port *ipv4 = NULL, *ipv6 = NULL;

	for (unsigned int i = 0; i < c->n_ports; i++) {
		const struct config_port *p = &c->ports[i];

		if (!(p->serves & CONFIG_SERVES_N6))
			continue;
		if ((p->ipv4 && ipv4) || (p->ipv6 && ipv6))
			config_problem(l, config_path(path, "ports[%u].serves", i),
				       "two ports serve n6 with addresses of one family; leave the "
				       "data network one of them");
		if (p->ipv4)
			ipv4 = p;
		if (p->ipv6)
			ipv6 = p;
	}
}

void config_rules_ports_serve(struct loader *l)
{
	struct config *c = &l->document->config;
	unsigned int gates = config_stage_count(c, CONFIG_STAGE_GATE);

	for (unsigned int i = 0; i < c->n_ports; i++)
		if (c->ports[i].serves == 0)
			c->ports[i].serves = CONFIG_SERVES_AN;
	if (ports_that_serve(c, CONFIG_SERVES_AN) == 0)
		config_problem(l, "ports",
			       "no port serves the AN link; add 'an' to 'serves' of one");
	if (gates == 0 && ports_that_serve(c, CONFIG_SERVES_N3 | CONFIG_SERVES_N6) > 0)
		config_problem(l, "lcores",
			       "a port serves n3 or n6 and no lcore runs a gate; add 'gate' to the "
			       "stages of one");
	if (gates > 0 && (ports_that_serve(c, CONFIG_SERVES_N3) == 0 ||
			  ports_that_serve(c, CONFIG_SERVES_N6) == 0))
		config_problem(
			l, "ports",
			"a gate needs a port that serves n3 and one that serves n6; they may "
			"be the same");
	check_n6(l);
	if (gates > 0 && c->ue.max > SESSIONS_MAX)
		config_problem(l, "ue.max", "'ue.max' is %u; gates hold %u sessions at most",
			       c->ue.max, SESSIONS_MAX);
}

/* Packets of a family that no port towards the data network has would come in and go nowhere. */
static void check_pool_is_carried(struct loader *l, const char *pool, const char *family,
				  size_t offset)
{
	const struct config *c = &l->document->config;

	if (config_stage_count(c, CONFIG_STAGE_GATE) == 0 ||
	    ports_that_serve(c, CONFIG_SERVES_N6) == 0)
		return;
	for (unsigned int i = 0; i < c->n_ports; i++)
		if (c->ports[i].serves & CONFIG_SERVES_N6 &&
		    *(char *const *)((const char *)&c->ports[i] + offset))
			return;
	config_problem(l, pool,
		       "no port that serves n6 has '%s', which the UEs of '%s' need; add it to "
		       "that port",
		       family, pool);
}

/* ---------------------------------------------------------------- what sessions may reach */

/* The port behind the last colon; what is in front of it stays in text. False: it is none. */
static bool take_port(char *text, uint16_t *port)
{
	char *colon = strrchr(text, ':'), *end;

	*port = HTTPS;
	if (!colon)
		return true;
	unsigned long value = strtoul(colon + 1, &end, 10);

	if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || value == 0 || value > UINT16_MAX)
		return false;
	*port = (uint16_t)value;
	*colon = '\0';
	return true;
}

/* In an address with a prefix, what is behind the prefix must be 0: it is a mistake otherwise. */
static bool is_network(const struct net_addr *a, unsigned int length)
{
	unsigned int bits = a->family == 4 ? 32 : 128;

	for (unsigned int i = length; i < bits; i++)
		if (a->a[i / 8] & (0x80 >> i % 8))
			return false;
	return true;
}

static bool parse_prefix(const char *text, struct config_allow *out)
{
	return net_prefix_parse(text, &out->prefix, &out->length) && out->length > 0 &&
	       is_network(&out->prefix, out->length);
}

bool config_allow_parse(const char *text, struct config_allow *out)
{
	char copy[sizeof(out->name)];
	size_t n = strlen(text);

	*out = (struct config_allow){.port = HTTPS};
	if (n >= sizeof(copy))
		return false;
	memcpy(copy, text, n + 1);
	if (copy[0] == '[') {
		char *close = strchr(copy, ']');

		if (!close || (close[1] != '\0' && close[1] != ':') ||
		    !take_port(close, &out->port))
			return false;
		*close = '\0';
		return parse_prefix(copy + 1, out) && out->prefix.family == 6;
	}
	/* More than one colon: IPv6 without a port. */
	if (strchr(copy, ':') != strrchr(copy, ':'))
		return parse_prefix(copy, out);
	if (!take_port(copy, &out->port))
		return false;
	if (parse_prefix(copy, out))
		return true;
	/* What looks like an address and is none is not a name either. */
	if (strspn(copy, "0123456789./") == strlen(copy) || !config_is_domain_name(copy, FQDN_MAX))
		return false;
	memcpy(out->name, copy, sizeof(copy));
	return true;
}

static void check_allow(struct loader *l)
{
	struct config_session *s = &l->document->config.session;
	char path[CONFIG_PATH_MAX];

	s->allowed = calloc(s->n_allow + 1, sizeof(*s->allowed));
	for (unsigned int i = 0; s->allowed && i < s->n_allow; i++)
		if (!config_allow_parse(s->allow[i], &s->allowed[i]))
			config_problem(l, config_path(path, "session.allow[%u]", i),
				       "'%s' is '%s'; give an address, a network or a name, and a "
				       "port where it is not 443, as in 192.0.2.0/24:8443, "
				       "[2001:db8::/64]:443 or smdp.example.com",
				       path, s->allow[i]);
}

/* ---------------------------------------------------------------- the session */

static void check_pool_ipv6(struct loader *l)
{
	const struct config *c = &l->document->config;
	const char *text = c->session.pool_ipv6;
	struct net_addr pool;
	unsigned int length;
	char path[CONFIG_PATH_MAX];

	if (!text)
		return;
	if (!strchr(text, '/') || !net_prefix_parse(text, &pool, &length) || pool.family != 6 ||
	    !config_is_unicast(&pool) || length < 16 || length > 64 || !is_network(&pool, length))
		config_problem(
			l, "session.pool-ipv6",
			"'session.pool-ipv6' is '%s'; give an IPv6 network of /16 to /64, of "
			"which each UE gets a /64, as in 2001:db8:100::/40",
			text);
	check_pool_is_carried(l, "session.pool-ipv6", "ipv6", offsetof(struct config_port, ipv6));
	for (unsigned int i = 0; i < c->n_ports; i++)
		if (c->ports[i].serves & CONFIG_SERVES_N3 && c->ports[i].mtu < N3_MTU_IPV6)
			config_problem(
				l, config_path(path, "ports[%u].mtu", i),
				"'%s' is %u; IPv6 sessions (pool-ipv6) need %d octets, their 1280 "
				"and a tunnel's headers",
				path, c->ports[i].mtu, N3_MTU_IPV6);
}

static void check_host(struct loader *l, const char *path, const char *text, uint8_t family)
{
	struct net_addr a;

	if (!net_addr_parse(text, &a) || a.family != family || !config_is_unicast(&a))
		config_problem(l, path, "'%s' is '%s'; give a host's IPv%u address", path, text,
			       family);
}

void config_rules_session(struct loader *l)
{
	struct config *c = &l->document->config;
	struct net_addr pool;
	unsigned int length;

	if (!c->session.dnn)
		config_set_text(&c->session.dnn, "rsp");
	if (!c->session.pool)
		config_set_text(&c->session.pool, "100.64.0.0/10");
	if (!config_is_domain_name(c->session.dnn, DNN_MAX))
		config_problem(l, "session.dnn",
			       "'session.dnn' is '%s'; give labels of letters, digits and "
			       "hyphens, 62 characters at most (TS 23.003 9.1)",
			       c->session.dnn);
	if (!config_is_domain_name(c->session.smdp_fqdn, FQDN_MAX))
		config_problem(l, "session.smdp-fqdn",
			       "'session.smdp-fqdn' is '%s'; give a host name, 200 "
			       "characters at most, as in smdp.example.com",
			       c->session.smdp_fqdn);
	check_host(l, "session.dns", c->session.dns, 4);
	if (c->session.dns_ipv6)
		check_host(l, "session.dns-ipv6", c->session.dns_ipv6, 6);
	check_host(l, "session.smdp-address", c->session.smdp_address, 4);
	if (!strchr(c->session.pool, '/') || !net_prefix_parse(c->session.pool, &pool, &length) ||
	    pool.family != 4 || !config_is_unicast(&pool) || length < 8 || length > 30 ||
	    (load_be32(pool.a) & (UINT32_MAX >> length)) != 0)
		config_problem(l, "session.pool",
			       "'session.pool' is '%s'; give an IPv4 network of /8 to /30, as "
			       "in 100.64.0.0/10",
			       c->session.pool);
	check_pool_is_carried(l, "session.pool", "ipv4", offsetof(struct config_port, ipv4));
	check_pool_ipv6(l);
	check_allow(l);
}
