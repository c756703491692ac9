/* What rooms keep, and accounts, in a batch: limits at the exact number, what a refused command leaves as it was, when a
 * mute or ban ends, and what the store is told to write and to delete. */
#include "unit/live/batch.h"

/* As a store would, in the order of names. */
static void load_items(struct batch *batch, struct live_room *room, enum item_kind kind, const struct live_item *items,
		       size_t count)
{
	struct live_item *last = NULL;

	for (size_t i = 0; i < count; i++)
		live_room_add_item(&batch->set, room, kind, &last, items[i]);
}

static struct live_item *item_of(struct batch *batch, enum item_kind kind, const char *name)
{
	struct live_item *item = room_of(batch, "r")->items[kind];

	while (item && !str_eq(item->name, str_c(name)))
		item = item->next;
	return item;
}

/* What the store does about the item: (w)rite, (d)elete, or "-". */
static char done_to(struct batch *batch, enum item_kind kind, const char *name)
{
	const struct live_item *item = item_of(batch, kind, name);
	bool written = item && live_item_is_written(room_of(batch, "r"), item);
	bool gone = item && live_item_is_gone(room_of(batch, "r"), item);

	assert_false(written && gone);
	return written ? 'w' : gone ? 'd' : '-';
}

static size_t living(struct batch *batch, enum item_kind kind)
{
	size_t count = 0;

	for (const struct live_item *item = room_of(batch, "r")->items[kind]; item; item = item->next)
		count += item->exists;
	return count;
}

/* Names for lists: "n000" to "n999", and values of any length. */
static char name_texts[ROOM_ITEM_COUNT_MAX + 1][8];
static struct str names[ROOM_ITEM_COUNT_MAX + 1];
static char value_bytes[ROOM_METADATA_VALUE_BYTES_MAX];

static void fill_names(void)
{
	memset(value_bytes, 'v', sizeof(value_bytes));
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(name_texts[i], sizeof(name_texts[i]), "n%03u", i); /* fits */
		names[i] = str_c(name_texts[i]);
	}
}

static struct str value_of(size_t len)
{
	return (struct str){value_bytes, len};
}

static struct command set_of(const struct metadata *set, size_t count)
{
	struct command command = world_command(COMMAND_METADATA_SET, APP);

	command.room_id = STR("r");
	command.u.metadata.set = set;
	command.u.metadata.count = count;
	return by(command, "ann");
}

static struct command delete_of(const struct str *keys, size_t count)
{
	struct command command = world_command(COMMAND_METADATA_DELETE, APP);

	command.room_id = STR("r");
	command.u.metadata.keys = keys;
	command.u.metadata.count = count;
	return by(command, "ann");
}

static struct command members_of(enum command_type type, enum item_kind kind, const struct str *accounts, size_t count)
{
	struct command command = world_command(type, APP);

	command.room_id = STR("r");
	command.u.members.kind = kind;
	command.u.members.accounts = accounts;
	command.u.members.count = count;
	command.u.members.seconds = 60;
	command.u.members.reason = STR("");
	return by_app_admin(command);
}

static struct command add_of(enum item_kind kind, const struct str *accounts, size_t count)
{
	return members_of(COMMAND_MEMBERS_ADD, kind, accounts, count);
}

static struct command remove_of(enum item_kind kind, const struct str *accounts, size_t count)
{
	return members_of(COMMAND_MEMBERS_REMOVE, kind, accounts, count);
}

static struct command import_of(const struct account *accounts, size_t count)
{
	struct command command = world_command(COMMAND_ACCOUNT_IMPORT, APP);

	command.u.account_import.accounts = accounts;
	command.u.account_import.count = count;
	return command;
}

/* Runs all from `from` on; each must succeed. */
static void steps(struct batch *batch, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (step(batch, i) != HW_OK)
			fail_msg("command %zu answered %d: %s", i, batch->commands[i].code, batch->commands[i].text);
}

/* ---- what is loaded ---- */

