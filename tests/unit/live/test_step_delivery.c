/* Callbacks on their way: marks and what they tell of the endpoint, pauses, tests, replays, and when delivery is told. */
#include "unit/live/batch.h"

#define OTHER_NUMBER 6u

static void load_delivery(struct batch *batch, int64_t id, enum callback_state state)
{
	struct live_delivery *delivery = live_set_delivery(&batch->set, id);

	assert_non_null(delivery);
	delivery->exists = true;
	delivery->state = state;
}

static bool endpoint_is(const struct batch *batch, uint32_t failures, int64_t failing_ms, int64_t delivered_ms)
{
	const struct app_endpoint *endpoint = &batch->app->state.endpoint;

	return endpoint->failures == failures && endpoint->failing_ms == failing_ms &&
	       endpoint->delivered_ms == delivered_ms;
}

/* ---- marks ---- */

/* With 5 that wait, and an endpoint that failed twice, first at 300, and was fine at 100; the attempt ended at 900. */
static void test_step_mark_table(void **state)
{
	static const struct {
		enum delivery_mark mark;
		bool sent, gone;
		unsigned pending;
		uint32_t failures;
		int64_t failing_ms, delivered_ms;
	} rows[] = {
		{DELIVERY_DELIVERED, true, false, 4, 0, 0, 900}, {DELIVERY_RETRY, true, false, 5, 3, 300, 100},
		{DELIVERY_FAILED, true, false, 4, 3, 300, 100},	 {DELIVERY_SUPERSEDED, true, false, 4, 3, 300, 100},
		{DELIVERY_RETRY, true, true, 5, 3, 300, 100},	 {DELIVERY_FAILED, true, true, 4, 3, 300, 100},
		{DELIVERY_RETRY, false, false, 5, 2, 300, 100}, /* nothing went out: it tells nothing */
		{DELIVERY_FAILED, false, false, 4, 2, 300, 100}, {DELIVERY_SUPERSEDED, false, false, 4, 2, 300, 100},
	};
	struct batch *batch = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command command = world_mark(APP, app_id_make(NUMBER, 1), rows[i].mark);

		command.u.delivery.attempt_ms = 900;
		command.u.delivery.sent = rows[i].sent;
		command.u.delivery.gone = rows[i].gone;
		command.u.delivery.url_hash = live_callback_url_hash(&batch->config);
		batch_begin(batch, &command, 1);
		batch->app->state.callback_pending = 5;
		batch->app->state.endpoint = (struct app_endpoint){2, 300, 100};
		assert_int_equal(step(batch, 0), HW_OK);
		assert_int_equal(batch->app->state.callback_pending, rows[i].pending);
		if (!endpoint_is(batch, rows[i].failures, rows[i].failing_ms, rows[i].delivered_ms))
			fail_msg("row %zu", i);
		assert_int_equal(batch->app->state_changed, rows[i].sent || rows[i].mark != DELIVERY_RETRY);
		assert_int_equal(batch->app->config_changed, rows[i].gone);
		assert_int_equal(batch->app->config->pause, rows[i].gone ? PAUSE_GONE : PAUSE_NONE);
		assert_int_equal(batch->app->config->pause_ms, rows[i].gone ? 900 : 0);
		assert_int_equal(batch->set.mark_count, 1);
		assert_ptr_equal(batch->set.marks[0], &command.u.delivery);
		assert_int_equal(batch->app->wake, WAKE_NONE);
	}
}

static struct command sent_mark(unsigned sequence, enum delivery_mark mark, int64_t attempt_ms)
{
	struct command command = world_mark(APP, app_id_make(NUMBER, sequence), mark);

	command.u.delivery.attempt_ms = attempt_ms;
	command.u.delivery.sent = true;
	return command;
}

