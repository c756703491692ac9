/* One suite for every kind of store: what is committed comes back, field by field, and nothing else does. */
#include "store/fixture.h"

struct opener {
	const char *name;
	int (*open)(struct fixture *fixture, struct error *err);
};

/* A further kind of store is one more row. */
static const struct opener openers[] = {
	{"memory", fixture_open_memory},
	{"sqlite", fixture_open_sqlite},
};

static const struct opener *opener; /* of the group that runs */

static int setup(void **state)
{
	struct fixture *fixture = fixture_new();
	struct error err;

	*state = fixture;
	if (opener->open(fixture, &err) || store_reader_open(fixture->store, &fixture->reader, &err)) {
		print_error("%s: %s\n", opener->name, err.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

/* ---- apps ---- */

static struct app_config full_config(void)
{
	struct app_config config = {
		.room_count_max = APP_ROOM_COUNT_MAX_LIMIT,
		.alert = {.mode = ALERT_STEP,
			  .threshold_count = 8,
			  .thresholds = {1, 2, 3, 50, 70, 90, 99, 100},
			  .rearm_margin = 50,
			  .step_percent = 50},
		.keys.id_next = APP_KEY_ID_MAX - APP_KEY_COUNT_MAX,
		.admin_count = APP_ADMIN_COUNT_MAX,
		.accounts_required = true,
		.callback_set = true,
		.callback_commands = (1u << HW_CALLBACK_COUNT) - 1,
		.callback_overwrite = true,
		.token_set = true,
		.token_enabled = true,
		.token_len = HW_TOKEN_BYTES_MAX,
	};

	for (unsigned k = 0; k < APP_KEY_COUNT_MAX; k++) { /* every legal byte, spaces at the ends too */
		char key[HW_USERSIG_KEY_BYTES_MAX];

		for (size_t i = 0; i < sizeof(key); i++)
			key[i] = (char)(' ' + (i + 90 * k) % 95);
		app_key_add(&config.keys, (struct str){key, sizeof(key)}, 0);
		config.keys.list[0].expire_ms = INT64_MAX - k;
	}
	for (size_t i = 0; i < sizeof(config.token); i++) /* any byte is legal in a token */
		config.token[i] = (char)(i * 2);
	for (unsigned i = 0; i < APP_ADMIN_COUNT_MAX; i++)
		memset(config.admins[i], (char)('A' + i), HW_IDENTIFIER_BYTES_MAX);
	memset(config.callback_url, 'p', HW_CALLBACK_URL_BYTES_MAX);
	memcpy(config.callback_url, "https://example.com/", 20);
	return config;
}

static void check_key(const struct app_key_entry *got, const struct app_key_entry *want)
{
	assert_int_equal(got->id, want->id);
	assert_true(got->create_ms == want->create_ms);
	assert_true(got->expire_ms == want->expire_ms);
	assert_int_equal(got->len, want->len);
	assert_memory_equal(got->bytes, want->bytes, sizeof(want->bytes));
}

static void test_store_app_comes_back_in_every_field(void **state)
{
	struct fixture *fixture = *state;
	struct app_config config = full_config();
	struct command command = world_command(COMMAND_APP_CREATE, HW_SDKAPPID_MAX);
	struct store_app app;

	command.u.app_create = &config;
	command.origin.wall_ms = INT64_C(4102444800000);
	command.origin.steady_ms = INT64_C(4102444800000);
	assert_int_equal(fixture_run(fixture->store, command), HW_OK);
	config.sdkappid = HW_SDKAPPID_MAX;
	config.number = 1;
	config.create_ms = INT64_C(4102444800000);
	app = fixture_app(fixture, HW_SDKAPPID_MAX);
	assert_int_equal(app.config.alert.mode, ALERT_STEP);
	assert_memory_equal(app.config.alert.thresholds, config.alert.thresholds, 8);
	assert_int_equal(app.config.alert.rearm_margin, 50);
	assert_int_equal(app.config.alert.step_percent, 50);
	assert_int_equal(app.config.create_ms, config.create_ms);
	assert_int_equal(app.config.number, 1);
	assert_int_equal(app.config.room_count_max, APP_ROOM_COUNT_MAX_LIMIT);
	assert_int_equal(app.config.keys.count, APP_KEY_COUNT_MAX);
	assert_int_equal(app.config.keys.id_next, APP_KEY_ID_MAX);
	app_key_stamp(&config.keys, config.create_ms);
	for (unsigned i = 0; i < APP_KEY_COUNT_MAX; i++)
		check_key(&app.config.keys.list[i], &config.keys.list[i]);
	assert_true(app.config.accounts_required);
	assert_int_equal(app.config.admin_count, APP_ADMIN_COUNT_MAX);
	assert_memory_equal(app.config.admins, config.admins, sizeof(config.admins));
	assert_true(app.config.callback_set && app.config.callback_overwrite);
	assert_string_equal(app.config.callback_url, config.callback_url);
	assert_int_equal(app.config.callback_commands, config.callback_commands);
	assert_true(app.config.token_set && app.config.token_enabled);
	assert_int_equal(app.config.token_len, config.token_len);
	assert_memory_equal(app.config.token, config.token, sizeof(config.token));
	assert_int_equal(app.state.room_count, 0);
	assert_int_equal(app.state.callback_sequence, 0);
}

static void test_store_app_of_smallest_values(void **state)
{
	struct fixture *fixture = *state;
	struct app_config config = {
		.alert = {.mode = ALERT_EDGE, .threshold_count = 1, .thresholds = {1}, .step_percent = 1},
		.keys.id_next = 1};
	struct command command = world_command(COMMAND_APP_CREATE, 1);
	struct store_app app;

	command.u.app_create = &config;
	assert_int_equal(fixture_run(fixture->store, command), HW_OK);
	app = fixture_app(fixture, 1);
	assert_int_equal(app.config.room_count_max, 0);
	assert_int_equal(app.config.admin_count, 0);
	assert_false(app.config.callback_set || app.config.token_set || app.config.callback_overwrite);
	assert_string_equal(app.config.callback_url, "");
	assert_int_equal(app.config.alert.rearm_margin, 0);
	assert_int_equal(app.config.keys.count, 0);
	assert_int_equal(app.config.keys.id_next, 1);
	assert_false(app.config.accounts_required);
}

static void test_store_keys_come_and_go(void **state)
{
	struct fixture *fixture = *state;
	struct app_config want;

	fixture_add_app(fixture->store, APP, 10);
	want = fixture_app(fixture, APP).config;
	assert_int_equal(fixture_run(fixture->store, world_rotate(APP, "a second key", 5000, 100)), HW_OK);
	app_key_rotate(&want.keys, STR("a second key"), 5000, 100);
	assert_int_equal(fixture_app(fixture, APP).config.keys.count, 2);
	for (unsigned i = 0; i < 2; i++)
		check_key(&fixture_app(fixture, APP).config.keys.list[i], &want.keys.list[i]);
	for (uint32_t id = 1; id <= 2; id++)
		assert_int_equal(fixture_run(fixture->store, world_revoke(APP, id)), HW_OK);
	assert_int_equal(fixture_app(fixture, APP).config.keys.count, 0);
	assert_int_equal(fixture_run(fixture->store, world_rotate(APP, "a third key", 5000, 0)), HW_OK);
	assert_int_equal(fixture_app(fixture, APP).config.keys.list[0].id, 3);
}

static void test_store_state_is_kept_by_each_batch(void **state)
{
	struct fixture *fixture = *state;
	struct app_state got;

	fixture_add_app(fixture->store, APP, 10);
	fixture_add_rooms(fixture->store, APP, 0, 9);
	assert_int_equal(fixture_run(fixture->store, world_destroy(APP, "r0", "alice")), HW_OK);
	assert_int_equal(fixture_run(fixture->store, world_mark(APP, app_id_make(1, 1), DELIVERY_DELIVERED)), HW_OK);
	got = fixture_app(fixture, APP).state;
	assert_int_equal(got.room_count, 8);
	assert_int_equal(got.room_sequence, 9);
	assert_int_equal(got.callback_sequence, 3);
	assert_int_equal(got.callback_pending, 2);
	assert_int_equal(got.alert_level, 70);
	assert_int_equal(fixture_room_count(fixture, APP), 8);
}

struct seen {
	uint32_t sdkappids[8];
	int64_t due_ms[8];
	size_t count;
};

static void see_app(void *context, const struct store_app *app)
{
	struct seen *seen = context;

	seen->sdkappids[seen->count++] = app->config.sdkappid;
}

static void see_pending(void *context, uint32_t sdkappid, int64_t due_ms)
{
	struct seen *seen = context;

	seen->sdkappids[seen->count] = sdkappid;
	seen->due_ms[seen->count++] = due_ms;
}

static void test_store_apps_are_listed_by_sdkappid(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = {0};
	struct error err;

	fixture_add_app(fixture->store, 9, 1);
	fixture_add_app(fixture->store, HW_SDKAPPID_MAX, 1);
	fixture_add_app(fixture->store, 4, 1);
	assert_int_equal(store_app_each(fixture->reader, see_app, &seen, &err), 0);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.sdkappids[0], 4);
	assert_int_equal(seen.sdkappids[1], 9);
	assert_int_equal(seen.sdkappids[2], HW_SDKAPPID_MAX);
}

static void test_store_app_that_is_not_there(void **state)
{
	struct fixture *fixture = *state;
	struct store_app app = {.config.sdkappid = 77};
	struct error err;

	assert_int_equal(store_app_get(fixture->reader, 5, &app, &err), 0);
	assert_int_equal(app.config.sdkappid, 77);
}

static void test_store_app_number_is_never_reused(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t number = 1; number <= 3; number++) {
		fixture_add_app(fixture->store, APP, 1);
		assert_int_equal(fixture_app(fixture, APP).config.number, number);
		assert_int_equal(fixture_run(fixture->store, world_command(COMMAND_APP_DELETE, APP)), HW_OK);
	}
}

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
	size_t count;

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
	assert_int_equal(fixture_pending(fixture, APP, rows, 4), 0);
	assert_int_equal(store_callback_list(fixture->reader, &fixture->arena, 1, INT64_MAX, 4, rows, &count, &err), 0);
	assert_int_equal(count, 1);
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

/* ---- callbacks ---- */

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
	assert_int_equal(fixture_pending(fixture, APP, &row, 1), 1);
	assert_true(row.id == app_id_make(1, 1));
	assert_int_equal(row.sdkappid, APP);
	assert_int_equal(row.command, HW_CALLBACK_THRESHOLD);
	assert_int_equal(row.threshold, 70);
	assert_int_equal(row.platform, HW_PLATFORM_IPAD);
	assert_true(str_eq(row.client_ip, command.origin.client_ip));
	assert_true(str_eq(row.body, STR("{\"CallbackCommand\":\"Live.CallbackAfterCreateRoomReachingThreshold\","
					 "\"Operator_Account\":\"12345678901234567890123456789\\\"\\\\2\","
					 "\"EventTime\":1739966441121,\"CurRoomCount\":1,\"MaxRoomCount\":1}")));
	assert_int_equal(row.event_ms, 1739966441121);
	assert_int_equal(row.due_ms, 1739966449000);
	assert_int_equal(row.state, CALLBACK_PENDING);
	assert_int_equal(row.attempts, 0);
	assert_int_equal(row.attempt_ms, 0);
	assert_int_equal(row.http_status, 0);
	assert_true(str_eq(row.error, STR("")));
}

