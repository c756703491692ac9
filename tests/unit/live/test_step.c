/* What one batch of commands does: every command, every refusal, and several commands on the same app or room. */
#include "unit/live/run.h"

#include <stdio.h>

static void add_rooms(struct world *world, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		char room_id[16];

		(void)snprintf(room_id, sizeof(room_id), "r%u", i); /* fits */
		assert_int_equal(run(world, world_create(APP, room_id, "alice")), HW_OK);
	}
}

static void set_max(struct world *world, uint32_t room_count_max)
{
	struct app_config config = {.room_count_max = room_count_max};

	assert_int_equal(run(world, world_set_max(APP, &config)), HW_OK);
}

static struct app_state *state_of(struct world *world)
{
	return &world_app(world, APP)->state;
}

/* ---- apps ---- */

static void test_step_app_create_sets_number_and_time(void **state)
{
	struct world *world = *state;
	struct app_config config = world_config(ALERT_EDGE, 7);
	struct command command = world_command(COMMAND_APP_CREATE, APP);
	struct world_app *app;

	config.number = 999; /* not the caller's to choose, as the next two */
	config.create_ms = 999;
	config.sdkappid = 999;
	command.u.app_create = &config;
	assert_int_equal(run(world, command), HW_OK);
	app = world_app(world, APP);
	assert_non_null(app);
	assert_int_equal(app->config.number, 1);
	assert_int_equal(app->config.create_ms, 1000);
	assert_int_equal(app->config.room_count_max, 7);
	assert_int_equal(app->config.alert.mode, ALERT_EDGE);
	assert_int_equal(world->app_number_next, 2);
	refuse(world, command, HW_BAD_PARAMETER);
}

static void test_step_app_create_ends_when_numbers_are_used_up(void **state)
{
	struct world *world = *state;
	struct app_config config = world_config(ALERT_EDGE, 7);
	struct command command = world_command(COMMAND_APP_CREATE, APP);

	command.u.app_create = &config;
	world->app_number_next = APP_NUMBER_MAX + 1;
	refuse(world, command, HW_INTERNAL);
	world->app_number_next = APP_NUMBER_MAX;
	assert_int_equal(run(world, command), HW_OK);
}

static void test_step_every_command_of_an_unknown_app_is_refused(void **state)
{
	for (enum command_type type = COMMAND_APP_SET; type <= COMMAND_CERTIFICATE_DELETE; type++)
		refuse(*state, world_command(type, APP), HW_UNKNOWN_SDKAPPID);
}

static void test_step_app_delete_refuses_rooms_and_waiting_callbacks(void **state)
{
	struct world *world = *state;
	struct command delete_app = world_command(COMMAND_APP_DELETE, APP);

	add_app(world, ALERT_EVERY, 1);
	add_rooms(world, 0, 1);
	refuse(world, delete_app, HW_BAD_PARAMETER);
	delete_app.u.app_delete.force = true;
	refuse(world, delete_app, HW_BAD_PARAMETER); /* force is about callbacks */
	assert_int_equal(run(world, world_destroy(APP, "r0", "alice")), HW_OK);
	delete_app.u.app_delete.force = false;
	refuse(world, delete_app, HW_BAD_PARAMETER);
	delete_app.u.app_delete.force = true;
	assert_int_equal(run(world, delete_app), HW_OK);
	assert_null(world_app(world, APP));
	assert_int_equal(world->callbacks[0].state, CALLBACK_FAILED);
}

static void test_step_app_number_is_never_reused(void **state)
{
	struct world *world = *state;

	for (uint32_t i = 1; i < 4; i++) {
		add_app(world, ALERT_EVERY, 1);
		assert_int_equal(world_app(world, APP)->config.number, i);
		assert_int_equal(run(world, world_command(COMMAND_APP_DELETE, APP)), HW_OK);
	}
}

/* ---- rooms ---- */

static void test_step_room_create_stores_what_was_asked(void **state)
{
	struct world *world = *state;
	struct command command = world_create(APP, "room-1", "bob");
	struct world_room *room;

	command.u.room_create.visible = false;
	command.u.room_create.info = STR("{\"RoomName\":\"x\"}");
	add_app(world, ALERT_EVERY, 5);
	assert_int_equal(run(world, command), HW_OK);
	room = world_room(world, 1, STR("room-1"));
	assert_non_null(room);
	assert_string_equal(room->owner, "bob");
	assert_string_equal(room->info, "{\"RoomName\":\"x\"}");
	assert_false(room->visible);
	assert_true(room->id == app_id_make(1, 1));
	assert_int_equal(room->create_ms, 1000);
}

