/* The audit log and the samples of room counts, in every kind of store. */
#include "live/sample.h"
#include "store/suite.h"

#define M SAMPLE_MS

/* One command in a batch with limits. */
static void run_at(struct fixture *fixture, struct command command, int64_t wall_ms, int64_t audit_before_ms,
		   int64_t sample_before_ms)
{
	struct command *commands[] = {&command};
	struct live_set set;
	struct arena arena;
	struct error err;

	command.origin.wall_ms = wall_ms;
	arena_init(&arena, 16384);
	live_set_init(&set, &arena, (struct hash_key){3, 4}, 1);
	set.audit_before_ms = audit_before_ms;
	set.sample_before_ms = sample_before_ms;
	live_set_touch(&set, &command);
	assert_int_equal(store_load(fixture->store, &set, &err), 0);
	live_step(&set, commands, 1);
	assert_int_equal(command.code, HW_OK);
	assert_int_equal(store_commit(fixture->store, &set, &err), 0);
	arena_fini(&arena);
}

static size_t list_audits(struct fixture *fixture, uint32_t sdkappid, int64_t before_id, struct store_audit *out,
			  size_t limit)
{
	struct error err;
	size_t count;

	assert_int_equal(
		store_audit_list(fixture->reader, &fixture->arena, sdkappid, before_id, limit, out, &count, &err), 0);
	assert_true(count <= limit);
	return count;
}

static size_t list_samples(struct fixture *fixture, uint32_t number, int64_t since_ms, struct store_sample *out,
			   size_t limit)
{
	struct error err;
	size_t count;

	assert_int_equal(store_sample_list(fixture->reader, number, since_ms, limit, out, &count, &err), 0);
	assert_true(count <= limit);
	return count;
}

static struct command pause_of(uint32_t sdkappid)
{
	return world_command(COMMAND_CALLBACK_PAUSE, sdkappid);
}

/* ---- the audit log ---- */

static void test_store_audit_is_listed_newest_first_and_by_app(void **state)
{
	struct fixture *fixture = *state;
	struct store_audit rows[8];
	int64_t first;

	fixture_add_app(fixture->store, APP, 10);
	fixture_add_app(fixture->store, APP + 1, 10);
	run_at(fixture, pause_of(APP), 5000, 0, 0);
	run_at(fixture, pause_of(APP + 1), 6000, 0, 0);
	assert_int_equal(list_audits(fixture, 0, INT64_MAX, rows, 8), 4);
	assert_int_equal(rows[0].sdkappid, APP + 1);
	assert_true(rows[0].time_ms == 6000);
	assert_true(str_eq(rows[0].actor, STR("admin:alice")));
	assert_true(str_eq(rows[0].client_ip, STR("203.0.113.9")));
	assert_true(str_eq(rows[0].action, STR("callback_pause")));
	assert_true(str_eq(rows[3].action, STR("app_create")));
	assert_true(str_eq(rows[3].detail, STR("maximum 10; mode every; thresholds 70; admins none")));
	for (size_t i = 1; i < 4; i++)
		assert_true(rows[i].id < rows[i - 1].id);
	first = rows[3].id;
	assert_int_equal(list_audits(fixture, APP, INT64_MAX, rows, 8), 2);
	assert_true(rows[1].id == first);
	assert_int_equal(list_audits(fixture, APP, INT64_MAX, rows, 1), 1);
	assert_int_equal(list_audits(fixture, APP, rows[0].id, rows, 8), 1);
	assert_true(rows[0].id == first);
	assert_int_equal(list_audits(fixture, 0, first, rows, 8), 0);
	assert_int_equal(list_audits(fixture, APP + 7, INT64_MAX, rows, 8), 0);
}

/* The rows of an app that is deleted stay: who deleted it is what will be asked. */
static void test_store_audit_outlives_its_app(void **state)
{
	struct fixture *fixture = *state;
	struct store_audit rows[8];

	fixture_add_app(fixture->store, APP, 10);
	assert_int_equal(fixture_run(fixture->store, world_command(COMMAND_APP_DELETE, APP)), HW_OK);
	assert_int_equal(list_audits(fixture, APP, INT64_MAX, rows, 8), 2);
	assert_true(str_eq(rows[0].action, STR("app_delete")));
}

static void test_store_audit_drops_old_rows_few_at_a_time(void **state)
{
	struct fixture *fixture = *state;
	struct store_audit rows[64];
	int64_t newest;

	fixture_add_app(fixture->store, APP, 10);
	for (int i = 0; i < 30; i++)
		run_at(fixture, pause_of(APP), 2000, 0, 0);
	assert_int_equal(list_audits(fixture, 0, INT64_MAX, rows, 64), 31);
	run_at(fixture, pause_of(APP), 5000, 2000, 0); /* the creation was at 1000 */
	assert_int_equal(list_audits(fixture, 0, INT64_MAX, rows, 64), 31);
	assert_true(rows[30].time_ms == 2000);
	run_at(fixture, pause_of(APP), 5000, 2001, 0);
	assert_int_equal(list_audits(fixture, 0, INT64_MAX, rows, 64), 32 - STORE_AUDIT_DROP_MAX);
	for (int i = 0; i < 4; i++)
		run_at(fixture, pause_of(APP), 5000, 2001, 0);
	assert_int_equal(list_audits(fixture, 0, INT64_MAX, rows, 64), 6); /* those at 5000 */
	newest = rows[0].id;
	run_at(fixture, pause_of(APP), 6000, 6001, 0); /* all of them, the new one too */
	assert_int_equal(list_audits(fixture, 0, INT64_MAX, rows, 64), 0);
	run_at(fixture, pause_of(APP), 7000, 0, 0);
	assert_int_equal(list_audits(fixture, 0, INT64_MAX, rows, 64), 1);
	assert_true(rows[0].id == newest + 2); /* no id twice */
}

