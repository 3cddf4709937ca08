/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Where sessions may go. Resolver, clock and compiler are this test's (the linker's --wrap), so a
 * refresh is due when the test says so, and a filter is the list of its rules.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include <rte_lcore.h>

#include "au/smdp.h"

enum { PORT = 8443, ANSWER_MAX = 64, RULES_MAX = 128 };

struct gate_filter {
	unsigned int n;
	struct gate_rule rules[RULES_MAX];
};

/* What the resolver says of any name: 203.0.113.N and 2001:db8::N, of each host that is listed. */
static struct {
	int error;
	unsigned int n;
	uint8_t hosts[ANSWER_MAX];
	bool ipv6;
} answer;

static unsigned int failures; /* of the compiler, that are to come */
static sem_t due, asleep, ended;
static bool has_thread;
static void *(*resolver)(void *arg);
static struct config config;
static struct config_allow allowed = {.name = "profiles.example", .port = PORT};
static struct au_smdp *smdp;

/* ---------------------------------------------------------------- in place of others' functions */

int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		       struct addrinfo **out);
void __wrap_freeaddrinfo(struct addrinfo *list);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
				  const struct timespec *until);
int __wrap_rte_ctrl_thread_create(pthread_t *thread, const char *name, const pthread_attr_t *attr,
				  void *(*run)(void *), void *arg);
struct gate_filter *__wrap_gate_filter_create(const struct gate_rule *rules, unsigned int n,
					      int numa_node);
void __wrap_gate_filter_destroy(struct gate_filter *f);

static struct addrinfo *make_entry(uint8_t host)
{
	struct {
		struct addrinfo info;
		union {
			struct sockaddr_in v4;
			struct sockaddr_in6 v6;
		} address;
	} *e = calloc(1, sizeof(*e));

	cr_assert_not_null(e);
	e->info.ai_addr = (struct sockaddr *)&e->address;
	if (answer.ipv6) {
		e->info.ai_addrlen = sizeof(e->address.v6);
		e->address.v6.sin6_family = AF_INET6;
		e->address.v6.sin6_addr.s6_addr32[0] = htonl(0x20010db8);
		e->address.v6.sin6_addr.s6_addr[15] = host;
	} else {
		e->info.ai_addrlen = sizeof(e->address.v4);
		e->address.v4.sin_family = AF_INET;
		e->address.v4.sin_addr.s_addr = htonl(0xcb007100u | host);
	}
	return &e->info;
}

int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		       struct addrinfo **out)
{
	(void)service;
	(void)hints;
	cr_assert_str_eq(name, allowed.name);
	*out = NULL;
	if (answer.error)
		return answer.error;
	for (unsigned int i = 0; i < answer.n; i++, out = &(*out)->ai_next)
		*out = make_entry(answer.hosts[i]);
	return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
	while (list) {
		struct addrinfo *next = list->ai_next;

		free(list);
		list = next;
	}
}

/* Sleeps until the test says that the time is over. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
				  const struct timespec *until)
{
	(void)cond;
	(void)until;
	pthread_mutex_unlock(mutex);
	sem_post(&asleep);
	sem_wait(&due);
	pthread_mutex_lock(mutex);
	return ETIMEDOUT;
}

static void *run_resolver(void *arg)
{
	void *result = resolver(arg);

	sem_post(&ended);
	return result;
}

/* EAL is not there. */
int __wrap_rte_ctrl_thread_create(pthread_t *thread, const char *name, const pthread_attr_t *attr,
				  void *(*run)(void *), void *arg)
{
	(void)name;
	resolver = run;
	has_thread = true;
	return pthread_create(thread, attr, run_resolver, arg);
}

struct gate_filter *__wrap_gate_filter_create(const struct gate_rule *rules, unsigned int n,
					      int numa_node)
{
	(void)numa_node;
	if (failures > 0) {
		failures--;
		return NULL;
	}
	struct gate_filter *f = calloc(1, sizeof(*f));

	cr_assert_not_null(f);
	cr_assert_leq(n, (unsigned int)RULES_MAX);
	f->n = n;
	memcpy(f->rules, rules, n * sizeof(*rules));
	return f;
}

void __wrap_gate_filter_destroy(struct gate_filter *f)
{
	free(f);
}

/* ---------------------------------------------------------------- start and end */

static void set_up(void)
{
	sem_init(&due, 0, 0);
	sem_init(&asleep, 0, 0);
	sem_init(&ended, 0, 0);
	config.session.n_allow = 1;
	config.session.allowed = &allowed;
	config.timers.refresh_s = 60;
}

static void start(void)
{
	const char *why = "";

	smdp = au_smdp_create(&config, -1, &why);
	cr_assert_not_null(smdp, "%s", why);
	if (has_thread)
		sem_wait(&asleep);
}

