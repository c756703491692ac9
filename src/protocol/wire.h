#pragma once
/* What the wire modules share: reasons, bounded outputs, bodies read as JSON objects. Internal to libhighwater.
 * Threads: any. */
#include "base/buf.h"
#include "base/json.h"

#include <highwater/callback.h>

#define WIRE_BODY_BYTES_MAX HW_PACKET_BYTES_MAX /* longest body that any parser here looks at */

/* Writes the reason, cut to `reason_size` (0: none is wanted). Returns -1, so that `return wire_refuse(...)` ends a
 * function. */
int wire_refuse(char *reason, size_t reason_size, const char *format, ...) PRINTF_LIKE(3, 4);

/* Copies what was built, with a NUL, and releases the buffer. Returns the length, or -1 with `out` untouched when the
 * buffer overflowed or `out` is too small. */
MUST_CHECK int wire_take(struct buf *buf, char *out, size_t out_size);

/* A JSON string of a fixed text field: ends at the NUL or after `size` bytes. Text that is not UTF-8 has each of its
 * non-ASCII bytes replaced by "?", since no JSON can hold it. */
void wire_append_text(struct buf *buf, const char *text, size_t size);

/* Reads a body of 1 to WIRE_BODY_BYTES_MAX bytes that is one JSON object. Returns the tree, owned by the caller
 * (json_decref), or NULL with a sentence in `reason`. */
json_t *wire_read_object(struct str body, char *reason, size_t reason_size);
