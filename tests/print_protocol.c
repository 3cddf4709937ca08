/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Prints the message table for readers other than the codec:
 *
 *	print-protocol markdown    the tables of docs/protocol.md
 *	print-protocol lua         scripts/wireshark/cpau_tables.lua
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/wire.h"

static const char *format_name(enum wire_format format)
{
	static const char *const names[] = {
		[WIRE_FORMAT_V] = "V",		 [WIRE_FORMAT_HALF] = "V (half)",
		[WIRE_FORMAT_LV] = "LV",	 [WIRE_FORMAT_LV_E] = "LV-E",
		[WIRE_FORMAT_TV1] = "TV (half)", [WIRE_FORMAT_TV] = "TV",
		[WIRE_FORMAT_TLV] = "TLV",	 [WIRE_FORMAT_TLV_E] = "TLV-E",
	};

	return names[format];
}

static void print_size(const struct wire_ie_definition *d)
{
	if (d->format == WIRE_FORMAT_HALF || d->format == WIRE_FORMAT_TV1)
		printf("1/2");
	else if (d->min == d->max)
		printf("%u", d->min);
	else
		printf("%u to %u", d->min, d->max);
}

static void print_tag(const struct wire_ie_definition *d)
{
	if (d->format == WIRE_FORMAT_TV1)
		printf("`%X-`", d->tag >> 4);
	else if (d->tag != 0)
		printf("`%02X`", d->tag);
}

static void print_markdown_message(const struct wire_message_definition *def)
{
	printf("\n#### %s `%02X`\n\n", def->name, def->type);
	if (def->epd == 0 && (def->type == WIRE_UPLINK_NAS || def->type == WIRE_DOWNLINK_NAS)) {
		printf("The payload is one NAS message, plain or security-protected.\n");
		return;
	}
	if (def->n_ies == 0) {
		printf("No IEs.\n");
		return;
	}
	printf("| IE | Presence | Tag | Format | Octets of the value |\n|---|---|---|---|---|\n");
	for (unsigned int i = 0; i < def->n_ies; i++) {
		const struct wire_ie_definition *d = &def->ies[i];

		printf("| %s | %s | ", wire_ie_name(d->ie),
		       d->presence == WIRE_MANDATORY ? "M" : "O");
		print_tag(d);
		printf(" | %s | ", format_name(d->format));
		print_size(d);
		printf(" |\n");
	}
}

static void print_markdown_messages(const char *title, uint8_t epd, bool strict)
{
	printf("\n### %s\n", title);
	for (unsigned int i = 0; i < wire_messages_n; i++)
		if (wire_messages[i].epd == epd && wire_messages[i].strict == strict)
			print_markdown_message(&wire_messages[i]);
}

static void print_markdown(void)
{
	print_markdown_messages("5GMM messages of this protocol (EPD `7E`, strict)", WIRE_EPD_5GMM,
				true);
	print_markdown_messages("5GMM messages of TS 24.501 (EPD `7E`)", WIRE_EPD_5GMM, false);
	print_markdown_messages("5GSM messages of TS 24.501 (EPD `2E`)", WIRE_EPD_5GSM, false);
	print_markdown_messages("Records (strict)", 0, true);
	printf("\n### Causes\n\n| Value | Name | Meaning |\n|---|---|---|\n");
	for (unsigned int i = 1; i < WIRE_CAUSE_LIMIT; i++)
		if (strcmp(wire_cause_name(i), "unassigned") != 0)
			printf("| `%02X` | %s | %s |\n", i, wire_cause_name(i), wire_cause_text(i));
	printf("\n");
}

/* The field name of an IE in display filters: "Cert_EUM_SubCA" is cert_eum_subca. */
static void print_key(const char *name)
{
	for (; *name != '\0'; name++)
		putchar(isalnum((unsigned char)*name) ? tolower((unsigned char)*name) : '_');
}

static void print_lua_messages(const char *key, uint8_t epd)
{
	static const char *const kinds[] = {
		[WIRE_FORMAT_V] = "v",	     [WIRE_FORMAT_HALF] = "half",   [WIRE_FORMAT_LV] = "lv",
		[WIRE_FORMAT_LV_E] = "lv_e", [WIRE_FORMAT_TV1] = "tv1",	    [WIRE_FORMAT_TV] = "tv",
		[WIRE_FORMAT_TLV] = "tlv",   [WIRE_FORMAT_TLV_E] = "tlv_e",
	};

	printf("t.%s = {\n", key);
	for (unsigned int i = 0; i < wire_messages_n; i++) {
		const struct wire_message_definition *def = &wire_messages[i];

		if (def->epd != epd)
			continue;
		printf("\t[0x%02x] = { name = \"%s\", strict = %s, ies = {\n", def->type, def->name,
		       def->strict ? "true" : "false");
		for (unsigned int j = 0; j < def->n_ies; j++) {
			const struct wire_ie_definition *d = &def->ies[j];

			printf("\t\t{ key = \"");
			print_key(wire_ie_name(d->ie));
			printf("\", format = \"%s\", mandatory = %s, tag = 0x%02x, min = %u, max = "
			       "%u },\n",
			       kinds[d->format], d->presence == WIRE_MANDATORY ? "true" : "false",
			       d->tag, d->min, d->max);
		}
		printf("\t} },\n");
	}
	printf("}\n");
}

static void print_lua(void)
{
	printf("-- SPDX-License-Identifier: BSD-3-Clause\n"
	       "-- Written by print-protocol from lib/wire/table.c (tests/protocol_page.sh "
	       "--update).\n"
	       "local t = { port = %u, version = %u }\n",
	       (unsigned int)WIRE_UDP_PORT, (unsigned int)WIRE_LINK_VERSION);
	print_lua_messages("records", 0);
	print_lua_messages("gmm", WIRE_EPD_5GMM);
	print_lua_messages("gsm", WIRE_EPD_5GSM);
	printf("t.ies = {\n");
	for (unsigned int i = 0; i < WIRE_IE_N; i++) {
		printf("\t{ key = \"");
		print_key(wire_ie_name((enum wire_ie)i));
		printf("\", name = \"%s\" },\n", wire_ie_name((enum wire_ie)i));
	}
	printf("}\nt.causes = {\n");
	for (unsigned int i = 1; i < WIRE_CAUSE_LIMIT; i++)
		if (strcmp(wire_cause_name(i), "unassigned") != 0)
			printf("\t[0x%02x] = \"%s: %s\",\n", i, wire_cause_name(i),
			       wire_cause_text(i));
	printf("}\nreturn t\n");
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "markdown") == 0) {
		print_markdown();
		return EXIT_SUCCESS;
	}
	if (argc == 2 && strcmp(argv[1], "lua") == 0) {
		print_lua();
		return EXIT_SUCCESS;
	}
	fprintf(stderr, "usage: print-protocol markdown|lua\n");
	return EXIT_FAILURE;
}
