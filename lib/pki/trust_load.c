/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From files to a snapshot. In the order in which trust follows: operator CAs, the CIs that they
 * cross-certified, Cert_AU, the CIs' certificates for its issuer, EUMs, SubCAs; the revocation
 * lists of each tier before the next.
 */
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pki/issue.h"
#include "pki/trust_internal.h"

enum { FILES_MAX = 65536, PATH_SIZE = 4096 };

/* The files of one kind, in the order of their names. */
struct files {
	unsigned int n;
	char **paths;
};

/* A certificate read from a file, until it finds its place. */
struct loaded {
	const char *path;
	uint8_t *der; /* NULL: was taken over */
	struct pki_cert cert;
};

struct certificates {
	struct files files;
	unsigned int n;
	struct loaded *list;
};

/* A CRL that waits for its signer; read once, for it may be large. */
struct list_file {
	uint8_t *der; /* NULL: not read yet, or taken over */
	size_t n;
};

struct loader {
	const struct pki_trust_config *config;
	pki_report report;
	void *arg;
	struct trust_base *base;
	struct certificates operator_cas, crosses, cis, eums, aus;
	struct files keys, crls;
	struct list_file *lists; /* one each of crls */
	struct owned_issuer **trusted_eums;
	unsigned int n_trusted_eums;
};

static void say(struct loader *l, const char *file, bool accepted, const char *text)
{
	l->report(l->arg, file, accepted, text);
}

/* ---------------------------------------------------------------- files */

static void files_add(struct loader *l, struct files *f, const char *path)
{
	char **grown = realloc(f->paths, (f->n + 1) * sizeof(*grown));
	char *copy = strdup(path);

	if (grown)
		f->paths = grown;
	if (grown && copy) {
		f->paths[f->n++] = copy;
		return;
	}
	free(copy);
	say(l, path, false, "out of memory");
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n >= m && strcmp(name + n - m, suffix) == 0;
}

/* A file as it is; of a directory the files with the suffix. */
static void files_add_path(struct loader *l, struct files *f, const char *path, const char *suffix,
			   bool must_exist)
{
	char child[PATH_SIZE];
	struct stat st;
	DIR *d;

	if (stat(path, &st) != 0) {
		if (must_exist)
			say(l, path, false, "cannot be read");
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		files_add(l, f, path);
		return;
	}
	d = opendir(path);
	if (!d) {
		say(l, path, false, "the directory cannot be read");
		return;
	}
	unsigned int first = f->n;

	for (struct dirent *e = readdir(d); e && f->n < FILES_MAX; e = readdir(d))
		if (has_suffix(e->d_name, suffix) ||
		    (strcmp(suffix, ".crt") == 0 &&
		     (has_suffix(e->d_name, ".der") || has_suffix(e->d_name, ".pem")))) {
			snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
			files_add(l, f, child);
		}
	closedir(d);
	if (f->n > first)
		qsort(f->paths + first, f->n - first, sizeof(*f->paths), compare_names);
}

static void files_gather(struct loader *l, struct files *f, const char *folder, const char *suffix,
			 char *const *paths, unsigned int n)
{
	char path[PATH_SIZE];

	if (l->config->directory && folder) {
		snprintf(path, sizeof(path), "%s/%s", l->config->directory, folder);
		files_add_path(l, f, path, suffix, false);
	}
	for (unsigned int i = 0; i < n; i++)
		files_add_path(l, f, paths[i], suffix, true);
}

static void files_free(struct files *f)
{
	for (unsigned int i = 0; i < f->n; i++)
		free(f->paths[i]);
	free(f->paths);
}

static void certificates_read(struct loader *l, struct certificates *c)
{
	c->list = calloc(c->files.n ? c->files.n : 1, sizeof(*c->list));
	for (unsigned int i = 0; c->list && i < c->files.n; i++) {
		struct loaded *entry = &c->list[c->n];
		size_t n;

		entry->path = c->files.paths[i];
		entry->der = pki_file_read(entry->path, &n);
		if (!entry->der) {
			say(l, entry->path, false, "cannot be read, or neither DER nor PEM");
			continue;
		}
		enum pki_error e = pki_cert_parse(&entry->cert, span_make(entry->der, n));

		if (e != PKI_OK) {
			say(l, entry->path, false, pki_error_text(e));
			free(entry->der);
			entry->der = NULL;
			continue;
		}
		c->n++;
	}
}

