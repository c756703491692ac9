/* Callbacks in every kind of store: their fields, what waits and in which order, replays, lists. */
#include "store/suite.h"

/* Returns how many were set going. */
static uint64_t replay(struct fixture *fixture, uint32_t sdkappid, const int64_t *ids, size_t count, int64_t wall_ms)
{
	struct command command = world_command(COMMAND_CALLBACK_REPLAY, sdkappid);

	command.origin.wall_ms = wall_ms;
	command.origin.steady_ms = wall_ms + 7;
	command.u.replay.ids = ids;
	command.u.replay.count = count;
	fixture_batch(fixture->store, &command, 1);
	assert_int_equal(command.code, HW_OK);
	return command.count;
}

/* ---- fields ---- */

static void test_store_callback_comes_back_in_every_field(void **state)
{
	struct fixture *fixture = *state;
	struct command command = world_create(APP, "r", "12345678901234567890123456789\"\\2");
	struct store_callback row;

	command.origin.client_ip = STR("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
	assert_int_equal(command.origin.client_ip.len, HW_IP_BYTES_MAX);
	command.origin.platform = HW_PLATFORM_IPAD;
	command.origin.wall_ms = 1739966441121;
	command.origin.steady_ms = 1739966449000;
	fixture_add_app(fixture->store, APP, 1);
	assert_int_equal(fixture_run(fixture->store, command), HW_OK);
	assert_int_equal(fixture_waiting(fixture, APP, &row, 1), 1);
	assert_true(row.id == app_id_make(1, 1));
	assert_int_equal(row.sdkappid, APP);
	assert_int_equal(row.command, HW_CALLBACK_THRESHOLD);
	assert_int_equal(row.threshold, 70);
	assert_int_equal(row.platform, HW_PLATFORM_IPAD);
	assert_true(str_eq(row.client_ip, command.origin.client_ip));
	assert_true(str_eq(row.body, STR("{\"CallbackCommand\":\"Live.CallbackAfterCreateRoomReachingThreshold\","
					 "\"Operator_Account\":\"12345678901234567890123456789\\\"\\\\2\","
					 "\"EventTime\":1739966441121,\"CurRoomCount\":1,\"MaxRoomCount\":1}")));
	assert_true(row.event_ms == 1739966441121);
	assert_int_equal(row.due_ms, 0);
	assert_int_equal(row.state, CALLBACK_WAITING);
	assert_int_equal(row.attempts, 0);
	assert_int_equal(row.attempt_ms, 0);
	assert_int_equal(row.http_status, 0);
	assert_true(str_eq(row.error, STR("")));
	assert_true(row.base_ms == 1739966441121);
	assert_int_equal(row.base_attempts, 0);
	assert_int_equal(row.replays, 0);
	assert_true(str_eq(row.log, STR("")));
}

static char long_log[16 * 1024];

static struct command full_mark(int64_t id, enum delivery_mark how)
{
	struct command command = world_mark(APP, id, how);

	memset(long_log, 'l', sizeof(long_log));
	command.u.delivery.attempts = 4000000000u;
	command.u.delivery.due_ms = 1739966449999;
	command.u.delivery.attempt_ms = 1739966441999;
	command.u.delivery.http_status = 503;
	command.u.delivery.log = (struct str){long_log, sizeof(long_log)};
	memset(command.u.delivery.error, 'e', DELIVERY_ERROR_BYTES_MAX);
	return command;
}

static void check_full_mark(const struct store_callback *row, enum callback_state state)
{
	assert_int_equal(row->state, state);
	assert_int_equal(row->attempts, 4000000000u);
	assert_true(row->due_ms == 1739966449999);
	assert_true(row->attempt_ms == 1739966441999);
	assert_int_equal(row->http_status, 503);
	assert_int_equal(row->error.len, DELIVERY_ERROR_BYTES_MAX);
}

static void test_store_marks_come_back_in_every_field(void **state)
{
	static const enum delivery_mark marks[] = {DELIVERY_RETRY, DELIVERY_DELIVERED, DELIVERY_FAILED,
						   DELIVERY_SUPERSEDED};
	static const enum callback_state want[] = {CALLBACK_WAITING, CALLBACK_DELIVERED, CALLBACK_FAILED,
						   CALLBACK_SUPERSEDED};
	struct fixture *fixture = *state;
	struct store_callback rows[5];

	fixture_add_app(fixture->store, APP, 4);
	fixture_add_app(fixture->store, APP + 1, 1);
	fixture_add_callbacks(fixture->store, APP, 4, 1000);
	fixture_add_callbacks(fixture->store, APP + 1, 1, 1000);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(fixture_run(fixture->store, full_mark(app_id_make(1, i + 1), marks[i])), HW_OK);
	assert_int_equal(fixture_list(fixture, 1, rows, 5), 4);
	for (size_t i = 0; i < 4; i++) { /* newest first */
		struct store_callback whole = fixture_callback(fixture, app_id_make(1, 4 - i));

		assert_true(rows[i].id == whole.id);
		check_full_mark(&rows[i], want[3 - i]);
		check_full_mark(&whole, want[3 - i]);
		assert_int_equal(rows[i].log.len, 0); /* lists do without */
		assert_true(str_eq(whole.log, (struct str){long_log, sizeof(long_log)}));
	}
	assert_int_equal(fixture_waiting(fixture, APP, rows, 5), 1);
	assert_true(rows[0].id == app_id_make(1, 1));
	assert_int_equal(fixture_app(fixture, APP).state.callback_pending, 1);
	assert_int_equal(fixture_callback(fixture, app_id_make(2, 1)).attempts, 0);
}

static void test_store_mark_without_a_log_keeps_what_there_is(void **state)
{
	struct fixture *fixture = *state;
	struct command command = world_mark(APP, app_id_make(1, 1), DELIVERY_RETRY);

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_callbacks(fixture->store, APP, 1, 1000);
	command.u.delivery.log = STR("[1]");
	assert_int_equal(fixture_run(fixture->store, command), HW_OK);
	command.u.delivery.log = (struct str){NULL, 0};
	command.u.delivery.attempts = 2;
	assert_int_equal(fixture_run(fixture->store, command), HW_OK);
	assert_int_equal(fixture_callback(fixture, app_id_make(1, 1)).attempts, 2);
	assert_true(str_eq(fixture_callback(fixture, app_id_make(1, 1)).log, STR("[1]")));
	command.u.delivery.log = STR("");
	assert_int_equal(fixture_run(fixture->store, command), HW_OK);
	assert_true(str_eq(fixture_callback(fixture, app_id_make(1, 1)).log, STR("")));
}

static void test_store_mark_of_a_final_row_changes_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct command late = world_mark(APP, app_id_make(1, 1), DELIVERY_RETRY);
	struct store_callback row;

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_callbacks(fixture->store, APP, 1, 1000);
	assert_int_equal(fixture_run(fixture->store, full_mark(app_id_make(1, 1), DELIVERY_DELIVERED)), HW_OK);
	late.u.delivery.log = STR("late");
	assert_int_equal(fixture_run(fixture->store, late), HW_OK);
	assert_int_equal(fixture_run(fixture->store, world_mark(APP, app_id_make(1, 99), DELIVERY_RETRY)), HW_OK);
	row = fixture_callback(fixture, app_id_make(1, 1));
	check_full_mark(&row, CALLBACK_DELIVERED);
	assert_int_equal(row.log.len, sizeof(long_log));
	assert_int_equal(fixture_list(fixture, 1, &row, 1), 1); /* and nothing was made */
}

