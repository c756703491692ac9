/* Rooms and what they keep, in every kind of store, against an independent model, with random batches from a seed.
 *
 * The model is arrays indexed by small numbers: which room, which account, which metadata key. From the manual's
 * sentences it says what each command must answer and how many callbacks it makes; after each batch one room is read and
 * compared in full, now and then all of them, and SQLite's file is closed and opened again. A failure prints seed, batch
 * and command. */
#include "base/random.h"
#include "store/fixture.h"

#define MODEL_APPS 2 /* the second requires accounts to be imported */
#define MODEL_ROOMS 6
#define MODEL_NAMES 12
#define MODEL_KEYS 14
#define MODEL_BATCH_MAX 6
#define MODEL_BATCHES 6000
#define MODEL_START_MS INT64_C(1700000000000)

#define MODEL_CALLBACKS                                                                                                \
	(1u << HW_CALLBACK_ROOM_CREATED | 1u << HW_CALLBACK_ROOM_DESTROYED | 1u << HW_CALLBACK_ROOM_UPDATED |          \
	 1u << HW_CALLBACK_METADATA_SET | 1u << HW_CALLBACK_METADATA_DELETED | 1u << HW_CALLBACK_OWNER_CHANGED |       \
	 1u << HW_CALLBACK_ADMIN_MODIFIED)

struct model_room {
	bool exists;
	unsigned owner;
	unsigned name; /* 0: as created */
	bool visible;
	size_t value_len[MODEL_KEYS]; /* 0: no such key; else 1 + the value's length */
	bool admins[MODEL_NAMES];
	bool robots[MODEL_NAMES];
	int64_t until_s[2][MODEL_NAMES]; /* mutes, bans; 0: none */
};

struct model_app {
	bool required;
	struct model_room rooms[MODEL_ROOMS];
	bool accounts[MODEL_NAMES];
	unsigned nicks[MODEL_NAMES];
	uint64_t callbacks;
};

struct model {
	struct fixture *fixture;
	struct prng prng;
	int64_t now_ms;
	struct model_app apps[MODEL_APPS];
	struct command commands[MODEL_BATCH_MAX];
	struct room_info changes[MODEL_BATCH_MAX];
	struct metadata metadata[MODEL_BATCH_MAX][ROOM_METADATA_COUNT_MAX];
	struct str names[MODEL_BATCH_MAX][MODEL_KEYS];
	struct account imports[MODEL_BATCH_MAX];
	unsigned long long batch;
	unsigned refused[8]; /* by what was refused, see model_refuse */
};

static char value_text[ROOM_METADATA_VALUE_BYTES_MAX + 1];

static const char *const room_ids[MODEL_ROOMS] = {"r0", "r1", "r2", "r3", "r4", "r5"};
static const char *const people[MODEL_NAMES] = {"ann", "bob", "cyd", "dan", "eve", "fay",
						"gus", "hal", "ida", "jim", "kay", "leo"};
static const char *const keys[MODEL_KEYS] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"};
static const char *const nicks[] = {"", "Nick", "Nicky"};
static const char *const room_names[] = {"", "one", "two", "three"};

static unsigned below(struct model *model, unsigned end)
{
	return (unsigned)prng_below(&model->prng, end);
}

static int model_refuse(struct model *model, unsigned which, int code)
{
	model->refused[which]++;
	return code;
}

static bool model_is_editor(const struct model_room *room, const struct command *command, unsigned who)
{
	return command->origin.admin || room->owner == who || room->admins[who];
}

/* ---- one random command each, with the answer that it must get ---- */

static int model_create(struct model *model, struct model_app *app, struct model_room *room, struct command *command,
			unsigned who)
{
	command->type = COMMAND_ROOM_CREATE;
	command->u.room_create.owner = str_c(people[who]);
	command->u.room_create.visible = below(model, 2);
	command->u.room_create.too_soon = below(model, 10) == 0;
	command->u.room_create.info = STR("{\"RoomName\":\"as created\",\"RoomType\":\"Live\",\"Notice\":\"\"}");
	if (room->exists)
		return room->owner == who ? HW_ROOM_EXISTS_OWNED : HW_ROOM_EXISTS;
	if (command->u.room_create.too_soon)
		return HW_ROOM_TOO_SOON;
	if (app->required && !app->accounts[who])
		return model_refuse(model, 0, HW_ACCOUNT_UNKNOWN);
	app->accounts[who] = true;
	*room = (struct model_room){.exists = true, .owner = who, .visible = command->u.room_create.visible};
	app->callbacks++;
	return HW_OK;
}

