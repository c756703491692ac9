/* Removing old callbacks, in every kind of store: which go, which stay, and how far one call gets. */
#include "base/random.h"
#include "store/suite.h"

#include <signal.h>
#include <sys/wait.h>

#define KEEP_MS INT64_C(10000)

/* One call that must succeed. Returns what it returned. */
static int prune(struct fixture *fixture, struct store_retention retention, int64_t *cursor, size_t *removed)
{
	struct error err;
	int more = store_prune(fixture->store, &retention, cursor, removed, &err);

	if (more < 0)
		fail_msg("prune: %s", err.text);
	assert_int_equal(more, *cursor != 0);
	return more;
}

/* A round. Returns how many went. */
static size_t prune_all(struct fixture *fixture, struct store_retention retention)
{
	int64_t cursor = 0;
	size_t total = 0;
	size_t removed;
	int more;

	do {
		removed = 9999;
		more = prune(fixture, retention, &cursor, &removed);
		assert_true(removed <= STORE_PRUNE_ROWS_MAX);
		total += removed;
	} while (more);
	return total;
}

static bool is_there(struct fixture *fixture, int64_t id)
{
	struct store_callback row;
	struct error err;
	int found = store_callback_get(fixture->reader, &fixture->arena, id, &row, &err);

	assert_true(found >= 0);
	return found == 1;
}

static void end(struct fixture *fixture, uint32_t sdkappid, int64_t id, enum delivery_mark mark, int64_t attempt_ms)
{
	struct command command = world_mark(sdkappid, id, mark);

	command.u.delivery.due_ms = 5;
	command.u.delivery.attempt_ms = attempt_ms;
	assert_int_equal(fixture_run(fixture->store, command), HW_OK);
}

static void test_store_prune_removes_what_is_final_and_older_than_its_limit(void **state)
{
	static const struct {
		enum delivery_mark mark;
		int64_t event_ms, attempt_ms;
		struct store_retention retention;
		bool goes;
	} rows[] = {
		{DELIVERY_DELIVERED, KEEP_MS - 1, KEEP_MS - 1, {KEEP_MS, KEEP_MS, 0}, true},
		{DELIVERY_DELIVERED, KEEP_MS - 1, 0, {KEEP_MS, KEEP_MS, 0}, true},
		{DELIVERY_DELIVERED, KEEP_MS, KEEP_MS, {KEEP_MS, KEEP_MS, 0}, false},
		{DELIVERY_DELIVERED, KEEP_MS, 0, {KEEP_MS, KEEP_MS, 0}, false},
		{DELIVERY_DELIVERED, 0, KEEP_MS, {KEEP_MS, KEEP_MS, 0}, false},
		{DELIVERY_DELIVERED, KEEP_MS - 1, 0, {KEEP_MS, 0, 0}, true},
		{DELIVERY_DELIVERED, KEEP_MS - 1, 0, {0, KEEP_MS, 0}, false},
		{DELIVERY_DELIVERED, KEEP_MS - 1, 0, {KEEP_MS - 1, KEEP_MS, 0}, false},
		{DELIVERY_DELIVERED, 0, 0, {0, 0, 0}, false},
		{DELIVERY_SUPERSEDED, KEEP_MS - 1, KEEP_MS - 1, {KEEP_MS, 0, 0}, true},
		{DELIVERY_SUPERSEDED, KEEP_MS - 1, KEEP_MS, {KEEP_MS, 0, 0}, false},
		{DELIVERY_SUPERSEDED, KEEP_MS - 1, KEEP_MS - 1, {0, KEEP_MS, 0}, false},
		{DELIVERY_FAILED, KEEP_MS - 1, KEEP_MS - 1, {0, KEEP_MS, 0}, true},
		{DELIVERY_FAILED, KEEP_MS - 1, KEEP_MS - 1, {KEEP_MS, 0, 0}, false},
		{DELIVERY_FAILED, KEEP_MS - 1, KEEP_MS, {KEEP_MS, KEEP_MS, 0}, false},
		{DELIVERY_FAILED, KEEP_MS - 1, KEEP_MS - 1, {KEEP_MS, KEEP_MS - 1, 0}, false},
		{DELIVERY_RETRY, 0, 0, {KEEP_MS, KEEP_MS, 0}, false},
	};
	struct fixture *fixture = *state;

	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t id = app_id_make(1, 2 * i + 1);

		if (i == 0)
			fixture_add_app(fixture->store, APP, 1);
		fixture_add_callbacks(fixture->store, APP, 1, rows[i].event_ms);
		end(fixture, APP, id, rows[i].mark, rows[i].attempt_ms);
		if (prune_all(fixture, rows[i].retention) != rows[i].goes || is_there(fixture, id) == rows[i].goes)
			fail_msg("row %u", i);
		fixture_add_callbacks(fixture->store, APP, 1, 0); /* never tried: it stays, and so do the next ones */
		(void)prune_all(fixture, (struct store_retention){INT64_MAX, INT64_MAX, 0}); /* makes room */
		assert_true(is_there(fixture, id + 1));
	}
}