static void test_step_marks_of_one_batch_in_order(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {
		sent_mark(1, DELIVERY_RETRY, 100),     sent_mark(2, DELIVERY_FAILED, 200),
		sent_mark(3, DELIVERY_DELIVERED, 300), sent_mark(4, DELIVERY_RETRY, 400),
		sent_mark(1, DELIVERY_RETRY, 500),     sent_mark(5, DELIVERY_SUPERSEDED, 600),
	};

	batch_begin(batch, commands, ARRAY_LEN(commands));
	batch->app->state.callback_pending = 9;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(step(batch, i), HW_OK);
	assert_true(endpoint_is(batch, 2, 100, 0)); /* failing since the first of them */
	assert_int_equal(step(batch, 2), HW_OK);
	assert_true(endpoint_is(batch, 0, 0, 300));
	for (size_t i = 3; i < ARRAY_LEN(commands); i++)
		assert_int_equal(step(batch, i), HW_OK);
	assert_true(endpoint_is(batch, 3, 400, 300));
	assert_int_equal(batch->app->state.callback_pending, 6);
	assert_int_equal(batch->set.mark_count, ARRAY_LEN(commands));
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		assert_ptr_equal(batch->set.marks[i], &commands[i].u.delivery);
}

static void test_step_mark_counters_stay_in_bounds(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {sent_mark(1, DELIVERY_FAILED, 100), sent_mark(2, DELIVERY_DELIVERED, 200)};

	batch_begin(batch, commands, 2); /* as from a file that was tampered with: nothing waits */
	batch->app->state.endpoint.failures = UINT32_MAX;
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(batch->app->state.endpoint.failures, UINT32_MAX);
	assert_int_equal(batch->app->state.callback_pending, 0);
	assert_int_equal(step(batch, 1), HW_OK);
	assert_int_equal(batch->app->state.callback_pending, 0);
	assert_int_equal(batch->set.mark_count, 2);
}

static void test_step_failure_that_tells_nothing_of_the_endpoint_is_not_counted(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {sent_mark(1, DELIVERY_RETRY, 100), sent_mark(1, DELIVERY_RETRY, 200),
				     sent_mark(1, DELIVERY_FAILED, 300)};

	commands[1].u.delivery.endpoint_fine = commands[2].u.delivery.endpoint_fine = true;
	batch_begin(batch, commands, 3);
	batch->app->state.callback_pending = 1;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(step(batch, i), HW_OK);
	assert_true(endpoint_is(batch, 1, 100, 0));
	assert_int_equal(batch->app->state.callback_pending, 0); /* it ends all the same */
}

static void test_step_mark_of_an_app_that_was_made_anew_is_refused(void **state)
{
	struct batch *batch = *state;
	struct command command = world_mark(APP, app_id_make(OTHER_NUMBER, 1), DELIVERY_RETRY);

	command.u.delivery.sent = command.u.delivery.gone = true;
	batch_begin(batch, &command, 1);
	batch->app->state.callback_pending = 3;
	refuse(batch, 0, HW_UNKNOWN_SDKAPPID);
	assert_int_equal(batch->set.mark_count, 0);
}

static void test_step_gone_keeps_the_time_of_the_first(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {sent_mark(1, DELIVERY_RETRY, 100), sent_mark(2, DELIVERY_RETRY, 200)};

	for (size_t i = 0; i < 2; i++) {
		commands[i].u.delivery.gone = true;
		commands[i].u.delivery.url_hash = live_callback_url_hash(&batch->config);
	}
	batch_begin(batch, commands, 2);
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(step(batch, 1), HW_OK);
	assert_int_equal(batch->app->config->pause, PAUSE_GONE);
	assert_int_equal(batch->app->config->pause_ms, 100);
	assert_true(endpoint_is(batch, 2, 100, 0));
}

/* ---- pause and resume ---- */

static struct command at_ms(enum command_type type, int64_t wall_ms)
{
	struct command command = world_command(type, APP);

	command.origin.wall_ms = wall_ms;
	return command;
}

static void test_step_pause_and_resume(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {at_ms(COMMAND_CALLBACK_PAUSE, 2000), at_ms(COMMAND_CALLBACK_PAUSE, 3000),
				     at_ms(COMMAND_CALLBACK_RESUME, 4000)};

	batch_begin(batch, commands, 3);
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(batch->app->config->pause, PAUSE_OPERATOR);
	assert_int_equal(batch->app->config->pause_ms, 2000);
	assert_true(batch->app->config_changed);
	assert_int_equal(batch->app->wake, WAKE_NONE);	   /* the directory tells */
	assert_int_equal(batch->config.pause, PAUSE_NONE); /* what was loaded is the store's */
	assert_int_equal(step(batch, 1), HW_OK);
	assert_int_equal(batch->app->config->pause_ms, 2000);
	assert_int_equal(step(batch, 2), HW_OK);
	assert_int_equal(batch->app->config->pause, PAUSE_NONE);
	assert_int_equal(batch->app->config->pause_ms, 0);
	assert_int_equal(batch->app->wake, WAKE_NOW);
}

