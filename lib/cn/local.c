/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>

#include "cn/cn.h"

struct context {
	bool used;
	uint8_t pdu_session_id; /* 0: no session */
	uint8_t eid[16];
	uint8_t type;		  /* of the session, enum CN_PDU_TYPE_* */
	uint32_t address, prefix; /* indexes in the pools, for the families of the type */
};

/* Indexes 0 to size - 1. The free ones are a ring: the one that has been free longest is given
 * first. Where it begins is drawn: packets for UEs of the run before would else meet those of this
 * one, who attach in much the same order. */
struct pool {
	uint32_t *free;
	uint32_t size, head, n_free;
};

struct cn_local {
	struct cn_local_config config;
	struct context *contexts;
	struct pool addresses, prefixes;
	uint8_t types;	 /* PDU types' bits that are configured: 1 IPv4, 2 IPv6 */
	uint64_t id_key; /* of interface identifiers */
};

const char *cn_cause_text(enum cn_cause cause)
{
	switch (cause) {
	case CN_OK:
		return "granted";
	case CN_INSUFFICIENT_RESOURCES:
		return "insufficient resources: no address is free";
	case CN_UNKNOWN_DNN:
		return "missing or unknown DNN: only the provisioning DNN is granted";
	case CN_UNKNOWN_PDU_SESSION_TYPE:
		return "unknown PDU session type";
	case CN_INVALID_PDU_SESSION_ID:
		return "invalid PDU session identity, or a second session";
	case CN_IPV4_ONLY:
		return "PDU session type IPv4 only allowed";
	case CN_IPV6_ONLY:
		return "PDU session type IPv6 only allowed";
	case CN_CONTEXT_UNKNOWN:
		return "no context for this UE";
	}
	return "?";
}

static bool pool_init(struct pool *p, uint32_t size)
{
	uint32_t random;

	p->free = calloc(size ? size : 1, sizeof(*p->free));
	p->size = p->n_free = size;
	for (uint32_t i = 0; p->free && i < size; i++)
		p->free[i] = i;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return false;
	p->head = size ? random % size : 0;
	return p->free != NULL;
}

static uint32_t pool_take(struct pool *p)
{
	uint32_t index = p->free[p->head];

	p->head = (p->head + 1) % p->size;
	p->n_free--;
	return index;
}

static void pool_give_back(struct pool *p, uint32_t index)
{
	p->free[(p->head + p->n_free++) % p->size] = index;
}

struct cn_local *cn_local_create(const struct cn_local_config *config)
{
	struct cn_local *cn = calloc(1, sizeof(*cn));

	if (!cn)
		return NULL;
	cn->config = *config;
	cn->types = (uint8_t)((config->addresses > 0 ? CN_PDU_TYPE_IPV4 : 0) |
			      (config->prefixes > 0 ? CN_PDU_TYPE_IPV6 : 0));
	cn->contexts = calloc(config->capacity, sizeof(*cn->contexts));
	if (!cn->contexts || !pool_init(&cn->addresses, config->addresses) ||
	    !pool_init(&cn->prefixes, config->prefixes) ||
	    getrandom(&cn->id_key, sizeof(cn->id_key), 0) != sizeof(cn->id_key)) {
		cn_local_destroy(cn);
		return NULL;
	}
	return cn;
}

void cn_local_destroy(struct cn_local *cn)
{
	if (!cn)
		return;
	free(cn->contexts);
	free(cn->addresses.free);
	free(cn->prefixes.free);
	free(cn);
}

uint32_t cn_local_free_addresses(const struct cn_local *cn)
{
	return cn->addresses.n_free;
}

uint32_t cn_local_free_prefixes(const struct cn_local *cn)
{
	return cn->prefixes.n_free;
}

static struct context *find(struct cn_local *cn, uint32_t slot)
{
	return slot < cn->config.capacity && cn->contexts[slot].used ? &cn->contexts[slot] : NULL;
}

static void release_session(struct cn_local *cn, struct context *c)
{
	if (c->pdu_session_id == 0)
		return;
	if (c->type & CN_PDU_TYPE_IPV4)
		pool_give_back(&cn->addresses, c->address);
	if (c->type & CN_PDU_TYPE_IPV6)
		pool_give_back(&cn->prefixes, c->prefix);
	c->pdu_session_id = 0;
}

