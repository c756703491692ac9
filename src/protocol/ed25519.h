#pragma once
/* Ed25519 (RFC 8032, the pure variant) by OpenSSL. Internal to libhighwater. Threads: any.
 *
 * An OpenSSL without it ends the process, as in digest.h; no input can cause that. A refusal leaves nothing in the
 * thread's queue of OpenSSL errors, which SSL_get_error of an unrelated connection would find; a test watches this. */
#include "base/str.h"

#define ED25519_KEY_BYTES 32 /* a seed (the private key), and a public key */
#define ED25519_SIGNATURE_BYTES 64

void ed25519_public_key(const unsigned char seed[ED25519_KEY_BYTES], unsigned char out[ED25519_KEY_BYTES]);

void ed25519_sign(const unsigned char seed[ED25519_KEY_BYTES], struct str text,
		  unsigned char out[ED25519_SIGNATURE_BYTES]);

/* False for a wrong signature, for one that is no signature at all, and for a public key that is no point of the curve;
 * a signature with a scalar that was not reduced is refused too, so that each text has one. */
MUST_CHECK bool ed25519_verify(const unsigned char public_key[ED25519_KEY_BYTES], struct str text,
			       const unsigned char signature[ED25519_SIGNATURE_BYTES]);

/* True for the few points of small order: for such a "public key" anybody can make signatures. All zero is one. */
MUST_CHECK bool ed25519_is_weak(const unsigned char public_key[ED25519_KEY_BYTES]);
