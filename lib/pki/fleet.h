/* SPDX-License-Identifier: BSD-3-Clause
 *
 * fleet: many devices of one EUM in one mappable file: what a generator needs to be each of them.
 *
 * Little-endian. Header, 128 octets: magic "CPAUFLT1", curve (4), entry size (4), count (8), offset
 * of the entries (8), file size (8), from octet 40 on offset and length (4 + 4) of Cert_EUM,
 * Cert_EUM_SubCA and Cert_CI, zeros. Entry, 64 octets: EID (16), private key (32), offset (8) and
 * length (4) of Cert_eUICC, zeros (4). Certificates are DER. The file holds private keys: it is
 * made 0600.
 *
 * Configuration time; a struct fleet is constant afterwards and may be read by every thread.
 */
#ifndef CPAU_PKI_FLEET_H
#define CPAU_PKI_FLEET_H

#include "base/base.h"
#include "crypto/crypto.h"

struct fleet;

struct fleet_device {
	struct span cert_euicc;
	const uint8_t *eid;	    /* 16 octets */
	const uint8_t *private_key; /* 32 octets */
};

/* Maps the file and checks every offset that does not depend on a device. NULL: *why is a constant
 * sentence (errno may say more). */
struct fleet *fleet_open(const char *path, const char **why);
void fleet_close(struct fleet *f);
uint64_t fleet_count(const struct fleet *f);
enum crypto_curve fleet_curve(const struct fleet *f);
struct span fleet_cert_eum(const struct fleet *f);
struct span fleet_cert_subca(const struct fleet *f); /* n = 0: none */
struct span fleet_cert_ci(const struct fleet *f);
/* False: no such device, or its entry points outside the file. */
bool fleet_device_get(const struct fleet *f, uint64_t i, struct fleet_device *out);

/* ---- writing ---- */

struct fleet_writer;

/* Creates the file (0600; an existing one is replaced) with room for count devices. NULL: errno. */
struct fleet_writer *fleet_writer_open(const char *path, enum crypto_curve curve, uint64_t count,
				       struct span cert_eum, struct span cert_subca,
				       struct span cert_ci);
/* The next device. False: errno, or more devices than announced. */
bool fleet_writer_add(struct fleet_writer *w, const uint8_t eid[16],
		      const uint8_t private_key[CRYPTO_SCALAR_SIZE], struct span cert_euicc);
/* Finishes the file; frees w. False: it is not complete (errno, or devices are missing). */
bool fleet_writer_close(struct fleet_writer *w);

#endif
