/* How delivery treats an endpoint that grows, fails, asks to be spared, and comes back. */
#include "unit/hook/fixture.h"

/* Wide enough to see windows of up to 8. */
static void widen(struct fixture *fixture)
{
	stop(fixture);
	fixture->options.in_flight_max = 16;
	fixture->options.in_flight_per_app = 8;
	start(fixture);
}

/* From now on requests wait, and each that is let go makes the window what `windows` says, of `count`: so many, and no
 * more, are under way. The first `before` requests have their reply. */
static void check_windows(struct fixture *fixture, unsigned before, const unsigned *windows, size_t count)
{
	for (unsigned i = 0; i < count; i++) {
		receiver_release(&fixture->receiver, before + i);
		receiver_wait(&fixture->receiver, before + i + windows[i]);
		pass_by(fixture); /* had there been more to start, it would have been */
		assert_int_equal(receiver_count(&fixture->receiver), before + i + windows[i]);
	}
}

static void test_endpoint_window_grows_with_each_delivery(void **state)
{
	static const unsigned windows[] = {1, 2, 4, 8, 8, 8};
	struct fixture *fixture = *state;

	widen(fixture);
	receiver_set(&fixture->receiver, 200, true);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	add_rooms(fixture, APP, 0, 30);
	start_hook(fixture);
	check_windows(fixture, 0, windows, ARRAY_LEN(windows));
}

static void test_endpoint_that_fails_gets_probes_only_and_a_ramp_when_it_is_back(void **state)
{
	static const unsigned grown[] = {1, 2, 4, 8};
	static const unsigned ramp[] = {1, 1, 2, 4, 8, 8}; /* the first is the probe */
	struct fixture *fixture = *state;
	unsigned before;

	widen(fixture);
	receiver_set(&fixture->receiver, 200, true);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	add_rooms(fixture, APP, 0, 60);
	start_hook(fixture);
	check_windows(fixture, 0, grown, ARRAY_LEN(grown));
	receiver_set(&fixture->receiver, 500, false); /* the eight that are under way fail */
	receiver_wait(&fixture->receiver, 3 + 8 + 1); /* a probe comes when the last of them has ended */
	(void)receiver_take_open_max(&fixture->receiver);
	receiver_wait(&fixture->receiver, 3 + 8 + 20);
	assert_int_equal(receiver_take_open_max(&fixture->receiver), 1);
	receiver_set(&fixture->receiver, 200, true);
	receiver_wait_open(&fixture->receiver, 1);
	before = receiver_count(&fixture->receiver) - 1;
	assert_true(app_of(fixture, APP).state.endpoint.failures >= ENDPOINT_OPEN_AFTER);
	check_windows(fixture, before, ramp, ARRAY_LEN(ramp));
	receiver_set(&fixture->receiver, 200, false);
	for (unsigned i = 1; i <= 60; i++)
		(void)wait_state(fixture, 1, i, CALLBACK_DELIVERED, 1); /* nothing is lost */
	hook_stop(fixture->hook);
	assert_int_equal(app_of(fixture, APP).state.endpoint.failures, 0);
	assert_int_equal(app_of(fixture, APP).state.callback_pending, 0);
}

/* The failures were stored: an endpoint that was down is met by a probe, also by a new process, and also when something
 * new comes before it has looked at what is old. */
static void test_endpoint_that_failed_before_a_restart_gets_a_probe_first(void **state)
{
	static const unsigned ramp[] = {1, 1, 2, 4};
	struct fixture *fixture = *state;
	unsigned before;

	widen(fixture);
	receiver_set(&fixture->receiver, 500, false);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	add_rooms(fixture, APP, 0, 12);
	start_hook(fixture);
	receiver_wait(&fixture->receiver, 2 * ENDPOINT_OPEN_AFTER);
	stop(fixture);
	assert_true(app_of(fixture, APP).state.endpoint.failures >= ENDPOINT_OPEN_AFTER);
	receiver_set(&fixture->receiver, 200, true);
	before = receiver_count(&fixture->receiver);
	start(fixture);
	add_rooms(fixture, APP, 12, 13);
	start_hook(fixture);
	check_windows(fixture, before, ramp, ARRAY_LEN(ramp));
}

/* Waits of an hour, for tests in which nothing may come by itself. */
static void wait_long(struct fixture *fixture)
{
	stop(fixture);
	fixture->options.retry.longest_ms = HOUR_S * 1000;
	fixture->options.retry.give_up_ms = UINT64_C(100) * HOUR_S * 1000;
	start(fixture);
	start_hook(fixture);
}

