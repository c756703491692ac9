/* Apps in every kind of store: their configuration, what signs and certifies their requests, their state. */
#include "store/suite.h"

#include <highwater/webhook.h>

#define FULL_MS INT64_C(4102444800000)

/* Fills a list of what signs callbacks with its longest texts. */
static void fill_webhook_keys(struct app_keys *keys, enum hw_webhook_kind kind, size_t bytes, unsigned seed)
{
	keys->id_next = APP_KEY_ID_MAX - APP_KEY_COUNT_MAX;
	for (unsigned k = 0; k < APP_KEY_COUNT_MAX; k++) {
		unsigned char raw[HW_WEBHOOK_SECRET_BYTES_MAX];
		char text[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1];
		struct hw_webhook_key key;
		int len;

		memset(raw, (int)(seed + k), sizeof(raw));
		assert_int_equal(hw_webhook_key_make(kind, raw, bytes, &key), 0);
		len = hw_webhook_key_text(&key, text, sizeof(text));
		assert_true(len > 0);
		app_key_add(keys, (struct str){text, (size_t)len}, FULL_MS);
		keys->list[0].expire_ms = INT64_MAX - seed - k;
	}
}

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
		.certificate_set = true,
		.pause = PAUSE_GONE,
		.pause_ms = INT64_MAX,
	};

	for (unsigned k = 0; k < APP_KEY_COUNT_MAX; k++) { /* every legal byte, spaces at the ends too */
		char key[HW_USERSIG_KEY_BYTES_MAX];

		for (size_t i = 0; i < sizeof(key); i++)
			key[i] = (char)(' ' + (i + 90 * k) % 95);
		app_key_add(&config.keys, (struct str){key, sizeof(key)}, 0);
		config.keys.list[0].expire_ms = INT64_MAX - k;
	}
	fill_webhook_keys(&config.secrets, HW_WEBHOOK_SECRET, HW_WEBHOOK_SECRET_BYTES_MAX, 1);
	fill_webhook_keys(&config.signers, HW_WEBHOOK_PRIVATE, HW_WEBHOOK_SEED_BYTES, 101);
	for (size_t i = 0; i < sizeof(config.token); i++) /* any byte is legal in a token */
		config.token[i] = (char)(i * 2);
	for (unsigned i = 0; i < APP_ADMIN_COUNT_MAX; i++)
		memset(config.admins[i], (char)('A' + i), HW_IDENTIFIER_BYTES_MAX);
	memset(config.callback_url, 'p', HW_CALLBACK_URL_BYTES_MAX);
	memcpy(config.callback_url, "https://example.com/", 20);
	return config;
}

static void check_keys(const struct app_keys *got, const struct app_keys *want)
{
	assert_int_equal(got->count, want->count);
	assert_int_equal(got->id_next, want->id_next);
	for (unsigned i = 0; i < want->count; i++) {
		assert_int_equal(got->list[i].id, want->list[i].id);
		assert_true(got->list[i].create_ms == want->list[i].create_ms);
		assert_true(got->list[i].expire_ms == want->list[i].expire_ms);
		assert_int_equal(got->list[i].len, want->list[i].len);
		assert_memory_equal(got->list[i].bytes, want->list[i].bytes, sizeof(want->list[i].bytes));
	}
}

