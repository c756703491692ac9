/* Endpoints that are paused, by an operator or because they answered 410, and apps that are deleted meanwhile. */
#include "unit/hook/fixture.h"

#define SWITCH (1u << HW_CALLBACK_THRESHOLD)

/* Retries an hour away, so that what is sent soon is sent for another reason. */
static void wait_long(struct fixture *fixture)
{
	stop(fixture);
	fixture->options.retry.longest_ms = HOUR_S * 1000;
	fixture->options.retry.give_up_ms = UINT64_C(100) * HOUR_S * 1000;
	start(fixture);
	start_hook(fixture);
}

static void test_pause_holds_everything_and_resume_sends_it(void **state)
{
	struct fixture *fixture = *state;

	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	do_type(fixture, COMMAND_CALLBACK_PAUSE, APP);
	add_rooms(fixture, APP, 0, 10);
	pass_by(fixture);
	assert_int_equal(receiver_count(&fixture->receiver), 0);
	assert_int_equal(app_of(fixture, APP).state.callback_pending, 10); /* stored all the same */
	restart(fixture);						   /* a restart does not end it */
	pass_by(fixture);
	assert_int_equal(receiver_count(&fixture->receiver), 0);
	do_type(fixture, COMMAND_CALLBACK_RESUME, APP);
	receiver_wait(&fixture->receiver, 10);
	for (unsigned i = 1; i <= 10; i++)
		(void)wait_state(fixture, 1, i, CALLBACK_DELIVERED, 1);
}

static void test_pause_of_an_endpoint_with_requests_under_way(void **state)
{
	static const struct {
		int status;
		enum callback_state want;
	} rows[] = {{200, CALLBACK_DELIVERED}, {500, CALLBACK_WAITING}};
	struct fixture *fixture = *state;

	wait_long(fixture);
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t app = APP + 10 + i;
		unsigned before = receiver_count(&fixture->receiver);
		uint32_t number;

		add_app(fixture, app, fixture->receiver.port, "/cb", 100);
		number = app_of(fixture, app).config.number;
		receiver_set(&fixture->receiver, 200, true);
		add_rooms(fixture, app, 0, 3);
		receiver_wait(&fixture->receiver, before + 1);
		do_type(fixture, COMMAND_CALLBACK_PAUSE, app);
		receiver_set_retry_after(&fixture->receiver, rows[i].status, HOUR_S);
		receiver_release(&fixture->receiver, before + 1);
		(void)wait_state(fixture, number, 1, rows[i].want, 1); /* its outcome is written down */
		pass_by(fixture);
		assert_int_equal(receiver_count(&fixture->receiver), before + 1);
		receiver_set(&fixture->receiver, 200, false);
		do_type(fixture, COMMAND_CALLBACK_RESUME, app); /* and none has to wait for its hour */
		for (unsigned j = 1; j <= 3; j++)
			(void)wait_state(fixture, number, j, CALLBACK_DELIVERED, 1);
		assert_int_equal(receiver_count(&fixture->receiver), before + 3 + i);
	}
}

static void test_pause_by_an_operator_is_not_ended_by_a_new_url(void **state)
{
	struct fixture *fixture = *state;

	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	do_type(fixture, COMMAND_CALLBACK_PAUSE, APP);
	add_rooms(fixture, APP, 0, 3);
	update_url(fixture, APP, fixture->receiver.port, "/new", SWITCH);
	pass_by(fixture);
	assert_int_equal(receiver_count(&fixture->receiver), 0);
	do_type(fixture, COMMAND_CALLBACK_RESUME, APP);
	receiver_wait(&fixture->receiver, 3);
	assert_string_equal(fixture->receiver.seen[0].path, "/new");
}

/* A callback is replayed while paused: it waits with the others. */
static void test_pause_holds_replays_too(void **state)
{
	struct fixture *fixture = *state;

	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	add_rooms(fixture, APP, 0, 1);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 1);
	do_type(fixture, COMMAND_CALLBACK_PAUSE, APP);
	replay(fixture, APP, app_id_make(1, 1));
	pass_by(fixture);
	assert_int_equal(receiver_count(&fixture->receiver), 1);
	do_type(fixture, COMMAND_CALLBACK_RESUME, APP);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 2);
}

/* ---- 410 ---- */

