/* The keys of an app; see key.h. What is removed is overwritten, so that no secret stays behind the count. */
#include "live/key.h"

#include <assert.h>
#include <string.h>

static void app_key_remove(struct app_keys *keys, unsigned index)
{
	keys->count--;
	memmove(&keys->list[index], &keys->list[index + 1], (keys->count - index) * sizeof(keys->list[0]));
	memset(&keys->list[keys->count], 0, sizeof(keys->list[0]));
}

static unsigned app_key_to_drop(const struct app_keys *keys, int64_t now_ms)
{
	for (unsigned i = keys->count; i-- > 0;)
		if (app_key_expired(&keys->list[i], now_ms))
			return i;
	return keys->count - 1u;
}

void app_key_add(struct app_keys *keys, struct str key, int64_t now_ms)
{
	struct app_key_entry *made = &keys->list[0];

	assert(key.len <= sizeof(made->bytes));
	if (keys->count == APP_KEY_COUNT_MAX)
		app_key_remove(keys, app_key_to_drop(keys, now_ms));
	memmove(&keys->list[1], &keys->list[0], keys->count * sizeof(keys->list[0]));
	keys->count++;
	memset(made, 0, sizeof(*made));
	made->id = keys->id_next++;
	made->create_ms = now_ms;
	made->len = (uint16_t)key.len;
	memcpy(made->bytes, key.ptr, key.len);
}

void app_key_rotate(struct app_keys *keys, struct str key, int64_t now_ms, int64_t overlap_ms)
{
	int64_t end_ms = now_ms + overlap_ms;

	if (overlap_ms == 0) {
		app_key_replace(keys, key, now_ms);
		return;
	}
	app_key_add(keys, key, now_ms);
	for (unsigned i = 1; i < keys->count; i++)
		if (!keys->list[i].expire_ms || keys->list[i].expire_ms > end_ms)
			keys->list[i].expire_ms = end_ms;
}

void app_key_replace(struct app_keys *keys, struct str key, int64_t now_ms)
{
	while (keys->count)
		app_key_remove(keys, 0);
	app_key_add(keys, key, now_ms);
}

uint32_t app_key_find(const struct app_keys *keys, struct str key)
{
	for (unsigned i = 0; i < keys->count; i++)
		if (str_eq_secret((struct str){keys->list[i].bytes, keys->list[i].len}, key))
			return keys->list[i].id;
	return 0;
}

int app_key_revoke(struct app_keys *keys, uint32_t id)
{
	for (unsigned i = 0; i < keys->count; i++) {
		if (keys->list[i].id == id) {
			app_key_remove(keys, i);
			return 0;
		}
	}
	return -1;
}

void app_key_stamp(struct app_keys *keys, int64_t now_ms)
{
	for (unsigned i = 0; i < keys->count; i++)
		keys->list[i].create_ms = now_ms;
}
