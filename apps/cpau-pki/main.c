/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cpau-pki: makes and checks the credentials of an attach.
 */
#include <argp.h>
#include <stdio.h>

#include "pki_tool.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *text;
} commands[] = {
	{"init", tool_init, "make an operator CA, Cert_AU and cross-certificates with a CI"},
	{"eum", tool_eum, "make a further EUM under the CI"},
	{"fleet", tool_fleet, "issue many eUICC certificates into one file, or import one"},
	{"crl", tool_crl, "make a revocation list"},
	{"check", tool_check, "say which rule a chain breaks"},
	{"show", tool_show, "print a certificate or a fleet file"},
};
enum { COMMANDS_N = sizeof(commands) / sizeof(commands[0]) };

static void usage(FILE *out)
{
	fputs("Usage: cpau-pki COMMAND [OPTION...]\n\nCommands (each has its own --help):\n", out);
	for (unsigned int i = 0; i < COMMANDS_N; i++)
		fprintf(out, "  %-6s %s\n", commands[i].name, commands[i].text);
	fputs("\nExit codes: 0 done, 1 refused by a rule, 2 usage, 3 a file cannot be read or "
	      "written.\n",
	      out);
}

int main(int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		usage(stdout);
		return 0;
	}
	argp_err_exit_status = EXIT_USAGE;
	for (unsigned int i = 0; argc > 1 && i < COMMANDS_N; i++)
		if (strcmp(argv[1], commands[i].name) == 0) {
			char name[32]; /* as --help shows it */

			snprintf(name, sizeof(name), "cpau-pki %s", commands[i].name);
			argv[1] = name;
			return commands[i].run(argc - 1, argv + 1);
		}
	usage(stderr);
	return EXIT_USAGE;
}
