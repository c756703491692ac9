/* The keys of an app; see key.h. What is removed is overwritten, so that no secret stays behind the count. */
#include "live/key.h"

#include <assert.h>
#include <string.h>

static void app_key_remove(struct app_config *config, unsigned index)
{
	config->key_count--;
	memmove(&config->keys[index], &config->keys[index + 1], (config->key_count - index) * sizeof(config->keys[0]));
	memset(&config->keys[config->key_count], 0, sizeof(config->keys[0]));
}

static unsigned app_key_to_drop(const struct app_config *config, int64_t now_ms)
{
	for (unsigned i = config->key_count; i-- > 0;)
		if (app_key_expired(&config->keys[i], now_ms))
			return i;
	return config->key_count - 1u;
}

void app_key_add(struct app_config *config, struct str key, int64_t now_ms)
{
	struct app_key_entry *made = &config->keys[0];

	assert(key.len <= sizeof(made->bytes));
	if (config->key_count == APP_KEY_COUNT_MAX)
		app_key_remove(config, app_key_to_drop(config, now_ms));
	memmove(&config->keys[1], &config->keys[0], config->key_count * sizeof(config->keys[0]));
	config->key_count++;
	memset(made, 0, sizeof(*made));
	made->id = config->key_id_next++;
	made->create_ms = now_ms;
	made->len = (uint16_t)key.len;
	memcpy(made->bytes, key.ptr, key.len);
}

void app_key_rotate(struct app_config *config, struct str key, int64_t now_ms, int64_t overlap_ms)
{
	int64_t end_ms = now_ms + overlap_ms;

	if (overlap_ms == 0) {
		app_key_replace(config, key, now_ms);
		return;
	}
	app_key_add(config, key, now_ms);
	for (unsigned i = 1; i < config->key_count; i++)
		if (!config->keys[i].expire_ms || config->keys[i].expire_ms > end_ms)
			config->keys[i].expire_ms = end_ms;
}

void app_key_replace(struct app_config *config, struct str key, int64_t now_ms)
{
	while (config->key_count)
		app_key_remove(config, 0);
	app_key_add(config, key, now_ms);
}

uint32_t app_key_find(const struct app_config *config, struct str key)
{
	for (unsigned i = 0; i < config->key_count; i++)
		if (str_eq_secret((struct str){config->keys[i].bytes, config->keys[i].len}, key))
			return config->keys[i].id;
	return 0;
}

int app_key_revoke(struct app_config *config, uint32_t id)
{
	for (unsigned i = 0; i < config->key_count; i++) {
		if (config->keys[i].id == id) {
			app_key_remove(config, i);
			return 0;
		}
	}
	return -1;
}

void app_key_stamp(struct app_config *config, int64_t now_ms)
{
	for (unsigned i = 0; i < config->key_count; i++)
		config->keys[i].create_ms = now_ms;
}
