#pragma once
/* A moment as people write it on a command line. Pure. Threads: any. */
#include "base/compiler.h"
#include "base/error.h"

#include <stdint.h>

#define MOMENT_MAX_MS INT64_C(253402300799999) /* the last of the year 9999 */

/* Reads "2h" (so long before `now_ms`; units s, m, h, d), "2026-11-25T03:00:00Z" (RFC 3339, with a fraction or an offset
 * such as +01:00 too) or milliseconds since 1970. Returns 0, or -1 with ERR_INVALID; what lies before 1970 or after
 * MOMENT_MAX_MS is refused. */
MUST_CHECK int moment_parse(const char *text, int64_t now_ms, int64_t *out_ms, struct error *err);
