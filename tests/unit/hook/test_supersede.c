/* Alerts that a newer one makes needless, and all those callbacks that it does not. */
#include "unit/hook/fixture.h"

/* Retries an hour away, so that only what this is about moves anything. */
static void open_with(struct fixture *fixture, bool supersede)
{
	stop(fixture);
	fixture->options.supersede = supersede;
	fixture->options.retry.longest_ms = HOUR_S * 1000;
	fixture->options.retry.give_up_ms = UINT64_C(100) * HOUR_S * 1000;
	start(fixture);
	start_hook(fixture);
}

/* Alert `sequence` fails, and its next attempt is an hour away. */
static void fail_one(struct fixture *fixture, unsigned sequence)
{
	receiver_set_retry_after(&fixture->receiver, 500, HOUR_S);
	add_rooms(fixture, APP, sequence - 1, sequence);
	(void)wait_state(fixture, 1, sequence, CALLBACK_WAITING, 1);
	receiver_set(&fixture->receiver, 200, false);
}

static void check_superseded(struct store_callback row, uint32_t attempts, int32_t http_status)
{
	assert_int_equal(row.state, CALLBACK_SUPERSEDED);
	assert_int_equal(row.attempts, attempts);
	assert_int_equal(row.http_status, http_status);
	assert_true(str_eq(row.error, STR("a newer alert took its place")));
}

static void test_supersede_one_that_waits_for_its_retry(void **state)
{
	struct fixture *fixture = *state;

	open_with(fixture, true);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	fail_one(fixture, 1);
	add_rooms(fixture, APP, 1, 2);
	(void)wait_state(fixture, 1, 2, CALLBACK_DELIVERED, 1);
	do_type(fixture, COMMAND_CALLBACK_RESUME, APP); /* its time has come, so to say */
	check_superseded(wait_state(fixture, 1, 1, CALLBACK_SUPERSEDED, 1), 1, 500);
	hook_stop(fixture->hook);
	assert_int_equal(receiver_count(&fixture->receiver), 2);
	assert_int_equal(stats_of(fixture).superseded_total, 1);
	assert_int_equal(stats_of(fixture).attempts_total, 2); /* nothing was sent for it */
	assert_int_equal(app_of(fixture, APP).state.callback_pending, 0);
	assert_non_null(memmem(row_of(fixture, 1, 1).log.ptr, row_of(fixture, 1, 1).log.len, "\"HttpStatus\":500", 16));
}

static void test_supersede_only_when_it_is_on(void **state)
{
	struct fixture *fixture = *state;

	open_with(fixture, false);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	fail_one(fixture, 1);
	add_rooms(fixture, APP, 1, 2);
	(void)wait_state(fixture, 1, 2, CALLBACK_DELIVERED, 1);
	do_type(fixture, COMMAND_CALLBACK_RESUME, APP);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 2);
}

/* The newest is what counts: it is never superseded, however often it fails. */
static void test_supersede_never_the_newest(void **state)
{
	struct fixture *fixture = *state;

	open_with(fixture, true);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	fail_one(fixture, 1);
	do_type(fixture, COMMAND_CALLBACK_RESUME, APP);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 2);
}

static void test_supersede_one_that_fails_in_flight_while_there_is_a_newer_one(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback row;

	open_with(fixture, true);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	receiver_set(&fixture->receiver, 500, true);
	add_rooms(fixture, APP, 0, 2);
	receiver_wait(&fixture->receiver, 1);
	receiver_release(&fixture->receiver, 1);
	row = wait_state(fixture, 1, 1, CALLBACK_SUPERSEDED, 1);
	check_superseded(row, 1, 500);
	assert_non_null(memmem(row.log.ptr, row.log.len, "\"HttpStatus\":500", 16)); /* what happened is written down */
	assert_int_equal(app_of(fixture, APP).state.endpoint.failures, 1);
	receiver_set(&fixture->receiver, 200, false);
	(void)wait_state(fixture, 1, 2, CALLBACK_DELIVERED, 1);
}