static struct command full_mark(int64_t id, enum delivery_mark mark, int64_t due_ms)
{
	struct command command = world_mark(APP, id, mark);

	command.u.delivery.attempts = 4000000000u;
	command.u.delivery.due_ms = due_ms;
	command.u.delivery.attempt_ms = 1739966441999;
	command.u.delivery.http_status = 503;
	memset(command.u.delivery.error, 'e', DELIVERY_ERROR_BYTES_MAX);
	return command;
}

static void test_store_marks_come_back_in_every_field(void **state)
{
	static const enum delivery_mark marks[] = {DELIVERY_RETRY, DELIVERY_DELIVERED, DELIVERY_FAILED};
	static const enum callback_state want[] = {CALLBACK_PENDING, CALLBACK_DELIVERED, CALLBACK_FAILED};
	struct fixture *fixture = *state;
	struct store_callback rows[3];
	struct error err;
	size_t count;

	fixture_add_app(fixture->store, APP, 4);
	fixture_add_rooms(fixture->store, APP, 0, 4); /* alerts at 3 and 4 */
	fixture_add_app(fixture->store, APP + 1, 1);
	assert_int_equal(fixture_run(fixture->store, world_destroy(APP, "r0", "alice")), HW_OK);
	fixture_add_rooms(fixture->store, APP, 9, 10);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
			fixture_run(fixture->store, full_mark(app_id_make(1, i + 1), marks[i], INT64_C(1739966449999))),
			HW_OK);
	assert_int_equal(store_callback_list(fixture->reader, &fixture->arena, 1, INT64_MAX, 3, rows, &count, &err), 0);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < 3; i++) { /* newest first */
		assert_true(rows[i].id == app_id_make(1, 3 - i));
		assert_int_equal(rows[i].state, want[2 - i]);
		assert_int_equal(rows[i].attempts, 4000000000u);
		assert_int_equal(rows[i].due_ms, 1739966449999);
		assert_int_equal(rows[i].attempt_ms, 1739966441999);
		assert_int_equal(rows[i].http_status, 503);
		assert_int_equal(rows[i].error.len, DELIVERY_ERROR_BYTES_MAX);
	}
	assert_int_equal(fixture_pending(fixture, APP, rows, 3), 1);
	assert_true(rows[0].id == app_id_make(1, 1));
}

