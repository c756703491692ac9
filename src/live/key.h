#pragma once
/* Changing a list of keys of an app: those that sign UserSigs, and those that sign callbacks. Pure, and without a check of the bytes: whoever changes a configuration checks the whole
 * with app_config_check before it is used.
 *
 * Keys are kept newest first. One that has expired stays in the list, so that people see when it ended, until its place
 * is needed or it is revoked. */
#include "live/app.h"

/* Adds `key` (at most HW_USERSIG_KEY_BYTES_MAX bytes, copied) as the newest, with the list's next id and without an end.
 * When there are APP_KEY_COUNT_MAX already, the oldest of those that have expired goes, else the oldest. */
void app_key_add(struct app_keys *keys, struct str key, int64_t now_ms);

/* The same, and each other key ends `overlap_ms` from now if it would not end earlier. With 0 they are gone at once: a
 * clock that steps back must not bring them back. */
void app_key_rotate(struct app_keys *keys, struct str key, int64_t now_ms, int64_t overlap_ms);

/* `key` takes the place of all. */
void app_key_replace(struct app_keys *keys, struct str key, int64_t now_ms);

/* The id of the key that is these bytes, or 0. */
uint32_t app_key_find(const struct app_keys *keys, struct str key);

/* Takes a key away. The others keep their ends. Returns 0, or -1 when there is none with that id. */
MUST_CHECK int app_key_revoke(struct app_keys *keys, uint32_t id);

/* Says of all keys that they were made now: for an app that is being created. */
void app_key_stamp(struct app_keys *keys, int64_t now_ms);
