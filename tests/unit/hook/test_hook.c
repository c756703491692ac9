/* Delivery end to end: what is sent, when it is sent again, in which order, and what a restart finds. */
#include "unit/hook/fixture.h"

static void test_hook_delivers_each_callback_once_with_its_stored_body(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback rows[20];
	struct hook_stats stats;

	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 20);
	add_rooms(fixture, APP, 0, 20);
	receiver_wait(&fixture->receiver, 20);
	hook_stop(fixture->hook); /* ends when the marks are stored */
	assert_int_equal(fixture->receiver.count, 20);
	assert_int_equal(list(fixture, 1, rows, 20), 20);
	for (size_t i = 0; i < 20; i++) {
		bool seen = false;

		assert_int_equal(rows[i].state, CALLBACK_DELIVERED);
		assert_int_equal(rows[i].attempts, 1);
		assert_int_equal(rows[i].http_status, 200);
		assert_true(rows[i].attempt_ms > 0);
		for (size_t j = 0; j < 20; j++)
			seen |= str_eq(str_c(fixture->receiver.seen[j].body), rows[i].body);
		assert_true(seen);
		assert_string_equal(fixture->receiver.seen[i].path, "/cb");
		assert_int_equal(fixture->receiver.seen[i].attempt, 1);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(fixture->receiver.seen[i].event, fixture->receiver.seen[j].event);
	}
	hook_stats(fixture->hook, &stats);
	assert_int_equal(stats.delivered_total, 20);
	assert_int_equal(stats.retried_total + stats.failed_total, 0);
	assert_true(stats.last_delivered_ms > 0);
}

static void test_hook_tries_again_after_a_failure_with_the_same_event_id(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback row;

	receiver_set(&fixture->receiver, 500, false);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 1);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 3);
	receiver_set(&fixture->receiver, 200, false);
	receiver_wait(&fixture->receiver, 4);
	hook_stop(fixture->hook);
	assert_int_equal(list(fixture, 1, &row, 1), 1);
	for (unsigned i = 0; i < fixture->receiver.count; i++) {
		assert_string_equal(fixture->receiver.seen[i].event, fixture->receiver.seen[0].event);
		assert_string_equal(fixture->receiver.seen[i].body, fixture->receiver.seen[0].body);
		assert_int_equal(fixture->receiver.seen[i].attempt, i + 1);
	}
	assert_int_equal(row.attempts, fixture->receiver.count);
}

static void test_hook_gives_up_in_the_end_and_says_so(void **state)
{
	struct fixture *fixture = *state;
	struct command command = world_create(APP, "r", "alice");
	struct hook_stats stats = {0};
	struct store_callback row;

	stop(fixture);
	fixture->options.retry.give_up_ms = fixture->options.retry.first_ms; /* one wait is the whole schedule */
	start(fixture);
	receiver_set(&fixture->receiver, 503, false);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 1);
	command.origin.wall_ms = clock_wall_ms() - 10000; /* it happened before the limit */
	assert_int_equal(test_job_do(fixture->engine, &fixture->office, command), HW_OK);
	receiver_wait(&fixture->receiver, 1);
	hook_stop(fixture->hook);
	assert_int_equal(list(fixture, 1, &row, 1), 1);
	assert_int_equal(row.state, CALLBACK_FAILED);
	assert_int_equal(row.http_status, 503);
	assert_true(str_eq(row.error, STR("HTTP status 503")));
	hook_stats(fixture->hook, &stats);
	assert_int_equal(stats.failed_total, 1);
}