static void test_step_room_create_refuses_ids_in_use_without_an_alert(void **state)
{
	struct world *world = *state;

	add_app(world, ALERT_EVERY, 1);
	add_rooms(world, 0, 1);
	assert_int_equal(world->callback_count, 1);
	refuse(world, world_create(APP, "r0", "alice"), HW_ROOM_EXISTS_OWNED); /* before the quota is looked at */
	refuse(world, world_create(APP, "r0", "bob"), HW_ROOM_EXISTS);
}

static void test_step_room_create_refuses_above_the_maximum_and_says_both_numbers(void **state)
{
	struct world *world = *state;
	struct command command = world_create(APP, "more", "alice");
	struct command *commands[] = {&command};

	add_app(world, ALERT_EVERY, 3);
	add_rooms(world, 0, 3);
	refuse(world, command, HW_QUOTA_FULL);
	set_max(world, 2);
	world_run(world, commands, 1);
	assert_int_equal(command.code, HW_QUOTA_FULL);
	assert_non_null(strstr(command.text, "has 3 rooms and its maximum is 2"));
	set_max(world, 0);
	refuse(world, command, HW_QUOTA_FULL);
}

static void test_step_room_destroy_checks_existence_and_permission(void **state)
{
	struct world *world = *state;
	struct command by_admin = world_destroy(APP, "r0", "boss");

	by_admin.origin.admin = true;
	add_app(world, ALERT_EVERY, 3);
	refuse(world, world_destroy(APP, "r0", "alice"), HW_NO_ROOM);
	add_rooms(world, 0, 1);
	refuse(world, world_destroy(APP, "r0", "bob"), HW_NO_PERMISSION);
	assert_int_equal(run(world, by_admin), HW_OK);
	assert_int_equal(state_of(world)->room_count, 0);
	refuse(world, by_admin, HW_NO_ROOM);
	add_rooms(world, 0, 1);
	assert_true(world_room(world, 1, STR("r0"))->id == app_id_make(1, 2)); /* a new room, a new id */
	assert_int_equal(run(world, world_destroy(APP, "r0", "alice")), HW_OK);
}

static void test_step_answer_tells_the_room_count(void **state)
{
	struct world *world = *state;
	struct command batch[] = {world_create(APP, "a", "alice"), world_create(APP, "b", "alice"),
				  world_create(APP, "b", "alice"), world_destroy(APP, "a", "alice")};

	add_app(world, ALERT_EVERY, 3);
	run_all(world, batch, ARRAY_LEN(batch));
	assert_int_equal(batch[0].room_count, 1);
	assert_int_equal(batch[1].room_count, 2);
	assert_int_equal(batch[2].room_count, 0); /* refused */
	assert_int_equal(batch[3].room_count, 1);
	assert_string_equal(batch[3].text, "");
}

/* ---- several commands in one batch ---- */

static void test_step_batch_create_destroy_create_of_one_id(void **state)
{
	struct world *world = *state;
	struct command batch[] = {world_create(APP, "r", "alice"), world_destroy(APP, "r", "alice"),
				  world_create(APP, "r", "bob"), world_create(APP, "r", "alice"),
				  world_destroy(APP, "r", "alice")};
	static const int want[] = {HW_OK, HW_OK, HW_OK, HW_ROOM_EXISTS, HW_NO_PERMISSION};

	add_app(world, ALERT_EVERY, 1);
	run_all(world, batch, ARRAY_LEN(batch));
	for (size_t i = 0; i < ARRAY_LEN(batch); i++)
		assert_int_equal(batch[i].code, want[i]);
	assert_string_equal(world_room(world, 1, STR("r"))->owner, "bob");
	assert_true(world_room(world, 1, STR("r"))->id == app_id_make(1, 2));
	assert_int_equal(world->callback_count, 2);
}

static void test_step_batch_replaces_a_stored_room(void **state)
{
	struct world *world = *state;
	struct command batch[] = {world_destroy(APP, "r0", "alice"), world_create(APP, "r0", "bob")};

	add_app(world, ALERT_EVERY, 1);
	add_rooms(world, 0, 1);
	run_all(world, batch, ARRAY_LEN(batch));
	assert_int_equal(batch[1].code, HW_OK);
	assert_string_equal(world_room(world, 1, STR("r0"))->owner, "bob");
	assert_int_equal(state_of(world)->room_count, 1);
	assert_int_equal(state_of(world)->room_sequence, 2);
}

