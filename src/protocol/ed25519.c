/* Ed25519; see ed25519.h. */
#include "protocol/ed25519.h"
#include "protocol/digest.h"

#include <openssl/evp.h>
#include <string.h>

static void ed25519_require(bool done)
{
	digest_require_openssl(done, "ed25519");
}

static EVP_PKEY *ed25519_open_seed(const unsigned char seed[ED25519_KEY_BYTES])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_KEY_BYTES);

	ed25519_require(key != NULL);
	return key;
}

void ed25519_public_key(const unsigned char seed[ED25519_KEY_BYTES], unsigned char out[ED25519_KEY_BYTES])
{
	EVP_PKEY *key = ed25519_open_seed(seed);
	size_t len = ED25519_KEY_BYTES;

	ed25519_require(EVP_PKEY_get_raw_public_key(key, out, &len) == 1 && len == ED25519_KEY_BYTES);
	EVP_PKEY_free(key);
}

void ed25519_sign(const unsigned char seed[ED25519_KEY_BYTES], struct str text,
		  unsigned char out[ED25519_SIGNATURE_BYTES])
{
	EVP_PKEY *key = ed25519_open_seed(seed);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t len = ED25519_SIGNATURE_BYTES;

	ed25519_require(context && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
			EVP_DigestSign(context, out, &len, (const unsigned char *)text.ptr, text.len) == 1 &&
			len == ED25519_SIGNATURE_BYTES);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
}

bool ed25519_verify(const unsigned char public_key[ED25519_KEY_BYTES], struct str text,
		    const unsigned char signature[ED25519_SIGNATURE_BYTES])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ED25519_KEY_BYTES);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good;

	ed25519_require(key && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1);
	good = EVP_DigestVerify(context, signature, ED25519_SIGNATURE_BYTES, (const unsigned char *)text.ptr,
				text.len) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return good;
}

bool ed25519_is_weak(const unsigned char public_key[ED25519_KEY_BYTES])
{
	/* the y of the points whose order divides 8, little-endian: 0, 1, the two of order 8, -1; and p, p + 1, which
	 * are read as 0 and 1 */
	static const unsigned char rows[][ED25519_KEY_BYTES] = {
		{0},
		{1},
		{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
		{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
		{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		{0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		{0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	};
	unsigned char y[ED25519_KEY_BYTES];

	memcpy(y, public_key, sizeof(y));
	y[ED25519_KEY_BYTES - 1] &= 0x7f; /* without the sign of x */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (memcmp(y, rows[i], sizeof(y)) == 0)
			return true;
	return false;
}