static void test_hook_finds_what_an_earlier_run_left(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback rows[8];
	char event[48];

	receiver_set(&fixture->receiver, 500, false);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 10);
	add_rooms(fixture, APP, 0, 1); /* never tried: the hook has not started */
	stop(fixture);
	fixture->options.retry.first_ms = fixture->options.retry.longest_ms = 50;
	start(fixture);
	start_hook(fixture);
	receiver_wait(&fixture->receiver, 1); /* tried in vain */
	stop(fixture);
	(void)strcpy(event, fixture->receiver.seen[0].event);
	receiver_set(&fixture->receiver, 200, false);
	start(fixture);
	start_hook(fixture);
	receiver_wait(&fixture->receiver, fixture->receiver.count + 1);
	hook_stop(fixture->hook);
	assert_string_equal(fixture->receiver.seen[fixture->receiver.count - 1].event, event);
	assert_int_equal(list(fixture, 1, rows, 8), 1);
	assert_int_equal(rows[0].state, CALLBACK_DELIVERED);
	assert_int_equal(rows[0].attempts, fixture->receiver.count);
}

/* As after a run whose clock was ahead, or whose waits were longer. */
static void test_hook_deadline_far_ahead_does_not_move_on(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback row;

	stop(fixture);
	fixture->options.retry.first_ms = fixture->options.retry.longest_ms = 600000;
	fixture->options.retry.give_up_ms = 6000000;
	start(fixture);
	receiver_set_retry_after(&fixture->receiver, 500, 600);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 1);
	start_hook(fixture);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	stop(fixture);
	receiver_set(&fixture->receiver, 200, false);
	fixture->options.retry.first_ms = fixture->options.retry.longest_ms = 50;
	start(fixture);
	assert_int_equal(list(fixture, 1, &row, 1), 1);
	assert_true(row.due_ms <= clock_steady_ms() + 50);
	start_hook(fixture);
	receiver_wait(&fixture->receiver, 2);
}

static void test_hook_change_of_url_acts_on_the_next_attempt(void **state)
{
	struct fixture *fixture = *state;
	receiver_set(&fixture->receiver, 500, false);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/old", 1);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	update_url(fixture, APP, fixture->receiver.port, "/new", 1u << HW_CALLBACK_THRESHOLD);
	pthread_mutex_lock(&fixture->receiver.lock);
	while (strcmp(fixture->receiver.seen[fixture->receiver.count - 1].path, "/new"))
		pthread_cond_wait(&fixture->receiver.changed, &fixture->receiver.lock);
	pthread_mutex_unlock(&fixture->receiver.lock);
}

static void test_hook_row_is_never_on_the_wire_twice(void **state)
{
	struct fixture *fixture = *state;

	receiver_set(&fixture->receiver, 200, true);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	add_rooms(fixture, APP, 1, 40); /* each a hint to look at the store again */
	receiver_set(&fixture->receiver, 200, false);
	receiver_wait(&fixture->receiver, 40);
	hook_stop(fixture->hook);
	assert_int_equal(fixture->receiver.count, 40);
}

static void test_hook_app_deleted_while_its_callback_is_on_the_wire(void **state)
{
	struct fixture *fixture = *state;
	struct command delete_app = world_command(COMMAND_APP_DELETE, APP);
	struct store_callback rows[2];

	delete_app.u.app_delete.force = true;
	receiver_set(&fixture->receiver, 200, true);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 1);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	assert_int_equal(test_job_do(fixture->engine, &fixture->office, world_destroy(APP, "r0", "alice")), HW_OK);
	assert_int_equal(test_job_do(fixture->engine, &fixture->office, delete_app), HW_OK);
	add_app(fixture, APP, fixture->receiver.port, "/again", 1);
	receiver_set(&fixture->receiver, 200, false);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 2);
	hook_stop(fixture->hook);
	assert_string_equal(fixture->receiver.seen[1].path, "/again");
	assert_int_equal(list(fixture, 1, rows, 2), 1);
	assert_int_equal(rows[0].state, CALLBACK_FAILED);
	assert_int_equal(list(fixture, 2, rows, 2), 1);
	assert_int_equal(rows[0].state, CALLBACK_DELIVERED);
}

