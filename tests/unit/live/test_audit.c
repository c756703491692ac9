/* The audit log: a row for each change that is made, none for one that is not, and what the rows tell. */
#include "live/audit.h"
#include "unit/live/batch.h"
#include "unit/protocol/webhook_vectors.h"

#include <string.h>

#define URL "https://app.example.com/hook?key=SECRETSECRET"
#define SECRET "SECRETSECRET"

static struct command managed(struct command command)
{
	command.origin.actor = STR("session:0123abcd");
	command.origin.admin = true;
	return command;
}

static struct command set_callback(enum command_type type, const char *url, uint32_t commands)
{
	struct command command = world_command(type, APP);

	command.u.callback.url = str_c(url);
	command.u.callback.commands = commands;
	return command;
}

/* Runs one command on the fixture's app and checks its row; `detail` NULL: there is none. */
static void check(struct batch *batch, struct command command, const char *action, const char *detail)
{
	const struct live_audit *audit;

	batch_begin(batch, &command, 1);
	assert_int_equal(step(batch, 0), HW_OK);
	audit = batch->set.audits;
	if (!detail) {
		assert_null(audit);
		return;
	}
	assert_non_null(audit);
	assert_null(audit->next);
	assert_ptr_equal(batch->set.audit_last, audit);
	assert_int_equal(audit->sdkappid, APP);
	if (!str_eq(audit->action, str_c(action)) || !str_eq(audit->detail, str_c(detail)))
		fail_msg("\"%.*s\" \"%.*s\" in place of \"%s\" \"%s\"", (int)audit->action.len, audit->action.ptr,
			 (int)audit->detail.len, audit->detail.ptr, action, detail);
	assert_false(strstr(audit->detail.ptr, SECRET) != NULL);
}

static void test_audit_names_who_when_and_from_where(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {managed(world_command(COMMAND_CALLBACK_PAUSE, APP)),
				     by_app_admin(world_command(COMMAND_CALLBACK_RESUME, APP))};
	const struct live_audit *first;
	const struct live_audit *second;

	commands[0].origin.wall_ms = 1234;
	batch_begin(batch, commands, ARRAY_LEN(commands));
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(step(batch, 1), HW_OK);
	first = batch->set.audits;
	second = first->next;
	assert_true(str_eq(first->actor, STR("session:0123abcd")));
	assert_true(str_eq(first->client_ip, STR("203.0.113.9")));
	assert_true(first->time_ms == 1234);
	assert_true(str_eq(second->actor, STR("admin:administrator")));
	assert_null(second->next);
}

/* The longest names fit, and nobody can call himself what the management API's users are called. */
static void test_audit_actor_of_an_app_admin(void **state)
{
	static const char *const names[] = {"token", "system", "12345678901234567890123456789012"};
	struct batch *batch = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct command command = by(world_command(COMMAND_CALLBACK_PAUSE, APP), names[i]);
		char expected[AUDIT_ACTOR_BYTES_MAX + 1];

		(void)snprintf(expected, sizeof(expected), "admin:%s", names[i]); /* fits */
		batch_begin(batch, &command, 1);
		assert_int_equal(step(batch, 0), HW_OK);
		assert_true(str_eq(batch->set.audits->actor, str_c(expected)));
	}
}

static void test_audit_of_an_app(void **state)
{
	struct batch *batch = *state;
	struct app_config changed = batch->config;
	struct command command = world_command(COMMAND_APP_SET, APP);

	command.u.app_set.config = &changed;
	command.u.app_set.fields = APP_FIELD_ROOM_COUNT_MAX | APP_FIELD_ALERT | APP_FIELD_ADMINS |
				   APP_FIELD_CALLBACK_OVERWRITE | APP_FIELD_ACCOUNTS_REQUIRED;
	check(batch, command, "app_set", "nothing changed");
	changed.room_count_max = 200;
	check(batch, command, "app_set", "maximum 100 -> 200");
	changed = batch->config;
	changed.alert = (struct alert_policy){ALERT_STEP, 2, {60, 90}, 7, 3};
	changed.callback_overwrite = true;
	changed.accounts_required = true;
	changed.admin_count = 2;
	(void)strcpy(changed.admins[0], "anna");
	(void)strcpy(changed.admins[1], "bert");
	check(batch, command, "app_set",
	      "mode edge -> step; thresholds 70 -> 60,90; re-arm margin 5 -> 7; step 10 -> 3; admins none -> "
	      "anna,bert; "
	      "callback overwrite on; accounts required on");
	app_key_add(&changed.keys, STR(SECRET), 0);
	command.u.app_set.fields = APP_FIELD_KEY;
	check(batch, command, "app_set", "key 2 in place of all");
}