static void test_store_prune_stops_at_the_first_of_an_app_that_is_too_young(void **state)
{
	struct fixture *fixture = *state;
	struct store_retention retention = {KEEP_MS, KEEP_MS / 2, 0};

	for (uint32_t app = 0; app < 3; app++) {
		fixture_add_app(fixture->store, APP - app, 1);
		/* a young one between two old ones: in the second app its attempt is young only, in the third it is old
		 * for those that were delivered */
		fixture_add_callbacks(fixture->store, APP - app, 1, 1);
		fixture_add_callbacks(fixture->store, APP - app, 1, app == 0 ? KEEP_MS : app == 1 ? 2 : KEEP_MS / 2);
		fixture_add_callbacks(fixture->store, APP - app, 1, 3);
		end(fixture, APP - app, app_id_make(app + 1, 1), DELIVERY_DELIVERED, 0);
		end(fixture, APP - app, app_id_make(app + 1, 2), DELIVERY_FAILED, app == 1 ? KEEP_MS : 0);
		end(fixture, APP - app, app_id_make(app + 1, 3), DELIVERY_DELIVERED, 0);
	}
	assert_int_equal(prune_all(fixture, retention), 5);
	for (uint32_t app = 0; app < 3; app++) {
		assert_false(is_there(fixture, app_id_make(app + 1, 1)));
		assert_true(is_there(fixture, app_id_make(app + 1, 2)));
		assert_int_equal(is_there(fixture, app_id_make(app + 1, 3)), app == 0);
	}
}

static void test_store_prune_is_not_stopped_by_what_a_wrong_clock_made(void **state)
{
	struct fixture *fixture = *state;
	struct store_retention retention = {KEEP_MS, KEEP_MS, 2 * KEEP_MS};

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_callbacks(fixture->store, APP, 1, 100 * KEEP_MS); /* the clock was ahead */
	fixture_add_callbacks(fixture->store, APP, 1, 1);
	end(fixture, APP, app_id_make(1, 1), DELIVERY_DELIVERED, 0);
	end(fixture, APP, app_id_make(1, 2), DELIVERY_DELIVERED, 0);
	assert_int_equal(prune_all(fixture, retention), 1);
	assert_true(is_there(fixture, app_id_make(1, 1)));
	assert_false(is_there(fixture, app_id_make(1, 2)));
}

static void test_store_prune_looks_at_a_bounded_number_of_rows(void **state)
{
	struct fixture *fixture = *state;
	struct store_retention retention = {KEEP_MS * 1000, KEEP_MS * 1000, 0};
	int64_t cursor = 0;
	size_t removed = 9999;

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_app(fixture->store, APP + 1, 1);
	fixture_add_callbacks(fixture->store, APP, STORE_PRUNE_ROWS_MAX, 1); /* they wait: all are stepped over */
	fixture_add_callbacks(fixture->store, APP + 1, 2, 1);
	end(fixture, APP + 1, app_id_make(2, 1), DELIVERY_DELIVERED, 0);
	assert_int_equal(prune(fixture, retention, &cursor, &removed), 1);
	assert_int_equal(removed, 0);
	assert_true(cursor == app_id_make(1, STORE_PRUNE_ROWS_MAX));
	assert_int_equal(prune(fixture, retention, &cursor, &removed), 0);
	assert_int_equal(removed, 1);
	assert_int_equal(cursor, 0);
	assert_true(is_there(fixture, app_id_make(2, 2)));
}

static void test_store_prune_of_young_callbacks_looks_at_one_per_app(void **state)
{
	struct fixture *fixture = *state;
	int64_t cursor = 0;
	size_t removed = 9999;

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_app(fixture->store, APP + 1, 1);
	fixture_add_callbacks(fixture->store, APP, 3 * STORE_PRUNE_ROWS_MAX, KEEP_MS);
	fixture_add_callbacks(fixture->store, APP + 1, 1, 1);
	end(fixture, APP + 1, app_id_make(2, 1), DELIVERY_FAILED, 0);
	assert_int_equal(prune(fixture, (struct store_retention){KEEP_MS, KEEP_MS, 0}, &cursor, &removed), 0);
	assert_int_equal(removed, 1); /* within one call, although the other app has more rows than it may look at */
}