static void test_hook_mark_that_cannot_be_stored_is_kept_and_not_sent_again(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback row;

	receiver_set(&fixture->receiver, 200, true);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 1);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	fake_fail(fixture->store, FAKE_COMMIT, 1, false, ERR_FULL); /* the next commit is the mark's */
	receiver_set(&fixture->receiver, 200, false);
	fake_wait_at_gate(fixture->store, 4); /* app, room, mark, mark again */
	hook_stop(fixture->hook);
	assert_int_equal(list(fixture, 1, &row, 1), 1);
	assert_int_equal(row.state, CALLBACK_DELIVERED);
	assert_int_equal(fixture->receiver.count, 1);
}

/* ---- order ---- */

/* A mark as an earlier run left it: tried once, the next attempt was due long ago. */
static void mark_tried(struct fixture *fixture, uint64_t sequence, int64_t due_ms)
{
	struct command command = world_mark(APP, app_id_make(1, sequence), DELIVERY_RETRY);

	command.u.delivery.due_ms = due_ms;
	do_ok(fixture, command);
}

static void check_order(struct fixture *fixture, const char *want)
{
	char got[64] = "";

	receiver_wait(&fixture->receiver, (unsigned)strlen(want));
	for (size_t i = 0; i < strlen(want); i++) { /* the sequence is the last digit of the event's id */
		const char *event = fixture->receiver.seen[i].event;

		got[i] = event[strlen(event) - 1];
	}
	assert_string_equal(got, want);
}

static void test_hook_sends_new_ones_and_those_tried_before_in_turn(void **state)
{
	static const struct {
		int64_t due_ms[8]; /* of callbacks 1, 2, ...; 0: never tried */
		const char *want;
	} rows[] = {
		{{3, 2, 1, 0, 0, 0}, "435261"}, /* new ones by id, the others by their time */
		{{0, 0, 0, 0, 0, 7}, "162345"}, {{5, 4, 3, 2, 1, 0}, "654321"},
		{{0, 0, 0, 0, 0, 0}, "123456"}, {{1, 2, 3, 4, 5, 6}, "123456"},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (i) { /* all anew */
			(void)teardown(state);
			(void)setup(state);
			fixture = *state;
		}
		stop(fixture);
		fixture->options.in_flight_per_app = fixture->options.in_flight_max = 1;
		start(fixture);
		add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
		add_rooms(fixture, APP, 0, 6);
		for (unsigned j = 0; j < 6; j++)
			if (rows[i].due_ms[j])
				mark_tried(fixture, j + 1, rows[i].due_ms[j]);
		start_hook(fixture);
		check_order(fixture, rows[i].want);
	}
}

/* One that fails for ever keeps none of those behind it waiting for long. */
static void test_hook_one_that_always_fails_is_overtaken(void **state)
{
	struct fixture *fixture = *state;

	stop(fixture);
	fixture->options.retry.first_ms = fixture->options.retry.longest_ms = 600000;
	fixture->options.retry.give_up_ms = 6000000;
	fixture->options.in_flight_per_app = 1;
	start(fixture);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	receiver_set_retry_after(&fixture->receiver, 500, 600);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	receiver_set(&fixture->receiver, 200, false);
	add_rooms(fixture, APP, 1, 10);
	receiver_wait(&fixture->receiver, 10);
	hook_stop(fixture->hook);
	assert_int_equal(row_of(fixture, 1, 1).state, CALLBACK_WAITING);
	for (unsigned i = 2; i <= 10; i++)
		assert_int_equal(row_of(fixture, 1, i).state, CALLBACK_DELIVERED);
}

/* ---- what is written down ---- */