static void test_store_callback_that_is_not_there(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback row = {.id = 77};
	struct store_due due;
	struct error err;
	int64_t id = 99;
	size_t count = 99;

	fixture_add_app(fixture->store, APP, 1);
	assert_int_equal(store_callback_get(fixture->reader, &fixture->arena, app_id_make(1, 1), &row, &err), 0);
	assert_int_equal(store_callback_next(fixture->reader, &fixture->arena, APP, 0, &row, &err), 0);
	assert_int_equal(row.id, 77);
	assert_int_equal(store_callback_due(fixture->reader, APP, 1, &due, &count, &err), 0);
	assert_int_equal(count, 0);
	assert_int_equal(store_alert_newest(fixture->reader, APP, 70, &id, &err), 0);
	assert_int_equal(id, 0);
	assert_int_equal(fixture_list(fixture, 1, &row, 1), 0);
}

/* ---- replays ---- */

static void test_store_replayed_callback_waits_again(void **state)
{
	struct fixture *fixture = *state;
	int64_t id = app_id_make(1, 1);
	struct store_callback row;

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_callbacks(fixture->store, APP, 1, 5000);
	assert_int_equal(fixture_run(fixture->store, full_mark(id, DELIVERY_FAILED)), HW_OK);
	assert_int_equal(fixture_app(fixture, APP).state.callback_pending, 0);
	assert_int_equal(replay(fixture, APP, &id, 1, 1739966500000), 1);
	assert_int_equal(fixture_waiting(fixture, APP, &row, 1), 1);
	assert_true(row.id == id);
	assert_int_equal(row.state, CALLBACK_WAITING);
	assert_true(row.due_ms == 1739966500007);
	assert_true(row.base_ms == 1739966500000);
	assert_int_equal(row.base_attempts, 4000000000u);
	assert_int_equal(row.replays, 1);
	assert_int_equal(row.attempts, 4000000000u); /* the rest is as it was */
	assert_true(row.attempt_ms == 1739966441999);
	assert_int_equal(row.http_status, 503);
	assert_int_equal(row.error.len, DELIVERY_ERROR_BYTES_MAX);
	assert_int_equal(row.log.len, sizeof(long_log));
	assert_true(row.event_ms == 5000);
	assert_int_equal(fixture_app(fixture, APP).state.callback_pending, 1);
	fixture_mark(fixture->store, APP, id, DELIVERY_DELIVERED, 0);
	assert_int_equal(replay(fixture, APP, &id, 1, 1739966600000), 1);
	row = fixture_callback(fixture, id);
	assert_int_equal(row.replays, 2);
	assert_int_equal(row.base_attempts, 1); /* world_mark's */
	assert_true(row.base_ms == 1739966600000);
}