static void test_audit_of_creation_and_deletion(void **state)
{
	struct batch *batch = *state;
	struct app_config config = world_config(ALERT_EDGE, 500);
	struct command create = managed(world_command(COMMAND_APP_CREATE, APP));
	struct command destroy = world_command(COMMAND_APP_DELETE, APP);

	config.admin_count = 1;
	(void)strcpy(config.admins[0], "administrator");
	create.u.app_create = &config;
	batch_begin(batch, &create, 1);
	batch->app->exists = batch->app->exists_before = false;
	batch->app->config = NULL;
	assert_int_equal(step(batch, 0), HW_OK);
	assert_true(
		str_eq(batch->set.audits->detail, STR("maximum 500; mode edge; thresholds 70; admins administrator")));
	check(batch, destroy, "app_delete", "");
	destroy.u.app_delete.force = true;
	batch_begin(batch, &destroy, 1);
	batch->app->state.callback_pending = 3;
	assert_int_equal(step(batch, 0), HW_OK);
	assert_true(str_eq(batch->set.audits->detail, STR("forced: 3 waiting callbacks given up")));
}

static void test_audit_of_keys_and_secrets_tells_ids_only(void **state)
{
	struct batch *batch = *state;
	struct command token = world_command(COMMAND_TOKEN_SET, APP);
	struct command secret = world_command(COMMAND_SECRET_ROTATE, APP);
	struct command certificate = world_command(COMMAND_CERTIFICATE_SET, APP);

	check(batch, world_rotate(APP, SECRET, 1000, 86400000), "app_key_rotate",
	      "key 2 made; earlier ones end in 86400 s");
	app_key_add(&batch->config.keys, STR("another key"), 0);
	check(batch, world_revoke(APP, 1), "app_key_revoke", "key 1");
	token.u.token.token = STR(SECRET);
	token.u.token.has_token = token.u.token.has_enabled = token.u.token.enabled = true;
	check(batch, token, "token_set", "token given; Sign on");
	secret.u.secret_rotate.private_key = true;
	secret.u.secret_rotate.text = STR(VECTOR_PRIVATE);
	check(batch, secret, "app_secret_rotate", "private key 1 made; earlier ones end in 0 s");
	certificate.u.certificate.chain = STR("chain");
	certificate.u.certificate.key = STR(SECRET);
	check(batch, certificate, "app_certificate_set", "");
	check(batch, world_command(COMMAND_CERTIFICATE_DELETE, APP), "app_certificate_delete", "");
}

static void test_audit_of_a_callback_configuration_shows_no_query(void **state)
{
	struct batch *batch = *state;
	uint32_t alert = 1u << HW_CALLBACK_THRESHOLD;

	batch->config.callback_commands = alert;
	check(batch, set_callback(COMMAND_CALLBACK_UPDATE, URL, alert), "callback_set",
	      "URL http://127.0.0.1/ -> https://app.example.com/hook?...");
	check(batch, set_callback(COMMAND_CALLBACK_UPDATE, "http://127.0.0.1/", 0), "callback_set", "switched on none");
	check(batch, set_callback(COMMAND_CALLBACK_UPDATE, "http://127.0.0.1/", alert), "callback_set",
	      "nothing changed");
	(void)strcpy(batch->config.callback_url, URL);
	check(batch, world_command(COMMAND_CALLBACK_DELETE, APP), "callback_clear",
	      "URL was https://app.example.com/hook?...");
	batch->config.callback_set = false;
	batch->config.callback_url[0] = '\0';
	batch->config.callback_commands = 0;
	check(batch, world_command(COMMAND_CALLBACK_DELETE, APP), "callback_clear", "nothing changed");
	check(batch, set_callback(COMMAND_CALLBACK_SET, URL, alert), "callback_set",
	      "URL https://app.example.com/hook?...; switched on Live.CallbackAfterCreateRoomReachingThreshold");
}

static void test_audit_of_tests_and_replays(void **state)
{
	struct batch *batch = *state;
	struct command replay = world_command(COMMAND_CALLBACK_REPLAY, APP);
	static const int64_t ids[] = {5};

	replay.u.replay.ids = ids;
	replay.u.replay.count = 1;
	check(batch, replay, "callback_replay", "0 callbacks wait again");
	check(batch, world_command(COMMAND_CALLBACK_TEST, APP), "callback_test", "callback 1");
}

