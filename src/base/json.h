#pragma once
/* Reading JSON from outside, strictly: jansson with its strict flags behind a few typed getters.
 *
 * Refused: invalid UTF-8, lone surrogates, NUL in strings, duplicate keys, integers outside int64, nesting over
 * JSON_DEPTH_MAX, anything after the value. Writing needs no tree: base/buf.h escapes strings. Threads: any. */
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#include <jansson.h>

#define JSON_DEPTH_MAX 32

/* Parses one value of any type. `root_out` is owned by the caller (json_decref).
 * Errors ERR_INVALID with line, column and reason. */
MUST_CHECK int json_read(struct str text, json_t **root_out, struct error *err);

enum json_found {
	JSON_ABSENT, /* no such key, or null */
	JSON_FOUND,
	JSON_WRONG, /* there, of another type or out of range; outputs untouched */
};

/* Each looks up `key` in the object `object`; views are borrowed from the tree. */
enum json_found json_field_str(const json_t *object, const char *key, struct str *out);
enum json_found json_field_i64(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out);
/* An integer or a string of decimal digits: some peers send numbers as text. */
enum json_found json_field_loose_u64(const json_t *object, const char *key, uint64_t max, uint64_t *out);
enum json_found json_field_bool(const json_t *object, const char *key, bool *out);
enum json_found json_field_object(const json_t *object, const char *key, json_t **out);
enum json_found json_field_array(const json_t *object, const char *key, json_t **out);

/* An array of exactly `count` integers. Returns 0, or -1 with `out` partly written. */
MUST_CHECK int json_array_i64(const json_t *array, int64_t *out, size_t count);

/* The view of a JSON string value. */
struct str json_str(const json_t *string);

/* Escapes in the JSON that stands from `start` on what a terminal would obey: DEL, the C1 controls, marks that turn the
 * direction of writing. They can be in strings only, so the JSON means the same afterwards. One byte becomes up to six. */
void json_escape_unsafe(struct buf *out, size_t start);
