/* What overviews read, in every kind of store: little of every app, the oldest waiting callback, single samples; and pages
 * of rooms from the oldest, by the beginning of their names, and their owners. */
#include "live/sample.h"
#include "store/suite.h"

/* ---- apps ---- */

struct lines {
	struct store_app_line list[4];
	size_t count;
};

static void add_line(void *context, const struct store_app_line *line)
{
	struct lines *lines = context;

	assert_true(lines->count < ARRAY_LEN(lines->list));
	lines->list[lines->count++] = *line;
}

static struct lines read_lines(struct fixture *fixture)
{
	struct lines lines = {.count = 0};
	struct error err;

	assert_int_equal(store_app_line_each(fixture->reader, add_line, &lines, &err), 0);
	return lines;
}

static void test_store_app_line_says_what_the_app_says(void **state)
{
	struct fixture *fixture = *state;
	struct app_config config = world_config(ALERT_EVERY, 4);
	struct command command = world_command(COMMAND_APP_CREATE, APP);
	struct lines lines;

	assert_int_equal(read_lines(fixture).count, 0);
	config.alert.threshold_count = 3;
	config.alert.thresholds[0] = 25;
	config.alert.thresholds[1] = 80;
	config.alert.thresholds[2] = 100;
	command.u.app_create = &config;
	assert_int_equal(fixture_run(fixture->store, command), HW_OK);
	fixture_add_app(fixture->store, APP - 1, APP_ROOM_COUNT_MAX_LIMIT);
	fixture_add_rooms(fixture->store, APP, 0, 3);
	fixture_mark(fixture->store, APP, app_id_make(1, 1), DELIVERY_RETRY, 5000);
	assert_int_equal(fixture_run(fixture->store, world_command(COMMAND_CALLBACK_PAUSE, APP)), HW_OK);
	lines = read_lines(fixture);
	assert_int_equal(lines.count, 2);
	assert_int_equal(lines.list[0].sdkappid, APP - 1);
	assert_int_equal(lines.list[0].room_count_max, APP_ROOM_COUNT_MAX_LIMIT);
	assert_int_equal(lines.list[0].threshold_lowest, 70);
	assert_int_equal(lines.list[0].pause, PAUSE_NONE);
	assert_int_equal(lines.list[0].room_count, 0);
	assert_int_equal(lines.list[1].sdkappid, APP);
	assert_int_equal(lines.list[1].room_count_max, 4);
	assert_int_equal(lines.list[1].threshold_lowest, 25);
	assert_int_equal(lines.list[1].pause, PAUSE_OPERATOR);
	assert_int_equal(lines.list[1].room_count, 3);
	assert_int_equal(lines.list[1].callback_pending, 3);
	assert_int_equal(lines.list[1].failures, fixture_app(fixture, APP).state.endpoint.failures);
	assert_int_equal(fixture_run(fixture->store, world_command(COMMAND_APP_DELETE, APP - 1)), HW_OK);
	assert_int_equal(read_lines(fixture).count, 1);
}

/* ---- the oldest waiting callback ---- */

/* 0 when none waits. */
static int64_t oldest(struct fixture *fixture, uint32_t sdkappid)
{
	int64_t event_ms = 0;
	struct error err;
	int found = store_waiting_oldest(fixture->reader, sdkappid, &event_ms, &err);

	assert_true(found == (event_ms != 0));
	return event_ms;
}

static void test_store_oldest_waiting_of_those_tried_and_not(void **state)
{
	struct fixture *fixture = *state;

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_app(fixture->store, APP + 1, 1);
	assert_int_equal(oldest(fixture, APP), 0);
	fixture_add_callbacks(fixture->store, APP + 1, 1, 500);
	fixture_add_callbacks(fixture->store, APP, 4, 1000);
	assert_int_equal(oldest(fixture, APP), 1000);
	fixture_mark(fixture->store, APP, app_id_make(1, 1), DELIVERY_RETRY, 99999); /* due after all others */
	fixture_mark(fixture->store, APP, app_id_make(1, 2), DELIVERY_RETRY, 1);
	assert_int_equal(oldest(fixture, APP), 1000);
	fixture_mark(fixture->store, APP, app_id_make(1, 1), DELIVERY_DELIVERED, 0);
	assert_int_equal(oldest(fixture, APP), 2000);
	fixture_mark(fixture->store, APP, app_id_make(1, 2), DELIVERY_FAILED, 0);
	assert_int_equal(oldest(fixture, APP), 3000);
	fixture_mark(fixture->store, APP, app_id_make(1, 4), DELIVERY_RETRY, 7); /* only a newer one was tried */
	assert_int_equal(oldest(fixture, APP), 3000);
	fixture_mark(fixture->store, APP, app_id_make(1, 3), DELIVERY_SUPERSEDED, 0);
	assert_int_equal(oldest(fixture, APP), 4000);
	fixture_mark(fixture->store, APP, app_id_make(1, 4), DELIVERY_DELIVERED, 0);
	assert_int_equal(oldest(fixture, APP), 0);
	assert_int_equal(oldest(fixture, APP + 1), 500);
	assert_int_equal(oldest(fixture, 7), 0);
}