static void test_store_replays_final_callbacks_only(void **state)
{
	static const enum delivery_mark marks[] = {DELIVERY_RETRY, DELIVERY_DELIVERED, DELIVERY_FAILED,
						   DELIVERY_SUPERSEDED};
	const int64_t ids[] = {app_id_make(1, 1),
			       app_id_make(1, 2),
			       app_id_make(1, 3),
			       app_id_make(1, 4),
			       app_id_make(1, 5),
			       app_id_make(1, 6),
			       app_id_make(2, 1),
			       0,
			       -1};
	struct fixture *fixture = *state;

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_app(fixture->store, APP + 1, 1);
	fixture_add_callbacks(fixture->store, APP, 5, 1000); /* the fifth is never tried, a sixth is not there */
	fixture_add_callbacks(fixture->store, APP + 1, 1, 1000);
	fixture_mark(fixture->store, APP + 1, app_id_make(2, 1), DELIVERY_FAILED, 0); /* of another app */
	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		fixture_mark(fixture->store, APP, ids[i], marks[i], 500);
	assert_int_equal(replay(fixture, APP, ids, ARRAY_LEN(ids), 1000000), 3);
	for (size_t i = 0; i < 5; i++) {
		struct store_callback row = fixture_callback(fixture, ids[i]);
		bool replayed = i >= 1 && i <= 3;

		assert_int_equal(row.state, CALLBACK_WAITING);
		assert_int_equal(row.replays, replayed);
		assert_int_equal(row.due_ms, replayed ? 1000007 : i == 0 ? 500 : 0);
		assert_int_equal(row.base_attempts, replayed);
		assert_int_equal(row.base_ms, replayed ? 1000000 : row.event_ms);
	}
	assert_int_equal(fixture_callback(fixture, app_id_make(2, 1)).state, CALLBACK_FAILED);
	assert_int_equal(fixture_app(fixture, APP).state.callback_pending, 5);
}

