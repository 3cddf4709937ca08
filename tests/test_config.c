/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The configuration: defaults, every rule with its line and its remedy, and the files that are
 * delivered.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "config/config.h"

/* What each test begins with: the least that is accepted. Lines are numbered for the tests. */
static const char *const minimal[] = {
	/* 1 */ "plmn: {mcc: \"001\", mnc: \"01\"}",
	/* 2 */ "lcores:",
	/* 3 */ "  - {lcore: 1, stages: [worker, crypto, control]}",
	/* 4 */ "ports:",
	/* 5 */ "  - device: net_ring0",
	/* 6 */ "    vdev: net_ring0",
	/* 7 */ "    ipv4: 192.0.2.1/24",
	/* 8 */ "access-nodes:",
	/* 9 */ "  - {name: an, address: 192.0.2.100, key-file: an.key}",
	/* 10 */ "credentials: {directory: credentials}",
	/* 11 */ "session:",
	/* 12 */ "  dns: 192.0.2.53",
	/* 13 */ "  smdp-fqdn: smdp.example.com",
	/* 14 */ "  smdp-address: 192.0.2.54",
};
enum { MINIMAL_LINES = sizeof(minimal) / sizeof(minimal[0]) };

/* The delivered files: tests run where the compiler ran, so its name for this file still holds. */
static const char *conf(const char *name)
{
	static char path[512];
	const char *slash = strrchr(__FILE__, '/');

	snprintf(path, sizeof(path), "%.*s/../apps/cpau/conf/%s.yaml",
		 slash ? (int)(slash - __FILE__) : 1, slash ? __FILE__ : ".", name);
	return path;
}

static char directory[] = "/tmp/cpau-config-XXXXXX";
static char reports[16384];
static unsigned int n_reports;

static void path_in_directory(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", directory, name);
}

static void write_file(const char *name, const char *text)
{
	char path[256];

	path_in_directory(path, sizeof(path), name);
	FILE *f = fopen(path, "w");

	cr_assert(f);
	fputs(text, f);
	fclose(f);
}

static void make_directory(void)
{
	char key[66];

	cr_assert(mkdtemp(directory));
	memset(key, 'a', 64);
	strcpy(key + 64, "\n");
	write_file("an.key", key);
}

static void remove_directory(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	cr_assert_eq(system(command), 0);
}

TestSuite(config, .init = make_directory, .fini = remove_directory);

static void on_report(void *arg, const char *message)
{
	size_t n = strlen(reports);

	(void)arg;
	n_reports++;
	snprintf(reports + n, sizeof(reports) - n, "%s\n", message);
}

static struct config *load_text(const char *text)
{
	char path[256];
	struct config *c = NULL;

	write_file("cpau.yaml", text);
	path_in_directory(path, sizeof(path), "cpau.yaml");
	reports[0] = '\0';
	n_reports = 0;
	bool ok = config_load(path, on_report, NULL, &c);

	cr_assert_eq(ok, c != NULL);
	cr_assert_eq(ok, n_reports == 0, "%s", reports);
	return c;
}

/* The minimal file with one line changed (line 0: none), and one more at its end. */
static struct config *load_with(unsigned int line, const char *replacement, const char *more)
{
	char text[8192] = "";

	for (unsigned int i = 0; i < MINIMAL_LINES; i++) {
		strcat(text, i + 1 == line ? replacement : minimal[i]);
		strcat(text, "\n");
	}
	strcat(text, more);
	return load_text(text);
}

/* Some report begins with FILE:line: and holds what and remedy. */
static void expect_report(unsigned int line, const char *what, const char *remedy)
{
	char start[300];

	snprintf(start, sizeof(start), "%s/cpau.yaml:%u: ", directory, line);
	for (char *p = reports; *p; p += strcspn(p, "\n") + 1) {
		char one[2048];

		size_t n = strcspn(p, "\n");

		cr_assert(n < sizeof(one));
		memcpy(one, p, n);
		one[n] = 0;
		if (strncmp(one, start, strlen(start)) == 0 && strstr(one, what) &&
		    strstr(one, remedy))
			return;
	}
	cr_assert(false, "no report at line %u with \"%s\" and \"%s\" among:\n%s", line, what,
		  remedy, reports);
}

static void refuse(unsigned int line, const char *replacement, const char *more,
		   unsigned int report_line, const char *what, const char *remedy)
{
	cr_assert_null(load_with(line, replacement, more), "accepted: %s%s", replacement, more);
	expect_report(report_line, what, remedy);
}

/* ---------------------------------------------------------------- what is accepted */