/* Rooms are the daily work of users and app admins: no rows. Through the management API somebody meddles: rows. */
static void test_audit_of_rooms_only_through_the_management_api(void **state)
{
	struct batch *batch = *state;

	check(batch, world_create(APP, "room-1", "alice"), NULL, NULL);
	check(batch, by_app_admin(world_create(APP, "room-1", "alice")), NULL, NULL);
	check(batch, managed(world_create(APP, "room-1", "alice")), "room_create", "room room-1");
}

static void test_audit_of_what_was_refused_is_none(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {managed(world_revoke(APP, 99)), managed(world_destroy(APP, "nowhere", "alice"))};

	batch_begin(batch, commands, ARRAY_LEN(commands));
	assert_int_equal(step(batch, 0), HW_BAD_PARAMETER);
	assert_int_equal(step(batch, 1), HW_NO_ROOM);
	assert_null(batch->set.audits);
}

/* A delivery changes the configuration once: when the endpoint says it is gone. */
static void test_audit_of_an_endpoint_that_has_gone(void **state)
{
	struct batch *batch = *state;
	struct command mark = world_mark(APP, app_id_make(NUMBER, 1), DELIVERY_RETRY);

	mark.origin = (struct command_origin){0}; /* as delivery sends it */
	mark.u.delivery.attempt_ms = 777;
	check(batch, mark, NULL, NULL);
	mark.u.delivery.gone = true;
	mark.u.delivery.url_hash = live_callback_url_hash(&batch->config);
	check(batch, mark, "callback_pause", "the endpoint answered 410: http://127.0.0.1/");
	assert_true(str_eq(batch->set.audits->actor, STR("system")));
	assert_true(batch->set.audits->time_ms == 777);
	batch->config.pause = PAUSE_GONE;
	batch->config.pause_ms = 777;
	check(batch, mark, NULL, NULL); /* it was so already */
}

/* The longest detail there can be. */
static void test_audit_longest_detail_fits(void **state)
{
	struct batch *batch = *state;
	struct app_config changed = batch->config;
	struct command command = world_command(COMMAND_APP_SET, APP);
	char url[HW_CALLBACK_URL_BYTES_MAX + 1] = "https://a/";

	for (unsigned i = 0; i < APP_ADMIN_COUNT_MAX; i++) {
		(void)snprintf(batch->config.admins[i], sizeof(batch->config.admins[i]), "%032u", i);
		(void)snprintf(changed.admins[i], sizeof(changed.admins[i]), "%032u", i + 50);
	}
	changed.admin_count = batch->config.admin_count = APP_ADMIN_COUNT_MAX;
	command.u.app_set.config = &changed;
	command.u.app_set.fields = APP_FIELD_ADMINS;
	batch_begin(batch, &command, 1);
	assert_int_equal(step(batch, 0), HW_OK);
	assert_true(batch->set.audits->detail.len > 2 * APP_ADMIN_COUNT_MAX * HW_IDENTIFIER_BYTES_MAX);
	memset(url + strlen(url), 'x', sizeof(url) - 1 - strlen(url));
	(void)strcpy(batch->config.callback_url, url);
	url[sizeof(url) - 2] = 'y';
	command = set_callback(COMMAND_CALLBACK_UPDATE, url, CALLBACKS_ALL & ~1u);
	batch_begin(batch, &command, 1);
	assert_int_equal(step(batch, 0), HW_OK);
	assert_true(batch->set.audits->detail.len > 2 * HW_CALLBACK_URL_BYTES_MAX);
	assert_true(batch->set.audits->detail.len < AUDIT_DETAIL_BYTES_MAX);
}

#define WITH_BATCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BATCH(test_audit_names_who_when_and_from_where),
		WITH_BATCH(test_audit_actor_of_an_app_admin),
		WITH_BATCH(test_audit_of_an_app),
		WITH_BATCH(test_audit_of_creation_and_deletion),
		WITH_BATCH(test_audit_of_keys_and_secrets_tells_ids_only),
		WITH_BATCH(test_audit_of_a_callback_configuration_shows_no_query),
		WITH_BATCH(test_audit_of_tests_and_replays),
		WITH_BATCH(test_audit_of_rooms_only_through_the_management_api),
		WITH_BATCH(test_audit_of_what_was_refused_is_none),
		WITH_BATCH(test_audit_of_an_endpoint_that_has_gone),
		WITH_BATCH(test_audit_longest_detail_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