static void test_step_batch_reaches_the_quota_in_the_middle(void **state)
{
	struct world *world = *state;
	struct command batch[] = {world_create(APP, "a", "u"), world_create(APP, "b", "u"),
				  world_create(APP, "c", "u"), world_destroy(APP, "a", "u"),
				  world_create(APP, "c", "u"), world_create(APP, "d", "u")};
	static const int want[] = {HW_OK, HW_OK, HW_QUOTA_FULL, HW_OK, HW_OK, HW_QUOTA_FULL};

	add_app(world, ALERT_EVERY, 2);
	run_all(world, batch, ARRAY_LEN(batch));
	for (size_t i = 0; i < ARRAY_LEN(batch); i++)
		assert_int_equal(batch[i].code, want[i]);
	assert_null(world_room(world, 1, STR("a")));
	assert_non_null(world_room(world, 1, STR("c")));
}

static void test_step_batch_creates_app_and_room(void **state)
{
	struct world *world = *state;
	struct app_config config = world_config(ALERT_EVERY, 1);
	struct command batch[] = {world_create(APP, "early", "u"), world_command(COMMAND_APP_CREATE, APP),
				  world_create(APP, "r", "u"), world_command(COMMAND_APP_CREATE, APP)};
	static const int want[] = {HW_UNKNOWN_SDKAPPID, HW_OK, HW_OK, HW_BAD_PARAMETER};

	batch[1].u.app_create = batch[3].u.app_create = &config;
	run_all(world, batch, ARRAY_LEN(batch));
	for (size_t i = 0; i < ARRAY_LEN(batch); i++)
		assert_int_equal(batch[i].code, want[i]);
	assert_int_equal(world->callback_count, 1);
	assert_true(world->callbacks[0].id == app_id_make(1, 1));
}

static void test_step_batch_deletes_and_recreates_an_app_with_waiting_callbacks(void **state)
{
	struct world *world = *state;
	struct app_config config = world_config(ALERT_EVERY, 1);
	struct command batch[] = {world_destroy(APP, "r0", "alice"), world_command(COMMAND_APP_DELETE, APP),
				  world_command(COMMAND_APP_CREATE, APP), world_create(APP, "r0", "bob"),
				  world_mark(APP, app_id_make(1, 1), DELIVERY_DELIVERED)};

	batch[1].u.app_delete.force = true;
	batch[2].u.app_create = &config;
	add_app(world, ALERT_EVERY, 1);
	add_rooms(world, 0, 1);
	run_all(world, batch, ARRAY_LEN(batch));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(batch[i].code, HW_OK);
	assert_int_equal(batch[4].code, HW_UNKNOWN_SDKAPPID); /* the callback was of the app before */
	assert_int_equal(world->callbacks[0].state, CALLBACK_FAILED);
	assert_int_equal(world->callbacks[1].state, CALLBACK_WAITING);
	assert_true(world->callbacks[1].id == app_id_make(2, 1));
	assert_int_equal(state_of(world)->callback_pending, 1);
	assert_true(world_room(world, 2, STR("r0"))->id == app_id_make(2, 1));
	assert_null(world_room(world, 1, STR("r0")));
}

static void test_step_batch_app_that_lives_within_the_batch_leaves_ended_callbacks_only(void **state)
{
	struct world *world = *state;
	struct app_config config = world_config(ALERT_EVERY, 1);
	struct command batch[] = {world_command(COMMAND_APP_CREATE, APP), world_create(APP, "r", "u"),
				  world_destroy(APP, "r", "u"), world_command(COMMAND_APP_DELETE, APP)};

	batch[0].u.app_create = &config;
	batch[3].u.app_delete.force = true;
	run_all(world, batch, ARRAY_LEN(batch));
	assert_int_equal(batch[3].code, HW_OK);
	assert_null(world_app(world, APP));
	assert_int_equal(world->callback_count, 1);
	assert_int_equal(world->callbacks[0].state, CALLBACK_FAILED);
	assert_int_equal(world->app_number_next, 2);
}

