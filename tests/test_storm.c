/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What of the load generator is arithmetic and files: schedule, timeline, captures.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cpau-storm/pcap.h"
#include "cpau-storm/schedule.h"
#include "cpau-storm/timeline.h"

#define MS UINT64_C(1000000)

/* ---------------------------------------------------------------- schedule */

Test(storm, phases_follow_each_other_and_a_phase_without_a_rate_is_silence)
{
	struct storm_config c = {.burst = 1,
				 .n_phases = 3,
				 .phases = {{10, 0.5, NULL}, {0, 1, NULL}, {100, 0.1, NULL}},
				 .ues = 1000};
	struct schedule s;

	cr_assert_eq(schedule_arrivals(&c), 15);
	schedule_init(&s, &c);
	cr_assert_eq(s.total, 15);
	for (uint64_t i = 0; i < 5; i++) {
		cr_expect_eq(schedule_time(&s, i, 0), i * 100 * MS);
		cr_expect_eq(s.arriving, 0);
	}
	for (uint64_t i = 5; i < 15; i++) {
		cr_expect_eq(schedule_time(&s, i, 0), 1500 * MS + (i - 5) * 10 * MS);
		cr_expect_eq(s.arriving, 2);
	}
	cr_expect_not(schedule_is_over(&s, 15, 1599 * MS), "the last phase is watched to its end");
	cr_expect_not(schedule_is_over(&s, 14, 5000 * MS), "nobody is left out");
	cr_expect(schedule_is_over(&s, 15, 1600 * MS));
}

Test(storm, the_clock_passes_every_phase_once)
{
	struct storm_config c = {
		.burst = 1, .n_phases = 2, .phases = {{10, 0.5, NULL}, {0, 1, NULL}}, .ues = 5};
	struct schedule s;

	schedule_init(&s, &c);
	schedule_advance(&s, 499 * MS);
	cr_expect_eq(s.running, 0);
	schedule_advance(&s, 500 * MS);
	cr_expect_eq(s.running, 1);
	schedule_advance(&s, 1500 * MS);
	cr_expect_eq(s.running, s.n);
}

Test(storm, those_of_a_burst_arrive_together)
{
	struct storm_config c = {.burst = 4, .rate = 40, .ues = 100};
	struct schedule s;

	schedule_init(&s, &c);
	for (uint64_t i = 0; i < 12; i++)
		cr_expect_eq(schedule_time(&s, i, 0), i / 4 * 100 * MS);
}

Test(storm, a_duration_ends_arrivals_and_no_rate_is_as_fast_as_can_be)
{
	struct storm_config c = {.burst = 1, .duration_s = 2, .rate = 10, .ues = 100};
	struct schedule s;

	schedule_init(&s, &c);
	cr_expect_not(schedule_is_over(&s, 19, 1999 * MS));
	cr_expect(schedule_is_over(&s, 19, 2000 * MS));
	cr_expect(schedule_is_over(&s, 100, 0), "the fleet is at its end");
	c.rate = c.duration_s = 0;
	schedule_init(&s, &c);
	cr_expect_eq(schedule_time(&s, 7, 1234), 1234);
}

/* ---------------------------------------------------------------- timeline */

Test(storm, intervals_hold_differences_and_their_own_latencies)
{
	struct timeline *t = timeline_create(100 * MS);

	timeline_start(t, 0);
	timeline_attached(t, 5000);
	timeline_advance(t, 99 * MS, &(struct timeline_totals){.started = 2}, 2);
	cr_assert_eq(t->n, 0);
	/* the next one was slept through */
	timeline_advance(t, 200 * MS, &(struct timeline_totals){.started = 3, .attached = 1}, 2);
	timeline_finish(t, &(struct timeline_totals){.started = 3, .attached = 1, .failed = 2}, 0);
	cr_assert_eq(t->n, 3);
	cr_expect_eq(t->intervals[0].n.started, 3);
	cr_expect_eq(t->intervals[0].n.attached, 1);
	cr_expect_eq(t->intervals[0].in_flight, 2);
	cr_expect_float_eq(t->intervals[0].p99_us, 5, 0.05);
	cr_expect_eq(t->intervals[1].n.started, 0);
	cr_expect_eq(t->intervals[1].p99_us, 0);
	cr_expect_eq(t->intervals[2].n.failed, 2);
	cr_expect_not(t->truncated);
	free(t);
}

