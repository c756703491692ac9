/* What reads of the SQLite store cost: every statement comes to its rows by an index, and what looks for waiting
 * callbacks, for rooms or for samples costs as much before a hundred thousand of them as before ten.
 *
 * SQLite gives each connection to us as it is opened, so that the store's own statements are looked at. */
#include "store/sqlite_file.h"

static sqlite3 *opened[8]; /* connections, in the order they were opened */
static size_t opened_count;

static int note_connection(sqlite3 *db, char **why, const void *api)
{
	(void)why; /* nothing fails */
	(void)api;
	if (opened_count < ARRAY_LEN(opened))
		opened[opened_count++] = db;
	return SQLITE_OK;
}

static int group_setup(void **state)
{
	(void)state;
	return sqlite3_auto_extension((void (*)(void))note_connection);
}

/* Opens the store; its connections are in `opened`, the reader's is the last. */
static void open_noting(struct fixture *fixture)
{
	opened_count = 0;
	fixture_open(fixture);
	assert_int_equal(opened_count, 3); /* writer, checkpoint, reader */
}

static int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

/* ---- plans ---- */

static bool plan_is_allowed(const char *line)
{
	static const char *const allowed[] = {
		"SCAN a",	/* the list of all apps is what is asked for */
		"SCAN waiting", /* the rows that the query itself makes, one an app */
		"SCAN w",
	};

	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		if (strcmp(line, allowed[i]) == 0)
			return true;
	return !strstr(line, "SCAN") && !strstr(line, "TEMP B-TREE") && !strstr(line, "AUTOMATIC");
}

static void check_plan(sqlite3 *db, const char *sql)
{
	char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
	sqlite3_stmt *plan;

	assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &plan, NULL), SQLITE_OK);
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *line = (const char *)sqlite3_column_text(plan, 3);

		if (!plan_is_allowed(line))
			fail_msg("%s\n%s", sql, line);
	}
	assert_int_equal(sqlite3_finalize(plan), SQLITE_OK);
	sqlite3_free(explain);
}

static void test_sqlite_no_statement_sorts_or_walks_a_table(void **state)
{
	struct fixture *fixture = *state;
	unsigned checked = 0;

	open_noting(fixture);
	for (size_t i = 0; i < opened_count; i++) {
		sqlite3_stmt *statement = NULL;
		const char *sql[128];
		size_t count = 0;

		while ((statement = sqlite3_next_stmt(opened[i], statement)) != NULL && count < ARRAY_LEN(sql))
			sql[count++] = sqlite3_sql(statement);
		assert_true(count < ARRAY_LEN(sql));
		for (size_t j = 0; j < count; j++, checked++)
			check_plan(opened[i], sql[j]);
	}
	assert_true(checked > 40); /* both sides' statements were seen */
}

/* ---- steps ---- */

/* Steps of SQLite's machine in all of the reader's statements since the last call. */
static int64_t steps_taken(void)
{
	int64_t steps = 0;

	for (sqlite3_stmt *statement = sqlite3_next_stmt(opened[2], NULL); statement;
	     statement = sqlite3_next_stmt(opened[2], statement))
		steps += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
	return steps;
}

static void count_app(void *context, uint32_t sdkappid, uint32_t failures)
{
	(void)sdkappid; /* how many is what matters */
	(void)failures;
	++*(unsigned *)context;
}

enum {
	COST_WAITING_EACH,
	COST_OLDEST,
	COST_NEXT,
	COST_DUE,
	COST_GET,
	COST_NEWEST,
	COST_LIST,
	COST_LIST_ENDED,
	COST_COUNT
};

/* What each read costs when two apps have so many callbacks, all waiting but the first of each, which failed: half of
 * them never tried, half with a time, all alerts. */