/* An app whose endpoint has answered 410 to its first callback; two more wait. */
static void make_gone(struct fixture *fixture)
{
	wait_long(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/old", 100);
	receiver_set(&fixture->receiver, 410, true);
	add_rooms(fixture, APP, 0, 3);
	receiver_wait(&fixture->receiver, 1);
	receiver_set(&fixture->receiver, 410, false);
	wait_pause(fixture, APP, PAUSE_GONE);
	receiver_set(&fixture->receiver, 200, false);
	pass_by(fixture);
	assert_int_equal(receiver_count(&fixture->receiver), 1);
	assert_int_equal(row_of(fixture, 1, 1).state, CALLBACK_WAITING); /* nothing is lost */
	assert_int_equal(row_of(fixture, 1, 1).http_status, 410);
}

static void test_gone_pauses_until_a_new_url(void **state)
{
	struct fixture *fixture = *state;

	make_gone(fixture);
	update_url(fixture, APP, fixture->receiver.port, "/new", SWITCH);
	for (unsigned i = 1; i <= 3; i++)
		(void)wait_state(fixture, 1, i, CALLBACK_DELIVERED, 1);
	assert_int_equal(app_of(fixture, APP).config.pause, PAUSE_NONE);
	for (unsigned i = 1; i < 4; i++)
		assert_string_equal(fixture->receiver.seen[i].path, "/new");
}

static void test_gone_pauses_until_resume(void **state)
{
	struct fixture *fixture = *state;

	make_gone(fixture);
	do_type(fixture, COMMAND_CALLBACK_RESUME, APP);
	for (unsigned i = 1; i <= 3; i++)
		(void)wait_state(fixture, 1, i, CALLBACK_DELIVERED, 1);
	assert_string_equal(fixture->receiver.seen[3].path, "/old");
}

static void test_gone_outlasts_a_restart(void **state)
{
	struct fixture *fixture = *state;

	make_gone(fixture);
	restart(fixture);
	pass_by(fixture);
	assert_int_equal(receiver_count(&fixture->receiver), 1);
	do_type(fixture, COMMAND_CALLBACK_RESUME, APP);
	receiver_wait(&fixture->receiver, 4);
}

/* The old address says that it is gone when there is a new one already. */
static void test_gone_of_a_url_that_was_replaced_pauses_nothing(void **state)
{
	struct fixture *fixture = *state;

	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/old", 100);
	receiver_set(&fixture->receiver, 200, true);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	update_url(fixture, APP, fixture->beside.port, "/new", SWITCH);
	receiver_set(&fixture->receiver, 410, false);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 2);
	assert_int_equal(app_of(fixture, APP).config.pause, PAUSE_NONE);
	assert_string_equal(fixture->beside.seen[0].path, "/new");
}

/* ---- apps that are deleted ---- */

static void empty_and_delete(struct fixture *fixture, unsigned rooms)
{
	for (unsigned i = 0; i < rooms; i++) {
		char room_id[16];

		(void)snprintf(room_id, sizeof(room_id), "r%u", i); /* fits */
		do_ok(fixture, world_destroy(APP, room_id, "alice"));
	}
	do_type(fixture, COMMAND_APP_DELETE, APP);
}

static void test_deleted_app_that_was_paused_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;

	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	do_type(fixture, COMMAND_CALLBACK_PAUSE, APP);
	add_rooms(fixture, APP, 0, 3);
	wait_targets(fixture, 1);
	empty_and_delete(fixture, 3);
	wait_targets(fixture, 0);
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(row_of(fixture, 1, i).state, CALLBACK_FAILED);
	assert_int_equal(receiver_count(&fixture->receiver), 0);
}

static void test_deleted_app_that_had_gone_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;

	make_gone(fixture);
	empty_and_delete(fixture, 3);
	wait_targets(fixture, 0);
	add_app(fixture, APP, fixture->receiver.port, "/again", 100); /* the new one has nothing of the old */
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 2);
	assert_string_equal(fixture->receiver.seen[1].path, "/again");
}

/* Deleted while a request is under way, which then ends in one way or another. */
static void test_deleted_app_with_a_request_under_way_leaves_nothing(void **state)
{
	static const int statuses[] = {200, 500, 503, 410};
	struct fixture *fixture = *state;

	start_hook(fixture);
	for (uint32_t i = 0; i < 4; i++) {
		unsigned before = receiver_count(&fixture->receiver);

		add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
		receiver_set(&fixture->receiver, 200, true);
		add_rooms(fixture, APP, 0, 3);
		receiver_wait(&fixture->receiver, before + 1);
		empty_and_delete(fixture, 3);
		receiver_set(&fixture->receiver, statuses[i], false);
		wait_targets(fixture, 0);
		for (unsigned j = 1; j <= 3; j++)
			assert_int_equal(row_of(fixture, 1 + i, j).state, CALLBACK_FAILED);
		assert_int_equal(receiver_count(&fixture->receiver), before + 1);
	}
}

/* The same SDKAppID is in use again when the old one's request ends with 410: that is not about the new one. */
static void test_deleted_app_that_answers_410_does_not_pause_the_one_made_anew(void **state)
{
	struct fixture *fixture = *state;

	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/old", 100);
	receiver_set(&fixture->receiver, 200, true);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	empty_and_delete(fixture, 1);
	add_app(fixture, APP, fixture->beside.port, "/new", 100);
	receiver_set(&fixture->receiver, 410, false);
	add_rooms(fixture, APP, 0, 3);
	for (unsigned i = 1; i <= 3; i++)
		(void)wait_state(fixture, 2, i, CALLBACK_DELIVERED, 1);
	assert_int_equal(app_of(fixture, APP).config.pause, PAUSE_NONE);
	assert_int_equal(receiver_count(&fixture->receiver), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOOK(test_pause_holds_everything_and_resume_sends_it),
		WITH_HOOK(test_pause_of_an_endpoint_with_requests_under_way),
		WITH_HOOK(test_pause_by_an_operator_is_not_ended_by_a_new_url),
		WITH_HOOK(test_pause_holds_replays_too),
		WITH_HOOK(test_gone_pauses_until_a_new_url),
		WITH_HOOK(test_gone_pauses_until_resume),
		WITH_HOOK(test_gone_outlasts_a_restart),
		WITH_HOOK(test_gone_of_a_url_that_was_replaced_pauses_nothing),
		WITH_HOOK(test_deleted_app_that_was_paused_leaves_nothing),
		WITH_HOOK(test_deleted_app_that_had_gone_leaves_nothing),
		WITH_HOOK(test_deleted_app_with_a_request_under_way_leaves_nothing),
		WITH_HOOK(test_deleted_app_that_answers_410_does_not_pause_the_one_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
