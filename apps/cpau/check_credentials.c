/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The trust store is loaded as at start; then what is about to expire, and who may read the keys.
 */
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "check_internal.h"
#include "crypto/crypto.h"
#include "sec/sec.h"
#include "trust_config.h"

enum { DAY = 86400, WARN_DAYS = 30, NAMED_MAX = 40 };

struct report {
	struct check *check;
	int64_t now;
	unsigned int unnamed; /* accepted, far from expiry, and too many to name */
};

static bool is_certificate(const char *file, struct pki_cert *cert, uint8_t **der)
{
	size_t n;

	*der = pki_file_read(file, &n);
	return *der && pki_cert_parse(cert, span_make(*der, n)) == PKI_OK;
}

static void on_file(void *arg, const char *file, bool accepted, const char *text)
{
	struct report *r = arg;
	struct pki_cert cert;
	uint8_t *der;
	char date[32] = "";

	if (!accepted) {
		check_warn(r->check,
			   "cpau-pki check FILE says which rule it breaks; it is left out",
			   "%s: %s", file, text);
		return;
	}
	if (!is_certificate(file, &cert, &der)) {
		if (strstr(text, PKI_CRL_IS_OLD))
			check_warn(r->check, "put the current list in its place and send SIGHUP",
				   "%s: %s", file, text);
		else
			check_ok(r->check, "%s: %s", file, text);
		free(der);
		return;
	}
	int64_t days = (cert.not_after - r->now) / DAY;
	time_t not_after = (time_t)cert.not_after;
	struct tm tm;

	free(der);
	if (gmtime_r(&not_after, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	if (days < WARN_DAYS)
		check_warn(r->check, "have it issued again, put it in its place and send SIGHUP",
			   "%s: %s; expires %s, in %lld days", file, text, date, (long long)days);
	else if (r->check->ok < NAMED_MAX)
		check_ok(r->check, "%s: %s; expires %s, in %lld days", file, text, date,
			 (long long)days);
	else
		r->unnamed++;
}

static void check_trust(struct check *c)
{
	struct report r = {.check = c, .now = time(NULL)};
	const struct pki_trust_config config = trust_config(c->config, r.now);
	struct pki_trust *t = pki_trust_load(&config, on_file, &r);

	if (r.unnamed)
		check_ok(c, "%u further certificates", r.unnamed);
	if (!t)
		check_fail(c,
			   "cpau-pki init --dir DIR makes what is needed; the lines above say what "
			   "is wrong",
			   "no UE could attach with these credentials (%s)",
			   config.directory ? config.directory : "as listed");
	pki_trust_free(t);
}

/* Others who can read a key can pretend to be us. */
static void check_key_mode(struct check *c, const char *path)
{
	char remedy[512];
	struct stat st;

	if (stat(path, &st) != 0 || (st.st_mode & (S_IRWXG | S_IRWXO)) == 0)
		return;
	snprintf(remedy, sizeof(remedy), "chmod 600 %s", path);
	check_warn(c, remedy, "%s: a key that others than its owner may read (mode %03o)", path,
		   st.st_mode & 0777);
}

static void check_key_modes(struct check *c)
{
	const struct config *config = c->config;
	unsigned int before = c->warn;
	char pattern[4096];
	glob_t found;

	for (unsigned int i = 0; i < config->n_ans; i++) {
		bool seen = false;

		for (unsigned int j = 0; j < i && !seen; j++)
			seen = strcmp(config->ans[i].key_file, config->ans[j].key_file) == 0;
		if (!seen)
			check_key_mode(c, config->ans[i].key_file);
	}
	for (unsigned int i = 0; i < config->credentials.n_au_keys; i++)
		check_key_mode(c, config->credentials.au_keys[i]);
	if (config->credentials.directory) {
		snprintf(pattern, sizeof(pattern), "%s/au/*.key", config->credentials.directory);
		if (glob(pattern, 0, NULL, &found) == 0) {
			for (size_t i = 0; i < found.gl_pathc; i++)
				check_key_mode(c, found.gl_pathv[i]);
			globfree(&found);
		}
	}
	if (c->warn == before)
		check_ok(c, "private keys are readable by their owner alone");
}

/* The CPU decides which arithmetic runs. */
static void check_libraries(struct check *c)
{
	const char *why;
	struct crypto *crypto = crypto_create(c->config->crypto_backend, -1, &why);
	struct sec *sec;

	if (crypto)
		check_ok(c, "public-key backend %s (%s)", crypto_backend_name(crypto),
			 crypto_backend_reason(crypto));
	else
		check_fail(c, "give crypto.backend: auto", "public-key backend %s: %s",
			   c->config->crypto_backend, why);
	crypto_destroy(crypto);
	sec = sec_create(&why);
	if (sec)
		check_ok(c, "NAS ciphers by intel-ipsec-mb (%s)", sec_arch_name(sec));
	else
		check_fail(c, "install libipsec-mb1; the CPU must have SSE4.2 and AES-NI",
			   "intel-ipsec-mb: %s", why);
	sec_destroy(sec);
}

void check_credentials(struct check *c)
{
	check_trust(c);
	check_key_modes(c);
	check_libraries(c);
}
