/* Rooms in a batch: in which order a command is refused and that it then changes nothing, who may do what, which callbacks
 * are made, and what the store is told to write when one room comes and goes within a batch. */
#include "unit/live/batch.h"

static struct command update_of(const char *room_id, const struct room_info *change)
{
	struct command command = world_command(COMMAND_ROOM_UPDATE, APP);

	command.room_id = str_c(room_id);
	command.u.room_update = change;
	return command;
}

static struct command owner_of(const char *room_id, const char *owner)
{
	struct command command = world_command(COMMAND_OWNER_CHANGE, APP);

	command.room_id = str_c(room_id);
	command.u.owner_change = str_c(owner);
	return by_app_admin(command);
}

/* `name` must live as long as the batch. */
static struct command admin_of(enum command_type type, const char *room_id, const struct str *name)
{
	struct command command = world_command(type, APP);

	command.room_id = str_c(room_id);
	command.u.members.kind = ITEM_ADMIN;
	command.u.members.accounts = name;
	command.u.members.count = 1;
	command.u.members.reason = STR("");
	return by_app_admin(command);
}

static const struct room_info name_change = {.given = 1u << ROOM_NAME, .values[ROOM_NAME].text = {"new", 3}};
static const struct room_info no_change = {0};
static const struct str eve = {"eve", 3};

/* ---- creation ---- */

static void test_step_create_is_refused_in_this_order(void **state)
{
	static const struct {
		const char *owner_there; /* NULL: the id is free */
		bool too_soon;
		bool full;
		bool unknown;
		int code;
	} rows[] = {
		{"ann", true, true, true, HW_ROOM_EXISTS_OWNED}, {"bob", true, true, true, HW_ROOM_EXISTS},
		{"bob", false, false, false, HW_ROOM_EXISTS},	 {NULL, true, true, true, HW_ROOM_TOO_SOON},
		{NULL, true, false, false, HW_ROOM_TOO_SOON},	 {NULL, false, true, true, HW_QUOTA_FULL},
		{NULL, false, true, false, HW_QUOTA_FULL},	 {NULL, false, false, true, HW_ACCOUNT_UNKNOWN},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct batch *batch = *state;
		struct command command = world_create(APP, "r", "ann");

		command.u.room_create.too_soon = rows[i].too_soon;
		batch->config.accounts_required = rows[i].unknown;
		batch->config.room_count_max = rows[i].full ? 1 : 3;
		batch_begin(batch, &command, 1);
		batch->app->state.room_count = 1;
		if (rows[i].owner_there)
			(void)load_room(batch, "r", rows[i].owner_there);
		refuse(batch, 0, rows[i].code);
	}
}

static void test_step_create_fills_the_room(void **state)
{
	for (unsigned visible = 0; visible < 2; visible++) {
		struct batch *batch = *state;
		struct command command = world_create(APP, "r", "ann");
		struct live_room *room;

		command.origin.wall_ms = 123456;
		command.u.room_create.visible = visible;
		batch_begin(batch, &command, 1);
		batch->app->state.room_sequence = 41;
		assert_int_equal(step(batch, 0), HW_OK);
		room = room_of(batch, "r");
		assert_true(room->id == app_id_make(NUMBER, 42));
		assert_string_equal(room->owner, "ann");
		assert_int_equal(room->create_ms, 123456);
		assert_int_equal(room->visible, visible);
		assert_true(str_eq(room->info, STR("{}")));
		assert_int_equal(command.room_count, 1);
		assert_int_equal(batch->app->state.room_count, 1);
	}
}

static void test_step_create_finds_a_place_that_was_left_in_the_batch(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {world_create(APP, "new", "ann"), world_destroy(APP, "old", "ann"),
				     world_create(APP, "new", "ann")};

	batch->config.room_count_max = 1;
	batch_begin(batch, commands, 3);
	(void)load_room(batch, "old", "ann");
	refuse(batch, 0, HW_QUOTA_FULL);
	assert_int_equal(step(batch, 1), HW_OK);
	assert_int_equal(step(batch, 2), HW_OK);
	assert_int_equal(commands[2].room_count, 1);
}