static void test_store_app_comes_back_in_every_field(void **state)
{
	struct fixture *fixture = *state;
	struct app_config config = full_config();
	struct command command = world_command(COMMAND_APP_CREATE, HW_SDKAPPID_MAX);
	struct store_app app;

	command.u.app_create = &config;
	command.origin.wall_ms = FULL_MS;
	assert_int_equal(fixture_run(fixture->store, command), HW_OK);
	config.sdkappid = HW_SDKAPPID_MAX;
	config.number = 1;
	config.create_ms = FULL_MS;
	app = fixture_app(fixture, HW_SDKAPPID_MAX);
	assert_int_equal(app.config.alert.mode, ALERT_STEP);
	assert_memory_equal(app.config.alert.thresholds, config.alert.thresholds, 8);
	assert_int_equal(app.config.alert.rearm_margin, 50);
	assert_int_equal(app.config.alert.step_percent, 50);
	assert_int_equal(app.config.create_ms, config.create_ms);
	assert_int_equal(app.config.number, 1);
	assert_int_equal(app.config.room_count_max, APP_ROOM_COUNT_MAX_LIMIT);
	app_key_stamp(&config.keys, config.create_ms);
	assert_int_equal(config.keys.count, APP_KEY_COUNT_MAX);
	check_keys(&app.config.keys, &config.keys);
	check_keys(&app.config.secrets, &config.secrets);
	check_keys(&app.config.signers, &config.signers);
	assert_true(app.config.certificate_set);
	assert_int_equal(app.config.pause, PAUSE_GONE);
	assert_true(app.config.pause_ms == INT64_MAX);
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
		.keys.id_next = 1,
		.secrets.id_next = 1,
		.signers.id_next = 1};
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
	assert_int_equal(app.config.keys.count + app.config.secrets.count + app.config.signers.count, 0);
	assert_int_equal(app.config.keys.id_next, 1);
	assert_int_equal(app.config.secrets.id_next, 1);
	assert_int_equal(app.config.signers.id_next, 1);
	assert_false(app.config.accounts_required || app.config.certificate_set);
	assert_int_equal(app.config.pause, PAUSE_NONE);
	assert_int_equal(app.config.pause_ms, 0);
}

static void test_store_keys_come_and_go(void **state)
{
	struct fixture *fixture = *state;
	struct app_config want;
	struct app_config got;

	fixture_add_app(fixture->store, APP, 10);
	want = fixture_app(fixture, APP).config;
	assert_int_equal(fixture_run(fixture->store, world_rotate(APP, "a second key", 5000, 100)), HW_OK);
	app_key_rotate(&want.keys, STR("a second key"), 5000, 100);
	assert_int_equal(want.keys.count, 2);
	got = fixture_app(fixture, APP).config;
	check_keys(&got.keys, &want.keys);
	for (uint32_t id = 1; id <= 2; id++)
		assert_int_equal(fixture_run(fixture->store, world_revoke(APP, id)), HW_OK);
	assert_int_equal(fixture_app(fixture, APP).config.keys.count, 0);
	assert_int_equal(fixture_run(fixture->store, world_rotate(APP, "a third key", 5000, 0)), HW_OK);
	assert_int_equal(fixture_app(fixture, APP).config.keys.list[0].id, 3);
}

#define SECRET_A "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
#define SECRET_B "whsec_AQECAwQFBgcICQoLDA0ODxAREhMUFRYX"
#define SIGNER "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static struct command rotate_secret(const char *text, bool private_key)
{
	struct command command = world_command(COMMAND_SECRET_ROTATE, APP);

	command.u.secret_rotate.text = str_c(text);
	command.u.secret_rotate.private_key = private_key;
	command.u.secret_rotate.overlap_ms = 500;
	return command;
}

static void test_store_secrets_and_signers_are_lists_of_their_own(void **state)
{
	struct fixture *fixture = *state;
	struct command revoke = world_command(COMMAND_SECRET_REVOKE, APP);
	struct app_config want;
	struct app_config got;

	fixture_add_app(fixture->store, APP, 10);
	want = fixture_app(fixture, APP).config;
	assert_int_equal(fixture_run(fixture->store, rotate_secret(SECRET_A, false)), HW_OK);
	assert_int_equal(fixture_run(fixture->store, rotate_secret(SECRET_B, false)), HW_OK);
	assert_int_equal(fixture_run(fixture->store, rotate_secret(SIGNER, true)), HW_OK);
	app_key_rotate(&want.secrets, STR(SECRET_A), 1000, 500);
	app_key_rotate(&want.secrets, STR(SECRET_B), 1000, 500);
	app_key_rotate(&want.signers, STR(SIGNER), 1000, 500);
	got = fixture_app(fixture, APP).config;
	check_keys(&got.keys, &want.keys);
	check_keys(&got.secrets, &want.secrets);
	check_keys(&got.signers, &want.signers);
	revoke.u.secret_revoke.id = 1;
	revoke.u.secret_revoke.private_key = true;
	assert_int_equal(fixture_run(fixture->store, revoke), HW_OK);
	got = fixture_app(fixture, APP).config;
	assert_int_equal(got.signers.count, 0);
	assert_int_equal(got.signers.id_next, 2);
	check_keys(&got.secrets, &want.secrets);
}

