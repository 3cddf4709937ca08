/* SPDX-License-Identifier: BSD-3-Clause */
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <rte_lcore.h>

#include "au/smdp.h"

enum { RULES_OF_OUR_OWN = 5 }; /* SM-DP+; DNS of either family over UDP and TCP */

struct address {
	struct net_addr addr;
	unsigned int seen; /* refresh at which the resolver gave it last */
};

struct name {
	char text[256];
	uint16_t port;
	bool silent;  /* it has no address, which was said */
	bool crowded; /* it has more than are kept, which was said */
	unsigned int n;
	struct address addresses[AU_SMDP_NAME_ADDRESSES];
};

struct au_smdp {
	/* Main thread and resolver, each while it needs this: the last one frees it, for a look-up
	 * cannot be interrupted and nobody waits for its end. */
	atomic_int users;
	/* Held while a filter is compiled, never during a look-up. */
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool quit;
	_Atomic(struct gate_filter *) fresh;

	/* The resolver's, once it runs. */
	unsigned int refresh_s, refreshes;
	bool changed; /* since the last filter */
	int numa_node;
	unsigned int n_fixed, n_names;
	struct gate_rule *fixed; /* n_fixed, then room for the names' */
	struct name *names;
};

/* ---------------------------------------------------------------- what is allowed */

static void add_rule(struct au_smdp *s, const struct net_addr *prefix, unsigned int length,
		     uint8_t protocol, uint16_t port)
{
	s->fixed[s->n_fixed++] = (struct gate_rule){
		.prefix = *prefix, .length = (uint8_t)length, .protocol = protocol, .port = port};
}

static void add_host(struct au_smdp *s, const char *address, uint8_t protocol, uint16_t port)
{
	struct net_addr a;

	if (address && net_addr_parse(address, &a))
		add_rule(s, &a, a.family == 4 ? 32 : 128, protocol, port);
}

static bool read_config(struct au_smdp *s, const struct config_session *session)
{
	size_t room = RULES_OF_OUR_OWN + (size_t)session->n_allow * AU_SMDP_NAME_ADDRESSES;

	s->fixed = calloc(room, sizeof(*s->fixed));
	s->names = calloc(session->n_allow + 1, sizeof(*s->names));
	if (!s->fixed || !s->names)
		return false;
	add_host(s, session->smdp_address, IPPROTO_TCP, AU_SMDP_TCP_PORT);
	for (unsigned int i = 0; i < 2; i++) {
		uint8_t protocol = i == 0 ? IPPROTO_UDP : IPPROTO_TCP;

		add_host(s, session->dns, protocol, AU_SMDP_DNS_PORT);
		add_host(s, session->dns_ipv6, protocol, AU_SMDP_DNS_PORT);
	}
	for (unsigned int i = 0; i < session->n_allow; i++) {
		const struct config_allow *a = &session->allowed[i];

		if (a->name[0] == '\0') {
			add_rule(s, &a->prefix, a->length, IPPROTO_TCP, a->port);
			continue;
		}
		struct name *name = &s->names[s->n_names++];

		snprintf(name->text, sizeof(name->text), "%s", a->name);
		name->port = a->port;
	}
	return true;
}

/* ---------------------------------------------------------------- names */

static struct address *find(struct name *name, const struct net_addr *addr)
{
	for (unsigned int i = 0; i < name->n; i++)
		if (net_addr_equal(&name->addresses[i].addr, addr))
			return &name->addresses[i];
	return NULL;
}

static bool forget_old(struct name *name, unsigned int now)
{
	unsigned int kept = 0, n = name->n;

	for (unsigned int i = 0; i < n; i++)
		if (now - name->addresses[i].seen <= AU_SMDP_KEEP)
			name->addresses[kept++] = name->addresses[i];
	name->n = kept;
	return kept < n;
}

/* The first of those that were not given for longest. */
static struct address *oldest(struct name *name)
{
	struct address *found = &name->addresses[0];

	for (unsigned int i = 1; i < name->n; i++)
		if (name->addresses[i].seen < found->seen)
			found = &name->addresses[i];
	return found;
}

/* False: there is no room, for this answer has filled it. */
static bool remember(struct name *name, const struct net_addr *addr, unsigned int now)
{
	bool full = name->n == AU_SMDP_NAME_ADDRESSES;
	struct address *place = full ? oldest(name) : &name->addresses[name->n++];

	if (full && place->seen == now) {
		if (!name->crowded)
			fprintf(stderr,
				"cpau: session.allow: %s has more than %d addresses: the others "
				"are refused\n",
				name->text, AU_SMDP_NAME_ADDRESSES);
		name->crowded = true;
		return false;
	}
	*place = (struct address){*addr, now};
	return true;
}

static bool address_of(const struct addrinfo *a, struct net_addr *addr)
{
	char text[NET_ADDR_TEXT];

	return getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0,
			   NI_NUMERICHOST) == 0 &&
	       net_addr_parse(text, addr);
}