static void test_step_batch_keeps_apps_apart(void **state)
{
	struct world *world = *state;
	struct app_config config = world_config(ALERT_EVERY, 1);
	struct command batch[] = {world_command(COMMAND_APP_CREATE, 7),
				  world_command(COMMAND_APP_CREATE, 8),
				  world_create(7, "r", "u"),
				  world_create(8, "r", "u"),
				  world_create(7, "q", "u"),
				  world_destroy(8, "r", "u")};
	static const int want[] = {HW_OK, HW_OK, HW_OK, HW_OK, HW_QUOTA_FULL, HW_OK};

	batch[0].u.app_create = batch[1].u.app_create = &config;
	run_all(world, batch, ARRAY_LEN(batch));
	for (size_t i = 0; i < ARRAY_LEN(batch); i++)
		assert_int_equal(batch[i].code, want[i]);
	assert_int_equal(world_app(world, 7)->state.room_count, 1);
	assert_int_equal(world_app(world, 8)->state.room_count, 0);
}

/* ---- callback configuration ---- */

static struct command callback_command(enum command_type type, const char *url, uint32_t bits)
{
	struct command command = world_command(type, APP);

	command.u.callback.url = str_c(url);
	command.u.callback.commands = bits;
	return command;
}

static void test_step_callback_set_update_delete(void **state)
{
	struct world *world = *state;
	struct app_config overwrite = {.callback_overwrite = true};
	struct command set_overwrite = world_command(COMMAND_APP_SET, APP);

	set_overwrite.u.app_set.fields = APP_FIELD_CALLBACK_OVERWRITE;
	set_overwrite.u.app_set.config = &overwrite;
	add_app(world, ALERT_EVERY, 1);
	refuse(world, callback_command(COMMAND_CALLBACK_SET, "http://b/", 1), HW_CALLBACK_EXISTS);
	assert_int_equal(run(world, callback_command(COMMAND_CALLBACK_UPDATE, "http://b/", 2)), HW_OK);
	assert_string_equal(world_app(world, APP)->config.callback_url, "http://b/");
	assert_int_equal(world_app(world, APP)->config.callback_commands, 2);
	assert_int_equal(run(world, world_command(COMMAND_CALLBACK_DELETE, APP)), HW_OK);
	assert_false(world_app(world, APP)->config.callback_set);
	assert_string_equal(world_app(world, APP)->config.callback_url, "");
	assert_int_equal(world_app(world, APP)->config.callback_commands, 0);
	assert_int_equal(run(world, world_command(COMMAND_CALLBACK_DELETE, APP)), HW_OK); /* nothing to delete: fine */
	refuse(world, callback_command(COMMAND_CALLBACK_UPDATE, "http://b/", 2), HW_NO_CALLBACK);
	assert_int_equal(run(world, callback_command(COMMAND_CALLBACK_SET, "http://c/", 4)), HW_OK);
	assert_int_equal(run(world, set_overwrite), HW_OK);
	assert_int_equal(run(world, callback_command(COMMAND_CALLBACK_SET, "http://d/", 8)), HW_OK);
	assert_string_equal(world_app(world, APP)->config.callback_url, "http://d/");
}

static struct command token_command(const char *token, int enabled)
{
	struct command command = world_command(COMMAND_TOKEN_SET, APP);

	command.u.token.has_token = token != NULL;
	command.u.token.token = str_c(token);
	command.u.token.has_enabled = enabled >= 0;
	command.u.token.enabled = enabled == 1;
	return command;
}

static void test_step_token_set(void **state)
{
	struct world *world = *state;
	const struct app_config *config;

	add_app(world, ALERT_EVERY, 1);
	config = &world_app(world, APP)->config;
	refuse(world, token_command("secret", -1), HW_BAD_PARAMETER);
	refuse(world, token_command(NULL, 1), HW_BAD_PARAMETER);
	refuse(world, token_command(NULL, -1), HW_BAD_PARAMETER);
	assert_int_equal(run(world, token_command("long secret", 0)), HW_OK);
	assert_true(config->token_set && !config->token_enabled);
	assert_int_equal(run(world, token_command(NULL, 1)), HW_OK);
	assert_true(config->token_enabled);
	assert_int_equal(config->token_len, 11);
	assert_int_equal(run(world, token_command("short", -1)), HW_OK);
	assert_true(config->token_enabled);
	assert_int_equal(config->token_len, 5);
	for (size_t i = 5; i < sizeof(config->token); i++) /* nothing of the old one stays */
		assert_int_equal(config->token[i], 0);
}

/* ---- alerts ---- */

static void check_alert(const struct world_callback *callback, const char *operator_account, uint64_t count,
			uint64_t max, unsigned line)
{
	struct hw_alert alert;
	char reason[160];

	assert_int_equal(hw_alert_parse(callback->body, strlen(callback->body), &alert, reason, sizeof(reason)), 0);
	assert_string_equal(alert.operator_account, operator_account);
	assert_true(alert.room_count == count && alert.room_count_max == max);
	assert_int_equal(alert.event_time_ms, callback->event_ms);
	assert_int_equal(callback->threshold, line);
}