static void measure(int64_t rows, int64_t costs[COST_COUNT])
{
	struct fixture *fixture = fixture_new();
	struct store_callback_filter filter = fixture_filter(1);
	struct store_callback row[3];
	struct store_due due[3];
	unsigned apps = 0;
	char sql[640];
	struct error err;
	int64_t id;
	int64_t next;
	size_t count;

	fixture_open(fixture);
	fixture_add_app(fixture->store, APP, 1);
	fixture_add_app(fixture->store, APP + 1, 1);
	fixture_close(fixture);
	(void)snprintf(
		sql, sizeof(sql),
		"WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %lld), a (k) AS (VALUES (1), (2)) "
		"INSERT INTO callbacks (id, sdkappid, command, threshold, platform, client_ip, body, event_ms, "
		"state, attempts, due_ms, attempt_ms, http_status, error) "
		"SELECT (k << 40) + i, %u + k, 5, 70, 2, '', '{}', i, iif(i = 1, 2, 0), 0, iif(i %% 2, 0, i), 0, 0, "
		"'' FROM a, n",
		(long long)rows, APP - 1); /* fits */
	fixture_tamper(fixture, sql);
	open_noting(fixture);
	(void)steps_taken(); /* from here on */
	assert_int_equal(store_waiting_each(fixture->reader, count_app, &apps, &err), 0);
	assert_int_equal(apps, 2);
	costs[COST_WAITING_EACH] = steps_taken();
	assert_int_equal(store_waiting_oldest(fixture->reader, 0, &next, &err), 1);
	assert_int_equal(next, 2); /* the first has failed */
	costs[COST_OLDEST] = steps_taken();
	id = app_id_make(1, (uint64_t)rows / 2);
	assert_int_equal(store_callback_next(fixture->reader, &fixture->arena, APP, id, row, &err), 1);
	costs[COST_NEXT] = steps_taken();
	assert_int_equal(store_callback_due(fixture->reader, APP, 3, due, &count, &err), 0);
	assert_int_equal(count, 3);
	costs[COST_DUE] = steps_taken();
	assert_int_equal(store_callback_get(fixture->reader, &fixture->arena, id, row, &err), 1);
	costs[COST_GET] = steps_taken();
	assert_int_equal(store_alert_newest(fixture->reader, APP, 70, &id, &err), 0);
	assert_true(id == app_id_make(1, (uint64_t)rows));
	costs[COST_NEWEST] = steps_taken();
	assert_int_equal(store_callback_list(fixture->reader, &fixture->arena, &filter, 3, row, &count, &next, &err),
			 0);
	assert_int_equal(count, 3);
	costs[COST_LIST] = steps_taken();
	filter.states = 1u << CALLBACK_FAILED;
	assert_int_equal(store_callback_list(fixture->reader, &fixture->arena, &filter, 3, row, &count, &next, &err),
			 0);
	assert_int_equal(count, 1);
	costs[COST_LIST_ENDED] = steps_taken();
	fixture_free(fixture);
}

static void test_sqlite_reads_of_callbacks_cost_the_same_before_any_backlog(void **state)
{
	int64_t few[COST_COUNT];
	int64_t many[COST_COUNT];

	measure(10, few);
	measure(100000, many);
	for (unsigned i = 0; i < COST_COUNT; i++) {
		if (few[i] != many[i] || few[i] == 0 || few[i] > 500)
			fail_msg("read %u takes %lld steps before 10, %lld before 100,000", i, (long long)few[i],
				 (long long)many[i]);
	}
	(void)state;
}

/* Steps that store_waiting_oldest takes when so many callbacks wait, all with a time, the oldest due last. */
static int64_t measure_oldest(int64_t rows, int64_t *event_ms_out)
{
	struct fixture *fixture = fixture_new();
	struct error err;
	char sql[512];
	int64_t steps;

	fixture_open(fixture);
	fixture_add_app(fixture->store, APP, 1);
	fixture_close(fixture);
	(void)snprintf(sql, sizeof(sql),
		       "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %lld) "
		       "INSERT INTO callbacks (id, sdkappid, command, threshold, platform, client_ip, body, event_ms, "
		       "state, attempts, due_ms, attempt_ms, http_status, error) "
		       "SELECT (1 << 40) + i, %u, 5, 70, 2, '', '{}', i, 0, 1, 1000000 - i, 0, 0, '' FROM n",
		       (long long)rows, APP); /* fits */
	fixture_tamper(fixture, sql);
	open_noting(fixture);
	(void)steps_taken(); /* from here on */
	assert_int_equal(store_waiting_oldest(fixture->reader, APP, event_ms_out, &err), 1);
	steps = steps_taken();
	fixture_free(fixture);
	return steps;
}

static void test_sqlite_oldest_waiting_looks_at_a_bounded_number(void **state)
{
	int64_t event_ms;
	int64_t most;

	(void)state;
	most = measure_oldest(STORE_OLDEST_SCAN_MAX, &event_ms);
	assert_int_equal(event_ms, 1);
	assert_true(most < 10 * STORE_OLDEST_SCAN_MAX);
	assert_true(measure_oldest(20L * STORE_OLDEST_SCAN_MAX, &event_ms) <= most + 10);
	assert_int_equal(event_ms, 19 * STORE_OLDEST_SCAN_MAX + 1); /* the oldest of those looked at */
}

