/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cpau-pki init, eum: the credentials of an operator, in the layout that `cpau` reads.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pki_tool.h"

enum { CA_DAYS = 3650, AU_DAYS = 825 };

struct init_options {
	const char *dir, *name, *ci_cert, *ci_key, *eum_cert;
	bool p256, brainpool, force;
	/* eum */
	const char *eum_name, *prefix, *curve_name;
	enum issue_variant variant;
};

enum {
	OPT_CI_CERT = 1000,
	OPT_CI_KEY,
	OPT_EUM_CERT,
	OPT_CURVE,
	OPT_OPERATOR,
	OPT_FORCE,
	OPT_NAME,
	OPT_PREFIX,
	OPT_VARIANT
};

static const struct argp_option init_argp_options[] = {
	{"dir", 'd', "DIR", 0, "where to make the credentials (required)", 0},
	{"operator", OPT_OPERATOR, "NAME", 0, "O of the operator CA (default: Example Operator)",
	 0},
	{"curve", OPT_CURVE, "CURVE", 0, "p256, brainpool or both (default: p256)", 0},
	{"ci-cert", OPT_CI_CERT, "FILE", 0,
	 "cross-certify this GSMA CI instead of making a test CI; its curve decides", 0},
	{"ci-key", OPT_CI_KEY, "FILE", 0,
	 "the CI's private key, PEM or 64 hex digits: for its certificate for the operator CA", 0},
	{"eum-cert", OPT_EUM_CERT, "FILE", 0, "put this EUM among the known ones", 0},
	{"force", OPT_FORCE, NULL, 0, "write over what is there", 0},
	{0},
};

