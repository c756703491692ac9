/* What changes of an app do: the named fields and no others, and its keys. */
#include "unit/live/run.h"

/* What the app must be after one field of `from` was set. */
static void want_field(struct app_config *want, unsigned field, const struct app_config *from)
{
	if (field == APP_FIELD_ROOM_COUNT_MAX)
		want->room_count_max = from->room_count_max;
	if (field == APP_FIELD_ALERT_MODE)
		want->alert.mode = from->alert.mode;
	if (field == APP_FIELD_THRESHOLDS) {
		want->alert.threshold_count = from->alert.threshold_count;
		memcpy(want->alert.thresholds, from->alert.thresholds, sizeof(want->alert.thresholds));
	}
	if (field == APP_FIELD_REARM_MARGIN)
		want->alert.rearm_margin = from->alert.rearm_margin;
	if (field == APP_FIELD_STEP_PERCENT)
		want->alert.step_percent = from->alert.step_percent;
	if (field == APP_FIELD_KEY) { /* the only one, by the next id */
		want->keys.list[0] = from->keys.list[0];
		want->keys.list[0].id = want->keys.id_next++;
		want->keys.list[0].create_ms = 1000;
	}
	if (field == APP_FIELD_ADMINS) {
		want->admin_count = from->admin_count;
		memcpy(want->admins, from->admins, sizeof(want->admins));
	}
	if (field == APP_FIELD_CALLBACK_OVERWRITE)
		want->callback_overwrite = true;
	if (field == APP_FIELD_ACCOUNTS_REQUIRED)
		want->accounts_required = true;
}

static struct app_config other_config(void)
{
	struct app_config from = world_config(ALERT_STEP, 77);

	from.alert.threshold_count = 2;
	from.alert.thresholds[0] = 33;
	from.alert.thresholds[1] = 44;
	from.alert.rearm_margin = 11;
	from.alert.step_percent = 22;
	app_key_replace(&from.keys, STR("zzzzzzzzzz"), 7);
	from.admin_count = 1;
	(void)strcpy(from.admins[0], "boss");
	from.accounts_required = true;
	from.callback_overwrite = true;
	return from;
}

static void test_step_app_set_changes_named_fields_only(void **state)
{
	struct world *world = *state;
	struct app_config from = other_config();
	unsigned last = APP_FIELD_ACCOUNTS_REQUIRED;

	add_app(world, ALERT_EVERY, 5);
	for (unsigned field = 1; field <= last; field <<= 1) {
		struct app_config want = world_app(world, APP)->config;
		struct command command = world_command(COMMAND_APP_SET, APP);

		command.u.app_set.fields = field;
		command.u.app_set.config = &from;
		want_field(&want, field, &from);
		assert_memory_not_equal(&world_app(world, APP)->config, &want, sizeof(want));
		assert_int_equal(run(world, command), HW_OK);
		assert_memory_equal(&world_app(world, APP)->config, &want, sizeof(want));
	}
}

/* Two changes that were made from the same reading of the app: neither takes back what the other set. */
static void test_step_app_set_of_different_fields_in_one_batch(void **state)
{
	static const unsigned fields[] = {APP_FIELD_ALERT_MODE,	  APP_FIELD_THRESHOLDS, APP_FIELD_REARM_MARGIN,
					  APP_FIELD_STEP_PERCENT, APP_FIELD_ADMINS,	APP_FIELD_ROOM_COUNT_MAX};
	struct world *world = *state;
	struct app_config from[ARRAY_LEN(fields)];
	struct command batch[ARRAY_LEN(fields)];
	struct app_config want;

	add_app(world, ALERT_EVERY, 5);
	want = world_app(world, APP)->config;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct app_config set = other_config();

		from[i] = world_app(world, APP)->config;
		want_field(&from[i], fields[i], &set);
		want_field(&want, fields[i], &set);
		batch[i] = world_command(COMMAND_APP_SET, APP);
		batch[i].u.app_set.fields = fields[i];
		batch[i].u.app_set.config = &from[i];
	}
	run_all(world, batch, ARRAY_LEN(batch));
	assert_memory_equal(&world_app(world, APP)->config, &want, sizeof(want));
}

static void test_step_app_set_out_of_bounds_changes_nothing(void **state)
{
	struct world *world = *state;
	unsigned last = APP_FIELD_ADMINS;

	add_app(world, ALERT_EVERY, 5);
	for (unsigned field = 1; field <= last; field <<= 1) {
		struct command command = world_command(COMMAND_APP_SET, APP);
		struct app_config from = other_config();

		from.room_count_max = APP_ROOM_COUNT_MAX_LIMIT + 1;
		from.alert.mode = ALERT_MODE_COUNT;
		from.alert.thresholds[1] = 33;
		from.alert.rearm_margin = 51;
		from.alert.step_percent = 0;
		app_key_replace(&from.keys, STR("tab\tinside"), 1000);
		from.admins[0][0] = ' ';
		command.u.app_set.fields = field;
		command.u.app_set.config = &from;
		refuse(world, command, HW_BAD_PARAMETER);
	}
}