/* ---- rooms and samples ---- */

static void no_owner(void *context, struct str owner)
{
	(void)owner; /* how many is what matters */
	++*(unsigned *)context;
}

enum { COST_ROOMS_NEWEST, COST_ROOMS_OLDEST, COST_ROOMS_NAMED, COST_ROOM, COST_OWNERS, COST_SAMPLE, COST_ROOMS_COUNT };

/* What each read costs when two apps have so many rooms, and samples. Rooms of both have the same names. */
static void measure_rooms(int64_t rows, int64_t costs[COST_ROOMS_COUNT])
{
	struct fixture *fixture = fixture_new();
	struct store_sample sample;
	struct store_room rooms[3];
	unsigned owners = 0;
	char sql[640];
	struct error err;
	size_t count;

	fixture_open(fixture);
	fixture_add_app(fixture->store, APP, 1);
	fixture_add_app(fixture->store, APP + 1, 1);
	fixture_close(fixture);
	(void)snprintf(
		sql, sizeof(sql),
		"WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %lld), a (k) AS (VALUES (1), (2)) "
		"INSERT INTO rooms (id, number, room_id, owner, create_ms, visible, info) "
		"SELECT (k << 40) + i, k, 'room-' || i, 'u', i, 1, '{}' FROM a, n; "
		"WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %lld), a (k) AS (VALUES (1), (2)) "
		"INSERT INTO samples SELECT k, i * 60000, i, i, 1 FROM a, n",
		(long long)rows, (long long)rows); /* fits */
	fixture_tamper(fixture, sql);
	open_noting(fixture);
	(void)steps_taken(); /* from here on */
	assert_int_equal(store_room_list(fixture->reader, &fixture->arena, 1, INT64_MAX, false, 3, rooms, &count, &err),
			 0);
	assert_int_equal(count, 3);
	costs[COST_ROOMS_NEWEST] = steps_taken();
	assert_int_equal(store_room_list_oldest(fixture->reader, &fixture->arena, 2, 0, 3, rooms, &count, &err), 0);
	assert_int_equal(count, 3);
	costs[COST_ROOMS_OLDEST] = steps_taken();
	assert_int_equal(store_room_list_named(fixture->reader, &fixture->arena, 2, STR("room-"), STR("room-2"), 3,
					       rooms, &count, &err),
			 0);
	assert_int_equal(count, 3);
	costs[COST_ROOMS_NAMED] = steps_taken();
	assert_int_equal(store_room_get(fixture->reader, &fixture->arena, 1, STR("room-7"), rooms, &err), 1);
	costs[COST_ROOM] = steps_taken();
	assert_int_equal(store_room_owner_each(fixture->reader, 1, 5, no_owner, &owners, &err), 0);
	assert_int_equal(owners, 5);
	costs[COST_OWNERS] = steps_taken();
	assert_int_equal(store_sample_at(fixture->reader, 1, rows * 60000 / 2, &sample, &err), 1);
	assert_true(sample.room_count == (uint64_t)rows / 2);
	costs[COST_SAMPLE] = steps_taken();
	fixture_free(fixture);
}

static void test_sqlite_reads_of_rooms_and_samples_cost_the_same_among_any_number(void **state)
{
	int64_t few[COST_ROOMS_COUNT];
	int64_t many[COST_ROOMS_COUNT];

	measure_rooms(10, few);
	measure_rooms(100000, many);
	for (unsigned i = 0; i < COST_ROOMS_COUNT; i++) {
		if (few[i] != many[i] || few[i] == 0 || few[i] > 500)
			fail_msg("read %u takes %lld steps among 10, %lld among 100,000", i, (long long)few[i],
				 (long long)many[i]);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sqlite_no_statement_sorts_or_walks_a_table, setup, teardown),
		cmocka_unit_test(test_sqlite_reads_of_callbacks_cost_the_same_before_any_backlog),
		cmocka_unit_test(test_sqlite_oldest_waiting_looks_at_a_bounded_number),
		cmocka_unit_test(test_sqlite_reads_of_rooms_and_samples_cost_the_same_among_any_number),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