Test(config, what_is_left_out_has_its_default)
{
	struct config *c = load_with(0, "", "");

	cr_assert(c, "%s", reports);
	cr_expect_str_eq(c->name, "cpau");
	cr_expect_eq(c->udp_port, 38480);
	cr_expect_eq(c->mbufs, 32768);
	cr_expect_eq(c->n_eal_args, 0);
	cr_expect_eq(c->ports[0].mtu, 1500);
	cr_expect_eq(c->ports[0].vlan, 0);
	cr_expect_eq(c->ports[0].rx_queues, 0);
	cr_expect_eq(c->ports[0].rx_descriptors, 1024);
	cr_expect_eq(c->ports[0].tx_descriptors, 1024);
	cr_expect_not(c->ports[0].promiscuous);
	cr_expect_null(c->ports[0].ipv6);
	cr_expect_eq(c->ans[0].count, 1);
	cr_expect_eq(c->credentials.max_learned_eums, 1024);
	cr_expect_null(c->credentials.eid_deny_list);
	cr_expect_str_eq(c->crypto_backend, "auto");
	cr_expect_eq(c->nas.n_nia, 3);
	cr_expect_arr_eq(c->nas.nia, ((uint8_t[]){2, 1, 3}), 3);
	cr_expect_eq(c->nas.n_nea, 4);
	cr_expect_arr_eq(c->nas.nea, ((uint8_t[]){2, 1, 3, 0}), 4);
	cr_expect_eq(c->ue.max, 131072);
	cr_expect_eq(c->ue.max_half_open, 32768);
	cr_expect_eq(c->ue.jobs, 8192);
	cr_expect_eq(c->ue.key_multiples, 8192);
	cr_expect_eq(c->timers.t3560_ms, 6000);
	cr_expect_eq(c->timers.t3560_retries, 4);
	cr_expect_eq(c->timers.t3550_ms, 6000);
	cr_expect_eq(c->timers.t3550_retries, 4);
	cr_expect_eq(c->timers.tan_ms, 1000);
	cr_expect_eq(c->timers.tan_retries, 4);
	cr_expect_eq(c->timers.session_ms, 60000);
	cr_expect_eq(c->timers.attached_s, 3600);
	cr_expect_eq(c->timers.queue_delay_ms, 20);
	cr_expect_eq(c->timers.back_off_s, 30);
	cr_expect_eq(c->timers.replay_s, 120);
	cr_expect_eq(c->timers.shutdown_ms, 5000);
	cr_expect_str_eq(c->session.dnn, "rsp");
	cr_expect_str_eq(c->session.pool, "100.64.0.0/10");
	cr_expect_eq(c->session.ambr_kbps, 1000);
	config_free(c);
}

Test(config, what_is_given_is_taken)
{
	struct config *c =
		load_text("name: au-1\n"
			  "plmn: {mcc: 262, mnc: 042}\n"
			  "eal: [--no-huge, -m, \"512\", --lcores=0@0]\n"
			  "lcores:\n"
			  "  - {lcore: 3, stages: [control, worker]}\n"
			  "  - {lcore: 7, stages: [crypto]}\n"
			  "ports:\n"
			  "  - device: \"0000:17:00.0\"\n"
			  "    ipv4: 192.0.2.1/24\n"
			  "    ipv6: 2001:db8::1/64\n"
			  "    vlan: 100\n"
			  "    mtu: 4200\n"
			  "    rx-queues: 4\n"
			  "    promiscuous: true\n"
			  "udp-port: 1234\n"
			  "access-nodes:\n"
			  "  - {name: v4, address: 198.51.100.1, count: 300, key-file: an.key}\n"
			  "  - {name: v6, address: 2001:db8:1::1, key-file: an.key}\n"
			  "credentials: {directory: /etc/cpau/credentials, cis: [a.crt, /b.crt],\n"
			  "              eid-deny-list: deny.txt}\n"
			  "crypto: {backend: openssl}\n"
			  "nas: {integrity: [nia3], ciphering: [nea0, nea3]}\n"
			  "ue: {max: 10, max-half-open: 5, jobs: 512}\n"
			  "timers: {t3560: 500ms, attached: 0, back-off: 2m, replay: 1h}\n"
			  "session: {dnn: rsp.iot, pool: 10.0.0.0/8, dns: 192.0.2.53,\n"
			  "          smdp-fqdn: s.example, smdp-address: 192.0.2.54}\n");
	char path[256];

	cr_assert(c, "%s", reports);
	cr_expect_str_eq(c->name, "au-1");
	cr_expect_str_eq(c->mnc, "042");
	cr_expect_eq(c->lcores[0].lcore, 3);
	cr_expect_eq(c->lcores[0].stages[0], CONFIG_STAGE_CONTROL);
	cr_expect_eq(c->lcores[1].n_stages, 1);
	cr_expect_eq(config_stage_count(c, CONFIG_STAGE_CRYPTO), 1);
	cr_expect_eq(c->ports[0].vlan, 100);
	cr_expect(c->ports[0].promiscuous);
	cr_expect_eq(c->ans[0].count, 300);
	cr_expect_eq(c->ans[0].first.family, 4);
	cr_expect_eq(c->ans[1].first.family, 6);
	cr_expect_eq(c->ans[1].key[31], 0xaa);
	cr_expect_str_eq(c->credentials.directory, "/etc/cpau/credentials");
	path_in_directory(path, sizeof(path), "a.crt");
	cr_expect_str_eq(c->credentials.cis[0], path);
	cr_expect_str_eq(c->credentials.cis[1], "/b.crt");
	path_in_directory(path, sizeof(path), "deny.txt");
	cr_expect_str_eq(c->credentials.eid_deny_list, path);
	cr_expect_eq(c->nas.n_nea, 2);
	cr_expect_eq(c->nas.nea[0], 0);
	cr_expect_eq(c->timers.t3560_ms, 500);
	cr_expect_eq(c->timers.attached_s, 0);
	cr_expect_eq(c->timers.back_off_s, 120);
	cr_expect_eq(c->timers.replay_s, 3600);
	config_free(c);
}

Test(config, eal_arguments_are_found_in_each_spelling)
{
	struct config *c =
		load_with(0, "", "eal: [-m, \"512\", --lcores=0@1, --file-prefix, a, -n4]\n");

	cr_assert(c, "%s", reports);
	cr_expect_str_eq(config_eal_value(c, "-m"), "512");
	cr_expect_str_eq(config_eal_value(c, "--lcores"), "0@1");
	cr_expect_str_eq(config_eal_value(c, "--file-prefix"), "a");
	cr_expect_str_eq(config_eal_value(c, "-n"), "4");
	cr_expect_null(config_eal_value(c, "--no-huge"));
	config_free(c);
}

