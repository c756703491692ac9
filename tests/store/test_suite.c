/* Rooms and batches in every kind of store: what is committed comes back, field by field, and nothing else does. */
#include "store/suite.h"

/* ---- rooms ---- */

static void test_store_room_comes_back_in_every_field(void **state)
{
	static char info[20001];
	struct fixture *fixture = *state;
	struct command command = world_create(APP, "", "");
	struct store_room room;
	struct error err;

	memset(info, 'i', sizeof(info) - 1);
	memcpy(info, "{\"\xe6\x88\xbf\":\"\\u0000'; DROP TABLE rooms;--", 33);
	command.room_id = STR("!#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\"0123456789abcdef");
	assert_int_equal(command.room_id.len, HW_ROOM_ID_BYTES_MAX);
	command.u.room_create.owner = STR("'owner'%_?1-0123456789-0123456789");
	command.u.room_create.owner.len = HW_IDENTIFIER_BYTES_MAX;
	command.u.room_create.visible = false;
	command.u.room_create.info = str_c(info);
	command.origin.wall_ms = 1234567890123;
	command.origin.steady_ms = 1234567890123;
	fixture_add_app(fixture->store, APP, 5);
	assert_int_equal(fixture_run(fixture->store, command), HW_OK);
	assert_int_equal(store_room_get(fixture->reader, &fixture->arena, 1, command.room_id, &room, &err), 1);
	assert_true(room.id == app_id_make(1, 1));
	assert_true(str_eq(room.room_id, command.room_id));
	assert_true(str_eq(room.owner, command.u.room_create.owner));
	assert_int_equal(room.create_ms, 1234567890123);
	assert_false(room.visible);
	assert_true(str_eq(room.info, str_c(info)));
}

static void test_store_room_names_are_exact_and_per_app(void **state)
{
	static const char *const others[] = {"Room", "room ", "roo", "room%", "r_om", ""};
	struct fixture *fixture = *state;
	struct store_room room;
	struct error err;

	fixture_add_app(fixture->store, APP, 5);
	fixture_add_app(fixture->store, APP + 1, 5);
	assert_int_equal(fixture_run(fixture->store, world_create(APP, "room", "u")), HW_OK);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(store_room_get(fixture->reader, &fixture->arena, 1, str_c(others[i]), &room, &err), 0);
	assert_int_equal(store_room_get(fixture->reader, &fixture->arena, 2, STR("room"), &room, &err), 0);
	assert_int_equal(fixture_run(fixture->store, world_create(APP + 1, "room", "u")), HW_OK);
	assert_int_equal(fixture_run(fixture->store, world_create(APP, "Room", "u")), HW_OK);
	assert_int_equal(fixture_run(fixture->store, world_create(APP, "room", "u")), HW_ROOM_EXISTS_OWNED);
	assert_int_equal(fixture_run(fixture->store, world_create(APP, "room", "v")), HW_ROOM_EXISTS);
	assert_int_equal(fixture_room_count(fixture, APP), 2);
	assert_int_equal(fixture_room_count(fixture, APP + 1), 1);
}

static void test_store_room_pages_are_newest_first_and_stable(void **state)
{
	struct fixture *fixture = *state;
	int64_t before = INT64_MAX;
	uint64_t want = 25;
	struct store_room page[10];
	struct error err;
	size_t count;

	fixture_add_app(fixture->store, APP + 1, 100);
	fixture_add_app(fixture->store, APP, 100);
	fixture_add_rooms(fixture->store, APP + 1, 0, 3); /* neighbours that must not show */
	fixture_add_rooms(fixture->store, APP, 0, 25);
	do {
		assert_int_equal(
			store_room_list(fixture->reader, &fixture->arena, 2, before, false, 10, page, &count, &err), 0);
		for (size_t i = 0; i < count; i++)
			assert_true(page[i].id == app_id_make(2, want--));
		if (count)
			before = page[count - 1].id;
		fixture_add_rooms(fixture->store, APP, 100 + (unsigned)want, 101 + (unsigned)want); /* newer ones */
	} while (count == 10);
	assert_int_equal(want, 0);
}