static void test_store_prune_goes_on_where_it_stopped(void **state)
{
	struct fixture *fixture = *state;
	struct command batch[100];
	struct store_retention retention = {INT64_MAX, INT64_MAX, 0};
	int64_t cursor = 0;
	size_t removed = 9999;

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_callbacks(fixture->store, APP, 1200, 1);
	for (uint64_t i = 0; i < 1200; i += 100) {
		for (uint64_t j = 0; j < 100; j++)
			batch[j] = world_mark(APP, app_id_make(1, i + j + 1), DELIVERY_DELIVERED);
		fixture_batch(fixture->store, batch, 100);
	}
	assert_int_equal(prune(fixture, retention, &cursor, &removed), 1);
	assert_int_equal(removed, 500);
	fixture_add_callbacks(fixture->store, APP, 1, 1); /* batches come between: this one waits */
	assert_int_equal(prune(fixture, retention, &cursor, &removed), 1);
	assert_int_equal(removed, 500);
	assert_int_equal(prune(fixture, retention, &cursor, &removed), 0);
	assert_int_equal(removed, 200);
	assert_int_equal(prune_all(fixture, retention), 0);
	assert_true(is_there(fixture, app_id_make(1, 1201)));
	assert_int_equal(fixture_app(fixture, APP).state.callback_sequence, 1201); /* numbers are not used again */
	assert_int_equal(fixture_app(fixture, APP).state.callback_pending, 1);
}

static void test_store_pruned_callback_is_gone_from_every_read(void **state)
{
	struct fixture *fixture = *state;
	struct command command = world_command(COMMAND_CALLBACK_REPLAY, APP);
	int64_t id = app_id_make(1, 1);
	struct store_callback row;
	struct error err;

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_rooms(fixture->store, APP, 0, 1); /* an alert */
	end(fixture, APP, id, DELIVERY_FAILED, 0);
	assert_int_equal(prune_all(fixture, (struct store_retention){0, INT64_MAX, 0}), 1);
	assert_int_equal(fixture_list(fixture, 1, &row, 1), 0);
	assert_int_equal(store_alert_newest(fixture->reader, APP, 70, &id, &err), 0);
	assert_int_equal(id, 0);
	id = app_id_make(1, 1);
	command.u.replay.ids = &id;
	command.u.replay.count = 1;
	fixture_batch(fixture->store, &command, 1);
	assert_int_equal(command.count, 0);
	assert_false(is_there(fixture, id));
}

static void test_store_prune_removes_those_of_a_deleted_app(void **state)
{
	struct fixture *fixture = *state;
	struct command delete_app = world_command(COMMAND_APP_DELETE, APP);

	delete_app.u.app_delete.force = true;
	fixture_add_app(fixture->store, APP, 1);
	fixture_add_callbacks(fixture->store, APP, 2, 1);
	end(fixture, APP, app_id_make(1, 1), DELIVERY_DELIVERED, 1);
	assert_int_equal(fixture_run(fixture->store, delete_app), HW_OK);
	fixture_add_app(fixture->store, APP, 1); /* the same SDKAppID is another app */
	fixture_add_callbacks(fixture->store, APP, 1, 1);
	assert_int_equal(prune_all(fixture, (struct store_retention){KEEP_MS, 0, 0}), 1);
	assert_int_equal(prune_all(fixture, (struct store_retention){KEEP_MS, KEEP_MS, 0}), 1);
	assert_true(is_there(fixture, app_id_make(2, 1)));
}

