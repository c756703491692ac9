/* What an app's callbacks are signed with and what its requests show: secrets, private keys, the client certificate. */
#include "unit/live/run.h"
#include "unit/protocol/webhook_vectors.h"

#include <highwater/webhook.h>

static struct command rotate(bool private_key, const char *text, int64_t now_ms, int64_t overlap_ms)
{
	struct command command = world_command(COMMAND_SECRET_ROTATE, APP);

	command.origin.wall_ms = now_ms;
	command.u.secret_rotate.private_key = private_key;
	command.u.secret_rotate.text = str_c(text);
	command.u.secret_rotate.overlap_ms = overlap_ms;
	return command;
}

static struct command revoke(bool private_key, uint32_t id)
{
	struct command command = world_command(COMMAND_SECRET_REVOKE, APP);

	command.u.secret_revoke.private_key = private_key;
	command.u.secret_revoke.id = id;
	return command;
}

/* The id that a rotation gave. */
static uint32_t run_rotate(struct world *world, struct command command)
{
	struct command *commands[] = {&command};

	world_run(world, commands, 1);
	assert_int_equal(command.code, HW_OK);
	return command.key_id;
}

/* Secret number `i`, each another. */
static const char *secret_text(unsigned i, char out[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1])
{
	unsigned char bytes[32] = {(unsigned char)i};
	struct hw_webhook_key key;

	assert_int_equal(hw_webhook_key_make(HW_WEBHOOK_SECRET, bytes, sizeof(bytes), &key), 0);
	assert_true(hw_webhook_key_text(&key, out, HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1) > 0);
	return out;
}

static void test_step_secrets_of_both_kinds_are_lists_of_their_own(void **state)
{
	struct world *world = *state;
	const struct app_config *config;

	add_app(world, ALERT_EVERY, 5);
	config = &world_app(world, APP)->config;
	assert_int_equal(run_rotate(world, rotate(false, VECTOR_SECRET, 5000, 0)), 1);
	assert_int_equal(run_rotate(world, rotate(true, VECTOR_PRIVATE, 6000, 0)), 1);
	assert_int_equal(run_rotate(world, rotate(true, VECTOR_SEED, 7000, 500)), 2);
	assert_int_equal(config->secrets.count, 1);
	assert_true(str_eq(secret_reveal(app_key_newest(&config->secrets)), STR(VECTOR_SECRET)));
	assert_int_equal(config->secrets.list[0].create_ms, 5000);
	assert_int_equal(config->secrets.list[0].expire_ms, 0);
	assert_int_equal(config->signers.count, 2);
	assert_true(str_eq(secret_reveal(app_key_newest(&config->signers)), STR(VECTOR_SEED)));
	assert_int_equal(config->signers.list[0].expire_ms, 0);
	assert_int_equal(config->signers.list[1].expire_ms, 7500); /* both sign until then */
	assert_int_equal(config->keys.count, 1);		   /* UserSigs have keys of their own */
}

static void test_step_secret_rotate_refuses_what_is_no_key_of_that_kind(void **state)
{
	static const struct {
		bool private_key;
		const char *text;
	} rows[] = {
		{false, ""},
		{false, "whsec_"},
		{false, "whsec_AAAA"}, /* 3 bytes */
		{false, "a plain secret"},
		{false, VECTOR_PRIVATE},
		{false, VECTOR_PUBLIC},
		{true, VECTOR_SECRET},
		{true, VECTOR_PUBLIC}, /* it cannot sign */
		{true, "whsk_AAAA"},
		{true, ""},
	};
	struct world *world = *state;

	add_app(world, ALERT_EVERY, 5);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		refuse(world, rotate(rows[i].private_key, rows[i].text, 1000, 60000), HW_BAD_PARAMETER);
}

static void test_step_secret_rotate_refuses_one_that_the_app_has(void **state)
{
	struct world *world = *state;

	add_app(world, ALERT_EVERY, 5);
	(void)run_rotate(world, rotate(false, VECTOR_SECRET, 1000, 0));
	(void)run_rotate(world, rotate(true, VECTOR_PRIVATE, 1000, 0));
	refuse(world, rotate(false, VECTOR_SECRET, 2000, 60000), HW_BAD_PARAMETER);
	refuse(world, rotate(false, VECTOR_SECRET, 2000, 0), HW_BAD_PARAMETER);
	refuse(world, rotate(true, VECTOR_PRIVATE, 2000, 60000), HW_BAD_PARAMETER);
}