/* ---- what waits ---- */

static void test_store_next_gives_what_was_never_tried_by_id(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback row = {0};
	struct error err;

	fixture_add_app(fixture->store, APP, 4);
	fixture_add_app(fixture->store, APP + 1, 4);
	fixture_add_callbacks(fixture->store, APP, 6, 9000);
	fixture_add_callbacks(fixture->store, APP + 1, 1, 1000);
	fixture_mark(fixture->store, APP, app_id_make(1, 2), DELIVERY_RETRY, 1);
	fixture_mark(fixture->store, APP, app_id_make(1, 4), DELIVERY_DELIVERED, 0);
	fixture_mark(fixture->store, APP, app_id_make(1, 5), DELIVERY_SUPERSEDED, 0);
	for (size_t i = 0; i < 3; i++) {
		static const uint64_t want[] = {1, 3, 6};

		assert_int_equal(store_callback_next(fixture->reader, &fixture->arena, APP, row.id, &row, &err), 1);
		assert_true(row.id == app_id_make(1, want[i]));
	}
	assert_int_equal(store_callback_next(fixture->reader, &fixture->arena, APP, row.id, &row, &err), 0);
	assert_int_equal(store_callback_next(fixture->reader, &fixture->arena, APP, INT64_MAX, &row, &err), 0);
	assert_int_equal(store_callback_next(fixture->reader, &fixture->arena, APP + 1, 0, &row, &err), 1);
	assert_true(row.id == app_id_make(2, 1));
}

static void test_store_due_order_is_due_time_then_id(void **state)
{
	static const int64_t due_ms[] = {500, 100, 300, 100};
	static const uint64_t want[] = {2, 4, 3, 1};
	struct fixture *fixture = *state;
	struct store_due due[5];
	struct error err;
	size_t count;

	fixture_add_app(fixture->store, APP, 4);
	fixture_add_app(fixture->store, APP + 1, 4);
	fixture_add_callbacks(fixture->store, APP, 6, 1000); /* the fifth is never tried */
	fixture_add_callbacks(fixture->store, APP + 1, 1, 1000);
	for (size_t i = 0; i < 4; i++)
		fixture_mark(fixture->store, APP, app_id_make(1, i + 1), DELIVERY_RETRY, due_ms[i]);
	fixture_mark(fixture->store, APP, app_id_make(1, 6), DELIVERY_FAILED, 1);
	fixture_mark(fixture->store, APP + 1, app_id_make(2, 1), DELIVERY_RETRY, 1);
	for (size_t limit = 0; limit <= 5; limit++) { /* the first due, not the first found */
		assert_int_equal(store_callback_due(fixture->reader, APP, limit, due, &count, &err), 0);
		assert_int_equal(count, limit < 4 ? limit : 4);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(app_id_sequence(due[i].id), want[i]);
			assert_int_equal(due[i].due_ms, due_ms[want[i] - 1]);
		}
	}
}

struct seen {
	uint32_t sdkappids[8];
	uint32_t failures[8];
	size_t count;
};

static void see_waiting(void *context, uint32_t sdkappid, uint32_t failures)
{
	struct seen *seen = context;

	seen->sdkappids[seen->count] = sdkappid;
	seen->failures[seen->count++] = failures;
}