static void certificates_free(struct certificates *c)
{
	for (unsigned int i = 0; i < c->n; i++)
		free(c->list[i].der);
	free(c->list);
	files_free(&c->files);
}

/* ---------------------------------------------------------------- who certifies whom */

static bool same_ca(const struct pki_cert *a, const struct pki_cert *b)
{
	return span_equal(a->subject, b->subject) && span_equal(a->ski, b->ski) &&
	       a->curve == b->curve && memcmp(a->public_key, b->public_key, CRYPTO_POINT_SIZE) == 0;
}

/* Role, link, signature and revocation at once. */
static enum pki_error check_link(const struct loader *l, const struct pki_cert *cert,
				 enum pki_role role, const struct pki_cert *issuer)
{
	enum pki_error e = pki_cert_check(cert, role, l->config->now);

	if (e == PKI_OK)
		e = pki_cert_issued_by(cert, issuer);
	if (e == PKI_OK)
		e = pki_cert_verify(cert, issuer);
	if (e == PKI_OK && trust_base_is_revoked(l->base, issuer->ski, cert->serial))
		e = PKI_REVOKED;
	return e;
}

static const struct pki_cert *find_operator_ca(const struct loader *l, const struct pki_cert *cert)
{
	for (unsigned int i = 0; i < l->operator_cas.n; i++) {
		const struct pki_cert *ca = &l->operator_cas.list[i].cert;

		if (l->operator_cas.list[i].der && span_equal(ca->subject, cert->issuer) &&
		    span_equal(ca->ski, cert->aki))
			return ca;
	}
	return NULL;
}

static void accept_operator_cas(struct loader *l)
{
	for (unsigned int i = 0; i < l->operator_cas.n; i++) {
		struct loaded *o = &l->operator_cas.list[i];
		enum pki_error e = pki_cert_check(&o->cert, PKI_ROLE_OPERATOR_CA, l->config->now);

		if (e == PKI_OK)
			e = pki_cert_verify(&o->cert, &o->cert);
		say(l, o->path, e == PKI_OK,
		    e == PKI_OK ? "operator CA: the root of this side" : pki_error_text(e));
		if (e != PKI_OK) {
			free(o->der);
			o->der = NULL;
		}
	}
}

/* A CI is trusted because an operator CA says so, in a cross-certificate for the same name and key.
 */
static const char *why_ci_not_trusted(struct loader *l, const struct pki_cert *ci)
{
	const char *why = "no operator CA has cross-certified this CI";

	for (unsigned int i = 0; i < l->crosses.n; i++) {
		const struct pki_cert *cross = &l->crosses.list[i].cert;
		const struct pki_cert *ca = find_operator_ca(l, cross);

		if (!ca || !same_ca(cross, ci))
			continue;
		enum pki_error e = check_link(l, cross, PKI_ROLE_CROSS, ca);

		if (e == PKI_OK)
			return NULL;
		why = pki_error_text(e);
	}
	return why;
}

static void accept_cis(struct loader *l)
{
	struct trust_base *b = l->base;

	b->cis = calloc(l->cis.n ? l->cis.n : 1, sizeof(struct owned_issuer *));
	for (unsigned int i = 0; b->cis && i < l->cis.n; i++) {
		struct loaded *ci = &l->cis.list[i];
		enum pki_error e = pki_cert_check(&ci->cert, PKI_ROLE_CI, l->config->now);

		if (e == PKI_OK)
			e = pki_cert_verify(&ci->cert, &ci->cert);
		const char *why =
			e == PKI_OK ? why_ci_not_trusted(l, &ci->cert) : pki_error_text(e);
		struct owned_issuer *issuer =
			why ? NULL : owned_issuer_create(ci->der, &ci->cert, NULL, b);

		if (issuer) {
			b->cis[b->n_cis++] = issuer;
			ci->der = NULL;
			say(l, ci->path, true, "GSMA CI, cross-certified by the operator CA");
		} else {
			say(l, ci->path, false, why ? why : pki_error_text(PKI_KEY));
		}
	}
}

static bool is_an_operator_ca(const struct loader *l, const struct pki_cert *cert)
{
	for (unsigned int i = 0; i < l->operator_cas.n; i++)
		if (l->operator_cas.list[i].der && same_ca(&l->operator_cas.list[i].cert, cert))
			return true;
	return false;
}

