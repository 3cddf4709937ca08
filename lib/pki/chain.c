/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The rules of each tier, and of each link between two.
 */
#include "pki/pki.h"

static enum pki_error check_validity(const struct pki_cert *c, int64_t now)
{
	if (now < c->not_before)
		return PKI_NOT_YET_VALID;
	return now > c->not_after ? PKI_EXPIRED : PKI_OK;
}

/* SGP.29 4.2: the 32 digits, read as a number, are 1 modulo 97. */
static bool eid_check(const uint8_t eid[16])
{
	unsigned int remainder = 0;

	for (unsigned int i = 0; i < 16; i++)
		remainder = (remainder * 100 + (eid[i] >> 4) * 10u + (eid[i] & 0x0f)) % 97;
	return remainder == 1;
}

static bool may_sign_certificates(const struct pki_cert *c)
{
	return c->ca && c->has_key_usage && c->key_usage & PKI_USAGE_KEY_CERT_SIGN;
}

/* An end entity signs data and no certificates; it has no basicConstraints (SGP.22 4.5.2.1.0.3), or
 * says that it is none. */
static bool is_end_entity(const struct pki_cert *c)
{
	return !c->ca && c->has_key_usage && c->key_usage == PKI_USAGE_DIGITAL_SIGNATURE;
}

static enum pki_error check_euicc(const struct pki_cert *c)
{
	if (!(c->policies & (PKI_POLICY_EUICC_O | PKI_POLICY_EUICC_V3)))
		return PKI_POLICY;
	if (!is_end_entity(c) || c->has_basic_constraints)
		return PKI_USAGE;
	if (!c->has_eid)
		return PKI_EID;
	return eid_check(c->eid) ? PKI_OK : PKI_EID_CHECK;
}

enum pki_error pki_cert_check(const struct pki_cert *c, enum pki_role role, int64_t now)
{
	uint16_t policy = 0;
	enum pki_error e = check_validity(c, now);

	if (e != PKI_OK)
		return e;
	switch (role) {
	case PKI_ROLE_EUICC:
		return check_euicc(c);
	case PKI_ROLE_AU:
		return is_end_entity(c) ? PKI_OK : PKI_USAGE;
	case PKI_ROLE_CI:
		policy = PKI_POLICY_CI;
		break;
	case PKI_ROLE_EUM:
		policy = PKI_POLICY_EUM_O | PKI_POLICY_EUM_V3;
		break;
	case PKI_ROLE_EUM_SUBCA:
		policy = PKI_POLICY_SUBCA_V3;
		break;
	case PKI_ROLE_OPERATOR_CA:
	case PKI_ROLE_CROSS:
		break;
	}
	if (policy && !(c->policies & policy))
		return PKI_POLICY;
	if (!may_sign_certificates(c) || c->ski.n == 0)
		return PKI_USAGE;
	/* An EUM that names no EIDs could issue anybody's (SGP.22 4.5.2.1.0.2). */
	if ((role == PKI_ROLE_EUM || role == PKI_ROLE_EUM_SUBCA) && c->permitted_serial.n == 0 &&
	    !c->has_permitted_eins)
		return PKI_NAME_CONSTRAINT;
	return PKI_OK;
}

/* A prefix of the digits, as GSMA means it. */
static bool has_prefix(struct span digits, struct span prefix)
{
	return digits.n >= prefix.n && span_equal(span_make(digits.p, prefix.n), prefix);
}

static bool ein_permitted(const struct pki_cert *issuer, struct span digits)
{
	for (unsigned int i = 0; i < issuer->n_permitted_eins; i++)
		if (has_prefix(digits, issuer->permitted_eins[i]))
			return true;
	return false;
}

/* RFC 5280 6.1.4 (g): a name constraint binds all below, but each is compared with its issuer
 * alone. So a CA has to say of itself that it gives out no EID beyond it. */
static bool hands_constraint_down(const struct pki_cert *ca, const struct pki_cert *issuer)
{
	for (unsigned int i = 0; i < ca->n_permitted_eins; i++)
		if (!has_prefix(ca->permitted_eins[i], issuer->permitted_serial))
			return false;
	return ca->has_permitted_eins ||
	       (ca->has_name_constraint &&
		has_prefix(ca->permitted_serial, issuer->permitted_serial));
}

static bool name_permitted(const struct pki_cert *c, const struct pki_cert *issuer)
{
	if (issuer->has_name_constraint &&
	    ((issuer->permitted_o.n > 0 && !span_equal(issuer->permitted_o, c->subject_o)) ||
	     !has_prefix(c->subject_serial, issuer->permitted_serial) ||
	     (c->ca && !hands_constraint_down(c, issuer))))
		return false;
	if (!issuer->has_permitted_eins)
		return true;
	if (!c->ca)
		return ein_permitted(issuer, c->subject_serial);
	/* A SubCA may be given a part of its EUM's EIDs, and must say which. */
	for (unsigned int i = 0; i < c->n_permitted_eins; i++)
		if (!ein_permitted(issuer, c->permitted_eins[i]))
			return false;
	return c->has_permitted_eins;
}

enum pki_error pki_cert_issued_by(const struct pki_cert *c, const struct pki_cert *issuer)
{
	if (!span_equal(c->issuer, issuer->subject) || c->aki.n == 0 ||
	    !span_equal(c->aki, issuer->ski))
		return PKI_ISSUER_MISMATCH;
	if (c->curve != issuer->curve)
		return PKI_CURVE;
	if (!may_sign_certificates(issuer))
		return PKI_USAGE;
	/* RFC 5280 4.2.1.9: pathLenConstraint counts the CA certificates that may follow. */
	if (c->ca && issuer->path_length != PKI_PATHLEN_NONE &&
	    (issuer->path_length == 0 ||
	     (c->path_length != PKI_PATHLEN_NONE && c->path_length >= issuer->path_length)))
		return PKI_ISSUER_MISMATCH;
	return name_permitted(c, issuer) ? PKI_OK : PKI_NAME_CONSTRAINT;
}