static int model_destroy(struct model_app *app, struct model_room *room, struct command *command, unsigned who)
{
	command->type = COMMAND_ROOM_DESTROY;
	if (!room->exists)
		return HW_NO_ROOM;
	if (!command->origin.admin && room->owner != who)
		return HW_NO_PERMISSION;
	*room = (struct model_room){0};
	app->callbacks++;
	return HW_OK;
}

static int model_update(struct model *model, struct model_app *app, struct model_room *room, struct command *command,
			unsigned who)
{
	struct room_info *change = &model->changes[command - model->commands];
	unsigned name = 1 + below(model, ARRAY_LEN(room_names) - 1);

	*change = (struct room_info){0};
	if (below(model, 2)) {
		change->given |= 1u << ROOM_NAME;
		change->values[ROOM_NAME].text = str_c(room_names[name]);
	}
	if (below(model, 2)) {
		change->given |= 1u << ROOM_VISIBLE;
		change->values[ROOM_VISIBLE].number = below(model, 2);
	}
	command->type = COMMAND_ROOM_UPDATE;
	command->u.room_update = change;
	if (!room->exists)
		return HW_NO_ROOM;
	if (!model_is_editor(room, command, who))
		return model_refuse(model, 1, HW_NO_PERMISSION);
	if (change->given >> ROOM_NAME & 1)
		room->name = name;
	if (change->given >> ROOM_VISIBLE & 1)
		room->visible = change->values[ROOM_VISIBLE].number;
	app->callbacks += change->given != 0;
	return HW_OK;
}

static int model_change_owner(struct model *model, struct model_app *app, struct model_room *room,
			      struct command *command)
{
	unsigned owner = below(model, MODEL_NAMES);

	command->type = COMMAND_OWNER_CHANGE;
	command->u.owner_change = str_c(people[owner]);
	if (!room->exists)
		return HW_NO_ROOM;
	if (app->required && !app->accounts[owner])
		return model_refuse(model, 0, HW_ACCOUNT_UNKNOWN);
	app->callbacks += owner != room->owner;
	app->accounts[owner] = true;
	room->owner = owner;
	return HW_OK;
}

static int model_set_metadata(struct model *model, struct model_app *app, struct model_room *room,
			      struct command *command, unsigned who)
{
	struct metadata *list = model->metadata[command - model->commands];
	unsigned first = below(model, MODEL_KEYS);
	unsigned count = 1 + below(model, 4);
	struct model_room after = *room;
	size_t total = 0;
	size_t there = 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned key = (first + i * 3) % MODEL_KEYS;
		size_t len = below(model, 4) ? 1800 + below(model, 249) : below(model, 40);

		list[i] = (struct metadata){str_c(keys[key]), {value_text, len}};
		after.value_len[key] = 1 + len;
	}
	command->type = COMMAND_METADATA_SET;
	command->u.metadata.set = list;
	command->u.metadata.count = count;
	if (!room->exists)
		return HW_NO_ROOM;
	if (!model_is_editor(room, command, who))
		return model_refuse(model, 1, HW_NO_PERMISSION);
	for (unsigned key = 0; key < MODEL_KEYS; key++) {
		there += after.value_len[key] != 0;
		total += after.value_len[key] ? after.value_len[key] - 1 : 0;
	}
	if (there > 10)
		return model_refuse(model, 2, HW_METADATA_TOO_MANY);
	if (total > 16384)
		return model_refuse(model, 3, HW_METADATA_TOO_LARGE);
	*room = after;
	app->callbacks++;
	return HW_OK;
}

static int model_delete_metadata(struct model *model, struct model_app *app, struct model_room *room,
				 struct command *command, unsigned who)
{
	struct str *names = model->names[command - model->commands];
	unsigned first = below(model, MODEL_KEYS);
	unsigned count = 1 + below(model, 5);
	bool any = false;