/* A UE verifies Cert_AU with the key of its cross-certificate: that of Cert_AU's own issuer. */
static bool has_issued_cert_au(const struct loader *l, const struct pki_cert *cert)
{
	for (unsigned int i = 0; i < CRYPTO_CURVE_N; i++) {
		const struct pki_cert *ca =
			l->base->has_au[i] ? find_operator_ca(l, &l->base->au[i].cert) : NULL;

		if (ca && same_ca(ca, cert))
			return true;
	}
	return false;
}

/* Reports both kinds of cross-certificates; keeps those that UEs are given. */
static void accept_crosses(struct loader *l)
{
	struct trust_base *b = l->base;

	b->crosses = calloc(l->crosses.n ? l->crosses.n : 1, sizeof(*b->crosses));
	for (unsigned int i = 0; b->crosses && i < l->crosses.n; i++) {
		struct loaded *x = &l->crosses.list[i];
		const struct pki_cert *ca = find_operator_ca(l, &x->cert);
		const struct pki_issuer *ci = trust_base_find_ci(b, x->cert.aki, x->cert.issuer);
		enum pki_error e = PKI_ISSUER_MISMATCH;

		if (ca)
			e = check_link(l, &x->cert, PKI_ROLE_CROSS, ca);
		else if (ci && is_an_operator_ca(l, &x->cert))
			e = check_link(l, &x->cert, PKI_ROLE_CROSS, &ci->cert);
		if (e != PKI_OK) {
			say(l, x->path, false,
			    e == PKI_ISSUER_MISMATCH ? "neither from a known operator CA nor from "
						       "a trusted CI for one"
						     : pki_error_text(e));
			continue;
		}
		if (!ca && !has_issued_cert_au(l, &x->cert)) {
			say(l, x->path, false,
			    "for an operator CA that has issued no Cert_AU in use here");
			continue;
		}
		say(l, x->path, true,
		    ca ? "cross-certificate of the operator CA for a CI"
		       : "cross-certificate of a CI for the operator CA: given to UEs");
		if (!ca) {
			b->crosses[b->n_crosses++] = (struct cross){x->cert, x->der};
			x->der = NULL;
		}
	}
}

/* The key that belongs to the certificate, among the key files. */
static bool find_private_key(struct loader *l, const struct pki_cert *cert, uint8_t scalar[32])
{
	uint8_t public_key[CRYPTO_POINT_SIZE];

	for (unsigned int i = 0; i < l->keys.n; i++) {
		struct issue_key *k = issue_key_read(l->keys.paths[i], cert->curve);

		if (!k)
			continue;
		issue_key_scalar(k, scalar);
		bool same =
			issue_key_curve(k) == cert->curve &&
			crypto_public_from_private(cert->curve, scalar, public_key) == CRYPTO_OK &&
			memcmp(public_key, cert->public_key, CRYPTO_POINT_SIZE) == 0;

		issue_key_free(k);
		if (same)
			return true;
	}
	wipe(scalar, 32);
	return false;
}

static void accept_aus(struct loader *l)
{
	struct trust_base *b = l->base;

	for (unsigned int i = 0; i < l->aus.n; i++) {
		struct loaded *au = &l->aus.list[i];
		const struct pki_cert *ca = find_operator_ca(l, &au->cert);
		struct pki_au *slot = &b->au[au->cert.curve];
		enum pki_error e =
			ca ? check_link(l, &au->cert, PKI_ROLE_AU, ca) : PKI_ISSUER_MISMATCH;
		const char *why = NULL;

		if (e != PKI_OK)
			why = ca ? pki_error_text(e) : "not issued by a known operator CA";
		else if (b->has_au[au->cert.curve])
			why = "a second Cert_AU on this curve: one is used";
		else if (!find_private_key(l, &au->cert, slot->private_key))
			why = "no private key file belongs to it";
		say(l, au->path, !why, why ? why : "Cert_AU, with its private key");
		if (why)
			continue;
		slot->cert = au->cert;
		b->has_au[au->cert.curve] = true;
		b->au_der[au->cert.curve] = au->der;
		au->der = NULL;
	}
}

/* ---------------------------------------------------------------- lists */

/* Everybody who may sign a CRL: CIs and operator CAs, and the EUMs that say so. */
static unsigned int crl_signers(struct loader *l, const struct pki_cert **signers)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < l->base->n_cis; i++)
		signers[n++] = &l->base->cis[i]->issuer.cert;
	for (unsigned int i = 0; i < l->operator_cas.n; i++)
		if (l->operator_cas.list[i].der)
			signers[n++] = &l->operator_cas.list[i].cert;
	for (unsigned int i = 0; i < l->n_trusted_eums; i++)
		signers[n++] = &l->trusted_eums[i]->issuer.cert;
	return n;
}