static void tear_down(void)
{
	au_smdp_destroy(smdp);
	if (!has_thread)
		return;
	sem_post(&due);
	sem_wait(&ended);
}

TestSuite(smdp, .init = set_up, .fini = tear_down, .timeout = 30);

static void refresh(void)
{
	sem_post(&due);
	sem_wait(&asleep);
}

/* Hosts first to first + n - 1 are all that the name has. */
static void answer_with(uint8_t first, unsigned int n)
{
	answer.error = 0;
	answer.n = n;
	for (unsigned int i = 0; i < n; i++)
		answer.hosts[i] = (uint8_t)(first + i);
}

static bool allows(const struct gate_filter *f, uint8_t host)
{
	for (unsigned int i = 0; i < f->n; i++) {
		const struct gate_rule *r = &f->rules[i];
		struct net_addr a = {.family = 4, .a = {203, 0, 113, host}};

		if (r->protocol == IPPROTO_TCP && r->port == PORT && r->length == 32 &&
		    net_addr_equal(&r->prefix, &a))
			return true;
	}
	return false;
}

/* The filter in use afterwards: a new one, or the one before. */
static struct gate_filter in_use;

static bool take_fresh(void)
{
	struct gate_filter *f = au_smdp_fresh(smdp);

	if (!f)
		return false;
	in_use = *f;
	__wrap_gate_filter_destroy(f);
	return true;
}

static void refresh_and_expect(uint8_t first, unsigned int n, bool expected)
{
	refresh();
	take_fresh();
	for (unsigned int i = 0; i < n; i++)
		cr_expect_eq(allows(&in_use, (uint8_t)(first + i)), expected, "host %u", first + i);
}

/* ---------------------------------------------------------------- what is allowed */

Test(smdp, the_smdp_and_dns_are_allowed_and_nothing_is_asked_without_a_name)
{
	static const struct gate_rule expected[] = {
		{{.family = 4, .a = {192, 0, 2, 80}}, 32, IPPROTO_TCP, AU_SMDP_TCP_PORT},
		{{.family = 4, .a = {192, 0, 2, 53}}, 32, IPPROTO_UDP, AU_SMDP_DNS_PORT},
		{{.family = 4, .a = {192, 0, 2, 53}}, 32, IPPROTO_TCP, AU_SMDP_DNS_PORT},
		{{.family = 4, .a = {198, 51, 100, 0}}, 24, IPPROTO_TCP, 443},
	};
	char smdp_address[] = "192.0.2.80", dns[] = "192.0.2.53";
	struct config_allow prefix = {.length = 24, .port = 443};

	net_addr_parse("198.51.100.0", &prefix.prefix);
	config.session.smdp_address = smdp_address;
	config.session.dns = dns;
	config.session.allowed = &prefix;
	start();
	cr_assert(take_fresh());
	cr_assert_not(has_thread);
	cr_assert_eq(in_use.n, sizeof(expected) / sizeof(expected[0]));
	for (unsigned int i = 0; i < in_use.n; i++) {
		cr_expect(net_addr_equal(&in_use.rules[i].prefix, &expected[i].prefix), "%u", i);
		cr_expect_eq(in_use.rules[i].length, expected[i].length, "%u", i);
		cr_expect_eq(in_use.rules[i].protocol, expected[i].protocol, "%u", i);
		cr_expect_eq(in_use.rules[i].port, expected[i].port, "%u", i);
	}
	cr_expect_not(take_fresh(), "each once");
}

Test(smdp, a_name_stands_for_its_addresses_and_a_filter_is_made_when_they_change)
{
	answer_with(1, 2);
	start();
	cr_assert(take_fresh());
	cr_expect(allows(&in_use, 1) && allows(&in_use, 2));
	cr_expect_eq(in_use.n, 2);
	refresh();
	cr_expect_not(take_fresh());
	answer_with(2, 2);
	refresh();
	cr_expect(take_fresh());
	cr_expect(allows(&in_use, 2) && allows(&in_use, 3));
}

Test(smdp, an_ipv6_address_is_a_rule_of_128_bits)
{
	answer.ipv6 = true;
	answer_with(7, 1);
	start();
	cr_assert(take_fresh());
	cr_assert_eq(in_use.n, 1);
	cr_expect_eq(in_use.rules[0].prefix.family, 6);
	cr_expect_eq(in_use.rules[0].length, 128);
	cr_expect_eq(in_use.rules[0].prefix.a[15], 7);
}