static void test_store_mark_of_a_final_row_changes_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback row;
	struct error err;
	size_t count;

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_rooms(fixture->store, APP, 0, 1);
	assert_int_equal(fixture_run(fixture->store, full_mark(app_id_make(1, 1), DELIVERY_DELIVERED, 0)), HW_OK);
	assert_int_equal(fixture_run(fixture->store, world_mark(APP, app_id_make(1, 1), DELIVERY_RETRY)), HW_OK);
	assert_int_equal(fixture_run(fixture->store, world_mark(APP, app_id_make(1, 99), DELIVERY_RETRY)), HW_OK);
	assert_int_equal(store_callback_list(fixture->reader, &fixture->arena, 1, INT64_MAX, 1, &row, &count, &err), 0);
	assert_int_equal(row.state, CALLBACK_DELIVERED);
	assert_int_equal(row.http_status, 503);
}

static void test_store_pending_order_is_due_time_then_id(void **state)
{
	static const int64_t due[] = {500, 100, 300, 100};
	static const uint64_t want[] = {2, 4, 3, 1};
	struct fixture *fixture = *state;
	struct store_callback rows[4];
	struct seen seen = {0};
	struct error err;

	fixture_add_app(fixture->store, APP, 4);
	fixture_add_app(fixture->store, APP - 1, 1);
	fixture_add_app(fixture->store, APP + 1, 1);
	assert_int_equal(store_pending_each(fixture->reader, see_pending, &seen, &err), 0);
	assert_int_equal(seen.count, 0);
	fixture_add_rooms(fixture->store, APP, 0, 4);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(fixture_run(fixture->store, world_destroy(APP, "r0", "alice")), HW_OK);
		fixture_add_rooms(fixture->store, APP, 0, 1);
	}
	fixture_add_rooms(fixture->store, APP + 1, 0, 1);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(fixture_run(fixture->store, full_mark(app_id_make(1, i + 1), DELIVERY_RETRY, due[i])),
				 HW_OK);
	assert_int_equal(fixture_pending(fixture, APP, rows, 4), 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(app_id_sequence(rows[i].id), want[i]);
	assert_int_equal(fixture_pending(fixture, APP, rows, 2), 2); /* the first due, not the first found */
	assert_int_equal(app_id_sequence(rows[1].id), 4);
	assert_int_equal(store_pending_each(fixture->reader, see_pending, &seen, &err), 0);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.sdkappids[0] + seen.sdkappids[1], APP + APP + 1);
	assert_int_equal(seen.due_ms[seen.sdkappids[0] == APP ? 0 : 1], 100);
	assert_int_equal(seen.due_ms[seen.sdkappids[0] == APP ? 1 : 0], 1000);
}