Test(config, delivered_files_load)
{
	static const char *const names[] = {"quickstart", "one-core", "two-core", "server-2x16",
					    "user-plane"};
	char path[512], command[2048];

	snprintf(command, sizeof(command),
		 "mkdir %s/keys && for k in north south six; do cp %s/an.key %s/keys/site-$k.key; "
		 "done",
		 directory, directory, directory);
	cr_assert_eq(system(command), 0);
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct config *c = NULL;

		snprintf(command, sizeof(command), "cp %s %s/", conf(names[i]), directory);
		cr_assert_eq(system(command), 0);
		snprintf(path, sizeof(path), "%s/%s.yaml", directory, names[i]);
		reports[0] = '\0';
		cr_expect(config_load(path, on_report, NULL, &c), "%s", reports);
		config_free(c);
	}
}

/* one-core.yaml states each default beside its key: both must say the same. */
Test(config, delivered_example_states_the_defaults)
{
	char path[512], command[1024];
	struct config *example = NULL, *preset;

	snprintf(command, sizeof(command), "cp %s %s/", conf("one-core"), directory);
	cr_assert_eq(system(command), 0);
	snprintf(path, sizeof(path), "%s/one-core.yaml", directory);
	cr_assert(config_load(path, on_report, NULL, &example), "%s", reports);
	preset = load_with(0, "", "");
	cr_assert(preset);
	cr_expect_str_eq(example->name, preset->name);
	cr_expect_eq(example->udp_port, preset->udp_port);
	cr_expect_eq(example->mbufs, preset->mbufs);
	cr_expect_eq(example->ports[0].mtu, preset->ports[0].mtu);
	cr_expect_eq(example->ports[0].rx_descriptors, preset->ports[0].rx_descriptors);
	cr_expect_eq(example->credentials.max_learned_eums, preset->credentials.max_learned_eums);
	cr_expect_arr_eq(&example->ue, &preset->ue, sizeof(preset->ue));
	cr_expect_arr_eq(&example->nas, &preset->nas, sizeof(preset->nas));
	cr_expect_arr_eq(&example->timers, &preset->timers, sizeof(preset->timers));
	cr_expect_str_eq(example->session.dnn, preset->session.dnn);
	cr_expect_str_eq(example->session.pool, preset->session.pool);
	cr_expect_eq(example->session.ambr_kbps, preset->session.ambr_kbps);
	config_free(example);
	config_free(preset);
}

/* ---------------------------------------------------------------- the user plane */

#define GATE "  - {lcore: 1, stages: [worker, crypto, control, gate]}"

/* The minimal file with a gate, and this of its port and session, which are flow mappings. */
static struct config *load_user_plane(const char *port, const char *session)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 "plmn: {mcc: \"001\", mnc: \"01\"}\n"
		 "lcores:\n" GATE "\n"
		 "ports:\n"
		 "  - {device: net_ring0, vdev: net_ring0, ipv4: 192.0.2.1/24, %s}\n"
		 "access-nodes:\n"
		 "  - {name: an, address: 192.0.2.100, key-file: an.key}\n"
		 "credentials: {directory: credentials}\n"
		 "session: {dns: 192.0.2.53, smdp-fqdn: smdp.example.com, smdp-address: "
		 "192.0.2.54%s}\n",
		 port, session);
	return load_text(text);
}
enum { USER_PLANE_LCORES = 2, USER_PLANE_PORT = 5, USER_PLANE_SESSION = 9 };

static void refuse_user_plane(const char *port, const char *session, unsigned int line,
			      const char *what, const char *remedy)
{
	cr_assert_null(load_user_plane(port, session), "accepted: %s %s", port, session);
	expect_report(line, what, remedy);
}

Test(config, without_a_gate_there_is_no_user_plane)
{
	struct config *c = load_with(0, "", "");

	cr_assert(c, "%s", reports);
	cr_expect_eq(c->ports[0].serves, CONFIG_SERVES_AN);
	cr_expect_eq(config_stage_count(c, CONFIG_STAGE_GATE), 0);
	cr_expect(net_addr_equal(&c->ans[0].n3_first, &c->ans[0].first));
	cr_expect_null(c->session.pool_ipv6);
	cr_expect_null(c->session.dns_ipv6);
	cr_expect_eq(c->session.n_allow, 0);
	cr_expect_eq(c->session.packets_per_s, 0);
	cr_expect_eq(c->timers.t3522_ms, 6000);
	cr_expect_eq(c->timers.t3522_retries, 4);
	cr_expect_eq(c->timers.lifetime_s, 600);
	cr_expect_eq(c->timers.idle_s, 30);
	cr_expect_eq(c->timers.refresh_s, 60);
	config_free(c);
}

Test(config, a_port_may_serve_all_three)
{
	struct config *c = load_user_plane("serves: [an, n3, n6], gateway-ipv4: 192.0.2.254", "");

	cr_assert(c, "%s", reports);
	cr_expect_eq(c->ports[0].serves, CONFIG_SERVES_AN | CONFIG_SERVES_N3 | CONFIG_SERVES_N6);
	cr_expect_str_eq(c->ports[0].gateway_ipv4, "192.0.2.254");
	cr_expect_eq(config_stage_count(c, CONFIG_STAGE_GATE), 1);
	/* Control and gate of one lcore share its transmit queue. */
	cr_expect_eq(config_rx_queues(c, 0), 1);
	cr_expect_eq(config_tx_queues(c, 0), 1);
	config_free(c);
}

