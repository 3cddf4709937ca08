/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The context of lib/sec, for the files of this module only.
 */
#ifndef CPAU_SEC_INTERNAL_H
#define CPAU_SEC_INTERNAL_H

#include <intel-ipsec-mb.h>

#include "sec/sec.h"

struct sec {
	IMB_MGR *mgr;
	void *snow3g_schedule; /* for the key of the message at hand */
	/* AES-128 for encryption alone: the manager's own makes the decryption's keys too. */
	void (*expand_key)(const void *key, void *expanded);
};

#endif