Test(storm, a_timeline_that_is_full_stops_and_says_so)
{
	struct timeline *t = timeline_create(MS);

	timeline_start(t, 0);
	timeline_advance(t, TIMELINE_MAX * MS, &(struct timeline_totals){.started = 1}, 0);
	cr_assert_eq(t->n, TIMELINE_MAX);
	cr_assert_not(t->truncated);
	timeline_advance(t, (TIMELINE_MAX + 5) * MS, &(struct timeline_totals){.started = 2}, 0);
	timeline_finish(t, &(struct timeline_totals){.started = 3}, 0);
	cr_assert_eq(t->n, TIMELINE_MAX);
	cr_assert(t->truncated);
	free(t);
}

/* ---------------------------------------------------------------- captures */

enum { FILE_HEADER = 24, RECORD_HEADER = 16 };

/* One datagram of these three octets, read back. */
static size_t write_one(const struct pcap_config *config, const char *from, const char *to,
			uint8_t *out, size_t size)
{
	char path[] = "/tmp/cpau-test-XXXXXX";
	struct net_addr a, b;
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert(net_addr_parse(from, &a) && net_addr_parse(to, &b));
	struct pcap *p = pcap_create(path, config);

	cr_assert_not_null(p);
	pcap_write(p, &(struct pcap_datagram){.unix_ns = UINT64_C(1500000000123456789),
					      .from = &a,
					      .to = &b,
					      .from_port = 49152,
					      .to_port = 8805,
					      .payload = span_make("abc", 3)});
	cr_assert(pcap_close(p));
	FILE *f = fopen(path, "rb");
	size_t n = fread(out, 1, size, f);

	fclose(f);
	unlink(path);
	return n;
}

/* RFC 1071: over a packet with its right checksum it is FFFF. */
static uint32_t ones_sum(const uint8_t *p, size_t n, uint32_t s)
{
	for (size_t i = 0; i < n; i++)
		s += (uint32_t)p[i] << (i % 2 ? 0 : 8);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

Test(storm, a_frame_of_ipv4_in_a_vlan_has_its_checksums)
{
	const struct pcap_config config = {.ethernet = true,
					   .from_mac = {2, 0, 0, 0, 0, 1},
					   .to_mac = {2, 0, 0, 0, 0, 2},
					   .vlan = 7};
	uint8_t file[256];
	size_t n = write_one(&config, "192.0.2.100", "192.0.2.1", file, sizeof(file));
	uint32_t time[2];

	cr_assert_eq(n, FILE_HEADER + RECORD_HEADER + 18 + 20 + 8 + 3);
	memcpy(time, file + FILE_HEADER, sizeof(time));
	cr_expect_eq(time[0], 1500000000);
	cr_expect_eq(time[1], 123456);
	const uint8_t *frame = file + FILE_HEADER + RECORD_HEADER, *ip = frame + 18;

	cr_expect_eq(memcmp(frame, "\2\0\0\0\0\2\2\0\0\0\0\1\x81\0\0\7\x08\0", 18), 0);
	cr_expect_eq(load_be16(ip + 2), 20 + 8 + 3);
	cr_expect_eq(ones_sum(ip, 20, 0), 0xffff);
	cr_expect_eq(ones_sum(ip + 20, 11, ones_sum(ip + 12, 8, 17 + 11)), 0xffff);
	cr_expect_eq(load_be16(ip + 22), 8805);
}

Test(storm, a_raw_packet_of_ipv6_has_its_checksum)
{
	uint8_t file[256];
	size_t n = write_one(&(struct pcap_config){0}, "2001:db8::100", "2001:db8::1", file,
			     sizeof(file));
	const uint8_t *ip = file + FILE_HEADER + RECORD_HEADER;

	cr_assert_eq(n, FILE_HEADER + RECORD_HEADER + 40 + 8 + 3);
	cr_expect_eq(ip[0], 0x60);
	cr_expect_eq(ones_sum(ip + 40, 11, ones_sum(ip + 8, 32, 17 + 11)), 0xffff);
}

Test(storm, a_capture_that_cannot_be_written_is_said_to_be_incomplete)
{
	struct net_addr a;
	struct pcap *p = pcap_create("/dev/full", &(struct pcap_config){0});

	cr_assert(net_addr_parse("192.0.2.1", &a));
	cr_assert_not_null(p);
	for (unsigned int i = 0; i < 1000; i++)
		pcap_write(p, &(struct pcap_datagram){
				      .from = &a, .to = &a, .payload = span_make("abc", 3)});
	cr_assert_not(pcap_close(p));
	cr_assert_null(pcap_create("/nowhere/at/all", &(struct pcap_config){0}));
}
