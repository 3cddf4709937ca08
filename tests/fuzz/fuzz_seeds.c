/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Writes seeds for fuzz_nas and fuzz_datagram: every message of the table at its smallest and at
 * its largest, since chance seldom finds a mandatory IE of an exact size. And for fuzz_gate.
 *
 *	fuzz-seeds nas|datagram|gate DIRECTORY
 */
#include <stdio.h>
#include <stdlib.h>

#include "../wire_sample.h"
#include "gate_seeds.h"

static struct sample sample;

void seed_write(const char *directory, unsigned int number, const uint8_t *p, size_t n)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/seed-%03u", directory, number);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0) {
		perror(path);
		exit(EXIT_FAILURE);
	}
}

/* Two records, so that the second is reached through the first. */
static size_t datagram_make(const struct wire_message_definition *def, uint8_t *octets, size_t size)
{
	struct wire_record r = {.an_ue_id = 1, .au_ue_id = 2};
	struct wire_writer w;

	r.type = def->epd == 0 ? def->type : WIRE_UPLINK_NAS;
	r.payload = span_make(sample.octets, sample.n);
	wire_writer_open(&w, octets, size);
	(void)wire_writer_add(&w, &r);
	(void)wire_writer_add(&w, &r);
	return w.length;
}

static void wire_seeds_write(bool datagrams, const char *directory)
{
	static uint8_t octets[WIRE_DATAGRAM_MAX];

	for (unsigned int i = 0; i < 2 * wire_messages_n; i++) {
		const struct wire_message_definition *def = &wire_messages[i / 2];

		if (sample_carries_nas(def))
			continue;
		sample_fill(&sample, def, i % 2 != 0 ? SAMPLE_MAXIMAL : SAMPLE_MINIMAL);
		sample_encode(&sample);
		if (datagrams)
			seed_write(directory, i, octets,
				   datagram_make(def, octets, sizeof(octets)));
		else if (def->epd != 0)
			seed_write(directory, i, sample.octets, sample.n);
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "gate") == 0) {
		gate_seeds_write(argv[2]);
	} else if (argc == 3 && (strcmp(argv[1], "nas") == 0 || strcmp(argv[1], "datagram") == 0)) {
		wire_seeds_write(strcmp(argv[1], "datagram") == 0, argv[2]);
	} else {
		fprintf(stderr, "usage: fuzz-seeds nas|datagram|gate DIRECTORY\n");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