/* Each tier's lists come before the tier below, which they may revoke: this is called after every
 * tier, and a list whose signer is not known yet waits, but for the last time. */
static void accept_crls(struct loader *l, bool last)
{
	struct trust_base *b = l->base;
	const struct pki_cert **signers = calloc(
		b->n_cis + l->operator_cas.n + l->n_trusted_eums + 1, sizeof(struct pki_cert *));
	unsigned int n_signers = signers ? crl_signers(l, signers) : 0;

	if (!b->crls)
		b->crls = calloc(l->crls.n ? l->crls.n : 1, sizeof(struct crl *));
	if (!l->lists)
		l->lists = calloc(l->crls.n ? l->crls.n : 1, sizeof(*l->lists));
	for (unsigned int i = 0; b->crls && l->lists && i < l->crls.n; i++) {
		struct list_file *f = &l->lists[i];
		const char *why = "cannot be read";
		char text[96];

		if (!l->crls.paths[i])
			continue;
		if (!f->der)
			f->der = pki_file_read_with_rests(l->crls.paths[i], &f->n, l->config->rest);
		struct crl *c = f->der ? crl_load(f->der, f->n, signers, n_signers, l->config->now,
						  l->config->rest, &why)
				       : NULL;

		if (!c && why == crl_no_signer && !last)
			continue;
		if (!c)
			free(f->der);
		f->der = NULL;
		if (c) {
			b->crls[b->n_crls++] = c;
			snprintf(text, sizeof(text), "CRL with %zu entries%s", c->entries,
				 c->next_update < l->config->now ? "; " PKI_CRL_IS_OLD : "");
			why = text;
		}
		say(l, l->crls.paths[i], c != NULL, why);
		free(l->crls.paths[i]);
		l->crls.paths[i] = NULL;
	}
	free(signers);
}

/* False: it cannot be used. */
static bool accept_deny_list(struct loader *l, const char *path, struct deny_list **denied)
{
	char text[160];
	unsigned int line;
	const char *why;

	*denied = deny_list_load(path, &line, &why);
	if (*denied)
		snprintf(text, sizeof(text), "EID deny list with %zu ranges", (*denied)->n);
	else
		snprintf(text, sizeof(text), "line %u: %s; nobody is served until it is right",
			 line, why);
	say(l, path, *denied != NULL, text);
	return *denied != NULL;
}

/* The directory need not have one; one that is named must be there. */
static bool accept_deny_lists(struct loader *l)
{
	const struct pki_trust_config *c = l->config;
	char path[PATH_SIZE];
	struct stat st;
	bool ok = true;

	if (c->directory) {
		snprintf(path, sizeof(path), "%s/deny.txt", c->directory);
		if (stat(path, &st) == 0)
			ok = accept_deny_list(l, path, &l->base->denied[TRUST_DENIED_BY_DIRECTORY]);
	}
	if (c->eid_deny_list)
		ok &= accept_deny_list(l, c->eid_deny_list, &l->base->denied[TRUST_DENIED_BY_NAME]);
	return ok;
}

/* ---------------------------------------------------------------- EUMs */

static const struct pki_issuer *find_eum_of(const struct loader *l, const struct pki_cert *cert)
{
	for (unsigned int i = 0; i < l->n_trusted_eums; i++) {
		const struct pki_cert *eum = &l->trusted_eums[i]->issuer.cert;

		if (span_equal(eum->ski, cert->aki) && span_equal(eum->subject, cert->issuer))
			return &l->trusted_eums[i]->issuer;
	}
	return NULL;
}

/* Why an EUM is not trusted, or PKI_OK and it is taken over. */
static enum pki_error accept_eum(struct loader *l, struct loaded *e, enum pki_role role)
{
	const struct pki_issuer *parent =
		role == PKI_ROLE_EUM ? trust_base_find_ci(l->base, e->cert.aki, e->cert.issuer)
				     : find_eum_of(l, &e->cert);

	if (!parent)
		return PKI_UNKNOWN_CI;
	enum pki_error error = check_link(l, &e->cert, role, &parent->cert);

	if (error != PKI_OK)
		return error;
	struct owned_issuer *issuer = owned_issuer_create(e->der, &e->cert, parent, l->base);