	for (unsigned i = 0; i < count; i++)
		names[i] = str_c(keys[(first + i) % MODEL_KEYS]);
	command->type = COMMAND_METADATA_DELETE;
	command->u.metadata.keys = names;
	command->u.metadata.count = count;
	if (!room->exists)
		return HW_NO_ROOM;
	if (!model_is_editor(room, command, who))
		return model_refuse(model, 1, HW_NO_PERMISSION);
	for (unsigned i = 0; i < count; i++) {
		any = any || room->value_len[(first + i) % MODEL_KEYS];
		room->value_len[(first + i) % MODEL_KEYS] = 0;
	}
	app->callbacks += any;
	return any ? HW_OK : model_refuse(model, 4, HW_NO_METADATA);
}

static int model_members(struct model *model, struct model_app *app, struct model_room *room, struct command *command)
{
	struct str *names = model->names[command - model->commands];
	enum item_kind kind = (enum item_kind)(ITEM_ADMIN + below(model, ITEM_KIND_COUNT - ITEM_ADMIN));
	unsigned first = below(model, MODEL_NAMES);
	unsigned count = 1 + below(model, 3);
	bool add = below(model, 3) > 0;
	unsigned seconds = 1 + below(model, 60);
	unsigned admins = 0;

	for (unsigned i = 0; i < count; i++)
		names[i] = str_c(people[(first + i) % MODEL_NAMES]);
	command->type = add ? COMMAND_MEMBERS_ADD : COMMAND_MEMBERS_REMOVE;
	command->u.members.kind = kind;
	command->u.members.accounts = names;
	command->u.members.count = count;
	command->u.members.seconds = seconds;
	command->u.members.reason = kind == ITEM_BAN ? STR("reason") : STR("");
	command->origin.admin = true; /* only app admins have these calls */
	if (!room->exists)
		return HW_NO_ROOM;
	for (unsigned i = 0; add && kind == ITEM_ROBOT && i < count; i++)
		if (app->required && !app->accounts[(first + i) % MODEL_NAMES])
			return model_refuse(model, 0, HW_ACCOUNT_UNKNOWN);
	for (unsigned name = 0; add && kind == ITEM_ADMIN && name < MODEL_NAMES; name++)
		admins += room->admins[name] || (name + MODEL_NAMES - first) % MODEL_NAMES < count;
	if (admins > 5)
		return model_refuse(model, 5, HW_TOO_MANY_ADMINS);
	for (unsigned i = 0; i < count; i++) {
		unsigned name = (first + i) % MODEL_NAMES;

		if (kind == ITEM_ADMIN)
			room->admins[name] = add;
		else if (kind == ITEM_ROBOT)
			room->robots[name] = add;
		else
			room->until_s[kind == ITEM_BAN][name] = add ? model->now_ms / 1000 + seconds : 0;
		if (add && kind == ITEM_ROBOT)
			app->accounts[name] = true;
	}
	app->callbacks += kind == ITEM_ADMIN;
	return HW_OK;
}

static int model_import(struct model *model, struct model_app *app, struct command *command)
{
	struct account *account = &model->imports[command - model->commands];
	unsigned name = below(model, MODEL_NAMES);

	unsigned nick = below(model, ARRAY_LEN(nicks));

	*account = (struct account){.name = str_c(people[name])};
	if (below(model, 2)) {
		account->nick = str_c(nicks[nick]);
		app->nicks[name] = nick;
	}
	command->type = COMMAND_ACCOUNT_IMPORT;
	command->room_id = (struct str){0};
	command->u.account_import.accounts = account;
	command->u.account_import.count = 1;
	app->accounts[name] = true;
	return HW_OK;
}

