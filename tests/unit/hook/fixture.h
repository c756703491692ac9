#pragma once
/* Delivery end to end: a store, an engine, the delivery thread, and two receivers on loopback that fail as they are
 * told. Nothing here sleeps: what a test waits for are requests, commits, and the counts that delivery publishes. */
#include "base/clock.h"
#include "base/log.h"
#include "hook/hook.h"
#include "unit/engine/fake_store.h"
#include "unit/hook/receiver.h"

#include <sched.h>

#define OTHER 1400000002u
#define HOUR_S 3600u

struct fixture {
	struct fake_store *store;
	struct engine *engine;
	struct hook *hook;
	struct engine_options engine_options;
	struct hook_options options;
	struct post_office office;
	struct receiver receiver;
	struct receiver beside; /* of OTHER, see pass_by */
	bool other_made;
	unsigned passed;
	struct arena arena;
};

static inline void start(struct fixture *fixture)
{
	struct error err;

	assert_int_equal(engine_open(&fixture->engine_options, &fixture->store->base, &fixture->engine, &err), 0);
	if (hook_open(&fixture->options, fixture->engine, &fixture->hook, &err))
		fail_msg("%s", err.text);
	assert_int_equal(engine_start(fixture->engine, &err), 0);
}

static inline void start_hook(struct fixture *fixture)
{
	struct error err;

	assert_int_equal(hook_start(fixture->hook, &err), 0);
}

/* The order that hook.h asks for: nothing of the engine may reach the hook when it is freed. */
static inline void stop(struct fixture *fixture)
{
	hook_stop(fixture->hook);
	engine_stop(fixture->engine);
	hook_close(&fixture->hook);
	engine_close(&fixture->engine);
}

static inline int setup(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	log_setup(STDERR_FILENO, LOG_LEVEL_OFF);
	fixture->store = fake_store_new();
	fixture->engine_options = (struct engine_options){.queue_count_max = 1000, .batch_count_max = 100};
	fixture->options = (struct hook_options){
		.ca_file = "",
		.connect_timeout_ms = 10000,
		.total_timeout_ms = 60000,
		.reply_bytes_max = 16384,
		.in_flight_max = 4,
		.in_flight_per_app = 2,
		.probe_longest_ms = 4,
		.retry = {.first_ms = 1, .longest_ms = 4, .give_up_ms = 600000},
	};
	post_office_init(&fixture->office);
	receiver_start(&fixture->receiver, 200);
	receiver_start(&fixture->beside, 200);
	arena_init(&fixture->arena, 16384);
	start(fixture);
	*state = fixture;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = &fixture->store->base;

	receiver_stop(&fixture->receiver);
	receiver_stop(&fixture->beside);
	if (fixture->hook)
		stop(fixture);
	post_office_fini(&fixture->office);
	store_close(&store);
	arena_fini(&fixture->arena);
	mem_free(fixture);
	return 0;
}

#define WITH_HOOK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* Starts anew with the options as they are now, and with a hook that runs. */
static inline void restart(struct fixture *fixture)
{
	stop(fixture);
	start(fixture);
	start_hook(fixture);
}

/* ---- commands ---- */

static inline void do_ok(struct fixture *fixture, struct command command)
{
	assert_int_equal(test_job_do(fixture->engine, &fixture->office, command), HW_OK);
}

static inline void do_type(struct fixture *fixture, enum command_type type, uint32_t sdkappid)
{
	struct command command = world_command(type, sdkappid);

	command.origin.wall_ms = clock_wall_ms();
	command.origin.steady_ms = clock_steady_ms();
	if (type == COMMAND_APP_DELETE)
		command.u.app_delete.force = true;
	do_ok(fixture, command);
}

static inline void add_app_with(struct fixture *fixture, uint32_t sdkappid, unsigned port, const char *path,
				struct app_config config)
{
	struct command command = world_command(COMMAND_APP_CREATE, sdkappid);

	(void)snprintf(config.callback_url, sizeof(config.callback_url), "http://127.0.0.1:%u%s", port,
		       path); /* fits */
	command.u.app_create = &config;
	do_ok(fixture, command);
}

/* With a maximum of 100 or less each creation makes an alert, of the line of 1 %. */
static inline void add_app(struct fixture *fixture, uint32_t sdkappid, unsigned port, const char *path,
			   uint32_t room_count_max)
{
	struct app_config config = world_config(ALERT_EVERY, room_count_max);

	config.alert.thresholds[0] = 1;
	add_app_with(fixture, sdkappid, port, path, config);
}

/* Creates rooms `from` to `to`. */
static inline void add_rooms(struct fixture *fixture, uint32_t sdkappid, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		struct command command;
		char room_id[16];

		(void)snprintf(room_id, sizeof(room_id), "r%u", i); /* fits */
		command = world_create(sdkappid, room_id, "alice");
		command.origin.wall_ms = clock_wall_ms();
		do_ok(fixture, command);
	}
}

static inline void update_url(struct fixture *fixture, uint32_t sdkappid, unsigned port, const char *path,
			      uint32_t commands)
{
	struct command command = world_command(COMMAND_CALLBACK_UPDATE, sdkappid);
	char url[64];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path); /* fits */
	command.u.callback.url = str_c(url);
	command.u.callback.commands = commands;
	do_ok(fixture, command);
}