Test(config, each_lcore_that_sends_over_a_port_has_a_queue_of_its_own)
{
	struct config *c = load_text(
		"plmn: {mcc: \"001\", mnc: \"01\"}\n"
		"lcores:\n"
		"  - {lcore: 1, stages: [worker, crypto]}\n"
		"  - {lcore: 2, stages: [control]}\n"
		"  - {lcore: 3, stages: [gate]}\n"
		"  - {lcore: 4, stages: [gate]}\n"
		"ports:\n"
		"  - {device: net_ring0, vdev: net_ring0, ipv4: 192.0.2.1/24, serves: [an, n3]}\n"
		"  - {device: net_ring1, vdev: net_ring1, ipv4: 203.0.113.1/24, serves: [n6]}\n"
		"access-nodes:\n"
		"  - {name: an, address: 192.0.2.100, key-file: an.key}\n"
		"credentials: {directory: credentials}\n"
		"session: {dns: 192.0.2.53, smdp-fqdn: smdp.example.com, smdp-address: "
		"192.0.2.54}\n");

	cr_assert(c, "%s", reports);
	/* Read by the worker, sent over by control and both gates; read and sent over by gates. */
	cr_expect_eq(config_rx_queues(c, 0), 1);
	cr_expect_eq(config_tx_queues(c, 0), 3);
	cr_expect_eq(config_rx_queues(c, 1), 2);
	cr_expect_eq(config_tx_queues(c, 1), 2);
	cr_expect_eq(config_tx_queue(c, 0, 1), 0);
	cr_expect_eq(config_tx_queue(c, 0, 3), 2);
	cr_expect_eq(config_tx_queue(c, 1, 3), 1);
	config_free(c);
}

Test(config, gates_and_the_ports_they_need_go_together)
{
	refuse_user_plane("serves: [an]", "", 4, "a gate needs a port that serves n3",
			  "they may be the same");
	refuse_user_plane("serves: [an, n3]", "", 4, "one that serves n6", "they may be the same");
	refuse_user_plane("serves: [n3, n6]", "", 4, "no port serves the AN link", "add 'an'");
	refuse(7, "    ipv4: 192.0.2.1/24\n    serves: [an, n3, n6]", "", 2, "no lcore runs a gate",
	       "add 'gate'");
	cr_expect_null(load_user_plane("serves: [an, n3, n6, n9]", ""));
}

Test(config, a_next_hop_is_a_router_on_the_link)
{
	refuse_user_plane("serves: [an, n3, n6], gateway-ipv4: 198.51.100.1", "", USER_PLANE_PORT,
			  "not on the port's prefix", "give a router on its link");
	refuse_user_plane("serves: [an, n3, n6], gateway-ipv4: \"2001:db8::1\"", "",
			  USER_PLANE_PORT, "2001:db8::1", "give a router's IPv4 address");
	refuse_user_plane("serves: [an, n3, n6], gateway-ipv6: \"2001:db8::2\"", "",
			  USER_PLANE_PORT, "not on the port's prefix '(none)'", "on its link");
}

Test(config, n3_may_have_addresses_of_its_own)
{
	struct config *c = load_with(
		9,
		"  - {name: an, address: 192.0.2.100, n3-address: 198.51.100.7, key-file: an.key}",
		"");
	struct net_addr n3;

	cr_assert(c, "%s", reports);
	net_addr_parse("198.51.100.7", &n3);
	cr_expect(net_addr_equal(&c->ans[0].n3_first, &n3));
	config_free(c);
	refuse(9, "  - {name: an, address: 192.0.2.100, n3-address: 224.0.0.1, key-file: an.key}",
	       "", 9, "224.0.0.1", "give the first of 1 hosts' addresses");
}

Test(config, ipv6_sessions_need_a_pool_and_an_mtu)
{
	const char *const wrong[] = {"2001:db8::/65", "2001:db8::/15",	   "2001:db8::",
				     "10.0.0.0/8",    "2001:db8:0:1::/48", "ff00::/40"};
	char session[128];
	struct config *c = load_user_plane("serves: [an, n3, n6], ipv6: \"2001:db8::1/64\"",
					   ", pool-ipv6: \"2001:db8:100::/40\", dns-ipv6: "
					   "\"2001:db8::53\"");

	cr_assert(c, "%s", reports);
	cr_expect_str_eq(c->session.pool_ipv6, "2001:db8:100::/40");
	cr_expect_str_eq(c->session.dns_ipv6, "2001:db8::53");
	config_free(c);
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(session, sizeof(session), ", pool-ipv6: \"%s\"", wrong[i]);
		refuse_user_plane("serves: [an, n3, n6]", session, USER_PLANE_SESSION,
				  "session.pool-ipv6", "give an IPv6 network of /16 to /64");
	}
	refuse_user_plane("serves: [an, n3, n6], mtu: 1340", ", pool-ipv6: \"2001:db8:100::/40\"",
			  USER_PLANE_PORT, "1340", "IPv6 sessions (pool-ipv6) need 1344 octets");
	refuse_user_plane("serves: [an, n3, n6]", ", dns-ipv6: 192.0.2.53", USER_PLANE_SESSION,
			  "session.dns-ipv6", "give a host's IPv6 address");
}

static void allow(const char *text, const char *prefix, unsigned int length, uint16_t port)
{
	struct config_allow a;
	char address[NET_ADDR_TEXT];

	cr_assert(config_allow_parse(text, &a), "%s", text);
	cr_expect_eq(a.port, port, "%s", text);
	if (length == 0) {
		cr_expect_str_eq(a.name, prefix);
		return;
	}
	cr_expect_str_eq(a.name, "");
	cr_expect_str_eq(net_addr_format(&a.prefix, address), prefix);
	cr_expect_eq(a.length, length, "%s", text);
}

