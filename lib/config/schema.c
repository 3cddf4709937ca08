/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The keys of the file and where each goes. Ranges and defaults of numbers and durations stand in
 * one table each; what a key means is said in the commented files of apps/cpau/conf/.
 */
#include <stdio.h>

#include "config/internal.h"
#include "net/net.h"

enum { STRING_MAX = 4096, TEXT_MAX = 255 };

/* X(key, member, least, most, preset, unit) */
#define TOP_NUMBERS(X)                               \
	X("udp-port", udp_port, 1, 65535, 38480, "") \
	X("mbufs", mbufs, 1024, 16777216, 32768, " buffers")
#define CREDENTIALS_NUMBERS(X) \
	X("max-learned-eums", credentials.max_learned_eums, 0, 65536, 1024, " EUMs")
#define CRYPTO_NUMBERS(X) X("key-table-kib", key_table_kib, 52, 832, 256, " KiB")
#define UE_NUMBERS(X)                                                \
	X("max", ue.max, 1, 16777216, 131072, " UEs")                \
	X("max-half-open", ue.max_half_open, 1, 16777216, 0, " UEs") \
	X("jobs", ue.jobs, 256, 1048576, 8192, " jobs")              \
	X("key-multiples", ue.key_multiples, 0, 1048576, 8192, " UEs")
#define TIMERS_NUMBERS(X)                                                      \
	X("t3560-retries", timers.t3560_retries, 0, 10, 4, " retransmissions") \
	X("t3522-retries", timers.t3522_retries, 0, 10, 4, " retransmissions") \
	X("t3550-retries", timers.t3550_retries, 0, 10, 4, " retransmissions") \
	X("tan-retries", timers.tan_retries, 0, 10, 4, " retransmissions")
#define SESSION_NUMBERS(X)                                              \
	X("ambr-kbps", session.ambr_kbps, 1, 65535000, 1000, " kbit/s") \
	X("packets-per-s", session.packets_per_s, 0, 10000000, 0, " packets a second (0: no limit)")
#define PORT_NUMBERS(X)                                                      \
	X("vlan", vlan, 0, 4094, 0, " (0: untagged)")                        \
	X("mtu", mtu, 576, NET_MTU_MAX, 1500, " octets")                     \
	X("rx-queues", rx_queues, 0, 128, 0, " (0: one a reader)")           \
	X("rx-descriptors", rx_descriptors, 64, 32768, 1024, " descriptors") \
	X("tx-descriptors", tx_descriptors, 64, 32768, 1024, " descriptors")
#define AN_NUMBERS(X)	 X("count", count, 1, 65535, 1, " access nodes")
#define LCORE_NUMBERS(X) X("lcore", lcore, 0, CONFIG_LCORES_MAX - 1, 0, " (EAL's lcore id)")

#define NUMBER(prefix, type, key, member, least, most, preset, unit) \
	{prefix key, offsetof(type, member), least, most, preset, unit},

const struct config_number config_numbers[] = {
#define X(...) NUMBER("", struct config, __VA_ARGS__)
	TOP_NUMBERS(X)
#undef X
#define X(...) NUMBER("credentials.", struct config, __VA_ARGS__)
		CREDENTIALS_NUMBERS(X)
#undef X
#define X(...) NUMBER("crypto.", struct config, __VA_ARGS__)
			CRYPTO_NUMBERS(X)
#undef X
#define X(...) NUMBER("ue.", struct config, __VA_ARGS__)
				UE_NUMBERS(X)
#undef X
#define X(...) NUMBER("timers.", struct config, __VA_ARGS__)
					TIMERS_NUMBERS(X)
#undef X
#define X(...) NUMBER("session.", struct config, __VA_ARGS__)
						SESSION_NUMBERS(X)
#undef X
#define X(...) NUMBER("ports[].", struct config_port, __VA_ARGS__)
							PORT_NUMBERS(X)
#undef X
#define X(...) NUMBER("access-nodes[].", struct config_an, __VA_ARGS__)
								AN_NUMBERS(X)
#undef X
#define X(...) NUMBER("lcores[].", struct config_lcore, __VA_ARGS__)
									LCORE_NUMBERS(X)
#undef X
};
const unsigned int config_numbers_n = CYAML_ARRAY_LEN(config_numbers);

