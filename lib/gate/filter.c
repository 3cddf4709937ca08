/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Allowed destinations, an rte_acl context a family. A packet is asked about by a key of its own
 * (struct gate_key), which has the UE's peer in it: so one context serves both directions. Each
 * rule stands there twice: with its port, and without for later fragments.
 */
#include <assert.h>
#include <stdio.h>

#include <rte_acl.h>
#include <rte_malloc.h>

#include "gate/internal.h"

enum {
	FIELD_PROTOCOL,
	FIELD_ADDRESS, /* one word, or four */
	IPV4_WORDS = 1,
	IPV6_WORDS = 4,
	FIELDS_MAX = FIELD_ADDRESS + IPV6_WORDS + 2, /* and port, and what fills its word */
	ALLOWED = 1,				     /* user data; 0 is no match */
};

RTE_ACL_RULE_DEF(rule, FIELDS_MAX);

struct gate_filter {
	struct rte_acl_ctx *v4, *v6; /* NULL: nothing of the family is allowed */
};

/* Fields as they lie in a key. */
static unsigned int define_fields(struct rte_acl_field_def *fields, unsigned int words)
{
	uint32_t at = offsetof(struct gate_key, v4);
	unsigned int n = FIELD_ADDRESS;

	fields[FIELD_PROTOCOL] = (struct rte_acl_field_def){
		.type = RTE_ACL_FIELD_TYPE_BITMASK, .size = 1, .field_index = FIELD_PROTOCOL};
	for (unsigned int i = 0; i < words; i++, n++, at += 4)
		fields[n] = (struct rte_acl_field_def){.type = RTE_ACL_FIELD_TYPE_MASK,
						       .size = 4,
						       .field_index = (uint8_t)n,
						       .input_index = (uint8_t)n,
						       .offset = at};
	for (unsigned int i = 0; i < 2; i++, at += 2)
		fields[n + i] = (struct rte_acl_field_def){.type = RTE_ACL_FIELD_TYPE_RANGE,
							   .size = 2,
							   .field_index = (uint8_t)(n + i),
							   .input_index = (uint8_t)n,
							   .offset = at};
	return n + 2;
}

static struct rule make_rule(const struct gate_rule *from, unsigned int words, bool with_port)
{
	struct rule r = {.data = {.category_mask = 1, .priority = 1, .userdata = ALLOWED}};
	unsigned int port = FIELD_ADDRESS + words;
	uint8_t protocol = with_port ? from->protocol : from->protocol | GATE_KEY_NO_PORT;

	r.field[FIELD_PROTOCOL].value.u8 = protocol;
	r.field[FIELD_PROTOCOL].mask_range.u8 = 0xff;
	for (unsigned int i = 0; i < words; i++) {
		unsigned int before = 32 * i;

		r.field[FIELD_ADDRESS + i].value.u32 = load_be32(from->prefix.a + 4 * i);
		r.field[FIELD_ADDRESS + i].mask_range.u32 =
			from->length > before ? RTE_MIN(from->length - before, 32u) : 0;
	}
	r.field[port].value.u16 = with_port ? from->port : 0;
	r.field[port].mask_range.u16 = with_port && from->port ? from->port : UINT16_MAX;
	r.field[port + 1].mask_range.u16 = UINT16_MAX;
	return r;
}

static bool add_rules(struct rte_acl_ctx *context, const struct gate_rule *rules, unsigned int n,
		      uint8_t family)
{
	unsigned int words = family == 4 ? IPV4_WORDS : IPV6_WORDS;

	for (unsigned int i = 0; i < n; i++) {
		if (rules[i].prefix.family != family)
			continue;
		const struct rule two[] = {make_rule(&rules[i], words, true),
					   make_rule(&rules[i], words, false)};

		if (rte_acl_add_rules(context, (const struct rte_acl_rule *)two, 2) != 0)
			return false;
	}
	return true;
}