Test(config, an_allowed_destination_is_an_address_a_network_or_a_name)
{
	const char *const wrong[] = {"",
				     "192.0.2.300",
				     "192.0.2.1/33",
				     "192.0.2.1/24",
				     "0.0.0.0/0",
				     "192.0.2.1:0",
				     "192.0.2.1:65536",
				     "192.0.2.1:https",
				     "192.0.2.1:",
				     "[2001:db8::1",
				     "[2001:db8::1]443",
				     "[192.0.2.1]:443",
				     "[2001:db8::1]:",
				     "2001:db8::1/129",
				     "2001:db8:::1",
				     "smdp example.com",
				     "-smdp.example.com",
				     "smdp..com",
				     "smdp.example.com/24"};
	struct config_allow a;
	char longest[600];

	allow("192.0.2.7", "192.0.2.7", 32, 443);
	allow("192.0.2.0/24", "192.0.2.0", 24, 443);
	allow("192.0.2.0/24:8443", "192.0.2.0", 24, 8443);
	allow("2001:db8::7", "2001:db8::7", 128, 443);
	allow("2001:db8::/32", "2001:db8::", 32, 443);
	allow("[2001:db8::7]:8443", "2001:db8::7", 128, 8443);
	allow("[2001:db8::/32]:8443", "2001:db8::", 32, 8443);
	allow("[2001:db8::7]", "2001:db8::7", 128, 443);
	allow("smdp.example.com", "smdp.example.com", 0, 443);
	allow("smdp.example.com:65535", "smdp.example.com", 0, 65535);
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_not(config_allow_parse(wrong[i], &a), "%s", wrong[i]);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	cr_expect_not(config_allow_parse(longest, &a));
}

Test(config, allowed_destinations_are_read_with_the_file)
{
	struct config *c = load_user_plane(
		"serves: [an, n3, n6]", ", allow: [smdp2.example.com, \"198.51.100.0/28:8443\"], "
					"packets-per-s: 2000");

	cr_assert(c, "%s", reports);
	cr_assert_eq(c->session.n_allow, 2);
	cr_expect_str_eq(c->session.allowed[0].name, "smdp2.example.com");
	cr_expect_eq(c->session.allowed[1].length, 28);
	cr_expect_eq(c->session.allowed[1].port, 8443);
	cr_expect_eq(c->session.packets_per_s, 2000);
	config_free(c);
	refuse_user_plane("serves: [an, n3, n6]", ", allow: [\"198.51.100.1/28\"]",
			  USER_PLANE_SESSION, "198.51.100.1/28",
			  "give an address, a network or a name");
}

Test(config, sessions_have_timers)
{
	struct config *c = load_with(0, "",
				     "timers: {t3522: 2s, t3522-retries: 0, lifetime: 2m, "
				     "idle: 5s, refresh: 10m}\n");

	cr_assert(c, "%s", reports);
	cr_expect_eq(c->timers.t3522_ms, 2000);
	cr_expect_eq(c->timers.t3522_retries, 0);
	cr_expect_eq(c->timers.lifetime_s, 120);
	cr_expect_eq(c->timers.idle_s, 5);
	cr_expect_eq(c->timers.refresh_s, 600);
	config_free(c);
	cr_expect_null(load_with(0, "", "timers: {lifetime: 0s}\n"));
	cr_expect_null(load_with(0, "", "timers: {idle: 0s}\n"));
	cr_expect_null(load_with(0, "", "timers: {refresh: 0s}\n"));
	cr_expect_null(load_with(0, "", "timers: {t3522-retries: 11}\n"));
}

/* ---------------------------------------------------------------- form */

Test(config, a_missing_file_is_named)
{
	struct config *c;

	reports[0] = '\0';
	cr_expect_not(config_load("/nonexistent/cpau.yaml", on_report, NULL, &c));
	cr_expect(strstr(reports, "/nonexistent/cpau.yaml: No such file"));
	cr_expect_null(c);
	config_free(c);
}

Test(config, broken_yaml_is_refused_with_its_line)
{
	refuse(3, "  - {lcore: 1, stages: [worker", "", 4, "did not find expected",
	       "correct the YAML");
	refuse(5, "  - device: \"net_ring0", "", 15, "unexpected end of stream",
	       "correct the YAML");
}

Test(config, a_file_that_is_no_mapping_is_refused)
{
	cr_expect_null(load_text(""));
	expect_report(1, "empty", "example");
	cr_expect_null(load_text("- 1\n- 2\n"));
	expect_report(1, "MAPPING", "mapping of keys");
	cr_expect_null(load_text("just text\n"));
}

Test(config, aliases_are_refused)
{
	refuse(12, "  dns: &a 192.0.2.53", "name: *a\n", 15, "aliases", "write the value out");
}

Test(config, hostile_yaml_is_refused_without_harm)
{
	char deep[4096] = "", wide[8192] = "";

	for (unsigned int i = 0; i < 1000; i++)
		strcat(deep, "[");
	cr_expect_null(load_text(deep));
	cr_expect_null(load_text("? {a: b}\n: c\n"));
	cr_expect_null(load_text("\xff\xfe\x00"));
	cr_expect_null(load_text("%YAML 9.9\n---\nname: x\n"));
	memset(wide, 'k', 5000);
	strcat(wide, ": 1\n");
	cr_expect_null(load_text(wide));
	cr_expect_null(load_text("name: x\n---\nname: y\n"));
}

Test(config, an_unknown_key_is_refused_at_its_own_line)
{
	refuse(0, "", "udp_port: 1\n", 15, "unknown key 'udp_port'", "udp-port");
	refuse(7, "    ipv4: 192.0.2.1/24\n    ip4: x", "", 8, "unknown key 'ip4'", "ipv4, ipv6");
	refuse(3, "  - {lcore: 1, stages: [worker, crypto, control], cpu: 2}", "", 3,
	       "unknown key 'cpu'", "lcore, stages");
	refuse(0, "", "ue:\n  max: 10\n  maximum: 5\n", 17, "unknown key 'maximum'",
	       "max-half-open");
}