static void test_hook_keeps_a_log_of_the_attempts(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback row;

	receiver_set(&fixture->receiver, 500, false);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 1);
	add_rooms(fixture, APP, 0, 1);
	(void)wait_state(fixture, 1, 1, CALLBACK_WAITING, 2);
	receiver_set(&fixture->receiver, 200, false);
	row = wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 3);
	for (unsigned i = 0; i < row.attempts && row.attempts <= 10; i++) { /* each with its number and status */
		char want[32];

		(void)snprintf(want, sizeof(want), "{\"Attempt\":%u,", i + 1); /* fits */
		assert_non_null(memmem(row.log.ptr, row.log.len, want, strlen(want)));
	}
	assert_non_null(memmem(row.log.ptr, row.log.len, "\"HttpStatus\":500", 16));
	assert_non_null(memmem(row.log.ptr, row.log.len, "\"HttpStatus\":200", 16));
	assert_non_null(memmem(row.log.ptr, row.log.len, "\"Error\":\"HTTP status 500\"", 25));
	assert_int_equal(row.log.ptr[0], '[');
	assert_int_equal(row.log.ptr[row.log.len - 1], ']');
}

static void test_hook_names_what_is_in_flight(void **state)
{
	struct fixture *fixture = *state;
	int64_t ids[4] = {0};

	receiver_set(&fixture->receiver, 200, true);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	assert_int_equal(hook_in_flight(fixture->hook, ids, 4), 0);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	assert_int_equal(hook_in_flight(fixture->hook, ids, 4), 1);
	assert_true(ids[0] == app_id_make(1, 1));
	assert_int_equal(hook_in_flight(fixture->hook, ids, 0), 0);
	fake_gate(fixture->store, true); /* the mark is not durable yet */
	receiver_set(&fixture->receiver, 200, false);
	fake_wait_at_gate(fixture->store, 3);
	assert_int_equal(hook_in_flight(fixture->hook, ids, 4), 1);
	fake_gate(fixture->store, false);
	hook_stop(fixture->hook);
	assert_int_equal(hook_in_flight(fixture->hook, ids, 4), 0);
}

static void test_hook_test_and_replay_say_so_in_headers(void **state)
{
	struct fixture *fixture = *state;
	const struct receiver_seen *seen = fixture->receiver.seen;

	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	add_rooms(fixture, APP, 0, 1);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 1);
	do_type(fixture, COMMAND_CALLBACK_TEST, APP);
	(void)wait_state(fixture, 1, 2, CALLBACK_DELIVERED, 1);
	for (unsigned i = 0; i < 2; i++) { /* twice */
		replay(fixture, APP, app_id_make(1, 1));
		(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 2 + i);
	}
	hook_stop(fixture->hook);
	assert_int_equal(fixture->receiver.count, 4);
	assert_string_equal(seen[0].threshold, "1");
	assert_string_equal(seen[0].test, "");
	assert_string_equal(seen[0].replay, "");
	assert_string_equal(seen[1].threshold, "");
	assert_string_equal(seen[1].test, "1");
	for (unsigned i = 2; i < 4; i++) {
		assert_string_equal(seen[i].event, seen[0].event);
		assert_string_equal(seen[i].body, seen[0].body);
		assert_string_equal(seen[i].replay, i == 2 ? "1" : "2");
		assert_int_equal(seen[i].attempt, i); /* they go on counting */
	}
}