static void test_step_secrets_are_four_at_most(void **state)
{
	struct world *world = *state;
	char text[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1];
	const struct app_keys *secrets;

	add_app(world, ALERT_EVERY, 5);
	secrets = &world_app(world, APP)->config.secrets;
	for (unsigned i = 1; i <= APP_KEY_COUNT_MAX + 2; i++)
		assert_int_equal(run_rotate(world, rotate(false, secret_text(i, text), 1000 + i, 60000)), i);
	assert_int_equal(secrets->count, APP_KEY_COUNT_MAX);
	assert_int_equal(secrets->list[0].id, APP_KEY_COUNT_MAX + 2);
	assert_int_equal(secrets->list[APP_KEY_COUNT_MAX - 1].id, 3); /* the oldest two went */
	assert_int_equal(run_rotate(world, rotate(false, VECTOR_SECRET, 9000, 0)), APP_KEY_COUNT_MAX + 3);
	assert_int_equal(secrets->count, 1); /* without overlap it is the only one */
}

static void test_step_secret_rotate_ends_when_ids_are_used_up(void **state)
{
	struct world *world = *state;
	struct app_keys *lists[2];

	add_app(world, ALERT_EVERY, 5);
	lists[0] = &world_app(world, APP)->config.secrets;
	lists[1] = &world_app(world, APP)->config.signers;
	for (unsigned i = 0; i < 2; i++) {
		const char *text = i ? VECTOR_PRIVATE : VECTOR_SECRET;

		lists[i]->id_next = APP_KEY_ID_MAX;
		refuse(world, rotate(i, text, 1000, 0), HW_BAD_PARAMETER);
		lists[i]->id_next = APP_KEY_ID_MAX - 1;
		assert_int_equal(run_rotate(world, rotate(i, text, 1000, 0)), APP_KEY_ID_MAX - 1);
	}
}

static void test_step_secret_revoke_takes_that_one_of_that_kind(void **state)
{
	struct world *world = *state;
	const struct app_config *config;
	char text[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1];

	add_app(world, ALERT_EVERY, 5);
	config = &world_app(world, APP)->config;
	refuse(world, revoke(false, 1), HW_BAD_PARAMETER);
	(void)run_rotate(world, rotate(false, VECTOR_SECRET, 1000, 0));
	(void)run_rotate(world, rotate(false, secret_text(9, text), 1000, 60000));
	refuse(world, revoke(true, 1), HW_BAD_PARAMETER); /* of the other kind there is none */
	refuse(world, revoke(false, 3), HW_BAD_PARAMETER);
	refuse(world, revoke(false, 0), HW_BAD_PARAMETER);
	assert_int_equal(run(world, revoke(false, 2)), HW_OK);
	assert_int_equal(config->secrets.count, 1);
	assert_int_equal(config->secrets.list[0].id, 1);
	assert_int_equal(config->secrets.list[0].expire_ms, 61000); /* no more than it was promised */
	assert_int_equal(run(world, revoke(false, 1)), HW_OK);	    /* also the last one */
	assert_int_equal(config->secrets.count, 0);
	(void)run_rotate(world, rotate(true, VECTOR_SEED, 1000, 0));
	assert_int_equal(run(world, revoke(true, 1)), HW_OK);
	assert_int_equal(config->signers.count, 0);
	assert_int_equal(run_rotate(world, rotate(false, VECTOR_SECRET, 1000, 0)), 3); /* no id comes back */
}

static void test_step_secrets_of_one_batch(void **state)
{
	struct world *world = *state;
	char text[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1];
	struct command batch[] = {rotate(false, VECTOR_SECRET, 1000, 10), rotate(false, secret_text(1, text), 1000, 20),
				  rotate(true, VECTOR_PRIVATE, 1000, 0), revoke(false, 1), revoke(false, 1)};

	add_app(world, ALERT_EVERY, 5);
	run_all(world, batch, ARRAY_LEN(batch));
	assert_int_equal(batch[0].key_id, 1);
	assert_int_equal(batch[1].key_id, 2);
	assert_int_equal(batch[2].key_id, 1);
	assert_int_equal(batch[3].code, HW_OK);
	assert_int_equal(batch[4].code, HW_BAD_PARAMETER);
	assert_int_equal(world_app(world, APP)->config.secrets.count, 1);
	assert_int_equal(world_app(world, APP)->config.secrets.list[0].id, 2);
	assert_int_equal(world_app(world, APP)->config.signers.count, 1);
}

/* ---- the certificate ---- */

struct one_app {
	struct arena arena;
	struct live_set set;
	struct app_config config;
	struct live_app *app;
	struct command *commands;
};

static void begin(struct one_app *one, struct command *commands, size_t count, bool has)
{
	arena_init(&one->arena, 1 << 16);
	one->config = world_config(ALERT_EVERY, 5);
	one->config.sdkappid = APP;
	one->config.number = 7;
	one->config.certificate_set = has;
	one->commands = commands;
	live_set_init(&one->set, &one->arena, (struct hash_key){1, 2}, count);
	for (size_t i = 0; i < count; i++)
		live_set_touch(&one->set, &commands[i]);
	one->app = live_set_app(&one->set, APP);
	one->app->exists = one->app->exists_before = true;
	one->app->config = &one->config;
	one->app->number_before = 7;
	one->set.app_number_next = 8;
}

