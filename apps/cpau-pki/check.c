/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cpau-pki check, show.
 */
#include <argp.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pki/fleet.h"
#include "pki_tool.h"

enum { CHAIN_MAX = 6 };

struct check_options {
	const char *dir;
	bool json;
	unsigned int n;
	const char *files[CHAIN_MAX];
};

static const struct argp_option options[] = {
	{"dir", 'd', "DIR", 0, "check against the trust of this directory: CIs, lists", 0},
	{"json", 'j', NULL, 0, "one JSON object", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct check_options *o = state->input;

	switch (key) {
	case 'd':
		o->dir = arg;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->n == CHAIN_MAX)
			argp_error(state, "at most %d files", CHAIN_MAX);
		o->files[o->n++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (o->n == 0)
			argp_error(state, "name at least one file");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* An end entity is known by its EID and a CA by its policy, so that a wrong policy is called that.
 */
static enum pki_role role_of(const struct pki_cert *c)
{
	if (!c->ca)
		return c->has_eid || c->policies & (PKI_POLICY_EUICC_O | PKI_POLICY_EUICC_V3)
			       ? PKI_ROLE_EUICC
			       : PKI_ROLE_AU;
	if (c->policies & PKI_POLICY_SUBCA_V3)
		return PKI_ROLE_EUM_SUBCA;
	if (c->policies & (PKI_POLICY_EUM_O | PKI_POLICY_EUM_V3))
		return PKI_ROLE_EUM;
	if (c->policies & PKI_POLICY_CI)
		return PKI_ROLE_CI;
	return span_equal(c->issuer, c->subject) ? PKI_ROLE_OPERATOR_CA : PKI_ROLE_CROSS;
}

static const char *role_name(enum pki_role role)
{
	static const char *const names[] = {"GSMA CI", "operator CA", "cross-certificate",
					    "EUM",     "EUM SubCA",   "eUICC",
					    "Cert_AU"};

	return names[role];
}

static void ignore_report(void *arg, const char *file, bool accepted, const char *text)
{
	(void)arg;
	if (!accepted)
		fprintf(stderr, "cpau-pki: %s: refused: %s\n", file, text);
}

/* cert: NULL when it could not be parsed. */
static int verdict(json_t *list, const char *file, const struct pki_cert *c, enum pki_error e)
{
	const char *role = c ? role_name(role_of(c)) : "certificate";

	if (list)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "file", file, "role",
						      role, "result", pki_error_name(e), "text",
						      pki_error_text(e)));
	else
		printf("%s: %s: %s\n", file, role, pki_error_text(e));
	return e == PKI_OK ? 0 : EXIT_REFUSED;
}

/* The last certificate of the chain against the trust directory. */
static enum pki_error check_anchor(const struct pki_trust *t, const struct pki_cert *c)
{
	const struct pki_issuer *ci = pki_trust_find_ci(t, c->aki, c->issuer);
	const struct pki_issuer *eum = pki_trust_find_eum(t, c->aki, c->issuer);
	const struct pki_issuer *issuer = ci ? ci : eum;

	if (pki_trust_find_ci(t, c->ski, c->subject))
		return PKI_OK;
	if (!issuer)
		return PKI_UNKNOWN_CI;
	enum pki_error e = pki_cert_issued_by(c, &issuer->cert);

	if (e == PKI_OK)
		e = pki_cert_verify(c, &issuer->cert);
	return e == PKI_OK && pki_trust_is_revoked(t, issuer->cert.ski, c->serial) ? PKI_REVOKED
										   : e;
}

/* The certificate at i of the chain, and its link to the next or to the trust directory. */
static enum pki_error check_tier(const struct pki_cert *certs, unsigned int i, unsigned int n,
				 const struct pki_trust *trust, int64_t now)
{
	enum pki_error e = pki_cert_check(&certs[i], role_of(&certs[i]), now);

	if (e == PKI_OK && trust && certs[i].has_eid && pki_trust_is_denied(trust, certs[i].eid))
		e = PKI_EID_DENIED;
	if (e == PKI_OK && i + 1 < n) {
		e = pki_cert_issued_by(&certs[i], &certs[i + 1]);
		if (e == PKI_OK)
			e = pki_cert_verify(&certs[i], &certs[i + 1]);
		if (e == PKI_OK && trust &&
		    pki_trust_is_revoked(trust, certs[i + 1].ski, certs[i].serial))
			e = PKI_REVOKED;
	} else if (e == PKI_OK && trust) {
		e = check_anchor(trust, &certs[i]);
	}
	return e;
}

/* Reads the files and checks them; der is for the caller to free. */
static int check_chain(const struct check_options *o, const struct pki_trust *trust, int64_t now,
		       uint8_t **der, json_t *list)
{
	struct pki_cert certs[CHAIN_MAX];
	int code = 0;

	for (unsigned int i = 0; i < o->n; i++) {
		size_t n;

		der[i] = pki_file_read(o->files[i], &n);
		if (!der[i])
			return tool_fail(EXIT_FILE, o->files[i],
					 "cannot be read, or neither DER nor PEM");
		enum pki_error e = pki_cert_parse(&certs[i], span_make(der[i], n));

		if (e != PKI_OK)
			return verdict(list, o->files[i], NULL, e);
	}
	for (unsigned int i = 0; i < o->n; i++)
		code |= verdict(list, o->files[i], &certs[i],
				check_tier(certs, i, o->n, trust, now));
	return code;
}

int tool_check(int argc, char **argv)
{
	static const struct argp argp = {options,
					 parse,
					 "LEAF [ISSUER...]",
					 "Says which rule a chain breaks, leaf first.",
					 NULL,
					 NULL,
					 NULL};
	struct check_options o = {0};
	struct pki_trust *trust = NULL;
	uint8_t *der[CHAIN_MAX] = {NULL};

	if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
		return EXIT_USAGE;
	int64_t now = time(NULL);

	if (o.dir) {
		struct pki_trust_config config = {.directory = o.dir, .now = now};

		trust = pki_trust_load(&config, ignore_report, NULL);
		if (!trust)
			return EXIT_FILE;
	}
	json_t *list = o.json ? json_array() : NULL;
	int code = check_chain(&o, trust, now, der, list);

	if (list) {
		json_t *j = json_pack("{s:b, s:O}", "good", code == 0, "certificates", list);

		json_dumpf(j, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
		json_decref(j);
		json_decref(list);
	}
	for (unsigned int i = 0; i < CHAIN_MAX; i++)
		free(der[i]);
	pki_trust_free(trust);
	return code;
}

static void hex(char *out, struct span s)
{
	for (size_t i = 0; i < s.n && i < 32; i++)
		sprintf(out + 2 * i, "%02x", s.p[i]);
	out[2 * (s.n < 32 ? s.n : 32)] = '\0';
}

static json_t *certificate_to_json(const struct pki_cert *c)
{
	char text[65], date[32];
	json_t *j = json_object();
	time_t t = (time_t)c->not_after;
	struct tm tm;

	json_object_set_new(j, "role", json_string(role_name(role_of(c))));
	json_object_set_new(j, "curve", json_string(crypto_curve_name(c->curve)));
	hex(text, c->serial);
	json_object_set_new(j, "serial", json_string(text));
	hex(text, c->ski);
	json_object_set_new(j, "subject_key_id", json_string(text));
	hex(text, c->aki);
	json_object_set_new(j, "authority_key_id", json_string(text));
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
	json_object_set_new(j, "not_after", json_string(date));
	if (c->has_eid)
		json_object_set_new(j, "eid", json_stringn((const char *)c->subject_serial.p, 32));
	if (c->permitted_serial.n)
		json_object_set_new(
			j, "eid_prefix",
			json_stringn((const char *)c->permitted_serial.p, c->permitted_serial.n));
	json_object_set_new(j, "octets", json_integer((json_int_t)c->der.n));
	return j;
}

static json_t *fleet_to_json(const struct fleet *f)
{
	struct fleet_device first;
	json_t *j = json_object();
	char text[65];

	json_object_set_new(j, "role", json_string("fleet"));
	json_object_set_new(j, "curve", json_string(crypto_curve_name(fleet_curve(f))));
	json_object_set_new(j, "devices", json_integer((json_int_t)fleet_count(f)));
	if (fleet_device_get(f, 0, &first)) {
		hex(text, span_make(first.eid, 16));
		json_object_set_new(j, "first_eid", json_string(text));
	}
	return j;
}

int tool_show(int argc, char **argv)
{
	static const struct argp argp = {
		options + 1, parse, "FILE...", "Prints certificates and fleet files.",
		NULL,	     NULL,  NULL};
	struct check_options o = {0};

	if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
		return EXIT_USAGE;
	for (unsigned int i = 0; i < o.n; i++) {
		const char *why;
		struct pki_cert cert;
		struct fleet *f = fleet_open(o.files[i], &why);
		json_t *j = f ? fleet_to_json(f) : NULL;
		size_t n;
		uint8_t *der = f ? NULL : pki_file_read(o.files[i], &n);

		if (der && pki_cert_parse(&cert, span_make(der, n)) == PKI_OK)
			j = certificate_to_json(&cert);
		if (!j)
			return tool_fail(EXIT_FILE, o.files[i],
					 "neither a certificate nor a fleet file");
		json_object_set_new(j, "file", json_string(o.files[i]));
		if (o.json) {
			json_dumpf(j, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
			putchar('\n');
		} else {
			const char *key;
			json_t *value;

			json_object_foreach(j, key, value)
			{
				printf("%-18s", key);
				if (json_is_string(value))
					puts(json_string_value(value));
				else
					printf("%lld\n", (long long)json_integer_value(value));
			}
		}
		json_decref(j);
		fleet_close(f);
		free(der);
	}
	return 0;
}
