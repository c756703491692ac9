#pragma once
/* SHA-256 and HMAC-SHA256 by OpenSSL. Internal to libhighwater. Threads: any.
 *
 * The algorithms are looked up once per process. An OpenSSL without them cannot check anything that arrives here, so
 * that ends the process, as out of memory does; no input can cause it. */
#include "base/secret.h"

#define DIGEST_BYTES 32

/* SHA-256 of `first` followed by `second`. */
void digest_sha256(struct str first, struct str second, unsigned char out[DIGEST_BYTES]);

/* HMAC-SHA256; the key has at least 1 byte. */
void digest_hmac(struct secret key, struct str text, unsigned char out[DIGEST_BYTES]);

/* Ends the process, naming what OpenSSL cannot do, unless `done`. */
void digest_require_openssl(bool done, const char *need);