/* ---- samples ---- */

static void test_store_samples_from_the_one_before_on(void **state)
{
	struct fixture *fixture = *state;
	struct store_sample rows[8];
	static const char *const rooms[] = {"a", "b", "c", "d"};

	fixture_add_app(fixture->store, APP, 10);
	fixture_add_app(fixture->store, APP + 1, 10);
	for (int i = 0; i < 4; i++) {
		run_at(fixture, world_create(APP, rooms[i], "alice"), (10 + 2 * i) * M, 0, 0);
		run_at(fixture, world_create(APP + 1, rooms[i], "alice"), 500 * M, 0, 0);
	}
	assert_int_equal(fixture_app(fixture, APP).state.minute_ms, 16 * M);
	assert_int_equal(fixture_app(fixture, APP).state.minute_highest, 4);
	assert_int_equal(list_samples(fixture, 2, 0, rows, 8), 0); /* one minute, which runs */
	assert_int_equal(list_samples(fixture, 1, 0, rows, 8), 3);
	for (int i = 0; i < 3; i++) {
		assert_true(rows[i].minute_ms == (10 + 2 * i) * M);
		assert_int_equal(rows[i].room_count, i + 1);
		assert_int_equal(rows[i].room_count_highest, i + 1);
		assert_int_equal(rows[i].room_count_max, 10);
	}
	assert_int_equal(list_samples(fixture, 1, 12 * M, rows, 8), 2);
	assert_true(rows[0].minute_ms == 12 * M);
	assert_int_equal(list_samples(fixture, 1, 13 * M, rows, 8), 2); /* what was then is the sample before */
	assert_true(rows[0].minute_ms == 12 * M);
	assert_int_equal(list_samples(fixture, 1, 900 * M, rows, 8), 1);
	assert_int_equal(list_samples(fixture, 1, 9 * M, rows, 2), 2);
	assert_true(rows[0].minute_ms == 10 * M);
	assert_int_equal(list_samples(fixture, 3, 0, rows, 8), 0);
}

static void test_store_samples_too_old_go_but_for_the_last(void **state)
{
	struct fixture *fixture = *state;
	struct store_sample rows[8];

	fixture_add_app(fixture->store, APP, 10);
	for (int i = 0; i < 4; i++) {
		char room[8];

		(void)snprintf(room, sizeof(room), "r%d", i); /* fits */
		run_at(fixture, world_create(APP, room, "alice"), (10 + 2 * i) * M, 0, 0);
	}
	run_at(fixture, world_create(APP, "x", "alice"), 20 * M, 0, 13 * M);
	assert_int_equal(list_samples(fixture, 1, 0, rows, 8), 3);
	assert_true(rows[0].minute_ms == 12 * M); /* tells the count at 13 */
	run_at(fixture, world_create(APP, "y", "alice"), 21 * M, 0, 12 * M);
	assert_int_equal(list_samples(fixture, 1, 0, rows, 8), 4);
}

static void test_store_sample_of_a_minute_that_comes_again_replaces(void **state)
{
	struct fixture *fixture = *state;
	struct store_sample rows[8];

	fixture_add_app(fixture->store, APP, 10);
	run_at(fixture, world_create(APP, "a", "alice"), 10 * M, 0, 0);
	run_at(fixture, world_create(APP, "b", "alice"), 20 * M, 0, 0);
	run_at(fixture, world_create(APP, "c", "alice"), 10 * M, 0, 0); /* the clock was set back */
	run_at(fixture, world_create(APP, "d", "alice"), 20 * M, 0, 0);
	assert_int_equal(list_samples(fixture, 1, 0, rows, 8), 2);
	assert_int_equal(rows[0].room_count, 3);
	assert_int_equal(rows[1].room_count, 2);
}

static void test_store_samples_go_with_their_app(void **state)
{
	struct fixture *fixture = *state;
	struct store_sample rows[8];

	fixture_add_app(fixture->store, APP + 1, 10);
	run_at(fixture, world_create(APP + 1, "a", "alice"), 10 * M, 0, 0);
	run_at(fixture, world_create(APP + 1, "b", "alice"), 20 * M, 0, 0);
	fixture_add_app(fixture->store, APP, 10);
	run_at(fixture, world_create(APP, "a", "alice"), 10 * M, 0, 0);
	run_at(fixture, world_destroy(APP, "a", "alice"), 20 * M, 0, 0);
	assert_int_equal(list_samples(fixture, 2, 0, rows, 8), 1);
	assert_int_equal(fixture_run(fixture->store, world_command(COMMAND_APP_DELETE, APP)), HW_OK);
	assert_int_equal(list_samples(fixture, 2, 0, rows, 8), 0);
	assert_int_equal(list_samples(fixture, 1, 0, rows, 8), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_store_audit_is_listed_newest_first_and_by_app),
		WITH_STORE(test_store_audit_outlives_its_app),
		WITH_STORE(test_store_audit_drops_old_rows_few_at_a_time),
		WITH_STORE(test_store_samples_from_the_one_before_on),
		WITH_STORE(test_store_samples_too_old_go_but_for_the_last),
		WITH_STORE(test_store_sample_of_a_minute_that_comes_again_replaces),
		WITH_STORE(test_store_samples_go_with_their_app),
	};

	return suite_run(tests, ARRAY_LEN(tests));
}
