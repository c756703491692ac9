/* Delivery end to end: a store, an engine, the delivery thread, and receivers on loopback that fail as they are told.
 */
#include "base/clock.h"
#include "base/log.h"
#include "hook/hook.h"
#include "unit/engine/fake_store.h"
#include "unit/hook/receiver.h"

#define OTHER 1400000002u

struct fixture {
	struct fake_store *store;
	struct engine *engine;
	struct hook *hook;
	struct hook_options options;
	struct post_office office;
	struct receiver receiver;
	struct arena arena;
};

static void start(struct fixture *fixture)
{
	const struct engine_options options = {1000, 100};
	struct error err;

	assert_int_equal(engine_open(&options, &fixture->store->base, &fixture->engine, &err), 0);
	if (hook_open(&fixture->options, fixture->engine, &fixture->hook, &err))
		fail_msg("%s", err.text);
	assert_int_equal(engine_start(fixture->engine, &err), 0);
}

static void start_hook(struct fixture *fixture)
{
	struct error err;

	assert_int_equal(hook_start(fixture->hook, &err), 0);
}

/* The order that hook.h asks for: nothing of the engine may reach the hook when it is freed. */
static void stop(struct fixture *fixture)
{
	hook_stop(fixture->hook);
	engine_stop(fixture->engine);
	hook_close(&fixture->hook);
	engine_close(&fixture->engine);
}

static int setup(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	log_setup(STDERR_FILENO, LOG_LEVEL_OFF);
	fixture->store = fake_store_new();
	fixture->options = (struct hook_options){
		.ca_file = "",
		.connect_timeout_ms = 10000,
		.total_timeout_ms = 60000,
		.reply_bytes_max = 16384,
		.in_flight_max = 4,
		.in_flight_per_app = 2,
		.retry = {.first_ms = 1, .longest_ms = 4, .give_up_ms = 600000},
	};
	post_office_init(&fixture->office);
	receiver_start(&fixture->receiver, 200);
	arena_init(&fixture->arena, 16384);
	start(fixture);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = &fixture->store->base;

	receiver_stop(&fixture->receiver);
	if (fixture->hook)
		stop(fixture);
	post_office_fini(&fixture->office);
	store_close(&store);
	arena_fini(&fixture->arena);
	mem_free(fixture);
	return 0;
}

static void add_app(struct fixture *fixture, uint32_t sdkappid, unsigned port, const char *path,
		    uint32_t room_count_max)
{
	struct app_config config = world_config(ALERT_EVERY, room_count_max);
	struct command command = world_command(COMMAND_APP_CREATE, sdkappid);

	config.alert.thresholds[0] = 1;
	(void)snprintf(config.callback_url, sizeof(config.callback_url), "http://127.0.0.1:%u%s", port,
		       path); /* fits */
	command.u.app_create = &config;
	assert_int_equal(test_job_do(fixture->engine, &fixture->office, command), HW_OK);
}

/* Creates rooms `from` to `to`; with a maximum of 100 or less each makes an alert. */
static void add_rooms(struct fixture *fixture, uint32_t sdkappid, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		struct command command;
		char room_id[16];

		(void)snprintf(room_id, sizeof(room_id), "r%u", i); /* fits */
		command = world_create(sdkappid, room_id, "alice");
		command.origin.wall_ms = clock_wall_ms();
		assert_int_equal(test_job_do(fixture->engine, &fixture->office, command), HW_OK);
	}
}

static size_t list(struct fixture *fixture, uint32_t number, struct store_callback *rows, size_t limit)
{
	struct store_reader *reader;
	struct error err;
	size_t count;

	assert_int_equal(store_reader_open(&fixture->store->base, &reader, &err), 0);
	assert_int_equal(store_callback_list(reader, &fixture->arena, number, INT64_MAX, limit, rows, &count, &err), 0);
	store_reader_close(&reader);
	return count;
}

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
	start(fixture);
	receiver_set(&fixture->receiver, 500, false);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 1);
	start_hook(fixture);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	stop(fixture);
	receiver_set(&fixture->receiver, 200, false);
	fixture->options.retry.first_ms = fixture->options.retry.longest_ms = 50;
	start(fixture);
	assert_int_equal(list(fixture, 1, &row, 1), 1);
	assert_true(row.due_ms > clock_wall_ms() + 300000);
	start_hook(fixture);
	receiver_wait(&fixture->receiver, 2);
}

static void test_hook_change_of_url_acts_on_the_next_attempt(void **state)
{
	struct fixture *fixture = *state;
	struct command command = world_command(COMMAND_CALLBACK_UPDATE, APP);
	char url[64];

	receiver_set(&fixture->receiver, 500, false);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/old", 1);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/new", fixture->receiver.port); /* fits */
	command.u.callback.url = str_c(url);
	command.u.callback.commands = 1u << HW_CALLBACK_THRESHOLD;
	assert_int_equal(test_job_do(fixture->engine, &fixture->office, command), HW_OK);
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
		assert_int_equal(rows[i].state, CALLBACK_PENDING); /* kept, all of them */
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

#define WITH_HOOK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

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
		WITH_HOOK(test_hook_receiver_that_refuses_delays_no_other),
		WITH_HOOK(test_hook_receiver_that_never_answers_delays_no_other),
		WITH_HOOK(test_hook_stop_leaves_unsent_rows_pending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