/* It was sent to the old address, and its mark comes behind the command that set the new one. */
static void test_step_gone_of_another_url_does_not_pause(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {at_ms(COMMAND_CALLBACK_UPDATE, 2000), sent_mark(1, DELIVERY_RETRY, 3000),
				     at_ms(COMMAND_CALLBACK_DELETE, 4000), sent_mark(2, DELIVERY_RETRY, 5000)};

	commands[0].u.callback.url = STR("http://new/");
	for (size_t i = 1; i < 4; i += 2) {
		commands[i].u.delivery.gone = true;
		commands[i].u.delivery.url_hash = live_callback_url_hash(&batch->config);
	}
	batch_begin(batch, commands, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(step(batch, i), HW_OK);
		assert_int_equal(batch->app->config->pause, PAUSE_NONE);
	}
	assert_true(endpoint_is(batch, 2, 3000, 0)); /* they failed all the same */
}

/* The operator's word outlasts a new address, whoever was first. */
static void test_step_pause_of_what_had_gone_is_the_operators(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {at_ms(COMMAND_CALLBACK_PAUSE, 2000), sent_mark(1, DELIVERY_RETRY, 3000),
				     at_ms(COMMAND_CALLBACK_UPDATE, 4000)};

	commands[1].u.delivery.gone = true;
	commands[1].u.delivery.url_hash = live_callback_url_hash(&batch->config);
	commands[2].u.callback.url = STR("http://new/");
	batch->config.pause = PAUSE_GONE;
	batch->config.pause_ms = 50;
	batch_begin(batch, commands, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(step(batch, i), HW_OK);
		assert_int_equal(batch->app->config->pause, PAUSE_OPERATOR);
		assert_int_equal(batch->app->config->pause_ms, 2000);
	}
}

/* An endpoint that is not paused: what makes it wait, an open breaker, shall not count all the same. */
static void test_step_resume_of_what_is_not_paused_wakes(void **state)
{
	struct batch *batch = *state;
	struct command command = at_ms(COMMAND_CALLBACK_RESUME, 4000);

	batch_begin(batch, &command, 1);
	assert_int_equal(step(batch, 0), HW_OK);
	assert_false(batch->app->config_changed);
	assert_int_equal(batch->app->wake, WAKE_NOW);
}

static void test_step_callbacks_are_stored_while_paused(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {at_ms(COMMAND_CALLBACK_PAUSE, 2000), world_create(APP, "r", "ann")};

	batch_begin(batch, commands, 2);
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(step(batch, 1), HW_OK);
	assert_int_equal(batch->set.callback_count, 1);
	assert_int_equal(batch->app->state.callback_pending, 1);
	assert_int_equal(batch->app->config->pause, PAUSE_OPERATOR);
}

/* A new address takes the place of one that had gone; what an operator said stands until an operator says otherwise. */
static void test_step_new_url_ends_a_pause_of_what_had_gone_only(void **state)
{
	static const struct {
		enum command_type type;
		enum app_pause before, after;
		enum delivery_wake wake;
	} rows[] = {
		{COMMAND_CALLBACK_UPDATE, PAUSE_GONE, PAUSE_NONE, WAKE_NOW},
		{COMMAND_CALLBACK_SET, PAUSE_GONE, PAUSE_NONE, WAKE_NOW},
		{COMMAND_CALLBACK_UPDATE, PAUSE_OPERATOR, PAUSE_OPERATOR, WAKE_NOW},
		{COMMAND_CALLBACK_SET, PAUSE_OPERATOR, PAUSE_OPERATOR, WAKE_NOW},
		{COMMAND_CALLBACK_UPDATE, PAUSE_NONE, PAUSE_NONE, WAKE_NOW},
		{COMMAND_CALLBACK_DELETE, PAUSE_GONE, PAUSE_GONE, WAKE_NONE},
		{COMMAND_CALLBACK_DELETE, PAUSE_OPERATOR, PAUSE_OPERATOR, WAKE_NONE},
	};
	struct batch *batch = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command command = world_command(rows[i].type, APP);

		command.u.callback.url = STR("http://new/");
		command.u.callback.commands = CALLBACKS_ALL;
		batch->config.callback_overwrite = true;
		batch->config.pause = rows[i].before;
		batch->config.pause_ms = rows[i].before == PAUSE_NONE ? 0 : 50;
		batch_begin(batch, &command, 1);
		assert_int_equal(step(batch, 0), HW_OK);
		assert_int_equal(batch->app->config->pause, rows[i].after);
		assert_int_equal(batch->app->config->pause_ms, rows[i].after == PAUSE_NONE ? 0 : 50);
		assert_int_equal(batch->app->wake, rows[i].wake);
	}
}