/* It is a transaction of its own: within a batch it would end what the batch began. */
static void test_store_prune_within_a_batch_is_a_bug(void **state)
{
	struct fixture *fixture = *state;
	struct command command = world_command(COMMAND_APP_DELETE, APP);
	int64_t cursor = 0;
	size_t removed;
	struct live_set set;
	struct arena arena;
	struct error err;
	int status;
	pid_t child;

	arena_init(&arena, 4096);
	live_set_init(&set, &arena, (struct hash_key){3, 4}, 1);
	live_set_touch(&set, &command);
	assert_int_equal(store_load(fixture->store, &set, &err), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		_exit(prune(fixture, (struct store_retention){KEEP_MS, KEEP_MS, 0}, &cursor, &removed));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	store_abandon(fixture->store);
	assert_int_equal(prune(fixture, (struct store_retention){KEEP_MS, KEEP_MS, 0}, &cursor, &removed), 0);
	arena_fini(&arena);
}

/* ---- a model ---- */

#define MODEL_APPS 3
#define MODEL_ROWS 400 /* of each app: a round takes several calls */

struct model_row {
	enum delivery_mark mark;
	int64_t event_ms, attempt_ms;
	bool there;
};

/* Rounds of removing with rising limits, whatever the rows are like; between two calls nothing changes. */
static void model_round(struct fixture *fixture, struct model_row rows[MODEL_APPS][MODEL_ROWS],
			struct store_retention retention)
{
	int64_t youngest = retention.delivered_before_ms > retention.failed_before_ms ? retention.delivered_before_ms
										      : retention.failed_before_ms;
	size_t want = 0;

	for (uint32_t app = 0; app < MODEL_APPS; app++) {
		for (unsigned i = 0; i < MODEL_ROWS; i++) {
			struct model_row *row = &rows[app][i];
			int64_t before = row->mark == DELIVERY_FAILED ? retention.failed_before_ms
								      : retention.delivered_before_ms;

			if (!row->there)
				continue;
			if (row->event_ms >= youngest)
				break;
			if (row->mark == DELIVERY_RETRY || row->event_ms >= before || row->attempt_ms >= before)
				continue;
			row->there = false;
			want++;
		}
	}
	assert_int_equal(prune_all(fixture, retention), want);
	for (uint32_t app = 0; app < MODEL_APPS; app++)
		for (unsigned i = 0; i < MODEL_ROWS; i++)
			assert_int_equal(is_there(fixture, app_id_make(app + 1, i + 1)), rows[app][i].there);
	arena_reset(&fixture->arena);
}

static void test_store_prune_does_as_the_model_does(void **state)
{
	static struct model_row rows[MODEL_APPS][MODEL_ROWS];
	static struct command batch[MODEL_ROWS];
	struct fixture *fixture = *state;
	struct prng prng = {20251125};

	for (uint32_t app = 0; app < MODEL_APPS; app++) {
		fixture_add_app(fixture->store, APP + app, 1);
		fixture_add_callbacks(fixture->store, APP + app, MODEL_ROWS, 1000);
		for (unsigned i = 0; i < MODEL_ROWS; i++) {
			int64_t id = app_id_make(app + 1, i + 1);
			struct model_row *row = &rows[app][i];

			*row = (struct model_row){.mark = (enum delivery_mark)prng_below(&prng, 4),
						  .event_ms = 1000 + 1000 * (int64_t)i,
						  .there = true};
			row->attempt_ms = row->event_ms + (int64_t)prng_below(&prng, 100) * 1000;
			batch[i] = world_mark(APP + app, id, row->mark);
			batch[i].u.delivery.attempt_ms = row->attempt_ms;
		}
		fixture_batch(fixture->store, batch, MODEL_ROWS);
	}
	for (int64_t now_ms = 20000; now_ms < 600000; now_ms += 70000) {
		struct store_retention retention = {now_ms, now_ms / 2, 0};

		if (now_ms % 3 == 0)
			retention.failed_before_ms = 0;
		if (now_ms % 4 == 0)
			retention.delivered_before_ms = now_ms / 3;
		model_round(fixture, rows, retention);
	}
}

static void test_store_clips_what_is_due_too_late(void **state)
{
	struct fixture *fixture = *state;
	static const int64_t due_ms[] = {500, 1000, 1001, INT64_MAX};
	struct store_due rows[4];
	struct error err;
	size_t count;

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_callbacks(fixture->store, APP, 6, 1); /* the fifth was never tried, the sixth was delivered */
	for (unsigned i = 0; i < ARRAY_LEN(due_ms); i++) {
		struct command command = world_mark(APP, app_id_make(1, i + 1), DELIVERY_RETRY);

		command.u.delivery.due_ms = due_ms[i];
		assert_int_equal(fixture_run(fixture->store, command), HW_OK);
	}
	end(fixture, APP, app_id_make(1, 6), DELIVERY_DELIVERED, 0);
	assert_int_equal(store_clip_due(fixture->store, 1000, &err), 0);
	assert_int_equal(store_callback_due(fixture->reader, APP, 4, rows, &count, &err), 0);
	assert_int_equal(count, 4);
	for (unsigned i = 0; i < ARRAY_LEN(due_ms); i++) {
		assert_true(rows[i].id == app_id_make(1, i + 1));
		assert_int_equal(rows[i].due_ms, i ? 1000 : 500);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_store_prune_removes_what_is_final_and_older_than_its_limit),
		WITH_STORE(test_store_prune_stops_at_the_first_of_an_app_that_is_too_young),
		WITH_STORE(test_store_prune_is_not_stopped_by_what_a_wrong_clock_made),
		WITH_STORE(test_store_prune_looks_at_a_bounded_number_of_rows),
		WITH_STORE(test_store_prune_of_young_callbacks_looks_at_one_per_app),
		WITH_STORE(test_store_prune_goes_on_where_it_stopped),
		WITH_STORE(test_store_pruned_callback_is_gone_from_every_read),
		WITH_STORE(test_store_prune_removes_those_of_a_deleted_app),
		WITH_STORE(test_store_prune_within_a_batch_is_a_bug),
		WITH_STORE(test_store_prune_does_as_the_model_does),
		WITH_STORE(test_store_clips_what_is_due_too_late),
	};

	return suite_run(tests, ARRAY_LEN(tests));
}