static void test_step_alert_row_tells_who_where_and_how_many(void **state)
{
	struct world *world = *state;

	add_app(world, ALERT_EVERY, 10);
	add_rooms(world, 0, 6);
	assert_int_equal(world->callback_count, 0);
	add_rooms(world, 6, 10);
	assert_int_equal(world->callback_count, 4);
	for (unsigned i = 0; i < 4; i++) {
		check_alert(&world->callbacks[i], "alice", 7 + i, 10, 70);
		assert_string_equal(world->callbacks[i].client_ip, "203.0.113.9");
		assert_int_equal(world->callbacks[i].platform, HW_PLATFORM_WEB);
		assert_true(world->callbacks[i].id == app_id_make(1, i + 1)); /* gapless */
	}
	assert_int_equal(state_of(world)->callback_pending, 4);
}

static void test_step_alert_edge_fires_once_and_again_after_rearming(void **state)
{
	struct world *world = *state;

	add_app(world, ALERT_EDGE, 20);
	add_rooms(world, 0, 20);
	assert_int_equal(world->callback_count, 1);
	check_alert(&world->callbacks[0], "alice", 14, 20, 70);
	for (unsigned i = 0; i < 7; i++) { /* down to 13 rooms: 65 % is the line minus the margin */
		char room_id[8];

		(void)snprintf(room_id, sizeof(room_id), "r%u", i); /* fits */
		assert_int_equal(run(world, world_destroy(APP, room_id, "alice")), HW_OK);
	}
	add_rooms(world, 100, 101);
	assert_int_equal(world->callback_count, 1);
	assert_int_equal(run(world, world_destroy(APP, "r100", "alice")), HW_OK);
	assert_int_equal(run(world, world_destroy(APP, "r7", "alice")), HW_OK); /* 12 rooms: below */
	assert_int_equal(state_of(world)->alert_level, 0);
	add_rooms(world, 200, 202);
	assert_int_equal(world->callback_count, 2);
	check_alert(&world->callbacks[1], "alice", 14, 20, 70);
}

static void test_step_alert_with_the_switch_off_keeps_the_line_armed(void **state)
{
	struct world *world = *state;

	add_app(world, ALERT_EDGE, 10);
	assert_int_equal(run(world, callback_command(COMMAND_CALLBACK_UPDATE, "http://b/", 0)), HW_OK);
	add_rooms(world, 0, 8);
	assert_int_equal(world->callback_count, 0);
	assert_int_equal(state_of(world)->callback_sequence, 0);
	assert_int_equal(state_of(world)->alert_level, 0);
	assert_int_equal(
		run(world, callback_command(COMMAND_CALLBACK_UPDATE, "http://b/", 1u << HW_CALLBACK_THRESHOLD)), HW_OK);
	add_rooms(world, 8, 10);
	assert_int_equal(world->callback_count, 1);
	check_alert(&world->callbacks[0], "alice", 9, 10, 70);
}

static void test_step_alert_when_the_maximum_is_lowered(void **state)
{
	struct world *world = *state;

	add_app(world, ALERT_EDGE, 100);
	add_rooms(world, 0, 8);
	set_max(world, 12); /* 66.7 % */
	assert_int_equal(world->callback_count, 0);
	set_max(world, 11); /* 72.7 % */
	assert_int_equal(world->callback_count, 1);
	check_alert(&world->callbacks[0], APP_SYSTEM_OPERATOR, 8, 11, 70);
	set_max(world, 5); /* below the count: allowed, still the same line */
	assert_int_equal(world->callback_count, 1);
	set_max(world, 1000); /* raised: armed again */
	assert_int_equal(state_of(world)->alert_level, 0);
	set_max(world, 0);
	assert_int_equal(world->callback_count, 2);
	check_alert(&world->callbacks[1], APP_SYSTEM_OPERATOR, 8, 0, 70);
}