static void test_store_room_list_bounds(void **state)
{
	struct fixture *fixture = *state;
	struct command hidden = world_create(APP, "hidden", "u");
	struct store_room page[4];
	struct error err;
	size_t count = 99;

	hidden.u.room_create.visible = false;
	fixture_add_app(fixture->store, APP, 100);
	assert_int_equal(store_room_list(fixture->reader, &fixture->arena, 1, INT64_MAX, false, 4, page, &count, &err),
			 0);
	assert_int_equal(count, 0);
	fixture_add_rooms(fixture->store, APP, 0, 1);
	assert_int_equal(fixture_run(fixture->store, hidden), HW_OK);
	assert_int_equal(store_room_list(fixture->reader, &fixture->arena, 1, INT64_MAX, true, 4, page, &count, &err),
			 0);
	assert_int_equal(count, 1);
	assert_true(str_eq(page[0].room_id, STR("r0")));
	assert_int_equal(store_room_list(fixture->reader, &fixture->arena, 1, INT64_MAX, false, 0, page, &count, &err),
			 0);
	assert_int_equal(count, 0);
	assert_int_equal(
		store_room_list(fixture->reader, &fixture->arena, 1, app_id_make(1, 2), false, 4, page, &count, &err),
		0);
	assert_int_equal(count, 1); /* before_id itself is excluded */
	assert_int_equal(store_room_list(fixture->reader, &fixture->arena, 1, 0, false, 4, page, &count, &err), 0);
	assert_int_equal(count, 0);
	assert_int_equal(store_room_list(fixture->reader, &fixture->arena, 77, INT64_MAX, false, 4, page, &count, &err),
			 0);
	assert_int_equal(count, 0);
}

/* ---- batches ---- */

static void test_store_batch_that_creates_and_destroys(void **state)
{
	struct fixture *fixture = *state;
	struct store_room room;
	struct error err;

	fixture_add_app(fixture->store, APP, 10);
	fixture_add_rooms(fixture->store, APP, 0, 2);
	{
		struct command batch[] = {world_create(APP, "gone", "u"),    world_destroy(APP, "gone", "u"),
					  world_destroy(APP, "r0", "alice"), world_create(APP, "r0", "bob"),
					  world_destroy(APP, "r1", "alice"), world_create(APP, "kept", "u")};

		fixture_batch(fixture->store, batch, ARRAY_LEN(batch));
		for (size_t i = 0; i < ARRAY_LEN(batch); i++)
			assert_int_equal(batch[i].code, HW_OK);
	}
	assert_int_equal(fixture_room_count(fixture, APP), 2);
	assert_int_equal(store_room_get(fixture->reader, &fixture->arena, 1, STR("r0"), &room, &err), 1);
	assert_true(str_eq(room.owner, STR("bob")));
	assert_true(room.id == app_id_make(1, 4));
	assert_int_equal(store_room_get(fixture->reader, &fixture->arena, 1, STR("gone"), &room, &err), 0);
	assert_int_equal(store_room_get(fixture->reader, &fixture->arena, 1, STR("r1"), &room, &err), 0);
	assert_int_equal(store_room_get(fixture->reader, &fixture->arena, 1, STR("kept"), &room, &err), 1);
}

static void test_store_batch_that_replaces_an_app(void **state)
{
	struct fixture *fixture = *state;
	struct app_config config = world_config(ALERT_EVERY, 7);
	struct store_callback rows[4];
	struct error err;

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_rooms(fixture->store, APP, 0, 1);
	{
		struct command batch[] = {world_destroy(APP, "r0", "alice"), world_command(COMMAND_APP_DELETE, APP),
					  world_command(COMMAND_APP_CREATE, APP), world_create(APP, "r0", "bob")};

		batch[1].u.app_delete.force = true;
		batch[2].u.app_create = &config;
		fixture_batch(fixture->store, batch, ARRAY_LEN(batch));
		for (size_t i = 0; i < ARRAY_LEN(batch); i++)
			assert_int_equal(batch[i].code, HW_OK);
	}
	assert_int_equal(fixture_app(fixture, APP).config.number, 2);
	assert_int_equal(fixture_app(fixture, APP).config.room_count_max, 7);
	assert_int_equal(fixture_room_count(fixture, APP), 1);
	assert_int_equal(store_room_count(fixture->reader, 1, &(uint64_t){0}, &err), 0);
	assert_int_equal(fixture_waiting(fixture, APP, rows, 4), 0);
	assert_int_equal(fixture_list(fixture, 1, rows, 4), 1);
	assert_int_equal(rows[0].state, CALLBACK_FAILED);
}