static void test_store_waiting_apps_come_once_with_their_failures(void **state)
{
	struct fixture *fixture = *state;
	struct command failure = world_mark(APP + 2, app_id_make(3, 1), DELIVERY_RETRY);
	struct command delete_app = world_command(COMMAND_APP_DELETE, APP + 3);
	struct seen seen = {0};
	struct error err;

	failure.u.delivery.sent = true;
	failure.u.delivery.due_ms = 5;
	delete_app.u.app_delete.force = true;
	for (uint32_t i = 0; i < 4; i++)
		fixture_add_app(fixture->store, APP + i, 1);
	assert_int_equal(store_waiting_each(fixture->reader, see_waiting, &seen, &err), 0);
	assert_int_equal(seen.count, 0);
	for (uint32_t i = 0; i < 4; i++)
		fixture_add_callbacks(fixture->store, APP + i, 3, 1000);
	for (uint32_t i = 1; i <= 3; i++)
		fixture_mark(fixture->store, APP + 1, app_id_make(2, i), DELIVERY_DELIVERED, 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(fixture_run(fixture->store, failure), HW_OK);
	assert_int_equal(fixture_run(fixture->store, delete_app), HW_OK);
	assert_int_equal(store_waiting_each(fixture->reader, see_waiting, &seen, &err), 0);
	assert_int_equal(seen.count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(seen.failures[i], seen.sdkappids[i] == APP + 2 ? 2 : 0);
	assert_int_equal(seen.sdkappids[0] + seen.sdkappids[1], 2 * APP + 2);
}

static void test_store_deleting_an_app_ends_its_waiting_callbacks_only(void **state)
{
	struct fixture *fixture = *state;
	struct command delete_app = world_command(COMMAND_APP_DELETE, APP);
	struct store_callback rows[6];

	delete_app.u.app_delete.force = true;
	fixture_add_app(fixture->store, APP, 2);
	fixture_add_app(fixture->store, APP + 1, 1);
	fixture_add_callbacks(fixture->store, APP, 4, 1000);
	fixture_add_callbacks(fixture->store, APP + 1, 1, 1000);
	fixture_mark(fixture->store, APP, app_id_make(1, 1), DELIVERY_DELIVERED, 0);
	fixture_mark(fixture->store, APP, app_id_make(1, 2), DELIVERY_RETRY, 5);
	fixture_mark(fixture->store, APP, app_id_make(1, 3), DELIVERY_SUPERSEDED, 0);
	assert_int_equal(fixture_run(fixture->store, delete_app), HW_OK);
	assert_int_equal(fixture_waiting(fixture, APP, rows, 6), 0);
	assert_int_equal(fixture_list(fixture, 1, rows, 6), 4);
	for (size_t i = 0; i < 4; i++) {
		static const enum callback_state want[] = {CALLBACK_FAILED, CALLBACK_SUPERSEDED, CALLBACK_FAILED,
							   CALLBACK_DELIVERED};

		assert_int_equal(rows[i].state, want[i]);
		assert_true(str_eq(rows[i].error, want[i] == CALLBACK_FAILED ? STR("app deleted") : STR("")));
	}
	assert_int_equal(fixture_waiting(fixture, APP + 1, rows, 6), 1);
}

static void test_store_newest_alert_is_of_its_app_and_threshold(void **state)
{
	struct fixture *fixture = *state;
	struct app_config config = world_config(ALERT_EVERY, 4);
	struct command create = world_command(COMMAND_APP_CREATE, APP);
	struct error err;
	int64_t id;

	config.alert.threshold_count = 2;
	config.alert.thresholds[0] = 50;
	config.alert.thresholds[1] = 75;
	create.u.app_create = &config;
	assert_int_equal(fixture_run(fixture->store, create), HW_OK);
	fixture_add_app(fixture->store, APP + 1, 1);
	fixture_add_rooms(fixture->store, APP, 0, 2); /* 1: 50 percent */
	assert_int_equal(fixture_run(fixture->store, world_destroy(APP, "r0", "alice")), HW_OK);
	fixture_add_rooms(fixture->store, APP, 2, 5);				     /* 2: 50, 3 and 4: 75 */
	fixture_add_callbacks(fixture->store, APP, 1, 1000);			     /* 5: no alert */
	fixture_add_rooms(fixture->store, APP + 1, 0, 1);			     /* the other app's first: 70 */
	fixture_mark(fixture->store, APP, app_id_make(1, 2), DELIVERY_DELIVERED, 0); /* its state does not matter */
	for (size_t i = 0; i < 5; i++) {
		static const struct {
			uint32_t sdkappid;
			uint8_t threshold;
			uint32_t number;
			uint64_t sequence;
		} want[] = {
			{APP, 50, 1, 2}, {APP, 75, 1, 4}, {APP, 70, 0, 0}, {APP + 1, 70, 2, 1}, {APP + 1, 50, 0, 0}};

		assert_int_equal(store_alert_newest(fixture->reader, want[i].sdkappid, want[i].threshold, &id, &err),
				 0);
		assert_true(id == app_id_make(want[i].number, want[i].sequence));
	}
}

/* ---- lists ---- */

#define LIST_COUNT 13

static enum callback_state list_state(unsigned i)
{
	return (enum callback_state)((i * i + i / 3) % CALLBACK_STATE_COUNT);
}

/* Callbacks 1 to LIST_COUNT of app 1, of all states, their events a second apart; and some of apps around it. */
static void fill_list(struct fixture *fixture)
{
	static const enum delivery_mark marks[] = {DELIVERY_RETRY, DELIVERY_DELIVERED, DELIVERY_FAILED,
						   DELIVERY_SUPERSEDED};

	fixture_add_app(fixture->store, APP + 1, 1);
	fixture_add_app(fixture->store, APP, 1);
	fixture_add_app(fixture->store, APP + 2, 1);
	fixture_add_callbacks(fixture->store, APP + 1, 2, 1000);
	fixture_add_callbacks(fixture->store, APP, LIST_COUNT, 1000);
	fixture_add_callbacks(fixture->store, APP + 2, 2, 1000);
	for (unsigned i = 1; i <= LIST_COUNT; i++)
		fixture_mark(fixture->store, APP, app_id_make(2, i), marks[list_state(i)], 5);
}

static bool list_wants(const struct store_callback_filter *filter, unsigned i)
{
	return (filter->states >> list_state(i) & 1) && i * 1000 >= filter->since_ms && i * 1000 <= filter->until_ms;
}

/* Reads all pages and compares them with what the filter must let through. */
static void check_pages(struct fixture *fixture, struct store_callback_filter filter, size_t limit)
{
	bool of_ended = !(filter.states & (1u << CALLBACK_WAITING | 1u << CALLBACK_DELIVERED));
	unsigned left = LIST_COUNT;
	int64_t next;

	do {
		struct store_callback rows[LIST_COUNT];
		struct error err;
		size_t count;
		size_t want = 0;

		assert_int_equal(store_callback_list(fixture->reader, &fixture->arena, &filter, limit, rows, &count,
						     &next, &err),
				 0);
		for (; left > 0 && want < limit; left--) {
			if (!list_wants(&filter, left))
				continue;
			assert_true(want < count);
			assert_true(rows[want].id == app_id_make(2, left));
			assert_int_equal(rows[want++].state, list_state(left));
		}
		assert_int_equal(count, want);
		while (of_ended && left > 0 && list_state(left) < CALLBACK_FAILED) /* not looked at */
			left--;
		assert_true(next == (left > 0 ? rows[count - 1].id : 0));
		filter.before_id = next;
	} while (next);
	assert_int_equal(left, 0);
}

static void test_store_list_pages_hold_what_the_filter_lets_through(void **state)
{
	static const int64_t times[][2] = {{0, INT64_MAX},
					   {0, 5000},
					   {5000, INT64_MAX},
					   {4000, 9000},
					   {6500, 6600},
					   {7000, 7000},
					   {INT64_MIN, LIST_COUNT * 1000},
					   {1000, 999}};
	struct fixture *fixture = *state;

	fill_list(fixture);
	for (unsigned states = 0; states < 1u << CALLBACK_STATE_COUNT; states++) {
		for (size_t i = 0; i < ARRAY_LEN(times); i++) {
			struct store_callback_filter filter = fixture_filter(2);

			filter.states = states;
			filter.since_ms = times[i][0];
			filter.until_ms = times[i][1];
			for (size_t limit = 1; limit <= LIST_COUNT; limit += 2)
				check_pages(fixture, filter, limit);
			arena_reset(&fixture->arena);
		}
	}
}

static void test_store_list_bounds_are_excluded(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback_filter filter = {.before_id = INT64_MAX, .states = 15, .until_ms = INT64_MAX};
	struct store_callback rows[32];
	struct error err;
	int64_t next;
	size_t count;

	fill_list(fixture);
	assert_int_equal(store_callback_list(fixture->reader, &fixture->arena, &filter, 32, rows, &count, &next, &err),
			 0);
	assert_int_equal(count, LIST_COUNT + 4); /* of all apps */
	assert_int_equal(next, 0);
	for (size_t i = 1; i < count; i++)
		assert_true(rows[i].id < rows[i - 1].id);
	filter.after_id = app_id_make(2, 3);
	filter.before_id = app_id_make(2, 6);
	for (unsigned mask = 0; mask < 2; mask++) {
		filter.states = mask ? 1u << list_state(4) | 1u << list_state(5) : 15;
		assert_int_equal(
			store_callback_list(fixture->reader, &fixture->arena, &filter, 32, rows, &count, &next, &err),
			0);
		assert_int_equal(count, 2);
		assert_true(rows[0].id == app_id_make(2, 5) && rows[1].id == app_id_make(2, 4));
	}
	assert_int_equal(store_callback_list(fixture->reader, &fixture->arena, &filter, 0, rows, &count, &next, &err),
			 0);
	assert_int_equal(count, 0);
	assert_true(next == filter.before_id); /* nothing was looked at */
	filter.before_id = app_id_make(2, 4);
	assert_int_equal(store_callback_list(fixture->reader, &fixture->arena, &filter, 0, rows, &count, &next, &err),
			 0);
	assert_int_equal(next, 0); /* nothing is there */
}

static void test_store_list_looks_at_a_bounded_number_of_rows(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback_filter filter = fixture_filter(1);
	struct store_callback row;
	struct error err;
	int64_t next;
	size_t count;

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_callbacks(fixture->store, APP, STORE_LIST_SCAN_MAX + 3, 1000);
	fixture_mark(fixture->store, APP, app_id_make(1, 1), DELIVERY_DELIVERED, 0);
	fixture_mark(fixture->store, APP, app_id_make(1, 2), DELIVERY_FAILED, 0);
	filter.states = 1u << CALLBACK_DELIVERED;
	assert_int_equal(store_callback_list(fixture->reader, &fixture->arena, &filter, 1, &row, &count, &next, &err),
			 0);
	assert_int_equal(count, 0);
	assert_true(next == app_id_make(1, 4)); /* the last one looked at */
	filter.before_id = next;
	assert_int_equal(store_callback_list(fixture->reader, &fixture->arena, &filter, 1, &row, &count, &next, &err),
			 0);
	assert_int_equal(count, 1);
	assert_true(row.id == app_id_make(1, 1));
	assert_int_equal(next, 0);
	filter = fixture_filter(1);
	filter.states = 1u << CALLBACK_FAILED | 1u << CALLBACK_SUPERSEDED; /* the ten thousand are not in the way */
	assert_int_equal(store_callback_list(fixture->reader, &fixture->arena, &filter, 1, &row, &count, &next, &err),
			 0);
	assert_int_equal(count, 1);
	assert_true(row.id == app_id_make(1, 2));
	assert_int_equal(next, 0);
	filter.states = 1u << CALLBACK_DELIVERED;
	filter.after_id = app_id_make(1, 3); /* as many as may be looked at: it is known that there are no more */
	assert_int_equal(store_callback_list(fixture->reader, &fixture->arena, &filter, 1, &row, &count, &next, &err),
			 0);
	assert_int_equal(count, 0);
	assert_int_equal(next, 0);
}

static uint64_t waiting_count(struct fixture *fixture, uint32_t sdkappid)
{
	struct error err;
	uint64_t count;

	assert_int_equal(store_waiting_count(fixture->reader, sdkappid, &count, &err), 0);
	return count;
}

static void test_store_counts_what_waits_of_one_app(void **state)
{
	struct fixture *fixture = *state;

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_app(fixture->store, APP + 1, 1);
	fixture_add_callbacks(fixture->store, APP, 5, 1000);
	fixture_add_callbacks(fixture->store, APP + 1, 2, 1000);
	assert_int_equal(waiting_count(fixture, APP), 5);
	assert_int_equal(fixture_run(fixture->store, world_mark(APP, app_id_make(1, 1), DELIVERY_DELIVERED)), HW_OK);
	assert_int_equal(fixture_run(fixture->store, world_mark(APP, app_id_make(1, 2), DELIVERY_RETRY)), HW_OK);
	assert_int_equal(waiting_count(fixture, APP), 4);
	assert_int_equal(waiting_count(fixture, APP), fixture_app(fixture, APP).state.callback_pending);
	assert_int_equal(waiting_count(fixture, APP + 1), 2);
	assert_int_equal(waiting_count(fixture, APP + 2), 0);
}

static int64_t waiting_oldest(struct fixture *fixture)
{
	struct error err;
	int64_t event_ms = 0;

	assert_true(store_waiting_oldest(fixture->reader, 0, &event_ms, &err) == (event_ms > 0));
	return event_ms;
}

static void test_store_finds_the_oldest_event_that_waits(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(waiting_oldest(fixture), 0);
	fixture_add_app(fixture->store, APP, 1);
	fixture_add_app(fixture->store, APP + 1, 1);
	fixture_add_callbacks(fixture->store, APP, 1, 3000);
	fixture_add_callbacks(fixture->store, APP + 1, 1, 2000);
	assert_int_equal(waiting_oldest(fixture), 2000);
	assert_int_equal(fixture_run(fixture->store, world_mark(APP + 1, app_id_make(2, 1), DELIVERY_RETRY)), HW_OK);
	assert_int_equal(waiting_oldest(fixture), 2000);
	assert_int_equal(fixture_run(fixture->store, world_mark(APP + 1, app_id_make(2, 1), DELIVERY_DELIVERED)),
			 HW_OK);
	assert_int_equal(waiting_oldest(fixture), 3000);
	assert_int_equal(fixture_run(fixture->store, world_mark(APP, app_id_make(1, 1), DELIVERY_FAILED)), HW_OK);
	assert_int_equal(waiting_oldest(fixture), 0);
}

static void test_store_can_be_probed_between_batches(void **state)
{
	struct fixture *fixture = *state;
	struct error err;

	assert_int_equal(store_probe(fixture->store, &err), 0);
	fixture_add_app(fixture->store, APP, 1);
	assert_int_equal(store_probe(fixture->store, &err), 0);
	fixture_add_callbacks(fixture->store, APP, 1, 3000);
	assert_int_equal(waiting_oldest(fixture), 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_store_callback_comes_back_in_every_field),
		WITH_STORE(test_store_counts_what_waits_of_one_app),
		WITH_STORE(test_store_finds_the_oldest_event_that_waits),
		WITH_STORE(test_store_can_be_probed_between_batches),
		WITH_STORE(test_store_marks_come_back_in_every_field),
		WITH_STORE(test_store_mark_without_a_log_keeps_what_there_is),
		WITH_STORE(test_store_mark_of_a_final_row_changes_nothing),
		WITH_STORE(test_store_callback_that_is_not_there),
		WITH_STORE(test_store_replayed_callback_waits_again),
		WITH_STORE(test_store_replays_final_callbacks_only),
		WITH_STORE(test_store_next_gives_what_was_never_tried_by_id),
		WITH_STORE(test_store_due_order_is_due_time_then_id),
		WITH_STORE(test_store_waiting_apps_come_once_with_their_failures),
		WITH_STORE(test_store_deleting_an_app_ends_its_waiting_callbacks_only),
		WITH_STORE(test_store_newest_alert_is_of_its_app_and_threshold),
		WITH_STORE(test_store_list_pages_hold_what_the_filter_lets_through),
		WITH_STORE(test_store_list_bounds_are_excluded),
		WITH_STORE(test_store_list_looks_at_a_bounded_number_of_rows),
	};

	return suite_run(tests, ARRAY_LEN(tests));
}