static void create_context(void *arg, struct cn_create_context *requests, unsigned int n)
{
	struct cn_local *cn = arg;

	for (unsigned int i = 0; i < n; i++) {
		if (requests[i].slot >= cn->config.capacity) {
			requests[i].cause = CN_INSUFFICIENT_RESOURCES;
			continue;
		}
		struct context *c = &cn->contexts[requests[i].slot];

		release_session(cn, c);
		c->used = true;
		memcpy(c->eid, requests[i].eid, sizeof(c->eid));
		requests[i].cause = CN_OK;
	}
}

static enum cn_cause check(const struct cn_local *cn, const struct cn_create_session *r)
{
	if (r->pdu_session_id < 1 || r->pdu_session_id > 15)
		return CN_INVALID_PDU_SESSION_ID;
	if (r->pdu_session_type < CN_PDU_TYPE_IPV4 || r->pdu_session_type > CN_PDU_TYPE_IPV4V6)
		return CN_UNKNOWN_PDU_SESSION_TYPE;
	if (cn->types == 0)
		return CN_INSUFFICIENT_RESOURCES;
	if ((r->pdu_session_type & cn->types) == 0)
		return r->pdu_session_type == CN_PDU_TYPE_IPV6 ? CN_IPV4_ONLY : CN_IPV6_ONLY;
	if (r->dnn[0] != '\0' && strcasecmp(r->dnn, cn->config.dnn) != 0)
		return CN_UNKNOWN_DNN;
	return CN_OK;
}

static bool take_addresses(struct cn_local *cn, struct context *c, uint8_t type)
{
	if ((type & CN_PDU_TYPE_IPV4 && cn->addresses.n_free == 0) ||
	    (type & CN_PDU_TYPE_IPV6 && cn->prefixes.n_free == 0))
		return false;
	if (type & CN_PDU_TYPE_IPV4)
		c->address = pool_take(&cn->addresses);
	if (type & CN_PDU_TYPE_IPV6)
		c->prefix = pool_take(&cn->prefixes);
	c->type = type;
	return true;
}

/* Says nothing of the EID, and is the same for the same prefix: a mix with a key of this run. The
 * universal/local bit is 0, as of every identifier that is not made of a MAC address (RFC 7136
 * gives it no meaning). */
static uint64_t interface_id(const struct cn_local *cn, uint32_t prefix)
{
	uint64_t x = (cn->id_key ^ prefix) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
	x = (x ^ (x >> 29)) & ~(UINT64_C(2) << 56);
	return x != 0 ? x : 1;
}

static void answer(const struct cn_local *cn, const struct context *c, struct cn_create_session *r)
{
	uint8_t asked = r->pdu_session_type;

	r->pdu_session_type = c->type;
	if (c->type != asked)
		r->note = c->type == CN_PDU_TYPE_IPV4 ? CN_IPV4_ONLY : CN_IPV6_ONLY;
	if (c->type & CN_PDU_TYPE_IPV4)
		r->ipv4 = cn->config.first_address + c->address;
	if (c->type & CN_PDU_TYPE_IPV6) {
		r->ipv6_prefix = cn->config.first_prefix + c->prefix;
		r->interface_id = interface_id(cn, c->prefix);
	}
}

static enum cn_cause create_one(struct cn_local *cn, struct cn_create_session *r)
{
	struct context *c = find(cn, r->slot);
	enum cn_cause cause = check(cn, r);

	r->note = CN_OK;
	r->ipv4 = 0;
	r->ipv6_prefix = r->interface_id = 0;
	if (!c)
		return CN_CONTEXT_UNKNOWN;
	if (cause != CN_OK)
		return cause;
	if (c->pdu_session_id != 0 && c->pdu_session_id != r->pdu_session_id)
		return CN_INVALID_PDU_SESSION_ID;
	if (c->pdu_session_id == 0) {
		if (!take_addresses(cn, c, r->pdu_session_type & cn->types))
			return CN_INSUFFICIENT_RESOURCES;
		c->pdu_session_id = r->pdu_session_id;
	}
	answer(cn, c, r);
	return CN_OK;
}

static void create_session(void *arg, struct cn_create_session *requests, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		requests[i].cause = create_one(arg, &requests[i]);
}

static void release(void *arg, const struct cn_release *requests, unsigned int n)
{
	struct cn_local *cn = arg;

	for (unsigned int i = 0; i < n; i++) {
		struct context *c = find(cn, requests[i].slot);

		if (!c)
			continue;
		release_session(cn, c);
		c->used = false;
	}
}

const struct cn_ops cn_local_ops = {create_context, create_session, release};