const struct config_duration config_durations[] = {
#define X(name, key, member, unit, least, most, preset) \
	{"timers." key,                                 \
	 offsetof(struct document, durations.name),     \
	 offsetof(struct document, config.member),      \
	 unit,                                          \
	 least,                                         \
	 most,                                          \
	 preset},
	CONFIG_DURATIONS(X)
#undef X
};
const unsigned int config_durations_n = CYAML_ARRAY_LEN(config_durations);

/* ---------------------------------------------------------------- libcyaml's view */

enum { OPTIONAL = CYAML_FLAG_OPTIONAL, REQUIRED = CYAML_FLAG_DEFAULT };

#define TEXT(key, flags, type, member) \
	CYAML_FIELD_STRING_PTR(key, (flags) | CYAML_FLAG_POINTER, type, member, 1, STRING_MAX)
#define LIST(key, flags, type, member, count, entry, least, most) \
	CYAML_FIELD_SEQUENCE_COUNT(key, flags, type, member, count, &(entry), least, most)
#define PATHS(key, member, count)                                                   \
	LIST(key, OPTIONAL | CYAML_FLAG_POINTER, struct config, credentials.member, \
	     credentials.count, text, 0, TEXT_MAX)
#define OPTIONAL_NUMBER(type, key, member) CYAML_FIELD_UINT(key, OPTIONAL, type, member),
/* A mapping whose members have no struct type of their own: their offsets are those in *type. */
#define SECTION(key_, flags_, type, fields_)                       \
	{                                                          \
		.key = (key_), .data_offset = 0, .value = {        \
			CYAML_VALUE_MAPPING(flags_, type, fields_) \
		}                                                  \
	}

#define X(key, member, ...) OPTIONAL_NUMBER(struct config, key, member)

static const cyaml_schema_value_t text = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, STRING_MAX)};

static const cyaml_strval_t stage_names[] = {{"worker", CONFIG_STAGE_WORKER},
					     {"crypto", CONFIG_STAGE_CRYPTO},
					     {"control", CONFIG_STAGE_CONTROL},
					     {"gate", CONFIG_STAGE_GATE}};
static const cyaml_schema_value_t stage = {
	CYAML_VALUE_ENUM(CYAML_FLAG_STRICT, enum config_stage, stage_names, CONFIG_STAGE_KINDS)};

static const cyaml_strval_t serves_names[] = {
	{"an", CONFIG_SERVES_AN}, {"n3", CONFIG_SERVES_N3}, {"n6", CONFIG_SERVES_N6}};

static const cyaml_strval_t nia_names[] = {{"nia0", 0}, {"nia1", 1}, {"nia2", 2}, {"nia3", 3}};
static const cyaml_schema_value_t nia = {
	CYAML_VALUE_ENUM(CYAML_FLAG_STRICT, uint8_t, nia_names, 4)};
static const cyaml_strval_t nea_names[] = {{"nea0", 0}, {"nea1", 1}, {"nea2", 2}, {"nea3", 3}};
static const cyaml_schema_value_t nea = {
	CYAML_VALUE_ENUM(CYAML_FLAG_STRICT, uint8_t, nea_names, 4)};

static const cyaml_schema_field_t plmn_fields[] = {TEXT("mcc", REQUIRED, struct config, mcc),
						   TEXT("mnc", REQUIRED, struct config, mnc),
						   CYAML_FIELD_END};

static const cyaml_schema_field_t lcore_fields[] = {
	CYAML_FIELD_UINT("lcore", REQUIRED, struct config_lcore, lcore),
	LIST("stages", REQUIRED, struct config_lcore, stages, n_stages, stage, 1,
	     CONFIG_STAGES_MAX),
	CYAML_FIELD_END};