static void test_item_kinds_are_loaded_as_needed(void **state)
{
	const unsigned admins = 1u << ITEM_ADMIN;
	const unsigned metadata = 1u << ITEM_METADATA;
	const struct {
		struct command command;
		unsigned needed;
	} rows[] = {
		{set_of(NULL, 0), admins | metadata},
		{by_app_admin(set_of(NULL, 0)), metadata},
		{delete_of(NULL, 0), admins | metadata},
		{by_app_admin(delete_of(NULL, 0)), metadata},
		{add_of(ITEM_MUTE, NULL, 0), 1u << ITEM_MUTE},
		{remove_of(ITEM_BAN, NULL, 0), 1u << ITEM_BAN},
		{add_of(ITEM_ROBOT, NULL, 0), 1u << ITEM_ROBOT},
		{world_create(APP, "r", "ann"), 0},
		{world_destroy(APP, "r", "ann"), 0},
	};
	struct command all[ARRAY_LEN(rows)];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		all[i] = rows[i].command;
		batch_begin(*state, &all[i], 1);
		assert_int_equal(room_of(*state, "r")->items_needed, rows[i].needed);
	}
	batch_begin(*state, all, ARRAY_LEN(all)); /* what any of a batch needs */
	assert_int_equal(room_of(*state, "r")->items_needed, (1u << ITEM_KIND_COUNT) - 1);
}

static void test_item_command_for_no_room_is_refused(void **state)
{
	static const struct metadata one[] = {{{"k", 1}, {"v", 1}}};
	struct batch *batch = *state;
	struct command commands[] = {
		set_of(one, 1),
		delete_of(&one[0].key, 1),
		add_of(ITEM_ADMIN, names, 6), /* one too many, but that comes later */
		add_of(ITEM_ROBOT, names, 1),
		remove_of(ITEM_MUTE, names, 1),
	};

	batch->config.accounts_required = true;
	batch_begin(batch, commands, ARRAY_LEN(commands));
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		refuse(batch, i, HW_NO_ROOM);
}

/* ---- metadata: the limits ---- */

/* A room with `there` keys of 1,638 bytes each; the command sets keys from `first` on, each of `bytes`. */
static void test_metadata_limits_hold_at_the_exact_number(void **state)
{
	static const struct {
		const char *name;
		unsigned there;
		unsigned first;
		unsigned count;
		size_t bytes[ROOM_METADATA_COUNT_MAX];
		int code;
	} rows[] = {
		{"ten at once", 0, 0, 10, {0}, HW_OK},
		{"the tenth", 9, 9, 1, {0}, HW_OK},
		{"the eleventh", 10, 10, 1, {0}, HW_METADATA_TOO_MANY},
		{"one there and two new on nine", 9, 8, 3, {0}, HW_METADATA_TOO_MANY},
		{"one there and one new on nine", 9, 8, 2, {0}, HW_OK},
		{"all replaced", 10, 0, 10, {0}, HW_OK},
		{"16384 at once", 0, 0, 8, {2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048}, HW_OK},
		{"16385 at once", 0, 0, 9, {2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048, 1}, HW_METADATA_TOO_LARGE},
		{"16384 by replacing", 10, 3, 1, {1638 + 4}, HW_OK},
		{"16385 by replacing", 10, 3, 1, {1638 + 5}, HW_METADATA_TOO_LARGE},
		{"16384 by one more", 9, 9, 1, {1642}, HW_OK},
		{"16385 by one more", 9, 9, 1, {1643}, HW_METADATA_TOO_LARGE},
		{"16384 by replacing two", 10, 0, 2, {2048, 1638 + 4 - 410}, HW_OK},
		{"16385 by replacing two", 10, 0, 2, {2048, 1638 + 5 - 410}, HW_METADATA_TOO_LARGE},
		{"both limits: the keys are named", 10, 10, 1, {2048}, HW_METADATA_TOO_MANY},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct batch *batch = *state;
		struct live_item items[ROOM_METADATA_COUNT_MAX];
		struct metadata set[ROOM_METADATA_COUNT_MAX];
		struct command command = set_of(set, rows[i].count);

		for (unsigned k = 0; k < rows[i].there; k++)
			items[k] = (struct live_item){.name = names[k], .value = value_of(1638)};
		for (unsigned k = 0; k < rows[i].count; k++)
			set[k] = (struct metadata){names[rows[i].first + k], value_of(rows[i].bytes[k])};
		batch_begin(batch, &command, 1);
		load_items(batch, load_room(batch, "r", "ann"), ITEM_METADATA, items, rows[i].there);
		print_message("%s\n", rows[i].name);
		if (rows[i].code)
			refuse(batch, 0, rows[i].code);
		else
			steps(batch, 0, 1);
	}
}