/* ---- tests ---- */

static void test_step_test_is_a_real_alert_with_the_present_count(void **state)
{
	struct batch *batch = *state;
	struct command command = at_ms(COMMAND_CALLBACK_TEST, 2000);
	const struct live_callback *made;
	struct hw_alert alert;
	char reason[160];

	batch_begin(batch, &command, 1);
	batch->app->state.room_count = 42;
	batch->app->state.callback_sequence = 8;
	batch->app->state.callback_pending = 3;
	batch->app->state.alert_level = 0;
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(batch->set.callback_count, 1);
	made = batch->set.callbacks;
	assert_true(made->id == app_id_make(NUMBER, 9));
	assert_true(command.callback_id == made->id);
	assert_int_equal(made->command, HW_CALLBACK_THRESHOLD);
	assert_int_equal(made->threshold, 0);
	assert_int_equal(made->event_ms, 2000);
	assert_int_equal(hw_alert_parse(made->body.ptr, made->body.len, &alert, reason, sizeof(reason)), 0);
	assert_string_equal(alert.operator_account, APP_SYSTEM_OPERATOR);
	assert_int_equal(alert.room_count, 42);
	assert_int_equal(alert.room_count_max, 100);
	assert_int_equal(alert.event_time_ms, 2000);
	assert_int_equal(batch->app->state.callback_pending, 4);
	assert_int_equal(batch->app->state.callback_sequence, 9);
	assert_int_equal(batch->app->state.alert_level, 0); /* no line was crossed */
	assert_int_equal(batch->app->wake, WAKE_NOW);
	assert_false(batch->app->config_changed);
}

static void test_step_test_that_would_not_leave_is_refused(void **state)
{
	static const struct {
		bool set;
		enum app_pause pause;
		uint32_t commands;
		int code;
		const char *said;
	} rows[] = {
		{false, PAUSE_NONE, CALLBACKS_ALL, HW_NO_CALLBACK, ""},
		{true, PAUSE_OPERATOR, CALLBACKS_ALL, HW_BAD_PARAMETER, "by an operator"},
		{true, PAUSE_GONE, CALLBACKS_ALL, HW_BAD_PARAMETER, "answered 410"},
		{true, PAUSE_NONE, CALLBACKS_ALL & ~(1u << HW_CALLBACK_THRESHOLD), HW_BAD_PARAMETER, "not switched on"},
	};
	struct batch *batch = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command command = world_command(COMMAND_CALLBACK_TEST, APP);

		batch->config.callback_set = rows[i].set;
		batch->config.pause = rows[i].pause;
		batch->config.callback_commands = rows[i].commands;
		batch_begin(batch, &command, 1);
		refuse(batch, 0, rows[i].code);
		assert_non_null(strstr(command.text, rows[i].said));
		assert_true(command.callback_id == 0);
	}
}

/* ---- replays ---- */

static struct command replay(const int64_t *ids, size_t count)
{
	struct command command = world_command(COMMAND_CALLBACK_REPLAY, APP);

	command.origin.wall_ms = 5000;
	command.origin.steady_ms = 4999;
	command.u.replay.ids = ids;
	command.u.replay.count = count;
	return command;
}