Test(config, a_key_given_twice_is_refused)
{
	refuse(0, "", "udp-port: 1\nudp-port: 2\n", 16, "given twice", "keep one");
}

Test(config, a_missing_key_is_refused)
{
	refuse(1, "", "", 1, "'plmn' is missing", "mcc, mnc");
	refuse(1, "plmn: {mcc: \"001\"}", "", 1, "'mnc' is missing", "a text");
	refuse(12, "", "", 11, "'dns' is missing", "a text");
	refuse(5, "  - vdev: net_ring0", "", 5, "given twice", "keep one");
}

Test(config, a_value_of_the_wrong_kind_is_refused)
{
	refuse(0, "", "udp-port: abc\n", 15, "'abc' is not accepted", "1 to 65535");
	refuse(0, "", "udp-port:\n", 15, "'' is not accepted", "1 to 65535");
	refuse(0, "", "udp-port: -1\n", 15, "'-1' is not accepted", "1 to 65535");
	refuse(0, "", "mbufs: 99999999999999999999\n", 15, "is not accepted", "buffers");
	refuse(0, "", "mbufs: [1]\n", 15, "is not accepted", "buffers");
	refuse(7, "    ipv4: 192.0.2.1/24\n    mtu: 1.5", "", 8, "'1.5'", "4200 octets");
	refuse(0, "", "mbufs: 32k\n", 15, "'32k'", "decimal");
	refuse(0, "", "mbufs: 040000\n", 15, "'040000'", "decimal");
	refuse(3, "  - {lcore: 1, stages: [worker, crypto, contorl]}", "", 3,
	       "'contorl' is not accepted", "worker, crypto, control");
	refuse(3, "  - {lcore: 1, stages: worker}", "", 3, "'worker' is not accepted", "a list");
	refuse(0, "", "nas: {integrity: [aes]}\n", 15, "'aes' is not accepted", "nia2");
	refuse(0, "", "name: ''\n", 15, "'' is not accepted", "text");
	refuse(0, "", "ue: 5\n", 15, "'5' is not accepted", "max-half-open");
}

/* ---------------------------------------------------------------- ranges */

Test(config, a_number_out_of_range_is_refused)
{
	refuse(0, "", "udp-port: 0\n", 15, "is 0", "1 to 65535");
	refuse(0, "", "mbufs: 1000\n", 15, "is 1000", "1024 to");
	refuse(7, "    ipv4: 192.0.2.1/24\n    vlan: 4095", "", 8, "is 4095", "0 to 4094");
	refuse(7, "    ipv4: 192.0.2.1/24\n    mtu: 575", "", 8, "is 575", "576 to 4200");
	refuse(7, "    ipv4: 192.0.2.1/24\n    mtu: 4201", "", 8, "is 4201", "576 to 4200");
	refuse(7, "    ipv4: 192.0.2.1/24\n    rx-descriptors: 8", "", 8, "is 8", "64 to");
	refuse(3, "  - {lcore: 128, stages: [worker, crypto, control]}", "", 3, "is 128",
	       "0 to 127");
	refuse(9, "  - {name: an, address: 192.0.2.100, key-file: an.key, count: 0}", "", 9, "is 0",
	       "1 to 65535");
	refuse(0, "", "ue: {jobs: 1}\n", 15, "is 1", "256 to");
	refuse(0, "", "ue: {max: 0}\n", 15, "is 0", "1 to");
	refuse(0, "", "timers:\n  t3560-retries: 11\n", 16, "is 11", "0 to 10");
	refuse(14, "  smdp-address: 192.0.2.54\n  ambr-kbps: 0", "", 15, "is 0", "kbit/s");
}

Test(config, a_duration_needs_a_unit_and_a_range)
{
	refuse(0, "", "timers: {t3560: 6}\n", 15, "'6'", "\"6s\"");
	refuse(0, "", "timers: {t3560: 6 s}\n", 15, "'6 s'", "\"6s\"");
	refuse(0, "", "timers: {t3560: -6s}\n", 15, "'-6s'", "\"6s\"");
	refuse(0, "", "timers: {t3560: 61s}\n", 15, "'61s'", "100ms to 60s");
	refuse(0, "", "timers: {attached: 1500ms}\n", 15, "'1500ms'", "whole seconds");
	refuse(0, "", "timers: {back-off: 200m}\n", 15, "'200m'", "2s to");
	refuse(0, "", "timers: {t3560: 99999999999s}\n", 15, "'99999999999s'", "100ms to");
}

/* ---------------------------------------------------------------- parts that must fit together */

Test(config, identity_is_checked)
{
	refuse(1, "plmn: {mcc: \"01\", mnc: \"01\"}", "", 1, "'plmn.mcc'", "three digits");
	refuse(1, "plmn: {mcc: \"001\", mnc: \"0a\"}", "", 1, "'plmn.mnc'", "two or three digits");
	refuse(0, "", "name: \"a\\tb\"\n", 15, "'name'", "printable");
}

Test(config, each_stage_must_run_somewhere)
{
	refuse(3, "  - {lcore: 1, stages: [worker, crypto]}", "", 2,
	       "no lcore runs a control stage", "add 'control'");
	refuse(3, "  - {lcore: 1, stages: [control]}", "", 2, "no lcore runs a crypto stage",
	       "add 'crypto'");
	expect_report(2, "no lcore runs a worker stage", "add 'worker'");
}

Test(config, an_lcore_and_its_stages_are_listed_once)
{
	refuse(3,
	       "  - {lcore: 1, stages: [worker, crypto, control]}\n  - {lcore: 1, stages: "
	       "[crypto]}",
	       "", 4, "listed twice", "one entry");
	refuse(3, "  - {lcore: 1, stages: [worker, crypto, control, crypto]}", "", 3,
	       "crypto twice", "once");
}