Test(smdp, a_name_without_an_address_is_asked_again)
{
	answer.error = EAI_NONAME;
	start();
	cr_assert(take_fresh());
	cr_expect_eq(in_use.n, 0);
	refresh();
	cr_expect_not(take_fresh());
	answer_with(1, 1);
	refresh_and_expect(1, 1, true);
}

/* ---------------------------------------------------------------- what is kept */

Test(smdp, an_address_that_is_no_longer_given_is_allowed_for_the_keep_time)
{
	answer_with(1, 1);
	start();
	answer_with(2, 1);
	for (unsigned int i = 0; i < AU_SMDP_KEEP; i++) {
		refresh_and_expect(1, 2, true);
		cr_expect_eq(in_use.n, 2);
	}
	refresh_and_expect(1, 1, false);
	cr_expect(allows(&in_use, 2));
}

Test(smdp, one_that_is_given_again_within_the_keep_time_changes_nothing)
{
	answer_with(1, 2);
	start();
	take_fresh();
	for (unsigned int i = 0; i < 3 * AU_SMDP_KEEP; i++) {
		answer_with(i % AU_SMDP_KEEP == 0 ? 1 : 2, 1);
		refresh();
		cr_expect_not(take_fresh(), "%u", i);
	}
}

Test(smdp, a_name_that_does_not_resolve_keeps_what_it_had)
{
	answer_with(1, 3);
	start();
	take_fresh();
	answer.error = EAI_AGAIN;
	for (unsigned int i = 0; i < 2 * AU_SMDP_KEEP; i++) {
		refresh();
		cr_expect_not(take_fresh(), "%u", i);
	}
	answer.error = 0;
	refresh();
	cr_expect_not(take_fresh());
}

/* ---------------------------------------------------------------- more than there is room for */

Test(smdp, the_newest_addresses_take_the_place_of_the_oldest)
{
	enum { EACH = 8, TIMES = AU_SMDP_NAME_ADDRESSES / EACH + 1 };

	answer_with(1, EACH);
	start();
	for (unsigned int i = 1; i < TIMES; i++) {
		answer_with((uint8_t)(1 + i * EACH), EACH);
		refresh_and_expect((uint8_t)(1 + i * EACH), EACH, true);
	}
	cr_expect_eq(in_use.n, AU_SMDP_NAME_ADDRESSES);
	for (unsigned int host = 1; host <= TIMES * EACH; host++)
		cr_expect_eq(allows(&in_use, (uint8_t)host), host > EACH, "host %u", host);
}

Test(smdp, addresses_whose_time_is_over_are_in_nobodys_way)
{
	answer_with(1, AU_SMDP_NAME_ADDRESSES);
	start();
	answer.error = EAI_AGAIN;
	for (unsigned int i = 0; i < AU_SMDP_KEEP; i++)
		refresh();
	answer_with(100, 1);
	refresh_and_expect(100, 1, true);
	cr_expect_eq(in_use.n, 1);
}

Test(smdp, an_answer_of_too_many_leaves_the_same_ones_in_any_order)
{
	answer_with(1, AU_SMDP_NAME_ADDRESSES + 1);
	start();
	take_fresh();
	cr_expect_eq(in_use.n, AU_SMDP_NAME_ADDRESSES);
	for (unsigned int i = 0; i < AU_SMDP_NAME_ADDRESSES; i++) {
		uint8_t first = answer.hosts[0];

		memmove(answer.hosts, answer.hosts + 1, AU_SMDP_NAME_ADDRESSES);
		answer.hosts[AU_SMDP_NAME_ADDRESSES] = first;
		refresh();
		cr_expect_not(take_fresh(), "%u", i);
	}
}

/* ---------------------------------------------------------------- publishing */

Test(smdp, a_filter_that_could_not_be_made_is_made_at_the_next_refresh)
{
	answer_with(1, 1);
	start();
	take_fresh();
	answer_with(2, 1);
	failures = 2;
	for (unsigned int i = 0; i < 2; i++) {
		refresh();
		cr_expect_not(take_fresh());
	}
	refresh();
	cr_expect(take_fresh());
	cr_expect(allows(&in_use, 2));
	refresh();
	cr_expect_not(take_fresh(), "once");
}

Test(smdp, a_filter_that_nobody_fetched_gives_way_to_the_next)
{
	answer_with(1, 1);
	start();
	answer_with(2, 1);
	refresh();
	cr_assert(take_fresh());
	cr_expect(allows(&in_use, 1) && allows(&in_use, 2));
	cr_expect_not(take_fresh());
}

Test(smdp, no_memory_for_the_first_filter_is_said)
{
	const char *why = NULL;

	answer_with(1, 1);
	failures = 1;
	cr_assert_null(au_smdp_create(&config, -1, &why));
	cr_expect_not_null(why);
}
