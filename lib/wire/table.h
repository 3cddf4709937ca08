/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lookup in the message table, for the codec of this module only.
 */
#ifndef CPAU_WIRE_TABLE_H
#define CPAU_WIRE_TABLE_H

#include "wire/wire.h"

enum wire_class { WIRE_CLASS_RECORD, WIRE_CLASS_5GMM, WIRE_CLASS_5GSM, WIRE_CLASS_N };

/* NULL when no such message is defined. One load; any thread. */
const struct wire_message_definition *wire_definition(enum wire_class class, uint8_t type);

#endif