Test(config, at_most_sixteen_control_stages)
{
	char lines[1024] = "  - {lcore: 20, stages: [worker, crypto]}";

	for (unsigned int i = 0; i < 17; i++)
		sprintf(lines + strlen(lines), "\n  - {lcore: %u, stages: [control]}", i);
	refuse(3, lines, "", 2, "17 control stages", "at most 16");
}

Test(config, a_vdev_carries_the_name_of_its_device)
{
	refuse(6, "    vdev: net_ring1,x=1", "", 6, "'net_ring1' and the device 'net_ring0'",
	       "same name");
}

Test(config, a_device_is_listed_once)
{
	refuse(7,
	       "    ipv4: 192.0.2.1/24\n  - {device: net_ring0, vdev: net_ring0, ipv4: "
	       "192.0.3.1/24}",
	       "", 8, "listed twice", "once");
}

Test(config, port_addresses_are_checked)
{
	refuse(7, "    ipv4: 192.0.2.1", "", 7, "'192.0.2.1'", "192.0.2.1/24");
	refuse(7, "    ipv4: 192.0.2.1/33", "", 7, "'192.0.2.1/33'", "192.0.2.1/24");
	refuse(7, "    ipv4: 224.0.0.1/24", "", 7, "'224.0.0.1/24'", "192.0.2.1/24");
	refuse(7, "    ipv4: 2001:db8::1/64", "", 7, "'2001:db8::1/64'", "192.0.2.1/24");
	refuse(7, "    ipv6: ff02::1/64", "", 7, "'ff02::1/64'", "2001:db8::1/64");
	refuse(7, "    vlan: 1", "", 5, "no address", "'ipv4', 'ipv6'");
	refuse(7, "    ipv6: 2001:db8::1/64\n    mtu: 1000", "", 8, "1280", "raise");
}

Test(config, promiscuous_is_true_or_false)
{
	refuse(7, "    ipv4: 192.0.2.1/24\n    promiscuous: perhaps", "", 8, "'perhaps'",
	       "true or false");
}

Test(config, buffers_exceed_what_the_rings_can_hold)
{
	refuse(7, "    ipv4: 192.0.2.1/24\n    rx-queues: 64", "", 1, "'mbufs' is 32768", "twice");
	refuse(0, "", "mbufs: 2048\n", 15, "'mbufs' is 2048", "2048");
}

/* One worker's queues hold 2,048, and unfinished datagrams a quarter of all. */
Test(config, buffers_exceed_what_fragments_can_hold_too)
{
	refuse(0, "", "mbufs: 2700\n", 15, "'mbufs' is 2700", "fragments 672");
	struct config *c = load_with(0, "", "mbufs: 2800\n");

	cr_assert(c, "%s", reports);
	cr_expect_eq(config_max_fragments(c), 2800 / 4 / 8);
	config_free(c);
	c = load_with(0, "", "");
	cr_assert(c, "%s", reports);
	cr_expect_eq(config_max_fragments(c), 1024);
	config_free(c);
}

Test(config, readers_of_a_port_share_what_fragments_may_hold)
{
	struct config *c = load_with(3,
				     "  - {lcore: 0, stages: [worker, crypto, control]}\n"
				     "  - {lcore: 1, stages: [worker]}\n"
				     "  - {lcore: 2, stages: [worker]}\n"
				     "  - {lcore: 3, stages: [worker]}",
				     "");

	cr_assert(c, "%s", reports);
	cr_expect_eq(config_max_fragments(c), 256);
	cr_expect_eq(config_fragment_mbufs(c), c->mbufs / 4);
	config_free(c);
}

Test(config, access_nodes_have_addresses_that_exist)
{
	refuse(9, "  - {name: an, address: 192.0.2, key-file: an.key}", "", 9, "'192.0.2'",
	       "IPv4 or IPv6");
	refuse(9, "  - {name: an, address: 239.0.0.1, key-file: an.key}", "", 9, "'239.0.0.1'",
	       "host");
	refuse(9, "  - {name: an, address: 223.255.255.250, count: 10, key-file: an.key}", "", 9,
	       "do not exist", "'count'");
	refuse(9, "  - {name: an, address: 2001:db8::5, key-file: an.key}", "", 9,
	       "no port has an IPv6 address", "add 'ipv6'");
	refuse(9, "  - {name: an, address: 192.0.2.0, count: 5, key-file: an.key}", "", 9, "ours",
	       "other addresses");
}

Test(config, access_node_ranges_do_not_overlap)
{
	refuse(9,
	       "  - {name: b, address: 192.0.2.100, count: 10, key-file: an.key}\n"
	       "  - {name: a, address: 192.0.2.91, count: 10, key-file: an.key}",
	       "", 10, "'a' overlap those of 'b'", "'count'");
	cr_assert_not(strstr(reports, "cpau.yaml:9:"));
	refuse(9,
	       "  - {name: a, address: 192.0.2.100, key-file: an.key}\n"
	       "  - {name: a, address: 192.0.2.101, key-file: an.key}",
	       "", 10, "'a' is used twice", "name of its own");
	struct config *c =
		load_with(9,
			  "  - {name: b, address: 192.0.2.100, count: 10, key-file: an.key}\n"
			  "  - {name: a, address: 192.0.2.90, count: 10, key-file: an.key}",
			  "");

	cr_assert(c, "%s", reports);
	config_free(c);
}

Test(config, there_is_a_bound_on_access_nodes)
{
	refuse(9,
	       "  - {name: a, address: 10.0.0.1, count: 65535, key-file: an.key}\n"
	       "  - {name: b, address: 11.0.0.1, key-file: an.key}",
	       "", 8, "65536 access nodes", "65535");
}