/* ---- samples ---- */

static void create_at(struct fixture *fixture, uint32_t sdkappid, const char *room_id, int64_t wall_ms)
{
	struct command command = world_create(sdkappid, room_id, "alice");

	command.origin.wall_ms = wall_ms;
	assert_int_equal(fixture_run(fixture->store, command), HW_OK);
}

static int sample_at(struct fixture *fixture, uint32_t number, int64_t time_ms, struct store_sample *out)
{
	struct error err;

	return store_sample_at(fixture->reader, number, time_ms, out, &err);
}

static void test_store_sample_at_a_time_is_the_last_before(void **state)
{
	struct fixture *fixture = *state;
	struct store_sample sample = {.minute_ms = 77};

	fixture_add_app(fixture->store, APP, 9);
	fixture_add_app(fixture->store, APP + 1, 9);
	assert_int_equal(sample_at(fixture, 1, INT64_MAX, &sample), 0);
	create_at(fixture, APP, "a", 10 * SAMPLE_MS + 5);
	create_at(fixture, APP + 1, "a", 12 * SAMPLE_MS);
	create_at(fixture, APP, "b", 20 * SAMPLE_MS);
	create_at(fixture, APP, "c", 30 * SAMPLE_MS); /* the minute that runs has no sample yet */
	assert_int_equal(sample_at(fixture, 1, 10 * SAMPLE_MS - 1, &sample), 0);
	assert_int_equal(sample.minute_ms, 77);
	assert_int_equal(sample_at(fixture, 1, 10 * SAMPLE_MS, &sample), 1);
	assert_int_equal(sample.minute_ms, 10 * SAMPLE_MS);
	assert_int_equal(sample.room_count, 1);
	assert_int_equal(sample.room_count_highest, 1);
	assert_int_equal(sample.room_count_max, 9);
	assert_int_equal(sample_at(fixture, 1, 20 * SAMPLE_MS - 1, &sample), 1);
	assert_int_equal(sample.room_count, 1);
	assert_int_equal(sample_at(fixture, 1, 20 * SAMPLE_MS, &sample), 1);
	assert_int_equal(sample.room_count, 2);
	assert_int_equal(sample_at(fixture, 1, INT64_MAX, &sample), 1);
	assert_int_equal(sample.minute_ms, 20 * SAMPLE_MS);
	assert_int_equal(sample_at(fixture, 2, INT64_MAX, &sample), 0);
}

/* ---- rooms ---- */

static void test_store_rooms_from_the_oldest(void **state)
{
	struct fixture *fixture = *state;
	struct store_room page[4];
	int64_t after = 0;
	uint64_t want = 1;
	struct error err;
	size_t count;

	fixture_add_app(fixture->store, APP + 1, 100);
	fixture_add_app(fixture->store, APP, 100);
	fixture_add_app(fixture->store, APP + 2, 100);
	fixture_add_rooms(fixture->store, APP + 1, 0, 3); /* neighbours that must not show */
	fixture_add_rooms(fixture->store, APP + 2, 0, 3);
	fixture_add_rooms(fixture->store, APP, 0, 10);
	do {
		assert_int_equal(
			store_room_list_oldest(fixture->reader, &fixture->arena, 2, after, 4, page, &count, &err), 0);
		for (size_t i = 0; i < count; i++) {
			assert_true(page[i].id == app_id_make(2, want++));
			assert_true(str_eq(page[i].owner, STR("alice")));
		}
		if (count)
			after = page[count - 1].id;
	} while (count == 4);
	assert_int_equal(want, 11);
	assert_int_equal(store_room_list_oldest(fixture->reader, &fixture->arena, 2, INT64_MAX, 4, page, &count, &err),
			 0);
	assert_int_equal(count, 0);
}