static void test_store_pause_is_kept_until_it_is_over(void **state)
{
	struct fixture *fixture = *state;
	struct command pause = world_command(COMMAND_CALLBACK_PAUSE, APP);

	pause.origin.wall_ms = FULL_MS;
	fixture_add_app(fixture->store, APP, 10);
	assert_int_equal(fixture_run(fixture->store, pause), HW_OK);
	assert_int_equal(fixture_app(fixture, APP).config.pause, PAUSE_OPERATOR);
	assert_true(fixture_app(fixture, APP).config.pause_ms == FULL_MS);
	assert_int_equal(fixture_run(fixture->store, world_command(COMMAND_CALLBACK_RESUME, APP)), HW_OK);
	assert_int_equal(fixture_app(fixture, APP).config.pause, PAUSE_NONE);
	assert_int_equal(fixture_app(fixture, APP).config.pause_ms, 0);
}

/* ---- certificates ---- */

static struct command set_certificate(uint32_t sdkappid, struct str chain, struct str key)
{
	struct command command = world_command(COMMAND_CERTIFICATE_SET, sdkappid);

	command.u.certificate.chain = chain;
	command.u.certificate.key = key;
	return command;
}

/* The app's certificate is this one; an empty one is none. */
static void check_certificate(struct fixture *fixture, uint32_t sdkappid, struct str chain, struct str key)
{
	struct str got_chain = STR("untouched");
	struct str got_key = STR("untouched");
	struct error err;

	assert_int_equal(store_certificate_get(fixture->reader, &fixture->arena, sdkappid, &got_chain, &got_key, &err),
			 chain.len > 0);
	assert_true(str_eq(got_chain, chain.len ? chain : STR("untouched")));
	assert_true(str_eq(got_key, chain.len ? key : STR("untouched")));
}

static void test_store_certificate_comes_back_whole_and_goes(void **state)
{
	static char chain[CERTIFICATE_BYTES_MAX];
	static char key[CERTIFICATE_BYTES_MAX];
	struct fixture *fixture = *state;

	memset(chain, 'c', sizeof(chain));
	memset(key, 'k', sizeof(key));
	fixture_add_app(fixture->store, APP, 1);
	fixture_add_app(fixture->store, APP + 1, 1);
	check_certificate(fixture, APP, STR(""), STR(""));
	assert_int_equal(fixture_run(fixture->store, set_certificate(APP, (struct str){chain, sizeof(chain)},
								     (struct str){key, sizeof(key)})),
			 HW_OK);
	check_certificate(fixture, APP, (struct str){chain, sizeof(chain)}, (struct str){key, sizeof(key)});
	assert_true(fixture_app(fixture, APP).config.certificate_set);
	check_certificate(fixture, APP + 1, STR(""), STR(""));
	assert_int_equal(fixture_run(fixture->store, set_certificate(APP, STR("another"), STR("key"))), HW_OK);
	check_certificate(fixture, APP, STR("another"), STR("key"));
	assert_int_equal(fixture_run(fixture->store, world_command(COMMAND_CERTIFICATE_DELETE, APP)), HW_OK);
	check_certificate(fixture, APP, STR(""), STR(""));
	assert_false(fixture_app(fixture, APP).config.certificate_set);
}

