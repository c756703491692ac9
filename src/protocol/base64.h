#pragma once
/* Base64, the standard alphabet and the wire's, which writes + / = as * - _ so that a URL need not escape it. Internal
 * to libhighwater. Threads: any. */
#include "base/str.h"

enum base64_alphabet { BASE64_STANDARD, BASE64_WIRE };

/* Characters that `len` bytes become, without a NUL. */
#define BASE64_CHARS(len) (((len) + 2) / 3 * 4)

/* Writes BASE64_CHARS(len) characters and a NUL; returns their count. */
size_t base64_encode(enum base64_alphabet alphabet, const void *bytes, size_t len, char *out);

/* Decodes padded text in its one canonical form: every other spelling is refused. Returns 0, or -1 for bad text or more
 * than `out_size` bytes; `out` may then hold a part. */
MUST_CHECK int base64_decode(enum base64_alphabet alphabet, struct str text, unsigned char *out, size_t out_size,
			     size_t *len_out);