static void test_metadata_place_that_was_left_in_the_batch_is_free(void **state)
{
	struct batch *batch = *state;
	struct live_item items[ROOM_METADATA_COUNT_MAX];
	struct metadata set[] = {{names[10], value_of(1642)}};
	struct command commands[] = {set_of(set, 1), delete_of(names, 1), set_of(set, 1)};

	for (unsigned k = 0; k < ARRAY_LEN(items); k++)
		items[k] = (struct live_item){.name = names[k], .value = value_of(1638)};
	batch_begin(batch, commands, ARRAY_LEN(commands));
	load_items(batch, load_room(batch, "r", "ann"), ITEM_METADATA, items, ARRAY_LEN(items));
	refuse(batch, 0, HW_METADATA_TOO_MANY);
	steps(batch, 1, 3);
	assert_int_equal(living(batch, ITEM_METADATA), 10);
}

/* ---- metadata: the rest ---- */

static void test_metadata_is_for_editors(void **state)
{
	static const struct metadata one[] = {{{"k", 1}, {"v", 1}}};
	struct batch *batch = *state;
	struct command commands[] = {
		by(set_of(one, 1), "n000"),
		by(delete_of(&one[0].key, 1), "n000"),
		add_of(ITEM_ADMIN, names, 1),
		by(set_of(one, 1), "n000"),
		by(delete_of(&one[0].key, 1), "n000"),
		remove_of(ITEM_ADMIN, names, 1),
		by(set_of(one, 1), "n000"),
		by_app_admin(set_of(one, 1)),
		by_app_admin(delete_of(&one[0].key, 1)),
	};

	batch_begin(batch, commands, ARRAY_LEN(commands));
	(void)load_room(batch, "r", "ann");
	refuse(batch, 0, HW_NO_PERMISSION);
	refuse(batch, 1, HW_NO_PERMISSION); /* nor is it told that there is no such key */
	steps(batch, 2, 6);
	refuse(batch, 6, HW_NO_PERMISSION);
	steps(batch, 7, 9);
}

static void test_metadata_that_is_there_is_replaced(void **state)
{
	static const struct metadata set[] = {{{"k", 1}, {"new", 3}}};
	const struct live_item items[] = {{.name = STR("k"), .value = STR("old")},
					  {.name = STR("m"), .value = STR("old")}};
	struct batch *batch = *state;
	struct command command = set_of(set, 1);

	batch_begin(batch, &command, 1);
	load_items(batch, load_room(batch, "r", "ann"), ITEM_METADATA, items, 2);
	steps(batch, 0, 1);
	assert_true(str_eq(item_of(batch, ITEM_METADATA, "k")->value, STR("new")));
	assert_int_equal(done_to(batch, ITEM_METADATA, "k"), 'w');
	assert_int_equal(done_to(batch, ITEM_METADATA, "m"), '-');
	assert_int_equal(living(batch, ITEM_METADATA), 2);
}

static void test_metadata_deletion_tells_which_keys_went(void **state)
{
	static const struct str keys[] = {{"x", 1}, {"m", 1}, {"y", 1}, {"k", 1}};
	const struct live_item items[] = {{.name = STR("k")}, {.name = STR("l")}, {.name = STR("m")}};
	struct batch *batch = *state;
	struct command commands[] = {delete_of(keys, 4), delete_of(keys, 4)};

	batch_begin(batch, commands, 2);
	load_items(batch, load_room(batch, "r", "ann"), ITEM_METADATA, items, 3);
	steps(batch, 0, 1);
	assert_non_null(strstr(batch->set.callbacks[0].body.ptr, "\"Keys\":[\"m\",\"k\"]"));
	assert_int_equal(done_to(batch, ITEM_METADATA, "k"), 'd');
	assert_int_equal(done_to(batch, ITEM_METADATA, "l"), '-');
	assert_int_equal(done_to(batch, ITEM_METADATA, "m"), 'd');
	refuse(batch, 1, HW_NO_METADATA); /* all of them are gone */
}