static const struct argp_option eum_argp_options[] = {
	{"dir", 'd', "DIR", 0, "credentials made by `cpau-pki init` (required)", 0},
	{"name", OPT_NAME, "NAME", 0, "of the EUM: its file and its O (required)", 0},
	{"prefix", OPT_PREFIX, "DIGITS", 0, "what its EIDs begin with (default: 89049032)", 0},
	{"curve", OPT_CURVE, "CURVE", 0, "p256 or brainpool (default: p256)", 0},
	{"variant", OPT_VARIANT, "V", 0, "o, a (with a SubCA), b or c (default: o)", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct init_options *o = state->input;

	switch (key) {
	case 'd':
		o->dir = arg;
		return 0;
	case OPT_OPERATOR:
	case OPT_NAME:
		o->name = arg;
		return 0;
	case OPT_CURVE:
		o->p256 = strcmp(arg, "p256") == 0 || strcmp(arg, "both") == 0;
		o->brainpool = strcmp(arg, "brainpool") == 0 || strcmp(arg, "both") == 0;
		if (!o->p256 && !o->brainpool)
			argp_error(state, "--curve %s: p256, brainpool or both", arg);
		return 0;
	case OPT_CI_CERT:
		o->ci_cert = arg;
		return 0;
	case OPT_CI_KEY:
		o->ci_key = arg;
		return 0;
	case OPT_EUM_CERT:
		o->eum_cert = arg;
		return 0;
	case OPT_FORCE:
		o->force = true;
		return 0;
	case OPT_PREFIX:
		if (strspn(arg, "0123456789") != strlen(arg) || strlen(arg) > 20)
			argp_error(state, "--prefix %s: up to 20 digits", arg);
		o->prefix = arg;
		return 0;
	case OPT_VARIANT:
		if (strlen(arg) != 1 || !strchr("oabc", arg[0]))
			argp_error(state, "--variant %s: o, a, b or c", arg);
		o->variant = arg[0] == 'o' ? ISSUE_VARIANT_O
					   : (enum issue_variant)(ISSUE_VARIANT_A + arg[0] - 'a');
		return 0;
	case ARGP_KEY_END:
		if (!o->dir)
			argp_error(state, "--dir is required");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* A CA or Cert_AU with its key: what the next certificate is issued by. */
struct authority {
	struct issue_key *key;
	uint8_t *der;
	size_t n;
};

static struct span der_of(const struct authority *a)
{
	return span_make(a->der, a->n);
}

static void authority_free(struct authority *a)
{
	issue_key_free(a->key);
	free(a->der);
}

/* The CI: given, or made for tests. */
static bool make_ci(const struct init_options *o, enum crypto_curve curve, struct authority *ci)
{
	char path[TOOL_PATH];

	if (o->ci_cert) {
		ci->der = pki_file_read(o->ci_cert, &ci->n);
		ci->key = o->ci_key ? issue_key_read(o->ci_key, curve) : NULL;
		if (!ci->der || (o->ci_key && !ci->key)) {
			tool_fail(EXIT_FILE, ci->der ? o->ci_key : o->ci_cert, "cannot be read");
			return false;
		}
		struct pki_cert cert;

		if (ci->key && (pki_cert_parse(&cert, der_of(ci)) != PKI_OK ||
				!tool_key_is_of(ci->key, &cert))) {
			tool_fail(EXIT_FILE, o->ci_key, "is not the key of %s", o->ci_cert);
			return false;
		}
		tool_path(path, o->dir, "ci/ci-%s.crt", tool_curve_name(curve));
		return tool_write_certificate(path, ci->der, ci->n);
	}
	ci->key = issue_key_generate(curve);
	ci->der =
		tool_issue(&(struct issue_request){.role = ISSUE_CI,
						   .country = "IT",
						   .organisation = "RSPTEST",
						   .common_name = "cpau test CI",
						   .subject_key = ci->key,
						   .issuer_key = ci->key,
						   .days = CA_DAYS},
			   tool_path(path, o->dir, "ci/ci-%s.crt", tool_curve_name(curve)), &ci->n);
	return ci->der && issue_key_write(ci->key, tool_path(path, o->dir, "private/ci-%s.key",
							     tool_curve_name(curve)));
}

static bool make_operator_ca(const struct init_options *o, enum crypto_curve curve,
			     struct authority *ca)
{
	char path[TOOL_PATH];

	ca->key = issue_key_generate(curve);
	ca->der = tool_issue(
		&(struct issue_request){.role = ISSUE_OPERATOR_CA,
					.organisation = o->name,
					.common_name = "CA",
					.subject_key = ca->key,
					.issuer_key = ca->key,
					.days = CA_DAYS},
		tool_path(path, o->dir, "operator-ca/operator-ca-%s.crt", tool_curve_name(curve)),
		&ca->n);
	return ca->der &&
	       issue_key_write(ca->key, tool_path(path, o->dir, "private/operator-ca-%s.key",
						  tool_curve_name(curve)));
}

/* The public half of a certificate, as a key to certify. */
static bool cross(const struct init_options *o, enum crypto_curve curve, enum issue_role role,
		  const struct authority *issuer, const struct authority *subject, const char *name)
{
	char path[TOOL_PATH];
	size_t n;
	uint8_t *der = tool_issue(
		&(struct issue_request){.role = role,
					.subject_cert = der_of(subject),
					.subject_key = subject->key,
					.issuer_cert = der_of(issuer),
					.issuer_key = issuer->key,
					.days = CA_DAYS},
		tool_path(path, o->dir, "cross/%s-%s.crt", name, tool_curve_name(curve)), &n);

	free(der);
	return der != NULL;
}

static bool make_au(const struct init_options *o, enum crypto_curve curve,
		    const struct authority *ca)
{
	char path[TOOL_PATH];
	struct issue_key *key = issue_key_generate(curve);
	size_t n;
	uint8_t *der =
		key ? tool_issue(&(struct issue_request){.role = ISSUE_AU,
							 .organisation = o->name,
							 .common_name = "CP-AU",
							 .subject_key = key,
							 .issuer_cert = der_of(ca),
							 .issuer_key = ca->key,
							 .days = AU_DAYS},
				 tool_path(path, o->dir, "au/au-%s.crt", tool_curve_name(curve)),
				 &n)
		    : NULL;
	bool ok = der && issue_key_write(key, tool_path(path, o->dir, "au/au-%s.key",
							tool_curve_name(curve)));

	free(der);
	issue_key_free(key);
	return ok;
}

static bool make_eum(const char *dir, const char *name, const char *prefix,
		     enum issue_variant variant, enum crypto_curve curve,
		     const struct authority *ci)
{
	char path[TOOL_PATH];
	const char *c = tool_curve_name(curve);
	struct authority eum = {.key = issue_key_generate(curve)};
	struct issue_request r = {.role = ISSUE_EUM,
				  .variant = variant,
				  .country = "ES",
				  .organisation = name,
				  .common_name = "EUM",
				  .eid_prefix = prefix,
				  .subject_key = eum.key,
				  .issuer_cert = der_of(ci),
				  .issuer_key = ci->key,
				  .days = CA_DAYS};

	eum.der = tool_issue(&r, tool_path(path, dir, "eum/%s-%s.crt", name, c), &eum.n);
	bool ok = eum.der &&
		  issue_key_write(eum.key, tool_path(path, dir, "private/eum-%s-%s.key", name, c));

	if (ok && variant == ISSUE_VARIANT_A) {
		struct authority subca = {.key = issue_key_generate(curve)};

		r.role = ISSUE_EUM_SUBCA;
		r.common_name = "EUM SubCA";
		r.subject_key = subca.key;
		r.issuer_cert = der_of(&eum);
		r.issuer_key = eum.key;
		subca.der = tool_issue(&r, tool_path(path, dir, "eum/%s-%s-subca.crt", name, c),
				       &subca.n);
		ok = subca.der &&
		     issue_key_write(subca.key,
				     tool_path(path, dir, "private/eum-%s-%s-subca.key", name, c));
		authority_free(&subca);
	}
	authority_free(&eum);
	return ok;
}

static bool make_curve(const struct init_options *o, enum crypto_curve curve)
{
	struct authority ci = {0}, ca = {0};
	char path[TOOL_PATH];
	bool ok =
		make_ci(o, curve, &ci) && make_operator_ca(o, curve, &ca) && make_au(o, curve, &ca);

	/* Without the CI's key its public half is taken from its certificate by the library. */
	struct issue_key *ci_private = ci.key;

	ok = ok && ci_private && cross(o, curve, ISSUE_CROSS_CI, &ca, &ci, "operator-to-ci") &&
	     cross(o, curve, ISSUE_CROSS_OPERATOR, &ci, &ca, "ci-to-operator");
	if (!ci_private && ci.der)
		tool_fail(EXIT_FILE, o->ci_cert,
			  "--ci-key is needed to make the cross-certificates");
	if (ok && o->eum_cert) {
		size_t n;
		uint8_t *der = pki_file_read(o->eum_cert, &n);

		ok = der && tool_write_certificate(tool_path(path, o->dir, "eum/eum-%s.crt",
							     tool_curve_name(curve)),
						   der, n);
		free(der);
	} else if (ok && !o->ci_cert) {
		ok = make_eum(o->dir, "test", "89049032", ISSUE_VARIANT_O, curve, &ci);
	}
	authority_free(&ci);
	authority_free(&ca);
	return ok;
}

int tool_init(int argc, char **argv)
{
	static const char *const folders[] = {"operator-ca", "cross", "ci",	"eum",
					      "au",	     "crl",   "private"};
	static const struct argp argp = {init_argp_options,
					 parse,
					 NULL,
					 "Makes an operator CA, Cert_AU, and cross-certificates "
					 "with a GSMA CI (a test CI of its own "
					 "unless --ci-cert), in the layout that `cpau` reads.",
					 NULL,
					 NULL,
					 NULL};
	struct init_options o = {.name = "Example Operator", .p256 = true};
	char path[TOOL_PATH];
	struct stat st;

	if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
		return EXIT_USAGE;
	if (stat(tool_path(path, o.dir, "operator-ca"), &st) == 0 && !o.force)
		return tool_fail(EXIT_FILE, o.dir,
				 "holds credentials already: choose another --dir, or add --force");
	for (unsigned int i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (!tool_make_dir(tool_path(path, o.dir, "%s", folders[i])))
			return tool_fail(EXIT_FILE, path, "cannot be made: %s", strerror(errno));
	chmod(tool_path(path, o.dir, "private"), 0700);
	if (o.ci_cert) {
		struct pki_cert ci;
		size_t n;
		uint8_t *der = pki_file_read(o.ci_cert, &n);
		enum pki_error e = der ? pki_cert_parse(&ci, span_make(der, n)) : PKI_MALFORMED;

		if (e != PKI_OK)
			return tool_fail(EXIT_FILE, o.ci_cert, "%s", pki_error_text(e));
		o.p256 = ci.curve == CRYPTO_P256;
		o.brainpool = !o.p256;
		free(der);
	}
	if (o.p256 && !make_curve(&o, CRYPTO_P256))
		return EXIT_FILE;
	if (o.brainpool && !make_curve(&o, CRYPTO_BRAINPOOLP256R1))
		return EXIT_FILE;
	return 0;
}

int tool_eum(int argc, char **argv)
{
	static const struct argp argp = {eum_argp_options,
					 parse,
					 NULL,
					 "Makes a further EUM under the CI of --dir.",
					 NULL,
					 NULL,
					 NULL};
	struct init_options o = {.p256 = true, .prefix = "89049032"};
	struct authority ci = {0};
	char path[TOOL_PATH];

	if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
		return EXIT_USAGE;
	if (!o.name)
		return tool_fail(EXIT_USAGE, "eum", "--name is required");
	enum crypto_curve curve = o.brainpool ? CRYPTO_BRAINPOOLP256R1 : CRYPTO_P256;

	ci.key = issue_key_read(tool_path(path, o.dir, "private/ci-%s.key", tool_curve_name(curve)),
				curve);
	if (!ci.key)
		return tool_fail(EXIT_FILE, path,
				 "no CI key: was the directory made with its own CI?");
	ci.der = pki_file_read(tool_path(path, o.dir, "ci/ci-%s.crt", tool_curve_name(curve)),
			       &ci.n);
	bool ok = ci.der && make_eum(o.dir, o.name, o.prefix, o.variant, curve, &ci);

	authority_free(&ci);
	return ok ? 0 : EXIT_FILE;
}