/* Twenty attempts in vain, by which waits have become long: a replay begins with short ones again. */
static void test_hook_replay_begins_its_schedule_anew(void **state)
{
	struct command command = world_mark(APP, app_id_make(1, 1), DELIVERY_FAILED);
	struct fixture *fixture = *state;

	stop(fixture);
	fixture->options.retry.longest_ms = UINT64_C(1) << 40;
	fixture->options.retry.give_up_ms = UINT64_C(1) << 41;
	start(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	add_rooms(fixture, APP, 0, 1);
	command.u.delivery.attempts = 20;
	do_ok(fixture, command);
	receiver_set(&fixture->receiver, 500, false);
	replay(fixture, APP, app_id_make(1, 1));
	start_hook(fixture);
	receiver_wait(&fixture->receiver, 3); /* 1 ms, then 2 at most */
	assert_int_equal(fixture->receiver.seen[0].attempt, 21);
	assert_string_equal(fixture->receiver.seen[0].replay, "1");
}

/* ---- many ---- */

/* The other app's callbacks fill its whole share, and must not delay ours. */
static void deliver_beside(struct fixture *fixture, unsigned dead_port)
{
	int64_t before_ms;

	start_hook(fixture);
	add_app(fixture, OTHER, dead_port, "/dead", 100);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	add_rooms(fixture, OTHER, 0, 60);
	before_ms = clock_mono_ms();
	for (unsigned i = 0; i < 10; i++) {
		add_rooms(fixture, APP, i, i + 1);
		receiver_wait(&fixture->receiver, i + 1);
	}
	assert_true(clock_mono_ms() - before_ms < 30000); /* one wait for the dead one's timeout alone is 60 s */
}

static void test_hook_receiver_that_refuses_delays_no_other(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback rows[64];
	unsigned port;
	int fd = receiver_listen(&port);

	assert_int_equal(close(fd), 0); /* nobody listens there now */
	deliver_beside(fixture, port);
	hook_stop(fixture->hook);
	assert_int_equal(list(fixture, 1, rows, 64), 60);
	for (size_t i = 0; i < 60; i++)
		assert_int_equal(rows[i].state, CALLBACK_WAITING); /* kept, all of them */
}

static void test_hook_receiver_that_never_answers_delays_no_other(void **state)
{
	struct fixture *fixture = *state;
	struct hook_stats stats;
	unsigned port;
	int fd = receiver_listen(&port); /* the kernel connects, nobody reads */

	deliver_beside(fixture, port);
	hook_stats(fixture->hook, &stats);
	assert_true(stats.in_flight <= 4);
	assert_int_equal(close(fd), 0); /* resets what waits there, so that stopping need not wait */
}

static void test_hook_stop_leaves_unsent_rows_pending(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback rows[64];
	size_t delivered = 0;

	receiver_set(&fixture->receiver, 200, true);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	add_rooms(fixture, APP, 0, 50);
	receiver_wait(&fixture->receiver, 1);
	receiver_set(&fixture->receiver, 200, false);
	hook_stop(fixture->hook);
	assert_int_equal(list(fixture, 1, rows, 64), 50);
	for (size_t i = 0; i < 50; i++)
		delivered += rows[i].state == CALLBACK_DELIVERED;
	assert_int_equal(delivered, fixture->receiver.count); /* each that was sent is marked, no other is */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOOK(test_hook_delivers_each_callback_once_with_its_stored_body),
		WITH_HOOK(test_hook_tries_again_after_a_failure_with_the_same_event_id),
		WITH_HOOK(test_hook_gives_up_in_the_end_and_says_so),
		WITH_HOOK(test_hook_finds_what_an_earlier_run_left),
		WITH_HOOK(test_hook_deadline_far_ahead_does_not_move_on),
		WITH_HOOK(test_hook_change_of_url_acts_on_the_next_attempt),
		WITH_HOOK(test_hook_row_is_never_on_the_wire_twice),
		WITH_HOOK(test_hook_app_deleted_while_its_callback_is_on_the_wire),
		WITH_HOOK(test_hook_mark_that_cannot_be_stored_is_kept_and_not_sent_again),
		WITH_HOOK(test_hook_sends_new_ones_and_those_tried_before_in_turn),
		WITH_HOOK(test_hook_one_that_always_fails_is_overtaken),
		WITH_HOOK(test_hook_keeps_a_log_of_the_attempts),
		WITH_HOOK(test_hook_names_what_is_in_flight),
		WITH_HOOK(test_hook_test_and_replay_say_so_in_headers),
		WITH_HOOK(test_hook_replay_begins_its_schedule_anew),
		WITH_HOOK(test_hook_receiver_that_refuses_delays_no_other),
		WITH_HOOK(test_hook_receiver_that_never_answers_delays_no_other),
		WITH_HOOK(test_hook_stop_leaves_unsent_rows_pending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
