/* SHA-256 and HMAC-SHA256; see digest.h.
 *
 * Looking an algorithm up by name costs more than hashing a short text. So the digest is fetched once, and a context
 * that knows its digest but no key is kept as a pattern: each HMAC works on a copy, which needs no look-up. The pattern
 * is only read after it was made, and lives as long as the process. */
#include "protocol/digest.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>

static CRYPTO_ONCE digest_once = CRYPTO_ONCE_STATIC_INIT;
static EVP_MD *digest_md;
static EVP_MAC_CTX *digest_mac_pattern;

void digest_require_openssl(bool done, const char *need)
{
	if (done)
		return;
	(void)fprintf(stderr, "level=fatal event=openssl_unusable need=%s\n", need); /* no more to do if this fails */
	abort();
}

static void digest_require(bool done)
{
	digest_require_openssl(done, "sha256,hmac");
}

static void digest_setup(void)
{
	char name[] = "SHA256";
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", name, 0), OSSL_PARAM_construct_end()};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	digest_md = EVP_MD_fetch(NULL, name, NULL);
	digest_require(mac && digest_md);
	digest_mac_pattern = EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac); /* the context holds it */
	digest_require(digest_mac_pattern && EVP_MAC_CTX_set_params(digest_mac_pattern, params) == 1);
}

static void digest_ready(void)
{
	digest_require(CRYPTO_THREAD_run_once(&digest_once, digest_setup) == 1);
}

void digest_sha256(struct str first, struct str second, unsigned char out[DIGEST_BYTES])
{
	EVP_MD_CTX *context;

	digest_ready();
	context = EVP_MD_CTX_new();
	digest_require(context && EVP_DigestInit_ex2(context, digest_md, NULL) == 1 &&
		       EVP_DigestUpdate(context, first.ptr, first.len) == 1 &&
		       EVP_DigestUpdate(context, second.ptr, second.len) == 1 &&
		       EVP_DigestFinal_ex(context, out, NULL) == 1);
	EVP_MD_CTX_free(context);
}

void digest_hmac(struct secret key, struct str text, unsigned char out[DIGEST_BYTES])
{
	struct str bytes = secret_reveal(key);
	EVP_MAC_CTX *context;
	size_t len;

	assert(bytes.len > 0);
	digest_ready();
	context = EVP_MAC_CTX_dup(digest_mac_pattern);
	digest_require(context && EVP_MAC_init(context, (const unsigned char *)bytes.ptr, bytes.len, NULL) == 1 &&
		       EVP_MAC_update(context, (const unsigned char *)text.ptr, text.len) == 1 &&
		       EVP_MAC_final(context, out, &len, DIGEST_BYTES) == 1 && len == DIGEST_BYTES);
	EVP_MAC_CTX_free(context);
}