static void test_store_certificate_goes_with_its_app(void **state)
{
	struct fixture *fixture = *state;
	struct app_config config = world_config(ALERT_EVERY, 7);
	struct command batch[] = {world_command(COMMAND_APP_DELETE, APP), world_command(COMMAND_APP_CREATE, APP),
				  set_certificate(APP, STR("new"), STR("new key"))};

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_app(fixture->store, APP + 1, 1);
	assert_int_equal(fixture_run(fixture->store, set_certificate(APP, STR("old"), STR("old key"))), HW_OK);
	assert_int_equal(fixture_run(fixture->store, set_certificate(APP + 1, STR("other"), STR("other key"))), HW_OK);
	assert_int_equal(fixture_run(fixture->store, world_command(COMMAND_APP_DELETE, APP)), HW_OK);
	check_certificate(fixture, APP, STR(""), STR(""));
	fixture_add_app(fixture->store, APP, 1);
	check_certificate(fixture, APP, STR(""), STR("")); /* the new app has none of the old one's */
	assert_int_equal(fixture_run(fixture->store, set_certificate(APP, STR("old"), STR("old key"))), HW_OK);
	batch[1].u.app_create = &config;
	fixture_batch(fixture->store, batch, 2); /* the same within one batch */
	check_certificate(fixture, APP, STR(""), STR(""));
	batch[0].u.app_delete.force = true;
	fixture_batch(fixture->store, batch, 3);
	for (size_t i = 0; i < ARRAY_LEN(batch); i++)
		assert_int_equal(batch[i].code, HW_OK);
	check_certificate(fixture, APP, STR("new"), STR("new key"));
	check_certificate(fixture, APP + 1, STR("other"), STR("other key"));
}

/* ---- state ---- */

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

static void test_store_endpoint_is_kept_by_each_batch(void **state)
{
	struct fixture *fixture = *state;
	struct command mark = world_mark(APP, app_id_make(1, 1), DELIVERY_RETRY);
	struct app_endpoint got;

	fixture_add_app(fixture->store, APP, 1);
	fixture_add_rooms(fixture->store, APP, 0, 1);
	mark.u.delivery.sent = true;
	for (int i = 0; i < 3; i++) {
		mark.u.delivery.attempt_ms = FULL_MS + i;
		assert_int_equal(fixture_run(fixture->store, mark), HW_OK);
	}
	got = fixture_app(fixture, APP).state.endpoint;
	assert_int_equal(got.failures, 3);
	assert_true(got.failing_ms == FULL_MS);
	assert_int_equal(got.delivered_ms, 0);
	mark.u.delivery.mark = DELIVERY_DELIVERED;
	mark.u.delivery.attempt_ms = FULL_MS + 9;
	assert_int_equal(fixture_run(fixture->store, mark), HW_OK);
	got = fixture_app(fixture, APP).state.endpoint;
	assert_int_equal(got.failures, 0);
	assert_int_equal(got.failing_ms, 0);
	assert_true(got.delivered_ms == FULL_MS + 9);
}

struct seen {
	uint32_t sdkappids[8];
	size_t count;
};

static void see_app(void *context, const struct store_app *app)
{
	struct seen *seen = context;

	seen->sdkappids[seen->count++] = app->config.sdkappid;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_store_app_comes_back_in_every_field),
		WITH_STORE(test_store_app_of_smallest_values),
		WITH_STORE(test_store_keys_come_and_go),
		WITH_STORE(test_store_secrets_and_signers_are_lists_of_their_own),
		WITH_STORE(test_store_pause_is_kept_until_it_is_over),
		WITH_STORE(test_store_certificate_comes_back_whole_and_goes),
		WITH_STORE(test_store_certificate_goes_with_its_app),
		WITH_STORE(test_store_state_is_kept_by_each_batch),
		WITH_STORE(test_store_endpoint_is_kept_by_each_batch),
		WITH_STORE(test_store_apps_are_listed_by_sdkappid),
		WITH_STORE(test_store_app_that_is_not_there),
		WITH_STORE(test_store_app_number_is_never_reused),
	};

	return suite_run(tests, ARRAY_LEN(tests));
}