static void test_endpoint_that_is_back_need_not_wait_for_the_times_of_retries(void **state)
{
	struct fixture *fixture = *state;

	wait_long(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	receiver_set_retry_after(&fixture->receiver, 500, HOUR_S);
	for (unsigned i = 0; i < ENDPOINT_OPEN_AFTER; i++) {
		add_rooms(fixture, APP, i, i + 1);
		(void)wait_state(fixture, 1, i + 1, CALLBACK_WAITING, 1);
	}
	assert_true(row_of(fixture, 1, 1).due_ms > clock_steady_ms() + 3000000);
	receiver_set(&fixture->receiver, 200, false);
	add_rooms(fixture, APP, 10, 11); /* the probe */
	for (unsigned i = 1; i <= 4; i++)
		(void)wait_state(fixture, 1, i, CALLBACK_DELIVERED, i < 4 ? 2 : 1);
}

static void test_endpoint_draining_ends_when_one_fails(void **state)
{
	struct fixture *fixture = *state;
	unsigned attempts = 0;

	wait_long(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	receiver_set_retry_after(&fixture->receiver, 500, HOUR_S);
	for (unsigned i = 0; i < 4; i++) {
		add_rooms(fixture, APP, i, i + 1);
		(void)wait_state(fixture, 1, i + 1, CALLBACK_WAITING, 1);
	}
	receiver_set(&fixture->receiver, 200, true);
	add_rooms(fixture, APP, 10, 11); /* the probe */
	receiver_wait(&fixture->receiver, 5);
	receiver_release(&fixture->receiver, 5);
	receiver_wait(&fixture->receiver, 6); /* the first of the four */
	receiver_set_retry_after(&fixture->receiver, 500, HOUR_S);
	receiver_release(&fixture->receiver, 6);
	while (attempts < 5) { /* one of them has failed again */
		unsigned before = committed(fixture);

		attempts = 0;
		for (unsigned i = 1; i <= 4; i++)
			attempts += row_of(fixture, 1, i).attempts;
		if (attempts < 5)
			wait_committed(fixture, before + 1);
	}
	pass_by(fixture);
	assert_int_equal(receiver_count(&fixture->receiver), 6); /* the others keep their times */
}

static void test_endpoint_that_asks_to_be_spared_gets_nothing_until_then(void **state)
{
	static const int statuses[] = {429, 503};
	struct fixture *fixture = *state;

	wait_long(fixture);
	for (unsigned i = 0; i < 2; i++) {
		uint32_t app = APP + 10 + i;
		unsigned before = receiver_count(&fixture->receiver);

		add_app(fixture, app, fixture->receiver.port, "/cb", 100);
		receiver_set_retry_after(&fixture->receiver, statuses[i], HOUR_S);
		add_rooms(fixture, app, 0, 1);
		receiver_wait(&fixture->receiver, before + 1);
		(void)wait_state(fixture, app_of(fixture, app).config.number, 1, CALLBACK_WAITING, 1);
		receiver_set(&fixture->receiver, 200, false);
		add_rooms(fixture, app, 1, 4); /* new ones too */
		pass_by(fixture);
		assert_int_equal(receiver_count(&fixture->receiver), before + 1);
		do_type(fixture, COMMAND_CALLBACK_RESUME, app); /* somebody knows better */
		receiver_wait(&fixture->receiver, before + 5);
	}
}

/* The same status without Retry-After is no more than a short wait. */
static void test_endpoint_that_asks_to_be_spared_without_a_time_is_tried_again(void **state)
{
	struct fixture *fixture = *state;

	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	receiver_set(&fixture->receiver, 503, false);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 3);
	receiver_set(&fixture->receiver, 200, false);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 3);
}

/* ---- many endpoints ---- */

static void test_endpoints_that_fail_together_leave_half_to_the_others(void **state)
{
	struct fixture *fixture = *state;

	start_hook(fixture);
	receiver_set(&fixture->beside, 500, false);
	for (uint32_t i = 0; i < 6; i++) {
		add_app(fixture, OTHER + i, fixture->beside.port, "/dead", 100);
		add_rooms(fixture, OTHER + i, 0, 5);
		(void)wait_state(fixture, 1 + i, 1, CALLBACK_WAITING, 1); /* each has failed */
	}
	receiver_set(&fixture->beside, 500, true); /* and now they do not even answer */
	receiver_wait_open(&fixture->beside, 2);
	(void)receiver_take_open_max(&fixture->beside);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	for (unsigned i = 0; i < 20; i++) {
		add_rooms(fixture, APP, i, i + 1);
		receiver_wait(&fixture->receiver, i + 1);
	}
	assert_int_equal(receiver_take_open_max(&fixture->beside), 2); /* of 4 at most */
	receiver_set(&fixture->beside, 200, false);
	for (uint32_t i = 0; i < 6; i++)
		for (unsigned j = 1; j <= 5; j++)
			(void)wait_state(fixture, 1 + i, j, CALLBACK_DELIVERED, 1);
}

/* ---- what the configuration says not to send ---- */

/* More than delivery holds at a time. The change wakes the endpoint; what is not sent must keep its time nevertheless, and
 * not be looked at again and again. */