static inline void replay(struct fixture *fixture, uint32_t sdkappid, int64_t id)
{
	struct command command = world_command(COMMAND_CALLBACK_REPLAY, sdkappid);

	command.origin.wall_ms = clock_wall_ms();
	command.origin.steady_ms = clock_steady_ms();
	command.u.replay.ids = &id;
	command.u.replay.count = 1;
	do_ok(fixture, command);
}

/* ---- looking ---- */

/* The callbacks of the app with this number, the newest first. */
static inline size_t list(struct fixture *fixture, uint32_t number, struct store_callback *rows, size_t limit)
{
	const struct store_callback_filter filter = {.after_id = app_id_make(number, 0),
						     .before_id = app_id_make(number + 1, 0),
						     .states = (1u << CALLBACK_STATE_COUNT) - 1,
						     .since_ms = 0,
						     .until_ms = INT64_MAX};
	struct store_reader *reader;
	struct error err;
	int64_t next;
	size_t count;

	assert_int_equal(store_reader_open(&fixture->store->base, &reader, &err), 0);
	assert_int_equal(store_callback_list(reader, &fixture->arena, &filter, limit, rows, &count, &next, &err), 0);
	store_reader_close(&reader);
	return count;
}

/* One callback, with its log. Text lives as long as the fixture. */
static inline struct store_callback row_of(struct fixture *fixture, uint32_t number, uint64_t sequence)
{
	struct store_callback row;
	struct store_reader *reader;
	struct error err;

	assert_int_equal(store_reader_open(fixture->store->inner, &reader, &err), 0);
	assert_int_equal(store_callback_get(reader, &fixture->arena, app_id_make(number, sequence), &row, &err), 1);
	store_reader_close(&reader);
	return row;
}

static inline struct store_app app_of(struct fixture *fixture, uint32_t sdkappid)
{
	struct store_app app;
	struct store_reader *reader;
	struct error err;

	assert_int_equal(store_reader_open(fixture->store->inner, &reader, &err), 0);
	assert_int_equal(store_app_get(reader, sdkappid, &app, &err), 1);
	store_reader_close(&reader);
	return app;
}

static inline unsigned at_gate(struct fixture *fixture)
{
	unsigned count;

	pthread_mutex_lock(&fixture->store->lock);
	count = fixture->store->at_gate;
	pthread_mutex_unlock(&fixture->store->lock);
	return count;
}

static inline unsigned committed(struct fixture *fixture)
{
	unsigned count;

	pthread_mutex_lock(&fixture->store->lock);
	count = fixture->store->committed;
	pthread_mutex_unlock(&fixture->store->lock);
	return count;
}

static inline void wait_committed(struct fixture *fixture, unsigned count)
{
	pthread_mutex_lock(&fixture->store->lock);
	while (fixture->store->committed < count)
		pthread_cond_wait(&fixture->store->changed, &fixture->store->lock);
	pthread_mutex_unlock(&fixture->store->lock);
}

/* Looks after each commit; a state that never comes shows as a test that times out. */
static inline struct store_callback wait_state(struct fixture *fixture, uint32_t number, uint64_t sequence,
					       enum callback_state state, uint32_t attempts)
{
	while (true) {
		unsigned before = committed(fixture);
		struct store_callback row = row_of(fixture, number, sequence);

		if (row.state == state && row.attempts >= attempts)
			return row;
		wait_committed(fixture, before + 1);
	}
}

/* The same, of the state of an app's pause. */
static inline void wait_pause(struct fixture *fixture, uint32_t sdkappid, enum app_pause pause)
{
	while (true) {
		unsigned before = committed(fixture);

		if (app_of(fixture, sdkappid).config.pause == pause)
			return;
		wait_committed(fixture, before + 1);
	}
}

static inline struct hook_stats stats_of(struct fixture *fixture)
{
	struct hook_stats stats;

	hook_stats(fixture->hook, &stats);
	return stats;
}

/* Waits until delivery says that it has so many targets; nothing else tells that one has gone. */
static inline void wait_targets(struct fixture *fixture, unsigned targets)
{
	int64_t end_ms = clock_mono_ms() + 60000;

	while (stats_of(fixture).targets != targets) {
		assert_true(clock_mono_ms() < end_ms);
		(void)sched_yield();
	}
}

/* Lets one callback of another app pass through delivery: it has looked at all that it was told of before, and has
 * started what was due then. */
static inline void pass_by(struct fixture *fixture)
{
	if (!fixture->other_made)
		add_app(fixture, OTHER, fixture->beside.port, "/beside", 100);
	fixture->other_made = true;
	for (unsigned i = 0; i < 2; i++) {
		add_rooms(fixture, OTHER, fixture->passed, fixture->passed + 1);
		receiver_wait(&fixture->beside, ++fixture->passed);
		(void)wait_state(fixture, app_of(fixture, OTHER).config.number, fixture->passed, CALLBACK_DELIVERED, 1);
	}
}
