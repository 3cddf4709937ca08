/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pki/fleet.h"

static const char MAGIC[8] = "CPAUFLT1";
enum {
	HEADER_SIZE = 128,
	ENTRY_SIZE = 64,
	SHARED_N = 3, /* EUM, SubCA, CI */
	OFFSET_SHARED = 40,
};

struct fleet {
	const uint8_t *map;
	size_t size;
	uint64_t count;
	uint64_t entries;
	enum crypto_curve curve;
	struct span shared[SHARED_N];
};

static uint64_t load_le(const uint8_t *p, unsigned int n)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static void store_le(uint8_t *p, uint64_t v, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* A run of the file, or false when it lies outside. */
static bool run_at(const struct fleet *f, uint64_t offset, uint64_t n, struct span *out)
{
	if (offset > f->size || n > f->size - offset)
		return false;
	*out = span_make(f->map + offset, n);
	return true;
}

static const char *check_header(struct fleet *f)
{
	const uint8_t *h = f->map;

	if (memcmp(h, MAGIC, sizeof(MAGIC)) != 0)
		return "not a fleet file (made by `cpau-pki fleet`)";
	if (load_le(h + 8, 4) >= CRYPTO_CURVE_N || load_le(h + 12, 4) != ENTRY_SIZE)
		return "a fleet file of another version";
	f->curve = (enum crypto_curve)load_le(h + 8, 4);
	f->count = load_le(h + 16, 8);
	f->entries = load_le(h + 24, 8);
	if (load_le(h + 32, 8) != f->size)
		return "the fleet file is cut short: make it again";
	if (f->entries > f->size || f->count > (f->size - f->entries) / ENTRY_SIZE)
		return "the fleet file announces more devices than it holds";
	for (unsigned int i = 0; i < SHARED_N; i++) {
		const uint8_t *p = h + OFFSET_SHARED + (size_t)i * 8;

		if (!run_at(f, load_le(p, 4), load_le(p + 4, 4), &f->shared[i]))
			return "a shared certificate lies outside the fleet file";
	}
	return NULL;
}

struct fleet *fleet_open(const char *path, const char **why)
{
	struct fleet *f = calloc(1, sizeof(*f));
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*why = "cannot be read";
	if (!f || fd < 0 || fstat(fd, &st) != 0)
		goto fail;
	*why = "not a fleet file: too short";
	if (st.st_size < HEADER_SIZE)
		goto fail;
	f->size = (size_t)st.st_size;
	f->map = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, fd, 0);
	*why = "cannot be mapped";
	if (f->map == MAP_FAILED) {
		f->map = NULL;
		goto fail;
	}
	*why = check_header(f);
	if (*why)
		goto fail;
	close(fd);
	return f;
fail:
	if (fd >= 0)
		close(fd);
	fleet_close(f);
	return NULL;
}

void fleet_close(struct fleet *f)
{
	if (!f)
		return;
	if (f->map)
		munmap((void *)(uintptr_t)f->map, f->size);
	free(f);
}

uint64_t fleet_count(const struct fleet *f)
{
	return f->count;
}

enum crypto_curve fleet_curve(const struct fleet *f)
{
	return f->curve;
}

struct span fleet_cert_eum(const struct fleet *f)
{
	return f->shared[0];
}

struct span fleet_cert_subca(const struct fleet *f)
{
	return f->shared[1];
}

struct span fleet_cert_ci(const struct fleet *f)
{
	return f->shared[2];
}

bool fleet_device_get(const struct fleet *f, uint64_t i, struct fleet_device *out)
{
	if (i >= f->count)
		return false;
	const uint8_t *entry = f->map + f->entries + i * ENTRY_SIZE;

	out->eid = entry;
	out->private_key = entry + 16;
	return run_at(f, load_le(entry + 48, 8), load_le(entry + 56, 4), &out->cert_euicc);
}

/* ---------------------------------------------------------------- writing */

struct fleet_writer {
	FILE *file;
	uint64_t count, added;
	uint64_t next; /* offset of the next certificate */
	uint8_t *entries;
	uint8_t header[HEADER_SIZE];
};

static bool append(struct fleet_writer *w, struct span s)
{
	w->next += s.n;
	return s.n == 0 || fwrite(s.p, s.n, 1, w->file) == 1;
}

struct fleet_writer *fleet_writer_open(const char *path, enum crypto_curve curve, uint64_t count,
				       struct span cert_eum, struct span cert_subca,
				       struct span cert_ci)
{
	struct fleet_writer *w = calloc(1, sizeof(*w));
	const struct span shared[SHARED_N] = {cert_eum, cert_subca, cert_ci};

	if (!w)
		return NULL;
	/* The header gives the shared certificates, which follow the entries, 32-bit offsets. */
	size_t shared_size = cert_eum.n + cert_subca.n + cert_ci.n;

	if (shared_size > UINT32_MAX / 2 || count > (UINT32_MAX / 2 - HEADER_SIZE) / ENTRY_SIZE) {
		free(w);
		errno = EFBIG;
		return NULL;
	}
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	w->count = count;
	w->entries = calloc(count ? count : 1, ENTRY_SIZE);
	w->file = fd >= 0 ? fdopen(fd, "wb") : NULL;
	if (!w->entries || !w->file ||
	    fseeko(w->file, (off_t)(HEADER_SIZE + count * ENTRY_SIZE), SEEK_SET) != 0)
		goto fail;
	memcpy(w->header, MAGIC, sizeof(MAGIC));
	store_le(w->header + 8, curve, 4);
	store_le(w->header + 12, ENTRY_SIZE, 4);
	store_le(w->header + 16, count, 8);
	store_le(w->header + 24, HEADER_SIZE, 8);
	w->next = HEADER_SIZE + count * ENTRY_SIZE;
	for (unsigned int i = 0; i < SHARED_N; i++) {
		store_le(w->header + OFFSET_SHARED + (size_t)i * 8, w->next, 4);
		store_le(w->header + OFFSET_SHARED + (size_t)i * 8 + 4, shared[i].n, 4);
		if (!append(w, shared[i]))
			goto fail;
	}
	return w;
fail:
	if (w->file)
		fclose(w->file);
	else if (fd >= 0)
		close(fd);
	free(w->entries);
	free(w);
	return NULL;
}

bool fleet_writer_add(struct fleet_writer *w, const uint8_t eid[16],
		      const uint8_t private_key[CRYPTO_SCALAR_SIZE], struct span cert_euicc)
{
	if (w->added == w->count) {
		errno = EOVERFLOW;
		return false;
	}
	uint8_t *entry = w->entries + w->added++ * ENTRY_SIZE;

	memcpy(entry, eid, 16);
	memcpy(entry + 16, private_key, CRYPTO_SCALAR_SIZE);
	store_le(entry + 48, w->next, 8);
	store_le(entry + 56, cert_euicc.n, 4);
	return append(w, cert_euicc);
}

bool fleet_writer_close(struct fleet_writer *w)
{
	store_le(w->header + 32, w->next, 8);
	bool ok = w->added == w->count && fseeko(w->file, 0, SEEK_SET) == 0 &&
		  fwrite(w->header, HEADER_SIZE, 1, w->file) == 1 &&
		  (w->count == 0 || fwrite(w->entries, ENTRY_SIZE, w->count, w->file) == w->count);

	ok = fclose(w->file) == 0 && ok;
	wipe(w->entries, w->count * ENTRY_SIZE);
	free(w->entries);
	free(w);
	return ok;
}
