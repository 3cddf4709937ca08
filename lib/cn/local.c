/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <strings.h>

#include "cn/cn.h"

struct context {
	bool used;
	uint8_t pdu_session_id; /* 0: no session */
	uint8_t eid[16];
	uint32_t address; /* index in the pool */
};

struct cn_local {
	struct cn_local_config config;
	struct context *contexts;
	/* Free addresses, a ring: the one that has been free longest is given first. */
	uint32_t *free;
	uint32_t head, n_free;
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
	case CN_CONTEXT_UNKNOWN:
		return "no context for this UE";
	}
	return "?";
}

struct cn_local *cn_local_create(const struct cn_local_config *config)
{
	struct cn_local *cn = calloc(1, sizeof(*cn));

	if (!cn)
		return NULL;
	cn->config = *config;
	cn->contexts = calloc(config->capacity, sizeof(*cn->contexts));
	cn->free = calloc(config->addresses ? config->addresses : 1, sizeof(*cn->free));
	if (!cn->contexts || !cn->free) {
		cn_local_destroy(cn);
		return NULL;
	}
	cn->n_free = config->addresses;
	for (uint32_t i = 0; i < config->addresses; i++)
		cn->free[i] = i;
	return cn;
}

void cn_local_destroy(struct cn_local *cn)
{
	if (!cn)
		return;
	free(cn->contexts);
	free(cn->free);
	free(cn);
}

uint32_t cn_local_free_addresses(const struct cn_local *cn)
{
	return cn->n_free;
}

static struct context *find(struct cn_local *cn, uint32_t slot)
{
	return slot < cn->config.capacity && cn->contexts[slot].used ? &cn->contexts[slot] : NULL;
}

static void release_session(struct cn_local *cn, struct context *c)
{
	if (c->pdu_session_id == 0)
		return;
	cn->free[(cn->head + cn->n_free++) % cn->config.addresses] = c->address;
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
	if (r->pdu_session_type == CN_PDU_TYPE_IPV6)
		return CN_IPV4_ONLY;
	if (r->pdu_session_type != CN_PDU_TYPE_IPV4 && r->pdu_session_type != CN_PDU_TYPE_IPV4V6)
		return CN_UNKNOWN_PDU_SESSION_TYPE;
	if (r->dnn[0] != '\0' && strcasecmp(r->dnn, cn->config.dnn) != 0)
		return CN_UNKNOWN_DNN;
	return CN_OK;
}

static enum cn_cause create_one(struct cn_local *cn, struct cn_create_session *r)
{
	struct context *c = find(cn, r->slot);
	enum cn_cause cause = check(cn, r);

	if (!c)
		return CN_CONTEXT_UNKNOWN;
	if (cause != CN_OK)
		return cause;
	if (c->pdu_session_id != 0 && c->pdu_session_id != r->pdu_session_id)
		return CN_INVALID_PDU_SESSION_ID;
	if (c->pdu_session_id == 0) {
		if (cn->n_free == 0)
			return CN_INSUFFICIENT_RESOURCES;
		c->address = cn->free[cn->head];
		cn->head = (cn->head + 1) % cn->config.addresses;
		cn->n_free--;
		c->pdu_session_id = r->pdu_session_id;
	}
	r->ipv4 = cn->config.first_address + c->address;
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