static const cyaml_schema_value_t lcore = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_lcore, lcore_fields)};

#undef X
#define X(key, member, ...) OPTIONAL_NUMBER(struct config_port, key, member)
static const cyaml_schema_field_t port_fields[] = {
	TEXT("device", REQUIRED, struct config_port, device),
	TEXT("vdev", OPTIONAL, struct config_port, vdev),
	TEXT("ipv4", OPTIONAL, struct config_port, ipv4),
	TEXT("ipv6", OPTIONAL, struct config_port, ipv6),
	CYAML_FIELD_FLAGS("serves", OPTIONAL | CYAML_FLAG_STRICT, struct config_port, serves,
			  serves_names, 3),
	TEXT("gateway-ipv4", OPTIONAL, struct config_port, gateway_ipv4),
	TEXT("gateway-ipv6", OPTIONAL, struct config_port, gateway_ipv6),
	PORT_NUMBERS(X) CYAML_FIELD_BOOL("promiscuous", OPTIONAL, struct config_port, promiscuous),
	CYAML_FIELD_END};
static const cyaml_schema_value_t port = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_port, port_fields)};

#undef X
#define X(key, member, ...) OPTIONAL_NUMBER(struct config_an, key, member)
static const cyaml_schema_field_t an_fields[] = {
	TEXT("name", REQUIRED, struct config_an, name),
	TEXT("address", REQUIRED, struct config_an, address),
	TEXT("n3-address", OPTIONAL, struct config_an, n3_address),
	TEXT("key-file", REQUIRED, struct config_an, key_file), AN_NUMBERS(X) CYAML_FIELD_END};
static const cyaml_schema_value_t an = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_an, an_fields)};

#undef X
#define X(key, member, ...) OPTIONAL_NUMBER(struct config, key, member)
static const cyaml_schema_field_t credentials_fields[] = {
	TEXT("directory", OPTIONAL, struct config, credentials.directory),
	PATHS("operator-cas", operator_cas, n_operator_cas),
	PATHS("cross-certificates", cross_certificates, n_cross_certificates),
	PATHS("cis", cis, n_cis),
	TEXT("eum-directory", OPTIONAL, struct config, credentials.eum_directory),
	PATHS("au-certificates", au_certificates, n_au_certificates),
	PATHS("au-keys", au_keys, n_au_keys),
	PATHS("crls", crls, n_crls),
	TEXT("eid-deny-list", OPTIONAL, struct config, credentials.eid_deny_list),
	CREDENTIALS_NUMBERS(X) CYAML_FIELD_END};

static const cyaml_schema_field_t crypto_fields[] = {
	TEXT("backend", OPTIONAL, struct config, crypto_backend),
	CRYPTO_NUMBERS(X) CYAML_FIELD_END};

static const cyaml_schema_field_t nas_fields[] = {
	LIST("integrity", OPTIONAL, struct config, nas.nia, nas.n_nia, nia, 1, 3),
	LIST("ciphering", OPTIONAL, struct config, nas.nea, nas.n_nea, nea, 1, 4), CYAML_FIELD_END};

static const cyaml_schema_field_t ue_fields[] = {UE_NUMBERS(X) CYAML_FIELD_END};

static const cyaml_schema_field_t session_fields[] = {
	TEXT("dnn", OPTIONAL, struct config, session.dnn),
	TEXT("pool", OPTIONAL, struct config, session.pool),
	TEXT("pool-ipv6", OPTIONAL, struct config, session.pool_ipv6),
	TEXT("dns", REQUIRED, struct config, session.dns),
	TEXT("dns-ipv6", OPTIONAL, struct config, session.dns_ipv6),
	LIST("allow", OPTIONAL | CYAML_FLAG_POINTER, struct config, session.allow, session.n_allow,
	     text, 0, TEXT_MAX),
	TEXT("smdp-fqdn", REQUIRED, struct config, session.smdp_fqdn),
	TEXT("smdp-address", REQUIRED, struct config, session.smdp_address),
	SESSION_NUMBERS(X) CYAML_FIELD_END};