static void test_step_replay_takes_final_callbacks_of_this_app_only(void **state)
{
	const int64_t ids[] = {app_id_make(NUMBER, 1), app_id_make(NUMBER, 2),	     app_id_make(NUMBER, 3),
			       app_id_make(NUMBER, 4), app_id_make(OTHER_NUMBER, 1), app_id_make(NUMBER, 5)};
	static const struct {
		bool exists;
		enum callback_state state;
		bool replayed;
	} rows[] = {{true, CALLBACK_FAILED, true},     {true, CALLBACK_WAITING, false},
		    {true, CALLBACK_SUPERSEDED, true}, {true, CALLBACK_DELIVERED, true},
		    {true, CALLBACK_FAILED, false},    /* of an app that was */
		    {false, CALLBACK_WAITING, false}}; /* unknown */
	struct batch *batch = *state;
	struct command command = replay(ids, ARRAY_LEN(ids));

	batch_begin(batch, &command, 1);
	batch->app->state.callback_pending = 2;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].exists)
			load_delivery(batch, ids[i], rows[i].state);
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(command.count, 3);
	assert_int_equal(batch->app->state.callback_pending, 5);
	assert_true(batch->app->state_changed);
	assert_int_equal(batch->app->wake, WAKE_NOW);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct live_delivery *delivery = live_set_delivery(&batch->set, ids[i]);

		assert_int_equal(delivery->replayed, rows[i].replayed);
		assert_int_equal(delivery->state, rows[i].replayed ? CALLBACK_WAITING : rows[i].state);
		assert_int_equal(delivery->replay_ms, rows[i].replayed ? 5000 : 0);
		assert_int_equal(delivery->due_ms, rows[i].replayed ? 4999 : 0);
	}
}

static void test_step_replay_of_nothing_wakes_nobody(void **state)
{
	const int64_t ids[] = {app_id_make(NUMBER, 1)};
	struct batch *batch = *state;
	struct command commands[] = {replay(ids, 1), replay(NULL, 0)};

	batch_begin(batch, commands, 2);
	load_delivery(batch, ids[0], CALLBACK_WAITING);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(step(batch, i), HW_OK);
		assert_int_equal(commands[i].count, 0);
	}
	assert_false(batch->app->state_changed);
	assert_int_equal(batch->app->wake, WAKE_NONE);
}

static void test_step_replay_twice_in_one_batch_counts_once(void **state)
{
	const int64_t ids[] = {app_id_make(NUMBER, 1), app_id_make(NUMBER, 2)};
	struct batch *batch = *state;
	struct command commands[] = {replay(ids, 1), replay(ids, 2)};

	commands[1].origin.wall_ms = 6000;
	batch_begin(batch, commands, 2);
	load_delivery(batch, ids[0], CALLBACK_FAILED);
	load_delivery(batch, ids[1], CALLBACK_DELIVERED);
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(step(batch, 1), HW_OK);
	assert_int_equal(commands[0].count, 1);
	assert_int_equal(commands[1].count, 1);
	assert_int_equal(batch->app->state.callback_pending, 2);
	assert_int_equal(live_set_delivery(&batch->set, ids[0])->replay_ms, 5000); /* as the first said */
}

static void test_step_replay_then_delete_in_one_batch(void **state)
{
	const int64_t ids[] = {app_id_make(NUMBER, 1)};
	struct app_config config = world_config(ALERT_EVERY, 5);
	struct batch *batch = *state;
	struct command commands[] = {replay(ids, 1), world_command(COMMAND_APP_DELETE, APP),
				     world_command(COMMAND_APP_DELETE, APP), world_command(COMMAND_APP_CREATE, APP)};

	commands[2].u.app_delete.force = true;
	commands[3].u.app_create = &config;
	batch_begin(batch, commands, ARRAY_LEN(commands));
	load_delivery(batch, ids[0], CALLBACK_DELIVERED);
	assert_int_equal(step(batch, 0), HW_OK);
	refuse(batch, 1, HW_BAD_PARAMETER); /* it waits again */
	assert_int_equal(step(batch, 2), HW_OK);
	assert_true(live_app_is_gone(batch->app));
	assert_true(batch->app->pending_cancelled); /* so the store ends it as failed */
	assert_true(ids[0] < live_app_cancel_below(batch->app));
	assert_int_equal(batch->app->wake, WAKE_NOW);
	assert_int_equal(step(batch, 3), HW_OK);
	assert_int_equal(batch->app->state.callback_pending, 0);
	assert_true(ids[0] < live_app_cancel_below(batch->app));
	assert_true(app_id_make(batch->app->config->number, 1) >= live_app_cancel_below(batch->app));
}