static void test_endpoint_callbacks_that_are_switched_off_wait_for_their_time(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback row;

	stop(fixture);
	fixture->options.retry.first_ms = fixture->options.retry.longest_ms = UINT64_C(1) << 40;
	fixture->options.retry.give_up_ms = UINT64_C(1) << 45;
	start(fixture);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	receiver_set_retry_after(&fixture->receiver, 503, HOUR_S);
	add_rooms(fixture, APP, 0, 40);
	(void)wait_state(fixture, 1, 1, CALLBACK_WAITING, 1);
	update_url(fixture, APP, fixture->receiver.port, "/cb", 1u << HW_CALLBACK_ROOM_CREATED);
	for (unsigned i = 2; i <= 40; i++) {
		row = wait_state(fixture, 1, i, CALLBACK_WAITING, 1);
		assert_non_null(memmem(row.error.ptr, row.error.len, "switch of this callback is off", 30));
		assert_int_equal(row.http_status, 0);
	}
	for (unsigned i = 0; i < 5; i++)
		pass_by(fixture);
	for (unsigned i = 1; i <= 40; i++)
		assert_in_range(row_of(fixture, 1, i).attempts, 1, i == 1 ? 2 : 1);
	assert_int_equal(receiver_count(&fixture->receiver), 1);
	assert_int_equal(app_of(fixture, APP).state.endpoint.failures, 1); /* nothing was learned of it */
	receiver_set(&fixture->receiver, 200, false);
	update_url(fixture, APP, fixture->receiver.port, "/cb", 1u << HW_CALLBACK_THRESHOLD);
	for (unsigned i = 1; i <= 40; i++)
		(void)wait_state(fixture, 1, i, CALLBACK_DELIVERED, 2);
}

static void test_endpoint_without_url_is_tried_again_when_there_is_one(void **state)
{
	struct fixture *fixture = *state;
	struct command command = world_command(COMMAND_CALLBACK_SET, APP);
	char url[64];

	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	receiver_set(&fixture->receiver, 500, true);
	add_rooms(fixture, APP, 0, 20);
	receiver_wait(&fixture->receiver, 1);
	do_type(fixture, COMMAND_CALLBACK_DELETE, APP);
	receiver_set(&fixture->receiver, 500, false);
	for (unsigned i = 1; i <= 3; i++)
		(void)wait_state(fixture, 1, i, CALLBACK_WAITING, 1);
	assert_int_equal(receiver_count(&fixture->receiver), 1);
	receiver_set(&fixture->receiver, 200, false);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/new", fixture->receiver.port); /* fits */
	command.u.callback.url = str_c(url);
	command.u.callback.commands = 1u << HW_CALLBACK_THRESHOLD;
	do_ok(fixture, command);
	for (unsigned i = 1; i <= 20; i++)
		(void)wait_state(fixture, 1, i, CALLBACK_DELIVERED, 1);
}

/* ---- what is said of it ---- */

static unsigned count_lines(FILE *file, const char *word)
{
	char line[4096];
	unsigned count = 0;

	rewind(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, word) != NULL;
	return count;
}

static void test_endpoint_that_fails_is_said_once_however_often_it_fails(void **state)
{
	struct fixture *fixture = *state;
	FILE *log = tmpfile();

	assert_non_null(log);
	stop(fixture);
	log_setup(fileno(log), LOG_LEVEL_DEBUG);
	start(fixture);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	receiver_set(&fixture->receiver, 500, false);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 12);
	receiver_set(&fixture->receiver, 410, false);
	wait_pause(fixture, APP, PAUSE_GONE);
	receiver_set(&fixture->receiver, 200, false);
	do_type(fixture, COMMAND_CALLBACK_RESUME, APP);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 13);
	stop(fixture);
	log_setup(STDERR_FILENO, LOG_LEVEL_OFF);
	start(fixture);
	assert_int_equal(count_lines(log, "event=endpoint_fails"), 1);
	assert_int_equal(count_lines(log, "event=callbacks_paused"), 1);
	assert_int_equal(count_lines(log, "event=callback_delivered"), 1);
	assert_in_range(count_lines(log, "event=callback_retry"), 1, 12); /* not one for each, when they are many */
	assert_int_equal(fclose(log), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOOK(test_endpoint_window_grows_with_each_delivery),
		WITH_HOOK(test_endpoint_that_fails_gets_probes_only_and_a_ramp_when_it_is_back),
		WITH_HOOK(test_endpoint_that_failed_before_a_restart_gets_a_probe_first),
		WITH_HOOK(test_endpoint_that_is_back_need_not_wait_for_the_times_of_retries),
		WITH_HOOK(test_endpoint_draining_ends_when_one_fails),
		WITH_HOOK(test_endpoint_that_asks_to_be_spared_gets_nothing_until_then),
		WITH_HOOK(test_endpoint_that_asks_to_be_spared_without_a_time_is_tried_again),
		WITH_HOOK(test_endpoints_that_fail_together_leave_half_to_the_others),
		WITH_HOOK(test_endpoint_callbacks_that_are_switched_off_wait_for_their_time),
		WITH_HOOK(test_endpoint_without_url_is_tried_again_when_there_is_one),
		WITH_HOOK(test_endpoint_that_fails_is_said_once_however_often_it_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