static void test_store_abandon_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct command batch[] = {world_create(APP, "x", "u"), world_destroy(APP, "r0", "alice"),
				  world_command(COMMAND_CALLBACK_DELETE, APP)};
	struct command *pointers[] = {&batch[0], &batch[1], &batch[2]};
	struct store_app before;
	struct store_app after;
	struct live_set set;
	struct arena arena;
	struct error err;

	fixture_add_app(fixture->store, APP, 5);
	fixture_add_rooms(fixture->store, APP, 0, 1);
	before = fixture_app(fixture, APP);
	arena_init(&arena, 4096);
	live_set_init(&set, &arena, (struct hash_key){3, 4}, 3);
	for (size_t i = 0; i < 3; i++)
		live_set_touch(&set, pointers[i]);
	assert_int_equal(store_load(fixture->store, &set, &err), 0);
	live_step(&set, pointers, 3);
	store_abandon(fixture->store);
	arena_fini(&arena);
	after = fixture_app(fixture, APP);
	assert_int_equal(before.state.room_sequence, after.state.room_sequence);
	assert_int_equal(before.state.room_count, after.state.room_count);
	assert_int_equal(before.state.callback_sequence, after.state.callback_sequence);
	assert_int_equal(before.state.alert_level, after.state.alert_level);
	assert_true(after.config.callback_set);
	assert_string_equal(before.config.callback_url, after.config.callback_url);
	assert_int_equal(fixture_room_count(fixture, APP), 1);
	fixture_add_rooms(fixture->store, APP, 1, 2); /* and the store goes on */
	assert_int_equal(fixture_room_count(fixture, APP), 2);
	assert_int_equal(fixture_app(fixture, APP).state.room_sequence, 2);
}

static void test_store_readers_see_committed_data_only(void **state)
{
	struct fixture *fixture = *state;
	struct command command = world_create(APP, "r", "u");
	struct command *pointers[] = {&command};
	struct store_room room;
	struct live_set set;
	struct arena arena;
	struct error err;

	fixture_add_app(fixture->store, APP, 5);
	arena_init(&arena, 4096);
	live_set_init(&set, &arena, (struct hash_key){3, 4}, 1);
	live_set_touch(&set, &command);
	assert_int_equal(store_load(fixture->store, &set, &err), 0);
	assert_int_equal(fixture_room_count(fixture, APP), 0); /* reading does not wait for the writer */
	live_step(&set, pointers, 1);
	assert_int_equal(store_room_get(fixture->reader, &fixture->arena, 1, STR("r"), &room, &err), 0);
	assert_int_equal(store_commit(fixture->store, &set, &err), 0);
	assert_int_equal(store_room_get(fixture->reader, &fixture->arena, 1, STR("r"), &room, &err), 1);
	assert_int_equal(fixture_room_count(fixture, APP), 1);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_store_room_comes_back_in_every_field),
		WITH_STORE(test_store_room_names_are_exact_and_per_app),
		WITH_STORE(test_store_room_pages_are_newest_first_and_stable),
		WITH_STORE(test_store_room_list_bounds),
		WITH_STORE(test_store_batch_that_creates_and_destroys),
		WITH_STORE(test_store_batch_that_replaces_an_app),
		WITH_STORE(test_store_abandon_leaves_nothing),
		WITH_STORE(test_store_readers_see_committed_data_only),
	};

	return suite_run(tests, ARRAY_LEN(tests));
}