static int step(struct one_app *one, size_t at)
{
	struct command *command = &one->commands[at];

	live_step(&one->set, &command, 1);
	return command->code;
}

static struct command certificate(const char *chain, const char *key)
{
	struct command command = world_command(COMMAND_CERTIFICATE_SET, APP);

	command.u.certificate.chain = str_c(chain);
	command.u.certificate.key = str_c(key);
	return command;
}

static void test_step_certificate_set_and_replaced(void **state)
{
	struct command commands[] = {certificate("CHAIN", "KEY"), certificate("CHAIN 2", "KEY 2")};
	struct one_app one;

	(void)state;
	begin(&one, commands, 2, false);
	assert_int_equal(step(&one, 0), HW_OK);
	assert_true(one.app->config->certificate_set && one.app->config_changed && one.app->certificate_changed);
	assert_true(str_eq(one.app->certificate, STR("CHAIN")));
	assert_true(str_eq(one.app->certificate_key, STR("KEY")));
	assert_int_equal(one.app->wake, WAKE_NOW);
	assert_int_equal(step(&one, 1), HW_OK);
	assert_true(str_eq(one.app->certificate, STR("CHAIN 2")));
	assert_true(str_eq(one.app->certificate_key, STR("KEY 2")));
	arena_fini(&one.arena);
}

static void test_step_certificate_of_the_longest(void **state)
{
	static char text[CERTIFICATE_BYTES_MAX + 1];
	struct command command;
	struct one_app one;

	(void)state;
	memset(text, 'c', CERTIFICATE_BYTES_MAX);
	command = certificate(text, text);
	begin(&one, &command, 1, true);
	assert_int_equal(step(&one, 0), HW_OK);
	assert_int_equal(one.app->certificate.len, CERTIFICATE_BYTES_MAX);
	arena_fini(&one.arena);
}

static void test_step_certificate_delete(void **state)
{
	struct command command = world_command(COMMAND_CERTIFICATE_DELETE, APP);
	struct one_app one;

	(void)state;
	begin(&one, &command, 1, true);
	assert_int_equal(step(&one, 0), HW_OK);
	assert_true(one.app->config_changed && one.app->certificate_changed);
	assert_false(one.app->config->certificate_set);
	assert_int_equal(one.app->certificate.len + one.app->certificate_key.len, 0);
	arena_fini(&one.arena);
	begin(&one, &command, 1, false); /* without one: fine */
	assert_int_equal(step(&one, 0), HW_OK);
	assert_false(one.app->config_changed || one.app->certificate_changed);
	arena_fini(&one.arena);
}

static void test_step_certificate_goes_with_its_app(void **state)
{
	struct app_config config = world_config(ALERT_EVERY, 5);
	struct command commands[] = {certificate("CHAIN", "KEY"), world_command(COMMAND_APP_DELETE, APP),
				     world_command(COMMAND_APP_CREATE, APP), certificate("OF THE NEW ONE", "KEY")};
	struct one_app one;

	(void)state;
	commands[2].u.app_create = &config;
	begin(&one, commands, ARRAY_LEN(commands), false);
	assert_int_equal(step(&one, 0), HW_OK);
	assert_int_equal(step(&one, 1), HW_OK);
	assert_false(one.app->certificate_changed); /* nothing to write for an app that is not there */
	assert_int_equal(step(&one, 2), HW_OK);
	assert_false(one.app->config->certificate_set || one.app->certificate_changed);
	assert_int_equal(step(&one, 3), HW_OK);
	assert_true(one.app->config->certificate_set && one.app->certificate_changed);
	assert_true(str_eq(one.app->certificate, STR("OF THE NEW ONE")));
	arena_fini(&one.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(test_step_secrets_of_both_kinds_are_lists_of_their_own),
		WITH_WORLD(test_step_secret_rotate_refuses_what_is_no_key_of_that_kind),
		WITH_WORLD(test_step_secret_rotate_refuses_one_that_the_app_has),
		WITH_WORLD(test_step_secrets_are_four_at_most),
		WITH_WORLD(test_step_secret_rotate_ends_when_ids_are_used_up),
		WITH_WORLD(test_step_secret_revoke_takes_that_one_of_that_kind),
		WITH_WORLD(test_step_secrets_of_one_batch),
		cmocka_unit_test(test_step_certificate_set_and_replaced),
		cmocka_unit_test(test_step_certificate_of_the_longest),
		cmocka_unit_test(test_step_certificate_delete),
		cmocka_unit_test(test_step_certificate_goes_with_its_app),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
