#pragma once
/* Making commands for tests. What a command borrows are literals or the caller's. */
#include "live/command.h"
#include "live/key.h"

#include <string.h>

static inline struct command world_command(enum command_type type, uint32_t sdkappid)
{
	return (struct command){
		.type = type,
		.sdkappid = sdkappid,
		.origin = {.operator_account = STR("alice"),
			   .platform = HW_PLATFORM_WEB,
			   .client_ip = STR("203.0.113.9"),
			   .wall_ms = 1000,
			   .steady_ms = 1000},
		.code = -1,
	};
}

static inline struct command world_create(uint32_t sdkappid, const char *room_id, const char *owner)
{
	struct command command = world_command(COMMAND_ROOM_CREATE, sdkappid);

	command.origin.operator_account = str_c(owner);
	command.room_id = str_c(room_id);
	command.u.room_create.owner = str_c(owner);
	command.u.room_create.visible = true;
	command.u.room_create.info = STR("{}");
	return command;
}

static inline struct command world_destroy(uint32_t sdkappid, const char *room_id, const char *by)
{
	struct command command = world_command(COMMAND_ROOM_DESTROY, sdkappid);

	command.origin.operator_account = str_c(by);
	command.room_id = str_c(room_id);
	return command;
}

static inline struct command world_set_max(uint32_t sdkappid, const struct app_config *config)
{
	struct command command = world_command(COMMAND_APP_SET, sdkappid);

	command.u.app_set.fields = APP_FIELD_ROOM_COUNT_MAX;
	command.u.app_set.config = config;
	return command;
}

static inline struct command world_rotate(uint32_t sdkappid, const char *key, int64_t now_ms, int64_t overlap_ms)
{
	struct command command = world_command(COMMAND_KEY_ROTATE, sdkappid);

	command.origin.wall_ms = now_ms;
	command.u.key_rotate.key = str_c(key);
	command.u.key_rotate.overlap_ms = overlap_ms;
	return command;
}

static inline struct command world_revoke(uint32_t sdkappid, uint32_t key_id)
{
	struct command command = world_command(COMMAND_KEY_REVOKE, sdkappid);

	command.u.key_revoke.key_id = key_id;
	return command;
}

static inline struct command world_mark(uint32_t sdkappid, int64_t id, enum delivery_mark mark)
{
	struct command command = world_command(COMMAND_DELIVERY_MARK, sdkappid);

	command.u.delivery = (struct delivery_result){.callback_id = id, .mark = mark, .attempts = 1};
	return command;
}

/* A configuration whose alert is switched on. */
static inline struct app_config world_config(enum alert_mode mode, uint32_t room_count_max)
{
	struct app_config config;

	app_config_init(&config);
	config.room_count_max = room_count_max;
	config.alert.mode = mode;
	app_key_add(&config.keys, STR("kkkkkkkk"), 1000);
	config.callback_set = true;
	(void)strcpy(config.callback_url, "http://127.0.0.1/");
	config.callback_commands = 1u << HW_CALLBACK_THRESHOLD;
	return config;
}