static void test_step_create_makes_its_callback_before_the_alert(void **state)
{
	struct batch *batch = *state;
	struct command command = world_create(APP, "r", "ann");
	const struct live_callback *made;

	batch->config.alert.mode = ALERT_EVERY;
	batch->config.room_count_max = 1;
	command.origin.wall_ms = 2000;
	batch_begin(batch, &command, 1);
	batch->app->state.callback_sequence = 10;
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(batch->set.callback_count, LIVE_CALLBACKS_PER_COMMAND); /* as many as a command can make */
	made = batch->set.callbacks;
	assert_int_equal(made[0].command, HW_CALLBACK_ROOM_CREATED);
	assert_int_equal(made[0].threshold, 0);
	assert_int_equal(made[1].command, HW_CALLBACK_THRESHOLD);
	assert_true(made[1].threshold > 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(made[i].id == app_id_make(NUMBER, 11 + i));
		assert_int_equal(made[i].sdkappid, APP);
		assert_int_equal(made[i].platform, HW_PLATFORM_WEB);
		assert_true(str_eq(made[i].client_ip, STR("203.0.113.9")));
		assert_int_equal(made[i].event_ms, 2000);
	}
	assert_int_equal(batch->app->state.callback_sequence, 12);
	assert_int_equal(batch->app->state.callback_pending, 2);
}