	if (!issuer)
		return PKI_KEY;
	l->trusted_eums[l->n_trusted_eums++] = issuer;
	e->der = NULL;
	return PKI_OK;
}

/* EUMs under CIs, or SubCAs under EUMs. */
static void accept_eums(struct loader *l, enum pki_role role)
{
	if (!l->trusted_eums)
		l->trusted_eums = calloc(l->eums.n ? l->eums.n : 1, sizeof(struct owned_issuer *));
	for (unsigned int i = 0; l->trusted_eums && i < l->eums.n; i++) {
		struct loaded *e = &l->eums.list[i];
		bool subca = e->cert.policies & PKI_POLICY_SUBCA_V3;

		if (!e->der || subca != (role == PKI_ROLE_EUM_SUBCA))
			continue;
		enum pki_error error = accept_eum(l, e, role);

		say(l, e->path, error == PKI_OK,
		    error != PKI_OK ? pki_error_text(error)
		    : subca	    ? "EUM SubCA"
				    : "EUM");
	}
}

/* ---------------------------------------------------------------- the whole */

static void gather(struct loader *l)
{
	const struct pki_trust_config *c = l->config;
	char *const eum_directory = (char *)(uintptr_t)c->eum_directory;

	files_gather(l, &l->operator_cas.files, "operator-ca", ".crt", c->operator_cas,
		     c->n_operator_cas);
	files_gather(l, &l->crosses.files, "cross", ".crt", c->cross_certificates,
		     c->n_cross_certificates);
	files_gather(l, &l->cis.files, "ci", ".crt", c->cis, c->n_cis);
	files_gather(l, &l->eums.files, "eum", ".crt", &eum_directory, eum_directory ? 1 : 0);
	files_gather(l, &l->aus.files, "au", ".crt", c->au_certificates, c->n_au_certificates);
	files_gather(l, &l->keys, "au", ".key", c->au_keys, c->n_au_keys);
	files_gather(l, &l->crls, "crl", ".crl", c->crls, c->n_crls);
	certificates_read(l, &l->operator_cas);
	certificates_read(l, &l->crosses);
	certificates_read(l, &l->cis);
	certificates_read(l, &l->eums);
	certificates_read(l, &l->aus);
}

static bool usable(struct loader *l)
{
	const struct trust_base *b = l->base;
	const char *where = l->config->directory ? l->config->directory : "credentials";

	if (b->n_cis == 0)
		say(l, where, false, "no trusted CI is left: nobody could attach");
	else if (!b->has_au[CRYPTO_P256] && !b->has_au[CRYPTO_BRAINPOOLP256R1])
		say(l, where, false, "no usable Cert_AU is left: UEs would trust nobody");
	else
		return true;
	return false;
}

struct pki_trust *pki_trust_load(const struct pki_trust_config *config, pki_report report,
				 void *arg)
{
	struct loader l = {.config = config, .report = report, .arg = arg};
	struct pki_trust *t = NULL;

	l.base = calloc(1, sizeof(*l.base));
	if (!l.base)
		return NULL;
	l.base->references = 1;
	l.base->max_learned = config->max_learned_eums;
	l.base->key_table_octets = config->key_table_octets;
	if (config->crypto_backend)
		l.base->crypto_backend = strdup(config->crypto_backend);
	gather(&l);
	accept_operator_cas(&l);
	accept_crls(&l, false);
	accept_cis(&l);
	accept_crls(&l, false);
	accept_aus(&l);
	accept_crosses(&l);
	accept_eums(&l, PKI_ROLE_EUM);
	accept_crls(&l, false);
	accept_eums(&l, PKI_ROLE_EUM_SUBCA);
	accept_crls(&l, true);
	bool lists = accept_deny_lists(&l);

	if (usable(&l) && lists)
		t = trust_create(l.base, l.trusted_eums, l.n_trusted_eums, 0);
	for (unsigned int i = 0; i < l.n_trusted_eums; i++)
		owned_issuer_release(l.trusted_eums[i]);
	free(l.trusted_eums);
	certificates_free(&l.operator_cas);
	certificates_free(&l.crosses);
	certificates_free(&l.cis);
	certificates_free(&l.eums);
	certificates_free(&l.aus);
	files_free(&l.keys);
	for (unsigned int i = 0; l.lists && i < l.crls.n; i++)
		free(l.lists[i].der);
	free(l.lists);
	files_free(&l.crls);
	trust_base_release(l.base);
	return t;
}