/* Known ones first: what is given again is not what has to make room, so that of too many the same
 * ones stay. True: its addresses have changed. */
static bool take_answer(struct name *name, const struct addrinfo *list, unsigned int now)
{
	struct net_addr addr;
	bool changed;

	for (const struct addrinfo *a = list; a; a = a->ai_next) {
		struct address *known = address_of(a, &addr) ? find(name, &addr) : NULL;

		if (known)
			known->seen = now;
	}
	changed = forget_old(name, now);
	for (const struct addrinfo *a = list; a; a = a->ai_next)
		if (address_of(a, &addr) && !find(name, &addr))
			changed |= remember(name, &addr, now);
	return changed;
}

/* True: its addresses have changed. A resolver that fails changes nothing. */
static bool resolve(struct name *name, unsigned int now)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	int error = getaddrinfo(name->text, NULL, &hints, &list);
	bool changed = error == 0 && take_answer(name, list, now);

	if (list)
		freeaddrinfo(list);
	if (name->n == 0 && !name->silent)
		fprintf(stderr,
			"cpau: session.allow: %s has no address (%s): refused until it has one\n",
			name->text, error ? gai_strerror(error) : "no usable one");
	name->silent = name->n == 0;
	return changed;
}

static void resolve_all(struct au_smdp *s)
{
	s->refreshes++;
	for (unsigned int i = 0; i < s->n_names; i++)
		s->changed |= resolve(&s->names[i], s->refreshes);
}

static struct gate_filter *compile(struct au_smdp *s)
{
	unsigned int fixed = s->n_fixed;

	for (unsigned int i = 0; i < s->n_names; i++)
		for (unsigned int j = 0; j < s->names[i].n; j++) {
			const struct net_addr *a = &s->names[i].addresses[j].addr;

			add_rule(s, a, a->family == 4 ? 32 : 128, IPPROTO_TCP, s->names[i].port);
		}
	struct gate_filter *filter = gate_filter_create(s->fixed, s->n_fixed, s->numa_node);

	s->n_fixed = fixed;
	return filter;
}

/* ---------------------------------------------------------------- the resolver's thread */

static void leave(struct au_smdp *s)
{
	if (atomic_fetch_sub(&s->users, 1) > 1)
		return;
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->mutex);
	free(s->fixed);
	free(s->names);
	free(s);
}

/* False: it is over. */
static bool sleep_until_next(struct au_smdp *s)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += s->refresh_s;
	pthread_mutex_lock(&s->mutex);
	while (!s->quit && pthread_cond_timedwait(&s->wake, &s->mutex, &until) == 0)
		;
	bool quit = s->quit;

	pthread_mutex_unlock(&s->mutex);
	return !quit;
}

/* Not after the end was said: EAL, which the filter is made with, may be gone. */
static void publish(struct au_smdp *s)
{
	pthread_mutex_lock(&s->mutex);
	struct gate_filter *filter = s->quit ? NULL : compile(s);

	/* One that nobody has fetched is out of date. No memory: the one in use stays, and the next
	 * refresh tries again. */
	if (filter) {
		gate_filter_destroy(atomic_exchange(&s->fresh, filter));
		s->changed = false;
	}
	pthread_mutex_unlock(&s->mutex);
}

static void *resolver(void *arg)
{
	struct au_smdp *s = arg;

	while (sleep_until_next(s)) {
		resolve_all(s);
		if (s->changed)
			publish(s);
	}
	leave(s);
	return NULL;
}

struct au_smdp *au_smdp_create(const struct config *config, int numa_node, const char **why)
{
	struct au_smdp *s = calloc(1, sizeof(*s));
	pthread_t thread;

	*why = "no memory for the filter of the user plane";
	if (!s)
		return NULL;
	atomic_init(&s->users, 1);
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->wake, NULL);
	s->refresh_s = config->timers.refresh_s;
	s->numa_node = numa_node;
	if (read_config(s, &config->session)) {
		resolve_all(s);
		atomic_init(&s->fresh, compile(s));
		s->changed = false;
	}
	if (!atomic_load(&s->fresh)) {
		leave(s);
		return NULL;
	}
	if (s->n_names == 0)
		return s;
	atomic_store(&s->users, 2);
	if (rte_ctrl_thread_create(&thread, "cpau-names", NULL, resolver, s) != 0) {
		atomic_store(&s->users, 1);
		*why = "no thread for the names of session.allow";
		leave(s);
		return NULL;
	}
	pthread_detach(thread);
	return s;
}

struct gate_filter *au_smdp_fresh(struct au_smdp *s)
{
	return atomic_exchange(&s->fresh, NULL);
}

void au_smdp_destroy(struct au_smdp *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->mutex);
	s->quit = true;
	pthread_cond_signal(&s->wake);
	gate_filter_destroy(atomic_exchange(&s->fresh, NULL));
	pthread_mutex_unlock(&s->mutex);
	leave(s);
}
