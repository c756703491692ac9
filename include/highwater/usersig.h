#pragma once
/* UserSig, version 2 of the vendor's scheme: an HMAC-SHA256 over identifier, SDKAppID, time and lifetime, in JSON,
 * deflated, in base64 with + / = written as * - _.
 *
 * Source: the vendor's published generators (tls-sig-api-v2 for Go, Python, PHP, Java, C++, Node); the verifier accepts
 * what all of them emit: any key order, spaces, "\/", a newline at the end, stored blocks, any compression level. */
#include <highwater/common.h>

HW_BEGIN

#define HW_USERSIG_BYTES_MAX 2048	     /* longest signature read or written */
#define HW_USERSIG_USERBUF_BYTES_MAX 512     /* longest userbuf */
#define HW_USERSIG_KEY_BYTES_MAX 128	     /* longest secret key */
#define HW_USERSIG_EXPIRE_DEFAULT_S 15552000 /* 180 days */
#define HW_USERSIG_EXPIRE_MAX_S 1576800000   /* 50 years */

struct hw_usersig_params {
	uint32_t sdkappid;
	const char *identifier; /* 1 to HW_IDENTIFIER_BYTES_MAX bytes */
	const char *key;	/* the app's secret key, `key_len` bytes */
	size_t key_len;
	int64_t time_s;	     /* seconds since 1970 at which it was made */
	int64_t expire_s;    /* lifetime in seconds, 1 to HW_USERSIG_EXPIRE_MAX_S */
	const void *userbuf; /* NULL for none */
	size_t userbuf_len;
};

/* Writes the signature and its NUL to `out` (`out_size` bytes, HW_USERSIG_BYTES_MAX + 1 always suffices).
 * Returns its length, or -1 for a parameter out of bounds or too small an `out`. */
HW_API HW_CHECK int hw_usersig_generate(const struct hw_usersig_params *params, char *out, size_t out_size);

struct hw_usersig_facts {
	int64_t time_s;
	int64_t expire_s; /* valid while now <= time_s + expire_s */
};

/* Checks `sig` (`len` bytes, percent-decoding already done) against app, identifier and key at `now_s`.
 * Returns an enum hw_code, the first that applies:
 *   HW_SIG_ILLEGAL           longer than HW_USERSIG_BYTES_MAX, or not base64 (in its one canonical form), zlib, JSON
 *                            with all fields in bounds, or with a control character in identifier or userbuf
 *   HW_SIG_WRONG_SDKAPPID    it names another app
 *   HW_SIG_WRONG_IDENTIFIER  it names another identifier
 *   HW_SIG_WRONG_KEY         its HMAC, compared in constant time, is not the one of this key; or the key has not 1 to
 *                            HW_USERSIG_KEY_BYTES_MAX bytes
 *   HW_SIG_EXPIRED           now_s > time_s + expire_s
 *   HW_OK
 * App and identifier are compared before the HMAC, as the vendor's verifiers do, so that a signature of another app is
 * told from a wrong key. That only ever refuses: nothing the signature says is trusted before its HMAC has matched, and
 * an expired signature of a wrong key answers wrong key. A time in the future is no fault (the vendor's verifiers do
 * not look either).
 * `facts_out` may be NULL; it is filled on HW_OK and HW_SIG_EXPIRED. The inflated size is bounded. */
HW_API HW_CHECK int hw_usersig_verify(const char *sig, size_t len, uint32_t sdkappid, const char *identifier,
				      const char *key, size_t key_len, int64_t now_s,
				      struct hw_usersig_facts *facts_out);

HW_END