Test(config, key_files_hold_64_hex_digits)
{
	char key[80];

	refuse(9, "  - {name: an, address: 192.0.2.100, key-file: none.key}", "", 9,
	       "cannot be read", "openssl rand -hex 32");
	memset(key, '0', sizeof(key));
	strcpy(key + 63, "\n");
	write_file("an.key", key);
	refuse(0, "", "", 9, "64 hex digits", "openssl rand -hex 32");
	strcpy(key + 63, "g\n");
	write_file("an.key", key);
	refuse(0, "", "", 9, "64 hex digits", "openssl rand -hex 32");
	strcpy(key + 63, "00\n");
	write_file("an.key", key);
	refuse(0, "", "", 9, "64 hex digits", "openssl rand -hex 32");
	write_file("an.key", "");
	refuse(0, "", "", 9, "64 hex digits", "openssl rand -hex 32");
}

Test(config, credentials_come_from_a_directory_or_are_all_listed)
{
	refuse(10, "credentials: {cis: [ci.crt]}", "", 10, "without 'directory'", "cpau-pki init");
	refuse(10, "credentials: {directory: d, au-certificates: [a, b], au-keys: [a]}", "", 10,
	       "2 'au-certificates' and 1 'au-keys'", "one key a certificate");
}

Test(config, nia0_is_refused_with_a_reason)
{
	refuse(0, "", "nas:\n  integrity: [nia2, nia0]\n", 16, "nia0 is no integrity protection",
	       "give nia1");
}

Test(config, an_algorithm_is_listed_once)
{
	refuse(0, "", "nas:\n  ciphering: [nea1, nea1]\n", 16, "nea1 is listed twice", "once");
}

Test(config, the_backend_is_a_known_one)
{
	refuse(0, "", "crypto: {backend: quantum}\n", 15, "'quantum'", "auto, ifma or openssl");
}

Test(config, half_open_contexts_are_part_of_all)
{
	refuse(0, "", "ue: {max: 10, max-half-open: 11}\n", 15, "is 11", "1 to 10");
}

Test(config, session_values_are_checked)
{
	refuse(12, "  dns: 2001:db8::53", "", 12, "'session.dns'", "IPv4 address");
	refuse(13, "  smdp-fqdn: smdp..example", "", 13, "'smdp..example'", "host name");
	refuse(13, "  smdp-fqdn: \"-a.example\"", "", 13, "'-a.example'", "host name");
	refuse(14, "  smdp-address: 0.0.0.0", "", 14, "'0.0.0.0'", "IPv4 address");
	refuse(14, "  smdp-address: 192.0.2.54\n  dnn: a b", "", 15, "'a b'", "labels");
	refuse(14, "  smdp-address: 192.0.2.54\n  pool: 10.0.0.0/31", "", 15, "'10.0.0.0/31'",
	       "/8 to /30");
	refuse(14, "  smdp-address: 192.0.2.54\n  pool: 10.0.0.1/8", "", 15, "'10.0.0.1/8'",
	       "/8 to /30");
	refuse(14, "  smdp-address: 192.0.2.54\n  pool: 10.0.0.0", "", 15, "'10.0.0.0'",
	       "/8 to /30");
}

Test(config, eal_arguments_are_items_of_their_own)
{
	refuse(0, "", "eal: [\"-m 512\"]\n", 15, "holds a blank", "item of its own");
}

Test(config, all_mistakes_of_meaning_are_reported_at_once)
{
	cr_assert_null(load_with(1, "plmn: {mcc: \"1\", mnc: \"1\"}", "udp-port: 0\n"));
	cr_expect_eq(n_reports, 3, "%s", reports);
}

/* A port for access nodes, of both families, and one for the data network, with these addresses. */
static struct config *load_data_network(const char *addresses, const char *session)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 "plmn: {mcc: \"001\", mnc: \"01\"}\n"
		 "lcores:\n" GATE "\n"
		 "ports:\n"
		 "  - {device: net_ring0, ipv4: 192.0.2.1/24, ipv6: \"2001:db8::1/64\", serves: "
		 "[an, n3]}\n"
		 "  - {device: net_ring1, %s, serves: [n6]}\n"
		 "access-nodes:\n"
		 "  - {name: an, address: 192.0.2.100, key-file: an.key}\n"
		 "credentials: {directory: credentials}\n"
		 "session: {dns: 192.0.2.53, smdp-fqdn: smdp.example.com, smdp-address: "
		 "192.0.2.54%s}\n",
		 addresses, session);
	return load_text(text);
}

Test(config, a_pool_needs_a_data_network_of_its_family)
{
	static const char both[] = "ipv4: 203.0.113.1/24, ipv6: \"2001:db8:1::1/64\"";
	static const char pool_ipv6[] = ", pool-ipv6: \"2001:db8:100::/40\"";
	struct config *c = load_data_network(both, pool_ipv6);

	cr_assert(c, "%s", reports);
	config_free(c);
	cr_assert_null(load_data_network("ipv4: 203.0.113.1/24", pool_ipv6));
	expect_report(10, "no port that serves n6 has 'ipv6'", "add it to that port");
	cr_assert_null(load_data_network("ipv6: \"2001:db8:1::1/64\"", pool_ipv6));
	expect_report(10, "no port that serves n6 has 'ipv4'", "'session.pool' need; add it");
	cr_assert_null(load_data_network("ipv6: \"2001:db8:1::1/64\"", ", pool: 10.0.0.0/8"));
	expect_report(10, "no port that serves n6 has 'ipv4'", "'session.pool' need; add it");
}