/* False: no memory. *out stays NULL where the family has no rule. */
static bool compile(struct rte_acl_ctx **out, const struct gate_rule *rules, unsigned int n,
		    uint8_t family, int numa_node)
{
	/* rte_acl_create gives the context of a name that is in use. */
	static atomic_uint made;
	struct rte_acl_config config = {.num_categories = 1};
	char name[RTE_ACL_NAMESIZE];
	unsigned int of_family = 0;

	for (unsigned int i = 0; i < n; i++)
		of_family += rules[i].prefix.family == family;
	if (of_family == 0)
		return true;
	config.num_fields = define_fields(config.defs, family == 4 ? IPV4_WORDS : IPV6_WORDS);
	snprintf(name, sizeof(name), "gate_%u", atomic_fetch_add(&made, 1));
	*out = rte_acl_create(&(struct rte_acl_param){.name = name,
						      .socket_id = numa_node,
						      .rule_size = RTE_ACL_RULE_SZ(FIELDS_MAX),
						      .max_rule_num = 2 * of_family});
	return *out && add_rules(*out, rules, n, family) && rte_acl_build(*out, &config) == 0;
}

struct gate_filter *gate_filter_create(const struct gate_rule *rules, unsigned int n, int numa_node)
{
	struct gate_filter *f =
		rte_zmalloc_socket("gate_filter", sizeof(*f), RTE_CACHE_LINE_SIZE, numa_node);

	if (!f)
		return NULL;
	if (compile(&f->v4, rules, n, 4, numa_node) && compile(&f->v6, rules, n, 6, numa_node))
		return f;
	gate_filter_destroy(f);
	return NULL;
}

void gate_filter_destroy(struct gate_filter *f)
{
	if (!f)
		return;
	rte_acl_free(f->v4);
	rte_acl_free(f->v6);
	rte_free(f);
}

static void set_key(struct gate_key *key, bool v6, uint8_t protocol, const uint8_t *address,
		    const uint8_t *port)
{
	key->protocol = protocol;
	if (v6) {
		memcpy(key->v6.address, address, 16);
		memcpy(&key->v6.port, port, 2);
		key->v6.zero = 0;
	} else {
		memcpy(key->v4.address, address, 4);
		memcpy(&key->v4.port, port, 2);
		key->v4.zero = 0;
	}
}

void gate_key_set(struct gate_key *key, bool v6, uint8_t protocol, const uint8_t *address,
		  const uint8_t *port)
{
	assert(!(protocol & GATE_KEY_NO_PORT));
	set_key(key, v6, protocol, address, port);
}

void gate_key_set_no_port(struct gate_key *key, bool v6, uint8_t protocol, const uint8_t *address)
{
	static const uint8_t none[2];

	assert(!(protocol & GATE_KEY_NO_PORT));
	set_key(key, v6, protocol | GATE_KEY_NO_PORT, address, none);
}

static bool same_key(const struct gate_key *a, const struct gate_key *b, bool v6)
{
	return a->protocol == b->protocol &&
	       memcmp(&a->v4, &b->v4, v6 ? sizeof(a->v6) : sizeof(a->v4)) == 0;
}

/* Those of one family, in one call. Most of a burst go to one server: what is asked about the
 * packet before is not asked again. */
static uint64_t classify(const struct rte_acl_ctx *context, const struct gate_packet *packets,
			 unsigned int n, bool v6)
{
	const struct gate_key *keys[NET_BURST];
	uint64_t asked_by[NET_BURST], allowed = 0; /* asked_by: packets with this key */
	uint32_t results[NET_BURST];
	unsigned int n_keys = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (packets[i].inner.v6 != v6)
			continue;
		if (n_keys == 0 || !same_key(keys[n_keys - 1], &packets[i].key, v6)) {
			asked_by[n_keys] = 0;
			keys[n_keys++] = &packets[i].key;
		}
		asked_by[n_keys - 1] |= UINT64_C(1) << i;
	}
	if (n_keys == 0 ||
	    rte_acl_classify(context, (const uint8_t **)keys, results, n_keys, 1) != 0)
		return 0;
	for (unsigned int i = 0; i < n_keys; i++)
		if (results[i] == ALLOWED)
			allowed |= asked_by[i];
	return allowed;
}

uint64_t gate_filter_classify(const struct gate_filter *f, const struct gate_packet *packets,
			      unsigned int n)
{
	uint64_t allowed = 0;

	if (f && f->v4)
		allowed |= classify(f->v4, packets, n, false);
	if (f && f->v6)
		allowed |= classify(f->v6, packets, n, true);
	return allowed;
}