/* One that is delivered in flight is delivered. */
static void test_supersede_not_what_is_delivered(void **state)
{
	struct fixture *fixture = *state;

	open_with(fixture, true);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	receiver_set(&fixture->receiver, 200, true);
	add_rooms(fixture, APP, 0, 3);
	receiver_wait(&fixture->receiver, 1);
	receiver_set(&fixture->receiver, 200, false);
	for (unsigned i = 1; i <= 3; i++) /* none had failed, and the endpoint lives: each is sent */
		(void)wait_state(fixture, 1, i, CALLBACK_DELIVERED, 1);
}

/* Opens the breaker: the first callback has failed often enough, and its last probe hangs. Returns how many requests
 * have come, that one included. */
static unsigned open_breaker(struct fixture *fixture)
{
	stop(fixture);
	fixture->options.supersede = true;
	start(fixture);
	start_hook(fixture);
	receiver_set(&fixture->receiver, 500, false);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, ENDPOINT_OPEN_AFTER + 1);
	receiver_set(&fixture->receiver, 500, true);
	receiver_wait_open(&fixture->receiver, 1);
	return receiver_count(&fixture->receiver);
}

static void test_supersede_all_but_the_newest_behind_an_open_breaker(void **state)
{
	struct fixture *fixture = *state;
	unsigned before;

	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	before = open_breaker(fixture);
	add_rooms(fixture, APP, 1, 40); /* they wait behind the probe */
	receiver_release(&fixture->receiver, before);
	(void)wait_state(fixture, 1, 1, CALLBACK_SUPERSEDED, 1);
	for (unsigned i = 2; i < 40; i++) {
		struct store_callback row = wait_state(fixture, 1, i, CALLBACK_SUPERSEDED, 0);

		check_superseded(row, 0, 0);
		assert_int_equal(row.attempt_ms, 0); /* it never was on the wire */
		assert_int_equal(row.log.len, 0);
	}
	receiver_wait(&fixture->receiver, before + 1);
	receiver_set(&fixture->receiver, 200, false);
	(void)wait_state(fixture, 1, 40, CALLBACK_DELIVERED, 1);
	hook_stop(fixture->hook);
	assert_int_equal(app_of(fixture, APP).state.callback_pending, 0);
	assert_int_equal(stats_of(fixture).superseded_total, 39);
}

/* The probe that was under way is delivered: what had gathered behind it is not sent one by one. What is made later is. */
static void test_supersede_what_waited_behind_a_breaker_that_has_closed(void **state)
{
	struct fixture *fixture = *state;
	unsigned before;

	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	before = open_breaker(fixture);
	add_rooms(fixture, APP, 1, 20);
	receiver_set(&fixture->receiver, 200, true);
	receiver_release(&fixture->receiver, before);
	receiver_wait(&fixture->receiver, before + 1); /* the newest, since all before it are superseded first */
	add_rooms(fixture, APP, 20, 30);
	receiver_set(&fixture->receiver, 200, false);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 1);
	for (unsigned i = 2; i < 20; i++)
		check_superseded(wait_state(fixture, 1, i, CALLBACK_SUPERSEDED, 0), 0, 0);
	for (unsigned i = 20; i <= 30; i++)
		(void)wait_state(fixture, 1, i, CALLBACK_DELIVERED, 1);
	hook_stop(fixture->hook);
	assert_int_equal(receiver_count(&fixture->receiver), before + 11);
}

static void test_supersede_no_replay_even_when_it_fails(void **state)
{
	struct fixture *fixture = *state;

	open_with(fixture, true);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	add_rooms(fixture, APP, 0, 3);
	for (unsigned i = 1; i <= 3; i++)
		(void)wait_state(fixture, 1, i, CALLBACK_DELIVERED, 1);
	receiver_set_retry_after(&fixture->receiver, 500, HOUR_S);
	replay(fixture, APP, app_id_make(1, 1));
	(void)wait_state(fixture, 1, 1, CALLBACK_WAITING, 2); /* failed, and there are newer ones */
	receiver_set(&fixture->receiver, 200, false);
	do_type(fixture, COMMAND_CALLBACK_RESUME, APP);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 3);
}