/* As many as one command can name; each is found again, however the hash puts them. */
static void test_step_replay_of_the_most_at_once(void **state)
{
	int64_t ids[REPLAY_COUNT_MAX] = {0};
	struct batch *batch = *state;
	struct command command = replay(ids, REPLAY_COUNT_MAX);

	for (unsigned i = 0; i < REPLAY_COUNT_MAX; i++)
		ids[i] = app_id_make(NUMBER, 1 + i);
	batch_begin(batch, &command, 1);
	for (unsigned i = 0; i < REPLAY_COUNT_MAX; i++)
		load_delivery(batch, ids[i], CALLBACK_FAILED);
	assert_null(live_set_delivery(&batch->set, app_id_make(NUMBER, 0)));
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(command.count, REPLAY_COUNT_MAX);
	assert_int_equal(batch->app->state.callback_pending, REPLAY_COUNT_MAX);
}

/* ---- when delivery is told ---- */

static void test_step_wakes_delivery_for_what_is_new_and_for_no_other(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {
		world_destroy(APP, "old", "ann"),
		world_command(COMMAND_CALLBACK_DELETE, APP),
		world_create(APP, "new", "ann"),
		world_command(COMMAND_APP_DELETE, APP),
	};

	batch_begin(batch, commands, 1);
	(void)load_room(batch, "old", "ann");
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(batch->set.callback_count, 1);
	assert_int_equal(batch->app->wake, WAKE_NEW);
	batch_begin(batch, commands + 1, 3);
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(step(batch, 1), HW_OK);
	assert_int_equal(batch->set.callback_count, 0); /* no callback is on any more */
	assert_int_equal(batch->app->wake, WAKE_NONE);
	batch->app->state.room_count = 0;
	assert_int_equal(step(batch, 2), HW_OK);
	assert_int_equal(batch->app->wake, WAKE_NOW); /* delivery forgets the app, also while it waits for it */
}

static void test_step_wake_is_the_strongest_of_the_batch(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {world_command(COMMAND_CALLBACK_RESUME, APP), world_create(APP, "r", "ann")};

	batch_begin(batch, commands, 2);
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(step(batch, 1), HW_OK);
	assert_int_equal(batch->app->wake, WAKE_NOW);
}

#define WITH_BATCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BATCH(test_step_mark_table),
		WITH_BATCH(test_step_marks_of_one_batch_in_order),
		WITH_BATCH(test_step_mark_counters_stay_in_bounds),
		WITH_BATCH(test_step_mark_of_an_app_that_was_made_anew_is_refused),
		WITH_BATCH(test_step_failure_that_tells_nothing_of_the_endpoint_is_not_counted),
		WITH_BATCH(test_step_gone_keeps_the_time_of_the_first),
		WITH_BATCH(test_step_pause_and_resume),
		WITH_BATCH(test_step_gone_of_another_url_does_not_pause),
		WITH_BATCH(test_step_pause_of_what_had_gone_is_the_operators),
		WITH_BATCH(test_step_resume_of_what_is_not_paused_wakes),
		WITH_BATCH(test_step_callbacks_are_stored_while_paused),
		WITH_BATCH(test_step_new_url_ends_a_pause_of_what_had_gone_only),
		WITH_BATCH(test_step_test_is_a_real_alert_with_the_present_count),
		WITH_BATCH(test_step_test_that_would_not_leave_is_refused),
		WITH_BATCH(test_step_replay_takes_final_callbacks_of_this_app_only),
		WITH_BATCH(test_step_replay_of_nothing_wakes_nobody),
		WITH_BATCH(test_step_replay_twice_in_one_batch_counts_once),
		WITH_BATCH(test_step_replay_then_delete_in_one_batch),
		WITH_BATCH(test_step_replay_of_the_most_at_once),
		WITH_BATCH(test_step_wakes_delivery_for_what_is_new_and_for_no_other),
		WITH_BATCH(test_step_wake_is_the_strongest_of_the_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