/* Names that come and go in one batch leave nothing behind: each further command would have to step over them. */
static void test_members_that_come_and_go_do_not_lengthen_the_list(void **state)
{
	static char text[50][8];
	struct batch *batch = *state;
	struct str accounts[50];
	struct command commands[100];
	struct live_room *room;
	size_t length = 0;

	for (unsigned i = 0; i < 50; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "n%u", i); /* fits */
		accounts[i] = str_c(text[i]);
	}
	for (unsigned i = 0; i < 50; i++) {
		commands[2 * i] = add_of(ITEM_ADMIN, &accounts[i], 1);
		commands[2 * i + 1] = remove_of(ITEM_ADMIN, &accounts[i], 1);
	}
	batch_begin(batch, commands, 100);
	room = load_room(batch, "r", "ann");
	steps(batch, 0, 100);
	for (const struct live_item *item = room->items[ITEM_ADMIN]; item; item = item->next)
		length++;
	assert_int_equal(length, 0);
}

/* ---- what the store writes ---- */

/* Commands on one item in one batch: (s)et, (r)emove, (c)reate and (d)estroy its room. */
static void test_item_that_comes_and_goes_is_written_as_it_ends(void **state)
{
	static const struct metadata set[] = {{{"k", 1}, {"v", 1}}};
	static const struct {
		const char *commands;
		bool loaded; /* the item; the room always is */
		char done;
	} rows[] = {
		{"s", false, 'w'},   {"s", true, 'w'},	   {"r", true, 'd'},	 {"sr", false, '-'},
		{"sr", true, 'd'},   {"rs", true, 'w'},	   {"rsr", true, 'd'},	 {"srs", false, 'w'},
		{"d", true, '-'},    {"dc", true, '-'},	   {"dcs", true, 'w'},	 {"dcs", false, 'w'},
		{"dcsr", true, '-'}, {"dcsr", false, '-'}, {"sdc", true, '-'},	 {"sdc", false, '-'},
		{"rdc", true, '-'},  {"rdcs", true, 'w'},  {"dcsdc", true, '-'}, {"dcsd", true, '-'},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct live_item item = {.name = STR("k"), .value = STR("old")};
		size_t count = strlen(rows[i].commands);
		struct batch *batch = *state;
		struct command commands[8];

		for (size_t k = 0; k < count; k++)
			commands[k] = rows[i].commands[k] == 's'   ? set_of(set, 1)
				      : rows[i].commands[k] == 'r' ? delete_of(&set[0].key, 1)
				      : rows[i].commands[k] == 'c' ? world_create(APP, "r", "ann")
								   : world_destroy(APP, "r", "ann");
		batch_begin(batch, commands, count);
		load_items(batch, load_room(batch, "r", "ann"), ITEM_METADATA, &item, rows[i].loaded);
		steps(batch, 0, count);
		if (done_to(batch, ITEM_METADATA, "k") != rows[i].done)
			fail_msg("%s: %c", rows[i].commands, done_to(batch, ITEM_METADATA, "k"));
		assert_int_equal(live_room_is_gone(room_of(batch, "r")), strchr(rows[i].commands, 'd') != NULL);
	}
}