static void test_supersede_no_test(void **state)
{
	struct fixture *fixture = *state;
	unsigned before;

	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	before = open_breaker(fixture);
	do_type(fixture, COMMAND_CALLBACK_TEST, APP);
	do_type(fixture, COMMAND_CALLBACK_TEST, APP);
	receiver_release(&fixture->receiver, before);
	receiver_set(&fixture->receiver, 200, false);
	(void)wait_state(fixture, 1, 2, CALLBACK_DELIVERED, 1);
	(void)wait_state(fixture, 1, 3, CALLBACK_DELIVERED, 1);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 1); /* and no alert by a test, which is none */
}

static void test_supersede_no_other_callback(void **state)
{
	struct fixture *fixture = *state;
	struct app_config config = world_config(ALERT_EVERY, 1000);
	unsigned before;

	config.callback_commands = 1u << HW_CALLBACK_ROOM_CREATED;
	add_app_with(fixture, APP, fixture->receiver.port, "/cb", config);
	before = open_breaker(fixture);
	add_rooms(fixture, APP, 1, 10);
	receiver_release(&fixture->receiver, before);
	receiver_set(&fixture->receiver, 200, false);
	for (unsigned i = 1; i <= 10; i++)
		(void)wait_state(fixture, 1, i, CALLBACK_DELIVERED, 1);
}

/* An alert for 50 % says something else than one for 100 %. */
static void test_supersede_only_by_one_of_the_same_line(void **state)
{
	struct fixture *fixture = *state;
	struct app_config config = world_config(ALERT_EDGE, 2);
	unsigned before;

	config.alert.threshold_count = 2;
	config.alert.thresholds[0] = 50;
	config.alert.thresholds[1] = 100;
	add_app_with(fixture, APP, fixture->receiver.port, "/cb", config);
	before = open_breaker(fixture); /* the alert for 50 % */
	add_rooms(fixture, APP, 1, 2);
	receiver_release(&fixture->receiver, before);
	receiver_set(&fixture->receiver, 200, false);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 1);
	(void)wait_state(fixture, 1, 2, CALLBACK_DELIVERED, 1);
	hook_stop(fixture->hook);
	assert_int_equal(row_of(fixture, 1, 1).threshold, 50);
	assert_int_equal(row_of(fixture, 1, 2).threshold, 100);
}

/* Nor by one of another app, whose alerts are for the same line. */
static void test_supersede_only_by_one_of_the_same_app(void **state)
{
	struct fixture *fixture = *state;

	open_with(fixture, true);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	fail_one(fixture, 1);
	pass_by(fixture); /* makes two */
	do_type(fixture, COMMAND_CALLBACK_RESUME, APP);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 2);
}

/* After a restart the breaker is as open as it was: what was never tried need not be. */
static void test_supersede_after_a_restart_with_an_open_breaker(void **state)
{
	struct fixture *fixture = *state;

	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	(void)open_breaker(fixture);
	receiver_set(&fixture->receiver, 500, false);
	stop(fixture);
	receiver_set(&fixture->receiver, 200, false);
	start(fixture);
	add_rooms(fixture, APP, 1, 5);
	start_hook(fixture);
	(void)wait_state(fixture, 1, 5, CALLBACK_DELIVERED, 1);
	for (unsigned i = 1; i < 5; i++)
		check_superseded(wait_state(fixture, 1, i, CALLBACK_SUPERSEDED, 0),
				 i == 1 ? row_of(fixture, 1, 1).attempts : 0, i == 1 ? 500 : 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOOK(test_supersede_one_that_waits_for_its_retry),
		WITH_HOOK(test_supersede_only_when_it_is_on),
		WITH_HOOK(test_supersede_never_the_newest),
		WITH_HOOK(test_supersede_one_that_fails_in_flight_while_there_is_a_newer_one),
		WITH_HOOK(test_supersede_not_what_is_delivered),
		WITH_HOOK(test_supersede_all_but_the_newest_behind_an_open_breaker),
		WITH_HOOK(test_supersede_what_waited_behind_a_breaker_that_has_closed),
		WITH_HOOK(test_supersede_no_replay_even_when_it_fails),
		WITH_HOOK(test_supersede_no_test),
		WITH_HOOK(test_supersede_no_other_callback),
		WITH_HOOK(test_supersede_only_by_one_of_the_same_line),
		WITH_HOOK(test_supersede_only_by_one_of_the_same_app),
		WITH_HOOK(test_supersede_after_a_restart_with_an_open_breaker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