/* ---- keys ---- */

static void test_step_app_create_stamps_its_key(void **state)
{
	struct world *world = *state;
	struct app_config config = world_config(ALERT_EDGE, 7);
	struct command command = world_command(COMMAND_APP_CREATE, APP);

	config.keys.list[0].create_ms = 7; /* not the caller's to choose */
	command.origin.wall_ms = 5000;
	command.u.app_create = &config;
	assert_int_equal(run(world, command), HW_OK);
	assert_int_equal(world_app(world, APP)->config.keys.count, 1);
	assert_int_equal(world_app(world, APP)->config.keys.list[0].id, 1);
	assert_int_equal(world_app(world, APP)->config.keys.list[0].create_ms, 5000);
	assert_int_equal(world_app(world, APP)->config.keys.list[0].expire_ms, 0);
}

static void test_step_key_rotate_and_revoke(void **state)
{
	struct world *world = *state;
	struct command rotate = world_rotate(APP, "second key", 5000, 100);
	const struct app_config *config;

	add_app(world, ALERT_EDGE, 7);
	config = &world_app(world, APP)->config;
	{
		struct command *commands[] = {&rotate};

		world_run(world, commands, 1);
	}
	assert_int_equal(rotate.code, HW_OK);
	assert_int_equal(rotate.key_id, 2);
	assert_int_equal(config->keys.count, 2);
	assert_true(str_eq(secret_reveal(app_key_newest(&config->keys)), STR("second key")));
	assert_int_equal(config->keys.list[0].create_ms, 5000);
	assert_int_equal(config->keys.list[1].expire_ms, 5100);
	refuse(world, world_revoke(APP, 3), HW_BAD_PARAMETER);
	refuse(world, world_revoke(APP, 0), HW_BAD_PARAMETER);
	assert_int_equal(run(world, world_revoke(APP, 2)), HW_OK);
	assert_int_equal(config->keys.list[0].id, 1);
	assert_int_equal(config->keys.list[0].expire_ms, 5100); /* no more than it was promised */
	assert_int_equal(run(world, world_revoke(APP, 1)), HW_OK);
	assert_int_equal(config->keys.count, 0);
	refuse(world, world_revoke(APP, 1), HW_BAD_PARAMETER);
	assert_int_equal(run(world, world_rotate(APP, "third key", 5000, 0)), HW_OK);
	assert_int_equal(config->keys.list[0].id, 3); /* no id comes back */
}

static void test_step_key_rotate_refuses_what_is_no_key(void **state)
{
	static const char *const keys[] = {"", "seven77", "tab\tinside", "k\xc3\xa4se und brot"};
	struct world *world = *state;

	add_app(world, ALERT_EDGE, 7);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		refuse(world, world_rotate(APP, keys[i], 1000, 0), HW_BAD_PARAMETER);
	world_app(world, APP)->config.keys.id_next = APP_KEY_ID_MAX; /* the last id was given away */
	refuse(world, world_rotate(APP, "a good key", 1000, 0), HW_BAD_PARAMETER);
	world_app(world, APP)->config.keys.id_next = APP_KEY_ID_MAX - 1;
	assert_int_equal(run(world, world_rotate(APP, "a good key", 1000, 0)), HW_OK);
	refuse(world, world_rotate(APP, "a good key", 1000, 60000),
	       HW_BAD_PARAMETER); /* it could not be revoked then */
}

static void test_step_keys_of_one_batch(void **state)
{
	struct world *world = *state;
	struct command batch[] = {world_rotate(APP, "second key", 1000, 10), world_rotate(APP, "third key", 1000, 20),
				  world_revoke(APP, 2)};

	add_app(world, ALERT_EDGE, 7);
	run_all(world, batch, ARRAY_LEN(batch));
	assert_int_equal(batch[0].key_id, 2);
	assert_int_equal(batch[1].key_id, 3);
	assert_int_equal(world_app(world, APP)->config.keys.count, 2);
	assert_int_equal(world_app(world, APP)->config.keys.list[0].id, 3);
	assert_int_equal(world_app(world, APP)->config.keys.list[1].id, 1);
	assert_int_equal(world_app(world, APP)->config.keys.list[1].expire_ms, 1010);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(test_step_app_set_changes_named_fields_only),
		WITH_WORLD(test_step_app_set_of_different_fields_in_one_batch),
		WITH_WORLD(test_step_app_set_out_of_bounds_changes_nothing),
		WITH_WORLD(test_step_app_create_stamps_its_key),
		WITH_WORLD(test_step_key_rotate_and_revoke),
		WITH_WORLD(test_step_key_rotate_refuses_what_is_no_key),
		WITH_WORLD(test_step_keys_of_one_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