/* Every command of a batch may make as many as a creation does. */
static void test_step_create_has_place_for_the_callbacks_of_a_whole_batch(void **state)
{
	enum { COUNT = 40 };
	static char ids[COUNT][8];
	struct batch *batch = *state;
	struct command commands[COUNT];

	batch->config.alert.mode = ALERT_EVERY;
	batch->config.alert.thresholds[0] = 1;
	batch->config.alert.threshold_count = 1;
	for (unsigned i = 0; i < COUNT; i++) {
		(void)snprintf(ids[i], sizeof(ids[i]), "r%u", i); /* fits */
		commands[i] = world_create(APP, ids[i], "ann");
	}
	batch_begin(batch, commands, COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(step(batch, i), HW_OK);
	assert_int_equal(batch->set.callback_count, 2 * COUNT);
}

/* ---- coming and going within a batch ---- */

/* What the store must do about a room, after these commands on one id in one batch: (c)reate, (d)estroy, (u)pdate. */
static void test_step_room_that_comes_and_goes_is_written_as_it_ends(void **state)
{
	static const struct {
		const char *commands;
		bool loaded;
		bool gone;
		bool new;
		bool changed;
	} rows[] = {
		{"d", true, true, false, false},    {"dc", true, true, true, false},
		{"dcd", true, true, false, false},  {"dcdc", true, true, true, false},
		{"c", false, false, true, false},   {"cd", false, false, false, false},
		{"cdc", false, false, true, false}, {"cdcd", false, false, false, false},
		{"u", true, false, false, true},    {"ud", true, true, false, false},
		{"udc", true, true, true, false},   {"cu", false, false, true, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t count = strlen(rows[i].commands);
		struct batch *batch = *state;
		struct command commands[4];
		struct live_room *room;

		for (size_t k = 0; k < count; k++)
			commands[k] = rows[i].commands[k] == 'c'   ? world_create(APP, "r", "ann")
				      : rows[i].commands[k] == 'd' ? world_destroy(APP, "r", "ann")
								   : by(update_of("r", &name_change), "ann");
		batch_begin(batch, commands, count);
		if (rows[i].loaded)
			(void)load_room(batch, "r", "ann");
		for (size_t k = 0; k < count; k++)
			assert_int_equal(step(batch, k), HW_OK);
		room = room_of(batch, "r");
		if (live_room_is_gone(room) != rows[i].gone || live_room_is_new(room) != rows[i].new ||
		    live_room_is_changed(room) != rows[i].changed)
			fail_msg("%s", rows[i].commands);
		assert_int_equal(batch->app->state.room_count, room->exists);
	}
}

/* Never there, and destroyed earlier in the batch. */
static void test_step_command_for_no_room_is_refused(void **state)
{
	for (unsigned destroyed = 0; destroyed < 2; destroyed++) {
		struct batch *batch = *state;
		struct command commands[] = {
			by_app_admin(world_destroy(APP, "r", "ann")), world_destroy(APP, "r", "ann"),
			by_app_admin(update_of("r", &name_change)),   by_app_admin(update_of("r", &no_change)),
			by(update_of("r", &name_change), "ann"),      owner_of("r", "bob"),
		};

		batch->config.accounts_required = true; /* and bob is none: that comes later */
		batch_begin(batch, commands, ARRAY_LEN(commands));
		if (destroyed)
			(void)load_room(batch, "r", "ann");
		for (size_t i = 0; i < ARRAY_LEN(commands); i++)
			if (i == 0 && destroyed)
				assert_int_equal(step(batch, i), HW_OK);
			else
				refuse(batch, i, HW_NO_ROOM);
	}
}

/* ---- who may ---- */

/* Of a room of ann's whose admin is eve. */
static void test_step_room_is_changed_and_destroyed_only_by_those_who_may(void **state)
{
	const struct command destroy = world_destroy(APP, "r", "");
	const struct command update = update_of("r", &name_change);
	const struct {
		struct command command;
		int code;
	} rows[] = {
		{by(destroy, "ann"), HW_OK},
		{by(destroy, "bob"), HW_NO_PERMISSION},
		{by(destroy, "an"), HW_NO_PERMISSION},
		{by(destroy, "Ann"), HW_NO_PERMISSION},
		{by(destroy, "eve"), HW_NO_PERMISSION},
		{by_app_admin(destroy), HW_OK},
		{by(update, "ann"), HW_OK},
		{by(update, "bob"), HW_NO_PERMISSION},
		{by(update, "eve"), HW_OK},
		{by(update, "ev"), HW_NO_PERMISSION},
		{by_app_admin(update), HW_OK},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct batch *batch = *state;
		struct command commands[] = {admin_of(COMMAND_MEMBERS_ADD, "r", &eve), rows[i].command};

		batch_begin(batch, commands, 2);
		(void)load_room(batch, "r", "ann");
		assert_int_equal(step(batch, 0), HW_OK);
		if (rows[i].code)
			refuse(batch, 1, rows[i].code);
		else
			assert_int_equal(step(batch, 1), HW_OK);
	}
}

static void test_step_update_sees_admins_of_the_room_come_and_go(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {
		by(update_of("r", &name_change), "eve"),     admin_of(COMMAND_MEMBERS_ADD, "r", &eve),
		by(update_of("r", &name_change), "eve"),     by(update_of("other", &name_change), "eve"),
		admin_of(COMMAND_MEMBERS_REMOVE, "r", &eve), by(update_of("r", &name_change), "eve"),
	};

	batch_begin(batch, commands, ARRAY_LEN(commands));
	(void)load_room(batch, "r", "ann");
	(void)load_room(batch, "other", "ann");
	refuse(batch, 0, HW_NO_PERMISSION);
	assert_int_equal(step(batch, 1), HW_OK);
	assert_int_equal(step(batch, 2), HW_OK);
	refuse(batch, 3, HW_NO_PERMISSION); /* admin of one room only */
	assert_int_equal(step(batch, 4), HW_OK);
	refuse(batch, 5, HW_NO_PERMISSION);
}

/* A new room of the same id has none of the old one's admins. */
static void test_step_update_forgets_admins_with_their_room(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {admin_of(COMMAND_MEMBERS_ADD, "r", &eve), world_destroy(APP, "r", "ann"),
				     world_create(APP, "r", "ann"), by(update_of("r", &name_change), "eve")};

	batch_begin(batch, commands, ARRAY_LEN(commands));
	(void)load_room(batch, "r", "ann");
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(step(batch, i), HW_OK);
	refuse(batch, 3, HW_NO_PERMISSION);
}

static void test_step_owner_that_changed_takes_the_rights_along(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {owner_of("r", "bob"), by(update_of("r", &name_change), "ann"),
				     world_destroy(APP, "r", "ann"), by(update_of("r", &name_change), "bob"),
				     world_destroy(APP, "r", "bob")};

	batch_begin(batch, commands, ARRAY_LEN(commands));
	(void)load_room(batch, "r", "ann");
	assert_int_equal(step(batch, 0), HW_OK);
	refuse(batch, 1, HW_NO_PERMISSION);
	refuse(batch, 2, HW_NO_PERMISSION);
	assert_int_equal(step(batch, 3), HW_OK);
	assert_int_equal(step(batch, 4), HW_OK);
}

/* ---- update ---- */

static void test_step_update_of_nothing_changes_nothing(void **state)
{
	struct batch *batch = *state;
	struct command command = by(update_of("r", &no_change), "ann");
	struct live_room before;

	batch_begin(batch, &command, 1);
	before = *load_room(batch, "r", "ann");
	assert_int_equal(step(batch, 0), HW_OK);
	assert_memory_equal(&before, room_of(batch, "r"), sizeof(before));
	assert_int_equal(batch->set.callback_count, 0);
	assert_int_equal(command.room_count, 1);
}

static void test_step_update_keeps_what_it_does_not_name(void **state)
{
	static const struct room_info hide = {.given = 1u << ROOM_VISIBLE};
	static const struct room_info no_name = {.given = 1u << ROOM_NAME, .values[ROOM_NAME].text = {"", 0}};
	static const struct {
		const struct room_info *change;
		const char *name;
		bool visible;
	} rows[] = {{&name_change, "new", true}, {&hide, "as loaded", false}, {&no_name, "r", true}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct batch *batch = *state;
		struct command command = by(update_of("r", rows[i].change), "ann");
		struct room_info info;
		struct live_room *room;

		batch_begin(batch, &command, 1);
		room = load_room(batch, "r", "ann");
		assert_int_equal(step(batch, 0), HW_OK);
		assert_true(live_room_is_changed(room));
		assert_int_equal(room->visible, rows[i].visible);
		room_info_read(room->info, room->room_id, &batch->arena, &info);
		assert_true(str_eq(info.values[ROOM_NAME].text, str_c(rows[i].name)));
		assert_true(str_eq(info.values[ROOM_NOTICE].text, STR("n")));
		assert_string_equal(room->owner, "ann");
		assert_int_equal(room->create_ms, 500);
	}
}

static void test_step_update_leaves_an_invisible_room_invisible(void **state)
{
	struct batch *batch = *state;
	struct command command = by(update_of("r", &name_change), "ann");

	batch_begin(batch, &command, 1);
	load_room(batch, "r", "ann")->visible = false;
	assert_int_equal(step(batch, 0), HW_OK);
	assert_false(room_of(batch, "r")->visible);
	assert_non_null(strstr(batch->set.callbacks[0].body.ptr, "\"IsPublicVisible\":false"));
}

/* ---- owner ---- */

static void test_step_owner_that_stays_makes_no_callback(void **state)
{
	struct batch *batch = *state;
	struct command command = owner_of("r", "ann");

	batch_begin(batch, &command, 1);
	(void)load_room(batch, "r", "ann");
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(batch->set.callback_count, 0);
	assert_false(live_room_is_changed(room_of(batch, "r")));
}

static void test_step_owner_change_names_the_one_before(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {owner_of("r", "bob"), owner_of("r", "cyd")};

	batch_begin(batch, commands, 2);
	(void)load_room(batch, "r", "ann");
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(step(batch, i), HW_OK);
	assert_true(live_room_is_changed(room_of(batch, "r")));
	assert_int_equal(batch->set.callback_count, 2);
	assert_non_null(strstr(batch->set.callbacks[0].body.ptr,
			       "\"CurrentOwner_Account\":\"bob\",\"OriginalOwner_Account\":\"ann\""));
	assert_non_null(strstr(batch->set.callbacks[1].body.ptr,
			       "\"CurrentOwner_Account\":\"cyd\",\"OriginalOwner_Account\":\"bob\""));
}

/* ---- callbacks ---- */

/* Each command makes its callback with only that one switched on, and none with all others on. */
static void test_step_callback_of_a_room_is_made_when_it_is_on(void **state)
{
	const struct {
		struct command command;
		enum hw_callback which;
	} rows[] = {
		{world_create(APP, "new", "ann"), HW_CALLBACK_ROOM_CREATED},
		{world_destroy(APP, "r", "ann"), HW_CALLBACK_ROOM_DESTROYED},
		{by(update_of("r", &name_change), "ann"), HW_CALLBACK_ROOM_UPDATED},
		{owner_of("r", "bob"), HW_CALLBACK_OWNER_CHANGED},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (unsigned on = 0; on < 2; on++) {
			struct batch *batch = *state;
			struct command commands[] = {rows[i].command, by(update_of("r", &no_change), "ann")};

			batch->config.callback_commands = 1u << rows[i].which;
			if (!on)
				batch->config.callback_commands ^= CALLBACKS_ALL;
			batch_begin(batch, commands, 2); /* the second only touches the room */
			(void)load_room(batch, "r", "ann");
			assert_int_equal(step(batch, 0), HW_OK);
			assert_int_equal(batch->set.callback_count, on);
			if (on)
				assert_int_equal(batch->set.callbacks[0].command, rows[i].which);
			assert_int_equal(batch->app->state.callback_pending, on);
		}
	}
}

/* ---- accounts of owners ---- */

static void test_step_owner_becomes_an_account_by_first_use(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {world_create(APP, "r", "ann"), owner_of("r", "bob"), owner_of("r", "cyd")};

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		commands[i].origin.wall_ms = 5000 + (int64_t)i;
	batch_begin(batch, commands, ARRAY_LEN(commands));
	load_account(batch, "cyd");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		assert_int_equal(step(batch, i), HW_OK);
	assert_true(live_account_is_written(account_of(batch, "ann")));
	assert_int_equal(account_of(batch, "ann")->create_ms, 5000);
	assert_int_equal(account_of(batch, "ann")->nick.len, 0);
	assert_true(live_account_is_written(account_of(batch, "bob")));
	assert_int_equal(account_of(batch, "bob")->create_ms, 5001);
	assert_false(live_account_is_written(account_of(batch, "cyd"))); /* it was there and stays as it was */
	assert_true(str_eq(account_of(batch, "cyd")->nick, STR("as loaded")));
}

static void test_step_owner_must_be_imported_when_the_app_says_so(void **state)
{
	static const struct account imports[] = {{.name = {"ann", 3}}};
	struct batch *batch = *state;
	struct command commands[] = {world_create(APP, "r", "ann"), world_command(COMMAND_ACCOUNT_IMPORT, APP),
				     world_create(APP, "r", "ann"), owner_of("r", "bob"), owner_of("r", "cyd")};

	commands[1].u.account_import.accounts = imports;
	commands[1].u.account_import.count = 1;
	batch->config.accounts_required = true;
	batch_begin(batch, commands, ARRAY_LEN(commands));
	load_account(batch, "cyd");
	refuse(batch, 0, HW_ACCOUNT_UNKNOWN);
	assert_non_null(strstr(commands[0].text, "\"ann\""));
	assert_int_equal(step(batch, 1), HW_OK);
	assert_int_equal(step(batch, 2), HW_OK);
	refuse(batch, 3, HW_ACCOUNT_UNKNOWN);
	assert_int_equal(step(batch, 4), HW_OK);
}

static void test_step_app_made_anew_has_no_account_of_the_old_one(void **state)
{
	struct batch *batch = *state;
	struct app_config anew = batch->config;
	struct command commands[] = {world_command(COMMAND_APP_DELETE, APP), world_command(COMMAND_APP_CREATE, APP),
				     world_create(APP, "r", "ann"), world_create(APP, "r", "new")};

	anew.accounts_required = true;
	commands[1].u.app_create = &anew;
	batch_begin(batch, commands, ARRAY_LEN(commands));
	load_account(batch, "ann");
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(step(batch, 1), HW_OK);
	refuse(batch, 2, HW_ACCOUNT_UNKNOWN);
	assert_false(live_account_is_written(account_of(batch, "ann")));

	anew.accounts_required = false; /* and where they are made on first use, this one is made again */
	batch_begin(batch, commands, ARRAY_LEN(commands));
	load_account(batch, "ann");
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(step(batch, i), HW_OK);
	assert_true(live_account_is_written(account_of(batch, "ann")));
	assert_int_equal(account_of(batch, "ann")->nick.len, 0);
	assert_int_equal(account_of(batch, "ann")->create_ms, 1000);
}

static void test_step_app_that_is_deleted_leaves_accounts_of_others(void **state)
{
	static const struct account one[] = {{.name = {"ann", 3}}};
	struct batch *batch = *state;
	struct command commands[] = {world_command(COMMAND_APP_DELETE, APP),
				     world_command(COMMAND_ACCOUNT_IMPORT, APP + 1)};
	struct live_account *other;

	commands[1].u.account_import.accounts = one;
	commands[1].u.account_import.count = 1;
	batch_begin(batch, commands, 2);
	other = live_set_account(&batch->set, APP + 1, STR("ann"));
	other->exists = other->exists_before = true;
	assert_int_equal(step(batch, 0), HW_OK);
	assert_true(other->exists && other->exists_before);
}

#define WITH_BATCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BATCH(test_step_create_is_refused_in_this_order),
		WITH_BATCH(test_step_create_fills_the_room),
		WITH_BATCH(test_step_create_finds_a_place_that_was_left_in_the_batch),
		WITH_BATCH(test_step_create_makes_its_callback_before_the_alert),
		WITH_BATCH(test_step_create_has_place_for_the_callbacks_of_a_whole_batch),
		WITH_BATCH(test_step_room_that_comes_and_goes_is_written_as_it_ends),
		WITH_BATCH(test_step_command_for_no_room_is_refused),
		WITH_BATCH(test_step_room_is_changed_and_destroyed_only_by_those_who_may),
		WITH_BATCH(test_step_update_sees_admins_of_the_room_come_and_go),
		WITH_BATCH(test_step_update_forgets_admins_with_their_room),
		WITH_BATCH(test_step_owner_that_changed_takes_the_rights_along),
		WITH_BATCH(test_step_update_of_nothing_changes_nothing),
		WITH_BATCH(test_step_update_keeps_what_it_does_not_name),
		WITH_BATCH(test_step_update_leaves_an_invisible_room_invisible),
		WITH_BATCH(test_step_owner_that_stays_makes_no_callback),
		WITH_BATCH(test_step_owner_change_names_the_one_before),
		WITH_BATCH(test_step_callback_of_a_room_is_made_when_it_is_on),
		WITH_BATCH(test_step_owner_becomes_an_account_by_first_use),
		WITH_BATCH(test_step_owner_must_be_imported_when_the_app_says_so),
		WITH_BATCH(test_step_app_made_anew_has_no_account_of_the_old_one),
		WITH_BATCH(test_step_app_that_is_deleted_leaves_accounts_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