static const cyaml_schema_field_t timers_fields[] = {
#undef X
#define X(key, member, ...) OPTIONAL_NUMBER(struct document, key, config.member)
	TIMERS_NUMBERS(X)
#undef X
#define X(name, key, ...) TEXT(key, OPTIONAL, struct document, durations.name),
		CONFIG_DURATIONS(X)
#undef X
			CYAML_FIELD_END};

#define X(key, member, ...) OPTIONAL_NUMBER(struct config, key, member)
static const cyaml_schema_field_t top_fields[] = {
	TEXT("name", OPTIONAL, struct config, name),
	SECTION("plmn", REQUIRED, struct config, plmn_fields),
	LIST("eal", OPTIONAL, struct config, eal_args, n_eal_args, text, 0, CONFIG_EAL_ARGS_MAX),
	LIST("lcores", REQUIRED, struct config, lcores, n_lcores, lcore, 1, CONFIG_LCORES_MAX),
	LIST("ports", REQUIRED, struct config, ports, n_ports, port, 1, CONFIG_PORTS_MAX),
	LIST("access-nodes", CYAML_FLAG_POINTER, struct config, ans, n_ans, an, 1, CONFIG_ANS_MAX),
	SECTION("credentials", REQUIRED, struct config, credentials_fields),
	SECTION("crypto", OPTIONAL, struct config, crypto_fields),
	SECTION("nas", OPTIONAL, struct config, nas_fields),
	SECTION("ue", OPTIONAL, struct config, ue_fields),
	SECTION("timers", OPTIONAL, struct document, timers_fields),
	SECTION("session", REQUIRED, struct config, session_fields),
	TOP_NUMBERS(X) CYAML_FIELD_END};
#undef X

const cyaml_schema_value_t config_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct document, top_fields)};

/* ---------------------------------------------------------------- what may stand where */

/* The value below the first component of the path, which may be "key" or "key[n]". */
static const cyaml_schema_value_t *descend(const cyaml_schema_value_t *value, const char *path)
{
	while (value && *path) {
		size_t n = strcspn(path, ".[");
		const cyaml_schema_field_t *field;

		if (value->type != CYAML_MAPPING)
			return NULL;
		for (field = value->mapping.fields; field->key; field++)
			if (strlen(field->key) == n && strncmp(field->key, path, n) == 0)
				break;
		if (!field->key)
			return NULL;
		value = &field->value;
		path += n;
		if (*path == '[') {
			if (value->type != CYAML_SEQUENCE)
				return NULL;
			value = value->sequence.entry;
			path += strcspn(path, "]");
			path += *path == ']';
		}
		path += *path == '.';
	}
	return value;
}

static void list(char *text_out, size_t size, const char *name)
{
	size_t n = strlen(text_out);

	snprintf(text_out + n, size - n, "%s%s", n ? ", " : "", name);
}

void config_schema_expected(const char *path, char *out, size_t size)
{
	const cyaml_schema_value_t *value = descend(&config_schema, path);

	out[0] = '\0';
	if (!value)
		return;
	if (value->type == CYAML_MAPPING)
		for (const cyaml_schema_field_t *f = value->mapping.fields; f->key; f++)
			list(out, size, f->key);
	else if (value->type == CYAML_ENUM || value->type == CYAML_FLAGS)
		for (uint32_t i = 0; i < value->enumeration.count; i++)
			list(out, size, value->enumeration.strings[i].str);
	else if (value->type == CYAML_SEQUENCE)
		snprintf(out, size, "a list, [a, b] or one \"- \" a line, of %u to %u",
			 value->sequence.min, value->sequence.max);
	else if (value->type == CYAML_STRING)
		snprintf(out, size, "a text");
}