/* The ids of a page, with a comma after each. */
static void check_named(struct fixture *fixture, const char *prefix, const char *after, size_t limit, const char *want)
{
	struct store_room page[16];
	char got[256] = "";
	struct error err;
	size_t count;

	assert_int_equal(store_room_list_named(fixture->reader, &fixture->arena, 2, str_c(prefix), str_c(after), limit,
					       page, &count, &err),
			 0);
	assert_true(count <= limit);
	for (size_t i = 0; i < count; i++)
		(void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%.*s,", STR_ARG(page[i].room_id));
	assert_string_equal(got, want);
}

static void test_store_rooms_by_the_beginning_of_their_ids(void **state)
{
	static const char *const names[] = {"b", "ab", "a", "aa~", "aa", "B", "aa ", "~", "~~", "a%", "a_"};
	struct fixture *fixture = *state;
	char longest[HW_ROOM_ID_BYTES_MAX + 1];

	fixture_add_app(fixture->store, APP + 1, 100);
	fixture_add_app(fixture->store, APP, 100);
	fixture_add_app(fixture->store, APP + 2, 100);
	assert_int_equal(fixture_run(fixture->store, world_create(APP + 1, "aa1", "alice")), HW_OK);
	assert_int_equal(fixture_run(fixture->store, world_create(APP + 2, "aa2", "alice")), HW_OK);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(fixture_run(fixture->store, world_create(APP, names[i], "alice")), HW_OK);
	check_named(fixture, "", "", 16, "B,a,a%,a_,aa,aa ,aa~,ab,b,~,~~,");
	check_named(fixture, "a", "", 16, "a,a%,a_,aa,aa ,aa~,ab,");
	check_named(fixture, "a", "", 2, "a,a%,");
	check_named(fixture, "a", "a%", 2, "a_,aa,");
	check_named(fixture, "a", "aa~", 16, "ab,");
	check_named(fixture, "a", "ab", 16, "");
	check_named(fixture, "a", "b", 16, "");
	check_named(fixture, "aa", "B", 16, "aa,aa ,aa~,"); /* before all of them */
	check_named(fixture, "aa", "", 0, "");
	check_named(fixture, "aa~", "", 16, "aa~,");
	check_named(fixture, "~", "", 16, "~,~~,");
	check_named(fixture, "c", "", 16, "");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	check_named(fixture, longest, "", 16, "");
	assert_int_equal(fixture_run(fixture->store, world_create(APP, longest, "alice")), HW_OK);
	check_named(fixture, longest, "", 16, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,");
}

static void add_owner(void *context, struct str owner)
{
	char *text = context;

	(void)snprintf(text + strlen(text), 64 - strlen(text), "%.*s,", STR_ARG(owner)); /* fits */
}

static void test_store_owners_of_the_newest_rooms(void **state)
{
	static const char *const owners[] = {"ann", "bob", "ann", "cid"};
	struct fixture *fixture = *state;
	char room_id[8];
	char all[64] = "";
	char two[64] = "";
	char none[64] = "";
	struct error err;

	fixture_add_app(fixture->store, APP, 10);
	fixture_add_app(fixture->store, APP + 1, 10);
	assert_int_equal(fixture_run(fixture->store, world_create(APP + 1, "r", "eve")), HW_OK);
	for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
		(void)snprintf(room_id, sizeof(room_id), "r%zu", i); /* fits */
		assert_int_equal(fixture_run(fixture->store, world_create(APP, room_id, owners[i])), HW_OK);
	}
	assert_int_equal(store_room_owner_each(fixture->reader, 1, 10, add_owner, all, &err), 0);
	assert_string_equal(all, "cid,ann,bob,ann,");
	assert_int_equal(store_room_owner_each(fixture->reader, 1, 2, add_owner, two, &err), 0);
	assert_string_equal(two, "cid,ann,");
	assert_int_equal(store_room_owner_each(fixture->reader, 9, 2, add_owner, none, &err), 0);
	assert_string_equal(none, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_store_app_line_says_what_the_app_says),
		WITH_STORE(test_store_oldest_waiting_of_those_tried_and_not),
		WITH_STORE(test_store_sample_at_a_time_is_the_last_before),
		WITH_STORE(test_store_rooms_from_the_oldest),
		WITH_STORE(test_store_rooms_by_the_beginning_of_their_ids),
		WITH_STORE(test_store_owners_of_the_newest_rooms),
	};

	return suite_run(tests, ARRAY_LEN(tests));
}