static int model_command(struct model *model, size_t at)
{
	unsigned which = below(model, MODEL_APPS);
	struct model_app *app = &model->apps[which];
	unsigned index = below(model, MODEL_ROOMS);
	struct model_room *room = &app->rooms[index];
	struct command *command = &model->commands[at];
	unsigned who = below(model, MODEL_NAMES);
	unsigned dice = below(model, 100);

	*command = world_command(COMMAND_ROOM_CREATE, APP + which);
	command->room_id = str_c(room_ids[index]);
	command->origin.operator_account = str_c(people[who]);
	command->origin.admin = below(model, 2);
	command->origin.wall_ms = model->now_ms;
	if (dice < 20)
		return model_create(model, app, room, command, who);
	if (dice < 26)
		return model_destroy(app, room, command, who);
	if (dice < 40)
		return model_update(model, app, room, command, who);
	if (dice < 45)
		return model_change_owner(model, app, room, command);
	if (dice < 65)
		return model_set_metadata(model, app, room, command, who);
	if (dice < 72)
		return model_delete_metadata(model, app, room, command, who);
	if (dice < 98)
		return model_members(model, app, room, command);
	return model_import(model, app, command);
}

/* ---- comparing ---- */

/* Each item read must be in the model, and as many as there are. */
static void model_check_items(struct model *model, const struct model_room *want, int64_t id, enum item_kind kind)
{
	struct store_item items[ROOM_ITEM_COUNT_MAX];
	struct error err;
	size_t expected = 0;
	size_t alive = 0;
	size_t count;

	assert_int_equal(store_room_items(model->fixture->reader, &model->fixture->arena, id, kind, ARRAY_LEN(items),
					  items, &count, &err),
			 0);
	for (unsigned i = 0; i < (kind == ITEM_METADATA ? MODEL_KEYS : MODEL_NAMES); i++) {
		const char *name = kind == ITEM_METADATA ? keys[i] : people[i];
		int64_t until_s = kind >= ITEM_MUTE ? want->until_s[kind == ITEM_BAN][i] : 0;
		bool there = kind == ITEM_METADATA ? want->value_len[i] != 0
			     : kind == ITEM_ADMIN  ? want->admins[i]
			     : kind == ITEM_ROBOT  ? want->robots[i]
						   : until_s != 0 && !item_is_over(until_s, model->now_ms);
		size_t at = 0;

		if (!there)
			continue;
		expected++;
		while (at < count && !str_eq(items[at].name, str_c(name)))
			at++;
		assert_true(at < count);
		assert_true(items[at].until_s == until_s);
		if (kind == ITEM_METADATA)
			assert_int_equal(items[at].value.len, want->value_len[i] - 1);
		if (kind == ITEM_BAN)
			assert_true(str_eq(items[at].value, STR("reason")));
	}
	for (size_t i = 0; i < count; i++) {
		alive += !item_is_over(items[i].until_s, model->now_ms);
		if (i)
			assert_true(str_compare(items[i - 1].name, items[i].name) < 0);
	}
	assert_int_equal(alive, expected);
}

static void model_check_room(struct model *model, unsigned which, unsigned index)
{
	const struct model_room *want = &model->apps[which].rooms[index];
	struct fixture *fixture = model->fixture;
	struct room_info info;
	struct store_room room;
	struct error err;

	assert_int_equal(
		store_room_get(fixture->reader, &fixture->arena, which + 1, str_c(room_ids[index]), &room, &err),
		want->exists);
	if (!want->exists)
		return;
	room_info_read(room.info, room.room_id, &fixture->arena, &info);
	assert_true(str_eq(room.owner, str_c(people[want->owner])));
	assert_true(
		str_eq(info.values[ROOM_NAME].text, want->name ? str_c(room_names[want->name]) : STR("as created")));
	assert_int_equal(room.visible, want->visible);
	for (unsigned kind = 0; kind < ITEM_KIND_COUNT; kind++)
		model_check_items(model, want, room.id, (enum item_kind)kind);
}

static void model_check_accounts(struct model *model, unsigned which)
{
	struct fixture *fixture = model->fixture;

	for (unsigned i = 0; i < MODEL_NAMES; i++) {
		unsigned nick = model->apps[which].nicks[i];
		struct store_account account;
		struct error err;

		assert_int_equal(store_account_get(fixture->reader, &fixture->arena, which + 1, str_c(people[i]),
						   &account, &err),
				 model->apps[which].accounts[i]);
		if (!model->apps[which].accounts[i])
			continue;
		assert_true(str_eq(account.nick, str_c(nicks[nick])));
		assert_true(account.face_url.len == 0 && account.create_ms >= MODEL_START_MS);
	}
}