static void test_store_deleting_an_app_ends_its_waiting_callbacks_only(void **state)
{
	struct fixture *fixture = *state;
	struct command delete_app = world_command(COMMAND_APP_DELETE, APP);
	struct store_callback rows[4];
	struct error err;
	size_t count;

	delete_app.u.app_delete.force = true;
	fixture_add_app(fixture->store, APP, 2);
	fixture_add_app(fixture->store, APP + 1, 1);
	fixture_add_rooms(fixture->store, APP + 1, 0, 1);
	fixture_add_rooms(fixture->store, APP, 0, 2);
	assert_int_equal(fixture_run(fixture->store, world_destroy(APP, "r1", "alice")), HW_OK);
	fixture_add_rooms(fixture->store, APP, 2, 3);
	assert_int_equal(fixture_run(fixture->store, world_mark(APP, app_id_make(1, 1), DELIVERY_DELIVERED)), HW_OK);
	assert_int_equal(fixture_run(fixture->store, world_destroy(APP, "r0", "alice")), HW_OK);
	assert_int_equal(fixture_run(fixture->store, world_destroy(APP, "r2", "alice")), HW_OK);
	assert_int_equal(fixture_run(fixture->store, delete_app), HW_OK);
	assert_int_equal(fixture_pending(fixture, APP, rows, 4), 0);
	assert_int_equal(store_callback_list(fixture->reader, &fixture->arena, 1, INT64_MAX, 4, rows, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_int_equal(rows[0].state, CALLBACK_FAILED);
	assert_true(str_eq(rows[0].error, STR("app deleted")));
	assert_int_equal(rows[1].state, CALLBACK_DELIVERED);
	assert_int_equal(fixture_pending(fixture, APP + 1, rows, 4), 1);
}

static void test_store_callback_pages(void **state)
{
	struct fixture *fixture = *state;
	int64_t before = INT64_MAX;
	struct store_callback page[3];
	struct error err;
	size_t total = 0;
	size_t count;

	fixture_add_app(fixture->store, APP, 4);
	fixture_add_app(fixture->store, APP + 1, 1);
	fixture_add_rooms(fixture->store, APP + 1, 0, 1);
	fixture_add_rooms(fixture->store, APP, 0, 3);
	for (unsigned i = 0; i < 6; i++) {
		fixture_add_rooms(fixture->store, APP, 3, 4);
		assert_int_equal(fixture_run(fixture->store, world_destroy(APP, "r3", "alice")), HW_OK);
	}
	do {
		assert_int_equal(
			store_callback_list(fixture->reader, &fixture->arena, 1, before, 3, page, &count, &err), 0);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(app_id_sequence(page[i].id), 7 - total++);
		if (count)
			before = page[count - 1].id;
	} while (count == 3);
	assert_int_equal(total, 7);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_store_app_comes_back_in_every_field),
		WITH_STORE(test_store_app_of_smallest_values),
		WITH_STORE(test_store_keys_come_and_go),
		WITH_STORE(test_store_state_is_kept_by_each_batch),
		WITH_STORE(test_store_apps_are_listed_by_sdkappid),
		WITH_STORE(test_store_app_that_is_not_there),
		WITH_STORE(test_store_app_number_is_never_reused),
		WITH_STORE(test_store_room_comes_back_in_every_field),
		WITH_STORE(test_store_room_names_are_exact_and_per_app),
		WITH_STORE(test_store_room_pages_are_newest_first_and_stable),
		WITH_STORE(test_store_room_list_bounds),
		WITH_STORE(test_store_batch_that_creates_and_destroys),
		WITH_STORE(test_store_batch_that_replaces_an_app),
		WITH_STORE(test_store_abandon_leaves_nothing),
		WITH_STORE(test_store_readers_see_committed_data_only),
		WITH_STORE(test_store_callback_comes_back_in_every_field),
		WITH_STORE(test_store_marks_come_back_in_every_field),
		WITH_STORE(test_store_mark_of_a_final_row_changes_nothing),
		WITH_STORE(test_store_pending_order_is_due_time_then_id),
		WITH_STORE(test_store_deleting_an_app_ends_its_waiting_callbacks_only),
		WITH_STORE(test_store_callback_pages),
	};
	int failed = 0;

	for (size_t i = 0; i < ARRAY_LEN(openers); i++) {
		opener = &openers[i];
		failed += cmocka_run_group_tests_name(opener->name, tests, NULL, NULL);
	}
	return failed;
}