static void test_item_of_every_kind_goes_with_its_room(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {add_of(ITEM_ADMIN, names, 1),   add_of(ITEM_ROBOT, names, 1),
				     add_of(ITEM_MUTE, names, 1),    add_of(ITEM_BAN, names, 1),
				     world_destroy(APP, "r", "ann"), world_create(APP, "r", "ann")};

	batch_begin(batch, commands, ARRAY_LEN(commands));
	(void)load_room(batch, "r", "ann");
	steps(batch, 0, 4);
	for (unsigned kind = ITEM_ADMIN; kind < ITEM_KIND_COUNT; kind++)
		assert_int_equal(done_to(batch, (enum item_kind)kind, "n000"), 'w');
	steps(batch, 4, 6);
	for (unsigned kind = ITEM_ADMIN; kind < ITEM_KIND_COUNT; kind++)
		assert_int_equal(done_to(batch, (enum item_kind)kind, "n000"), '-');
}

/* ---- lists of accounts ---- */

static void test_members_list_is_full_at_its_limit(void **state)
{
	static const struct {
		enum item_kind kind;
		size_t limit;
		int code;
	} rows[] = {
		{ITEM_ADMIN, 5, HW_TOO_MANY_ADMINS},
		{ITEM_ROBOT, 100, HW_BAD_PARAMETER},
		{ITEM_MUTE, 1000, HW_BAD_PARAMETER},
		{ITEM_BAN, 1000, HW_BAD_PARAMETER},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct batch *batch = *state;
		struct command commands[] = {
			add_of(rows[i].kind, names, rows[i].limit - 1),
			add_of(rows[i].kind, names + rows[i].limit - 1, 2), /* one too many: neither */
			add_of(rows[i].kind, names + rows[i].limit - 2, 2), /* one there, and the last */
			add_of(rows[i].kind, names, rows[i].limit),	    /* all there */
			add_of(rows[i].kind, names + rows[i].limit, 1),	    /* one too many */
			remove_of(rows[i].kind, names, 1),
			add_of(rows[i].kind, names + rows[i].limit, 1),
		};

		batch_begin(batch, commands, ARRAY_LEN(commands));
		(void)load_room(batch, "r", "ann");
		steps(batch, 0, 1);
		refuse(batch, 1, rows[i].code);
		steps(batch, 2, 4);
		refuse(batch, 4, rows[i].code);
		steps(batch, 5, 7);
		assert_int_equal(living(batch, rows[i].kind), rows[i].limit);
	}
}

static void test_members_removed_twice_or_never_there_are_fine(void **state)
{
	struct batch *batch = *state;
	const struct live_item item = {.name = names[0]};
	struct command commands[] = {remove_of(ITEM_ROBOT, names, 2), remove_of(ITEM_ROBOT, names, 2)};

	batch_begin(batch, commands, 2);
	load_items(batch, load_room(batch, "r", "ann"), ITEM_ROBOT, &item, 1);
	steps(batch, 0, 2);
	assert_int_equal(done_to(batch, ITEM_ROBOT, "n000"), 'd');
	assert_null(item_of(batch, ITEM_ROBOT, "n001"));
}

static void test_members_lists_know_nothing_of_each_other(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {add_of(ITEM_MUTE, names, 1), add_of(ITEM_BAN, names, 1),
				     remove_of(ITEM_MUTE, names, 1), add_of(ITEM_ADMIN, names, 1)};

	batch_begin(batch, commands, ARRAY_LEN(commands));
	(void)load_room(batch, "r", "ann");
	steps(batch, 0, ARRAY_LEN(commands));
	assert_int_equal(living(batch, ITEM_MUTE), 0);
	assert_int_equal(living(batch, ITEM_BAN), 1);
	assert_int_equal(living(batch, ITEM_ADMIN), 1);
	assert_int_equal(living(batch, ITEM_ROBOT), 0);
}

/* ---- mutes and bans end ---- */