static void model_check_all(struct model *model)
{
	for (unsigned which = 0; which < MODEL_APPS; which++) {
		struct store_app app = fixture_app(model->fixture, APP + which);
		struct store_room rooms[MODEL_ROOMS];
		struct error err;
		size_t visible = 0;
		size_t count;

		assert_true(app.state.callback_sequence == model->apps[which].callbacks);
		for (unsigned index = 0; index < MODEL_ROOMS; index++) {
			model_check_room(model, which, index);
			visible += model->apps[which].rooms[index].exists && model->apps[which].rooms[index].visible;
		}
		assert_int_equal(store_room_list(model->fixture->reader, &model->fixture->arena, which + 1, INT64_MAX,
						 true, MODEL_ROOMS, rooms, &count, &err),
				 0);
		assert_int_equal(count, visible);
		model_check_accounts(model, which);
		(void)fixture_room_count(model->fixture, APP + which); /* it asserts that counter and rows agree */
	}
	arena_reset(&model->fixture->arena);
}

static void model_run_batch(struct model *model)
{
	size_t count = 1 + below(model, MODEL_BATCH_MAX);
	int want[MODEL_BATCH_MAX];

	model->now_ms += below(model, 5000);
	for (size_t i = 0; i < count; i++)
		want[i] = model_command(model, i);
	fixture_batch(model->fixture->store, model->commands, count);
	for (size_t i = 0; i < count; i++)
		if (model->commands[i].code != want[i])
			fail_msg("batch %llu, command %zu of type %d answered %d, not %d: %s", model->batch, i,
				 (int)model->commands[i].type, model->commands[i].code, want[i],
				 model->commands[i].text);
	model_check_room(model, below(model, MODEL_APPS), below(model, MODEL_ROOMS));
}

typedef int model_open(struct fixture *fixture, struct error *err);

static void model_reopen(struct model *model, model_open *open)
{
	struct error err;

	fixture_close(model->fixture);
	assert_int_equal(open(model->fixture, &err), 0);
	assert_int_equal(store_reader_open(model->fixture->store, &model->fixture->reader, &err), 0);
}

static void model_run(uint64_t seed, model_open *open, bool reopen)
{
	struct model *model = mem_zalloc(sizeof(*model));
	struct command command = world_command(COMMAND_APP_CREATE, APP);
	struct app_config config = world_config(ALERT_EVERY, MODEL_ROOMS);
	struct error err;

	memset(value_text, 'v', sizeof(value_text));
	model->prng.state = seed;
	model->now_ms = MODEL_START_MS;
	model->fixture = fixture_new();
	assert_int_equal(open(model->fixture, &err), 0);
	assert_int_equal(store_reader_open(model->fixture->store, &model->fixture->reader, &err), 0);
	config.callback_commands = MODEL_CALLBACKS;
	command.u.app_create = &config;
	assert_int_equal(fixture_run(model->fixture->store, command), HW_OK);
	model->apps[1].required = config.accounts_required = true;
	command.sdkappid = APP + 1;
	assert_int_equal(fixture_run(model->fixture->store, command), HW_OK);
	for (model->batch = 0; model->batch < MODEL_BATCHES; model->batch++) {
		model_run_batch(model);
		if (model->batch % 50 == 0)
			model_check_all(model);
		if (reopen && model->batch % 500 == 0)
			model_reopen(model, open);
	}
	model_check_all(model);
	for (unsigned i = 0; i < 6; i++)
		if (model->refused[i] < 5) /* the run met what it is for */
			fail_msg("only %u refusals of kind %u", model->refused[i], i);
	fixture_free(model->fixture);
	mem_free(model);
}

static void test_rooms_match_the_model_in_memory(void **state)
{
	(void)state;
	model_run(1, fixture_open_memory, false);
}

static void test_rooms_match_the_model_in_sqlite(void **state)
{
	(void)state;
	model_run(2, fixture_open_sqlite, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rooms_match_the_model_in_memory),
		cmocka_unit_test(test_rooms_match_the_model_in_sqlite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