static void test_step_alert_when_the_policy_changes(void **state)
{
	struct world *world = *state;
	struct app_config from = world_config(ALERT_EDGE, 0);
	struct command command = world_command(COMMAND_APP_SET, APP);

	from.alert.thresholds[0] = 50;
	from.alert.thresholds[1] = 60;
	from.alert.threshold_count = 2;
	command.u.app_set.fields = APP_FIELD_ALERT;
	command.u.app_set.config = &from;
	add_app(world, ALERT_EDGE, 10);
	add_rooms(world, 0, 6);
	assert_int_equal(world->callback_count, 0);
	assert_int_equal(run(world, command), HW_OK);
	assert_int_equal(world->callback_count, 1); /* one alert, for the highest line */
	check_alert(&world->callbacks[0], APP_SYSTEM_OPERATOR, 6, 10, 60);
	assert_int_equal(run(world, command), HW_OK);
	assert_int_equal(world->callback_count, 1);
}

static void test_step_alert_of_one_batch_sees_each_count(void **state)
{
	struct world *world = *state;
	struct command batch[] = {world_create(APP, "a", "u"), world_create(APP, "b", "v"), world_create(APP, "c", "w"),
				  world_create(APP, "c", "w"), world_create(APP, "d", "x")};

	add_app(world, ALERT_STEP, 4); /* lines 70 80 90 100 */
	run_all(world, batch, ARRAY_LEN(batch));
	assert_int_equal(world->callback_count, 2);
	check_alert(&world->callbacks[0], "w", 3, 4, 70);
	check_alert(&world->callbacks[1], "x", 4, 4, 100);
}

/* ---- marks ---- */

static void test_step_marks_end_callbacks_once(void **state)
{
	struct world *world = *state;

	add_app(world, ALERT_EVERY, 3);
	add_rooms(world, 0, 3);
	set_max(world, 5);
	add_rooms(world, 3, 5);
	assert_int_equal(state_of(world)->callback_pending, 3);
	assert_int_equal(run(world, world_mark(APP, app_id_make(1, 1), DELIVERY_RETRY)), HW_OK);
	assert_int_equal(state_of(world)->callback_pending, 3);
	assert_int_equal(run(world, world_mark(APP, app_id_make(1, 1), DELIVERY_DELIVERED)), HW_OK);
	assert_int_equal(run(world, world_mark(APP, app_id_make(1, 2), DELIVERY_FAILED)), HW_OK);
	assert_int_equal(state_of(world)->callback_pending, 1);
	assert_int_equal(world->callbacks[0].state, CALLBACK_DELIVERED);
	assert_int_equal(world->callbacks[1].state, CALLBACK_FAILED);
	refuse(world, world_mark(APP, app_id_make(9, 1), DELIVERY_DELIVERED), HW_UNKNOWN_SDKAPPID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(test_step_app_create_sets_number_and_time),
		WITH_WORLD(test_step_app_create_ends_when_numbers_are_used_up),
		WITH_WORLD(test_step_every_command_of_an_unknown_app_is_refused),
		WITH_WORLD(test_step_app_delete_refuses_rooms_and_waiting_callbacks),
		WITH_WORLD(test_step_app_number_is_never_reused),
		WITH_WORLD(test_step_room_create_stores_what_was_asked),
		WITH_WORLD(test_step_room_create_refuses_ids_in_use_without_an_alert),
		WITH_WORLD(test_step_room_create_refuses_above_the_maximum_and_says_both_numbers),
		WITH_WORLD(test_step_room_destroy_checks_existence_and_permission),
		WITH_WORLD(test_step_answer_tells_the_room_count),
		WITH_WORLD(test_step_batch_create_destroy_create_of_one_id),
		WITH_WORLD(test_step_batch_replaces_a_stored_room),
		WITH_WORLD(test_step_batch_reaches_the_quota_in_the_middle),
		WITH_WORLD(test_step_batch_creates_app_and_room),
		WITH_WORLD(test_step_batch_deletes_and_recreates_an_app_with_waiting_callbacks),
		WITH_WORLD(test_step_batch_app_that_lives_within_the_batch_leaves_ended_callbacks_only),
		WITH_WORLD(test_step_batch_keeps_apps_apart),
		WITH_WORLD(test_step_callback_set_update_delete),
		WITH_WORLD(test_step_token_set),
		WITH_WORLD(test_step_alert_row_tells_who_where_and_how_many),
		WITH_WORLD(test_step_alert_edge_fires_once_and_again_after_rearming),
		WITH_WORLD(test_step_alert_with_the_switch_off_keeps_the_line_armed),
		WITH_WORLD(test_step_alert_when_the_maximum_is_lowered),
		WITH_WORLD(test_step_alert_when_the_policy_changes),
		WITH_WORLD(test_step_alert_of_one_batch_sees_each_count),
		WITH_WORLD(test_step_marks_end_callbacks_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