static void test_members_until_counts_from_the_second_of_the_command(void **state)
{
	static const struct {
		enum item_kind kind;
		uint64_t seconds;
		int64_t until_s;
	} rows[] = {
		{ITEM_MUTE, 1, 1700000001},
		{ITEM_BAN, 60, 1700000060},
		{ITEM_MUTE, UINT32_MAX, 1700000000 + INT64_C(4294967295)},
		{ITEM_ADMIN, 60, 0}, /* has no end */
		{ITEM_ROBOT, 60, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command command = add_of(rows[i].kind, names, 1);

		command.origin.wall_ms = 1700000000999;
		command.u.members.seconds = rows[i].seconds;
		batch_begin(*state, &command, 1);
		(void)load_room(*state, "r", "ann");
		steps(*state, 0, 1);
		assert_true(item_of(*state, rows[i].kind, "n000")->until_s == rows[i].until_s);
	}
}

static void test_members_added_again_get_the_new_end_and_reason(void **state)
{
	const struct live_item old = {.name = names[0], .value = STR("old"), .until_s = 9000};
	struct batch *batch = *state;
	struct command command = add_of(ITEM_BAN, names, 1);

	command.u.members.reason = STR("new");
	batch_begin(batch, &command, 1);
	load_items(batch, load_room(batch, "r", "ann"), ITEM_BAN, &old, 1);
	steps(batch, 0, 1);
	assert_int_equal(item_of(batch, ITEM_BAN, "n000")->until_s, 61); /* also when it is earlier */
	assert_true(str_eq(item_of(batch, ITEM_BAN, "n000")->value, STR("new")));
	assert_int_equal(done_to(batch, ITEM_BAN, "n000"), 'w');
}

/* A full list in which one ends at second 500. */
static void test_members_that_are_over_leave_their_place_at_the_exact_second(void **state)
{
	static const enum item_kind kinds[] = {ITEM_MUTE, ITEM_BAN};
	static struct live_item items[ROOM_MUTE_COUNT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct batch *batch = *state;
		struct command commands[] = {add_of(kinds[i], names + ROOM_MUTE_COUNT_MAX, 1),
					     add_of(kinds[i], names + ROOM_MUTE_COUNT_MAX, 1)};

		for (unsigned k = 0; k < ROOM_MUTE_COUNT_MAX; k++)
			items[k] = (struct live_item){.name = names[k], .until_s = k == 7 ? 500 : 900};
		commands[0].origin.wall_ms = 499999;
		commands[1].origin.wall_ms = 500000;
		batch_begin(batch, commands, 2);
		load_items(batch, load_room(batch, "r", "ann"), kinds[i], items, ROOM_MUTE_COUNT_MAX);
		refuse(batch, 0, HW_BAD_PARAMETER);
		steps(batch, 1, 2);
		assert_int_equal(done_to(batch, kinds[i], "n007"), 'd');
		assert_int_equal(living(batch, kinds[i]), ROOM_MUTE_COUNT_MAX);
	}
}

static void test_members_that_are_over_leave_with_the_next_change_of_their_list(void **state)
{
	const struct live_item items[] = {
		{.name = names[0], .until_s = 1}, {.name = names[1], .until_s = 2}, {.name = names[2], .until_s = 0}};
	struct batch *batch = *state;
	struct command commands[] = {remove_of(ITEM_MUTE, names + 9, 1), add_of(ITEM_MUTE, names, 1)};

	batch_begin(batch, commands, 2);
	load_items(batch, load_room(batch, "r", "ann"), ITEM_MUTE, items, 3);
	steps(batch, 0, 1);
	assert_int_equal(done_to(batch, ITEM_MUTE, "n000"), 'd');
	assert_int_equal(done_to(batch, ITEM_MUTE, "n001"), '-');
	assert_int_equal(done_to(batch, ITEM_MUTE, "n002"), '-');
	steps(batch, 1, 2);
	assert_int_equal(done_to(batch, ITEM_MUTE, "n000"), 'w'); /* muted again */
}

/* ---- callbacks ---- */

/* Each command makes its callback with only that one switched on, and none with all others on. */
static void test_item_callback_is_made_when_it_is_on(void **state)
{
	static const struct metadata set[] = {{{"k", 1}, {"v", 1}}};
	const struct live_item item = {.name = STR("k")};
	const struct {
		struct command command;
		int which; /* -1: makes none */
	} rows[] = {
		{set_of(set, 1), HW_CALLBACK_METADATA_SET},
		{delete_of(&set[0].key, 1), HW_CALLBACK_METADATA_DELETED},
		{add_of(ITEM_ADMIN, names, 1), HW_CALLBACK_ADMIN_MODIFIED},
		{remove_of(ITEM_ADMIN, names, 1), HW_CALLBACK_ADMIN_MODIFIED},
		{add_of(ITEM_ROBOT, names, 1), -1},
		{remove_of(ITEM_ROBOT, names, 1), -1},
		{add_of(ITEM_MUTE, names, 1), -1},
		{remove_of(ITEM_BAN, names, 1), -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (unsigned on = 0; on < 2; on++) {
			unsigned bit = rows[i].which < 0 ? 0 : 1u << rows[i].which;
			struct batch *batch = *state;
			struct command command = rows[i].command;

			batch->config.callback_commands = on ? bit : CALLBACKS_ALL ^ bit;
			batch_begin(batch, &command, 1);
			load_items(batch, load_room(batch, "r", "ann"), ITEM_METADATA, &item, 1);
			steps(batch, 0, 1);
			assert_int_equal(batch->set.callback_count, on && bit);
			if (on && bit)
				assert_int_equal(batch->set.callbacks[0].command, rows[i].which);
		}
	}
}

/* ---- accounts ---- */

static void test_robots_are_added_all_or_none(void **state)
{
	static const struct account imports[] = {{.name = {"n001", 4}}};
	struct batch *batch = *state;
	struct command commands[] = {
		add_of(ITEM_ROBOT, names, 2),	/* the second is no account */
		add_of(ITEM_ROBOT, names, 101), /* too many, too: the account is named */
		import_of(imports, 1),
		add_of(ITEM_ROBOT, names, 2),
		add_of(ITEM_ADMIN, names + 5, 1), /* only owners and robots must be accounts */
		add_of(ITEM_MUTE, names + 5, 1),
		remove_of(ITEM_ROBOT, names + 5, 1),
	};

	batch->config.accounts_required = true;
	batch_begin(batch, commands, ARRAY_LEN(commands));
	(void)load_room(batch, "r", "ann");
	load_account(batch, "n000");
	refuse(batch, 0, HW_ACCOUNT_UNKNOWN);
	assert_non_null(strstr(commands[0].text, "\"n001\""));
	refuse(batch, 1, HW_ACCOUNT_UNKNOWN);
	steps(batch, 2, ARRAY_LEN(commands));
	assert_int_equal(living(batch, ITEM_ROBOT), 2);
}

static void test_robots_become_accounts_by_first_use(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {add_of(ITEM_ROBOT, names, 2), add_of(ITEM_MUTE, names + 2, 1)};

	batch_begin(batch, commands, 2);
	(void)load_room(batch, "r", "ann");
	load_account(batch, "n000");
	steps(batch, 0, 2);
	assert_false(live_account_is_written(account_of(batch, "n000")));
	assert_true(live_account_is_written(account_of(batch, "n001")));
	assert_null(account_of(batch, "n002")); /* a mute uses none */
}

static void test_import_keeps_what_is_not_given(void **state)
{
	static const struct {
		struct account given;
		bool there;
		bool written;
		const char *nick;
		const char *face_url;
	} rows[] = {
		{{.name = {"a", 1}}, true, false, "as loaded", "as loaded"},
		{{.name = {"a", 1}, .nick = {"x", 1}}, true, true, "x", "as loaded"},
		{{.name = {"a", 1}, .face_url = {"y", 1}}, true, true, "as loaded", "y"},
		{{.name = {"a", 1}, .nick = {"", 0}}, true, true, "", "as loaded"},
		{{.name = {"a", 1}, .nick = {"as loaded", 9}, .face_url = {"as loaded", 9}},
		 true,
		 false,
		 "as loaded",
		 "as loaded"},
		{{.name = {"a", 1}}, false, true, "", ""},
		{{.name = {"a", 1}, .nick = {"x", 1}, .face_url = {"y", 1}}, false, true, "x", "y"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command command = import_of(&rows[i].given, 1);
		const struct live_account *account;

		batch_begin(*state, &command, 1);
		account = account_of(*state, "a");
		if (rows[i].there)
			load_account(*state, "a");
		steps(*state, 0, 1);
		assert_true(account->exists);
		if (live_account_is_written(account) != rows[i].written)
			fail_msg("row %zu", i);
		assert_true(str_eq(account->nick, str_c(rows[i].nick)));
		assert_true(str_eq(account->face_url, str_c(rows[i].face_url)));
		assert_int_equal(account->create_ms, rows[i].there ? 0 : 1000);
	}
}

static void test_import_again_in_one_batch_is_the_sum(void **state)
{
	static const struct account first[] = {{.name = {"a", 1}, .nick = {"x", 1}}, {.name = {"b", 1}}};
	static const struct account second[] = {{.name = {"a", 1}, .face_url = {"y", 1}}};
	struct command commands[] = {import_of(first, 2), import_of(second, 1)};

	batch_begin(*state, commands, 2);
	steps(*state, 0, 2);
	assert_true(str_eq(account_of(*state, "a")->nick, STR("x")));
	assert_true(str_eq(account_of(*state, "a")->face_url, STR("y")));
	assert_true(live_account_is_written(account_of(*state, "b")));
}

static void test_import_into_an_app_made_anew_starts_from_nothing(void **state)
{
	static const struct account one[] = {{.name = {"a", 1}, .face_url = {"y", 1}}};
	struct batch *batch = *state;
	const struct app_config anew = batch->config;
	struct command commands[] = {import_of(one, 1), world_command(COMMAND_APP_DELETE, APP), import_of(one, 1),
				     world_command(COMMAND_APP_CREATE, APP), import_of(one, 1)};

	commands[3].u.app_create = &anew;
	batch_begin(batch, commands, ARRAY_LEN(commands));
	load_account(batch, "a");
	steps(batch, 0, 2);
	refuse(batch, 2, HW_UNKNOWN_SDKAPPID);
	steps(batch, 3, 5);
	assert_int_equal(account_of(batch, "a")->nick.len, 0);
	assert_true(str_eq(account_of(batch, "a")->face_url, STR("y")));
	assert_true(live_account_is_written(account_of(batch, "a")));
	assert_false(account_of(batch, "a")->exists_before);
}

#define WITH_BATCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BATCH(test_item_kinds_are_loaded_as_needed),
		WITH_BATCH(test_item_command_for_no_room_is_refused),
		WITH_BATCH(test_metadata_limits_hold_at_the_exact_number),
		WITH_BATCH(test_metadata_place_that_was_left_in_the_batch_is_free),
		WITH_BATCH(test_metadata_is_for_editors),
		WITH_BATCH(test_metadata_that_is_there_is_replaced),
		WITH_BATCH(test_metadata_deletion_tells_which_keys_went),
		WITH_BATCH(test_members_that_come_and_go_do_not_lengthen_the_list),
		WITH_BATCH(test_item_that_comes_and_goes_is_written_as_it_ends),
		WITH_BATCH(test_item_of_every_kind_goes_with_its_room),
		WITH_BATCH(test_members_list_is_full_at_its_limit),
		WITH_BATCH(test_members_removed_twice_or_never_there_are_fine),
		WITH_BATCH(test_members_lists_know_nothing_of_each_other),
		WITH_BATCH(test_members_until_counts_from_the_second_of_the_command),
		WITH_BATCH(test_members_added_again_get_the_new_end_and_reason),
		WITH_BATCH(test_members_that_are_over_leave_their_place_at_the_exact_second),
		WITH_BATCH(test_members_that_are_over_leave_with_the_next_change_of_their_list),
		WITH_BATCH(test_item_callback_is_made_when_it_is_on),
		WITH_BATCH(test_robots_are_added_all_or_none),
		WITH_BATCH(test_robots_become_accounts_by_first_use),
		WITH_BATCH(test_import_keeps_what_is_not_given),
		WITH_BATCH(test_import_again_in_one_batch_is_the_sum),
		WITH_BATCH(test_import_into_an_app_made_anew_starts_from_nothing),
	};

	fill_names();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
