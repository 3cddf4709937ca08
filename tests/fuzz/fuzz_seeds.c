/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Writes seeds for fuzz_nas and fuzz_datagram: every message of the table at its smallest and at
 * its largest, since chance seldom finds a mandatory IE of an exact size.
 *
 *	fuzz-seeds nas|datagram DIRECTORY
 */
#include <stdio.h>
#include <stdlib.h>

#include "../wire_sample.h"

static struct sample sample;

static void write_file(const char *directory, unsigned int number, const uint8_t *p, size_t n)
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

int main(int argc, char **argv)
{
	static uint8_t octets[WIRE_DATAGRAM_MAX];

	if (argc != 3 || (strcmp(argv[1], "nas") != 0 && strcmp(argv[1], "datagram") != 0)) {
		fprintf(stderr, "usage: fuzz-seeds nas|datagram DIRECTORY\n");
		return EXIT_FAILURE;
	}
	for (unsigned int i = 0; i < 2 * wire_messages_n; i++) {
		const struct wire_message_definition *def = &wire_messages[i / 2];

		if (sample_carries_nas(def))
			continue;
		sample_fill(&sample, def, i % 2 != 0 ? SAMPLE_MAXIMAL : SAMPLE_MINIMAL);
		sample_encode(&sample);
		if (strcmp(argv[1], "datagram") == 0)
			write_file(argv[2], i, octets, datagram_make(def, octets, sizeof(octets)));
		else if (def->epd != 0)
			write_file(argv[2], i, sample.octets, sample.n);
	}
	return EXIT_SUCCESS;
}
