/* A SQLite file is never trusted: whatever it holds that this program does not write is an error, and never more. */
#include "store/sqlite_file.h"

static void test_sqlite_damaged_header_is_refused(void **state)
{
	static const struct {
		off_t at;
		const char *bytes;
		size_t len;
	} rows[] = {{0, "XXXX", 4}, {16, "\x00\x03", 2}, {44, "\xff\xff\xff\xff", 4}, {68, "\x00\x00\x00\x01", 4}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *fixture = fixture_new();
		struct error err = {0};

		fixture_open(fixture);
		fixture_add_app(fixture->store, APP, 3);
		fixture_close(fixture);
		fixture_overwrite(fixture, rows[i].bytes, rows[i].len, rows[i].at);
		assert_int_equal(fixture_open_sqlite(fixture, &err), -1);
		assert_true(err.class == ERR_INVALID || err.class == ERR_INTERNAL || err.class == ERR_IO);
		assert_null(fixture->store);
		fixture_free(fixture);
	}
	(void)state;
}

static void test_sqlite_damaged_pages_are_errors(void **state)
{
	for (off_t page = 1; page < 12; page++) {
		struct fixture *fixture = fixture_new();
		char rubbish[4096];
		struct error err;

		memset(rubbish, 0xa5, sizeof(rubbish));
		fixture_open(fixture);
		fixture_add_app(fixture->store, APP, 3);
		fixture_add_rooms(fixture->store, APP, 0, 3);
		fixture_close(fixture);
		fixture_overwrite(fixture, rubbish, sizeof(rubbish), page * 4096);
		if (fixture_open_sqlite(fixture, &err) == 0) { /* the damage may lie where opening does not look */
			struct command command = world_destroy(APP, "r0", "alice");

			if (fixture_try_batch(fixture->store, &command, 1, &err))
				assert_int_equal(err.class, ERR_INTERNAL);
		} else {
			assert_true(err.class == ERR_INTERNAL || err.class == ERR_IO || err.class == ERR_INVALID);
		}
		fixture_free(fixture);
	}
	(void)state;
}

/* Each change, made to a store of its own, must be met at the next opening. */
static void check_damage(const char *const *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct fixture *fixture = fixture_new();
		struct error err = {0};

		fixture_open(fixture);
		fixture_add_app(fixture->store, APP, 3);
		fixture_close(fixture);
		fixture_tamper(fixture, rows[i]);
		if (fixture_open_sqlite(fixture, &err) == 0)
			fail_msg("it opened after %s", rows[i]);
		if (str_starts_with(str_c(rows[i]), STR("UPDATE apps")))
			assert_int_equal(err.class, ERR_INTERNAL);
		assert_true(err.class == ERR_INTERNAL || err.class == ERR_IO);
		fixture_free(fixture);
	}
}

/* Values that this program never writes, one at a time. */
static void test_sqlite_app_row_out_of_bounds_is_an_error(void **state)
{
	static const char *const rows[] = {
		"UPDATE apps SET number = 0",
		"UPDATE apps SET number = -1",
		"UPDATE apps SET number = 4194304",
		"UPDATE apps SET number = 2", /* the next app would get it too */
		"UPDATE apps SET room_count_max = -1",
		"UPDATE apps SET room_count_max = 1000000001",
		"UPDATE apps SET room_count_max = 4294967296",
		"UPDATE apps SET alert_mode = 'sometimes'",
		"UPDATE apps SET thresholds = ''",
		"UPDATE apps SET thresholds = '70,60'",
		"UPDATE apps SET thresholds = '1,2,3,4,5,6,7,8,9'",
		"UPDATE apps SET rearm_margin = 256",
		"UPDATE apps SET rearm_margin = 51",
		"UPDATE apps SET step_percent = 0",
		"UPDATE apps SET step_percent = 257",
		"UPDATE apps SET admins = 'a b'",
		"UPDATE apps SET admins = printf('%.40c', 'a')",
		"UPDATE apps SET admins = replace(printf('%.11c', 'a'), 'a', 'x' || char(10))",
		"UPDATE apps SET callback_url = 'nonsense'",
		"UPDATE apps SET callback_url = 'http://' || printf('%.2000c', 'a')",
		"UPDATE apps SET callback_commands = 4294967297",
		"UPDATE apps SET callback_commands = 1 << 25",
		"UPDATE apps SET token_set = 1, token = ''",
		"UPDATE apps SET token_set = 1, token = printf('%.200c', 'k')",
		"UPDATE apps SET pause = 3",
		"UPDATE apps SET pause = -1",
		"UPDATE apps SET pause = 1 << 32",
		"UPDATE apps SET pause_ms = -1",
		"UPDATE app_state SET room_count = -1",
		"UPDATE app_state SET room_count = 1 << 60",
		"UPDATE app_state SET room_sequence = 1 << 40",
		"UPDATE app_state SET callback_sequence = -5",
		"UPDATE app_state SET callback_pending = -1",
		"UPDATE app_state SET alert_level = 101",
		"UPDATE app_state SET alert_level = 326",
		"UPDATE app_state SET failures = -1",
		"UPDATE app_state SET failures = 1 << 32",
		"UPDATE app_state SET failing_ms = -1",
		"UPDATE app_state SET delivered_ms = -1",
		"DELETE FROM app_state",
		"DELETE FROM meta WHERE key = 'store_id'",
		"DELETE FROM meta WHERE key = 'app_number_next'",
		"UPDATE meta SET value = 'x' WHERE key = 'app_number_next'",
		"DROP TABLE meta",
		"DROP TABLE callbacks",
		"DROP TABLE certificates",
	};

	check_damage(rows, ARRAY_LEN(rows));
	(void)state;
}

static void test_sqlite_keys_that_are_damaged_are_an_error(void **state)
{
	static const char *const rows[] = {
		"UPDATE apps SET keys = 'kkkkkkkk'",
		"UPDATE apps SET keys = '1 1000 0'",
		"UPDATE apps SET keys = '1 1000 0 short'",
		"UPDATE apps SET keys = '1 1000 0 ' || printf('%.129c', 'k')",
		"UPDATE apps SET keys = '1 1000 0 kkkkk' || char(9) || 'kkkk'",
		"UPDATE apps SET keys = '1 1000  kkkkkkkk'",
		"UPDATE apps SET keys = ' 1 1000 0 kkkkkkkk'",
		"UPDATE apps SET keys = 'x 1000 0 kkkkkkkk'",
		"UPDATE apps SET keys = '1 -1 0 kkkkkkkk'",
		"UPDATE apps SET keys = '1 1000 9223372036854775808 kkkkkkkk'",
		"UPDATE apps SET keys = '0 1000 0 kkkkkkkk'",
		"UPDATE apps SET keys = '2 1000 0 kkkkkkkk'", /* the next key would get it too */
		"UPDATE apps SET keys = '4294967297 1000 0 kkkkkkkk'",
		"UPDATE apps SET keys = keys || char(10) || char(10) || keys",
		"UPDATE apps SET keys = keys || char(10) || keys", /* one id twice */
		"UPDATE apps SET key_id_next = 9, keys = '1 1 0 kkkkkkkk' || char(10) || '2 1 0 kkkkkkkk'",
		"UPDATE apps SET key_id_next = 9, keys = '5 1 0 kkkkkkkk' || char(10) || '4 1 0 kkkkkkkk' || char(10) "
		"|| "
		"'3 1 0 kkkkkkkk' || char(10) || '2 1 0 kkkkkkkk' || char(10) || '1 1 0 kkkkkkkk'",
		"UPDATE apps SET key_id_next = 0",
		"UPDATE apps SET key_id_next = 1",
		"UPDATE apps SET key_id_next = 2147483648",
		"UPDATE apps SET key_id_next = 4294967298",
		"UPDATE apps SET secret_id_next = 0",
		"UPDATE apps SET secret_id_next = 4294967298",
		"UPDATE apps SET signer_id_next = 0",
		"UPDATE apps SET signer_id_next = 2147483648",
		"UPDATE apps SET secrets = '1 1 0 whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX'", /* the next would get it */
		"UPDATE apps SET secret_id_next = 2, secrets = '1 1 0 kkkkkkkk'",
		"UPDATE apps SET secret_id_next = 2, secrets = '1 1 0 whsec_AAECAwQF'",
		"UPDATE apps SET secret_id_next = 2, secrets = '1 1 whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX'",
		"UPDATE apps SET secret_id_next = 2, secrets = '1 1 0 whsk_' || printf('%.43c', 'A') || '='",
		"UPDATE apps SET signer_id_next = 2, signers = '1 1 0 whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX'",
	};

	check_damage(rows, ARRAY_LEN(rows));
	(void)state;
}

static void test_sqlite_callback_row_out_of_bounds_is_an_error(void **state)
{
	static const char *const rows[] = {
		"UPDATE callbacks SET state = 9",
		"UPDATE callbacks SET state = -1",
		"UPDATE callbacks SET command = 99",
		"UPDATE callbacks SET command = -1",
		"UPDATE callbacks SET platform = 8",
		"UPDATE callbacks SET platform = -2",
		"UPDATE callbacks SET state = 4",
		"UPDATE callbacks SET state = (1 << 32) + 1",
		"UPDATE callbacks SET sdkappid = 0",
		"UPDATE callbacks SET sdkappid = 1 << 32",
		"UPDATE callbacks SET threshold = 101",
		"UPDATE callbacks SET threshold = -1",
		"UPDATE callbacks SET event_ms = -1",
		"UPDATE callbacks SET attempts = -1",
		"UPDATE callbacks SET attempts = 1 << 32",
		"UPDATE callbacks SET due_ms = -1",
		"UPDATE callbacks SET attempt_ms = -1",
		"UPDATE callbacks SET http_status = -1",
		"UPDATE callbacks SET http_status = 1 << 32",
		"UPDATE callbacks SET base_ms = -1",
		"UPDATE callbacks SET base_attempts = -1",
		"UPDATE callbacks SET base_attempts = 1",
		"UPDATE callbacks SET replays = -1",
		"UPDATE callbacks SET replays = 1 << 32",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *fixture = fixture_new();
		struct store_callback_filter filter = {
			.before_id = INT64_MAX, .states = 15, .since_ms = INT64_MIN, .until_ms = INT64_MAX};
		struct store_callback row;
		struct error err = {0};
		int64_t next = 99;
		size_t count = 99;

		fixture_open(fixture);
		fixture_add_app(fixture->store, APP, 1);
		fixture_add_rooms(fixture->store, APP, 0, 1);
		fixture_close(fixture);
		fixture_tamper(fixture, rows[i]);
		fixture_open(fixture);
		assert_int_equal(
			store_callback_list(fixture->reader, &fixture->arena, &filter, 1, &row, &count, &next, &err),
			-1);
		assert_int_equal(next, 99);
		assert_int_equal(err.class, ERR_INTERNAL);
		assert_int_equal(count, 99);
		err.class = ERR_NONE;
		assert_int_equal(store_callback_get(fixture->reader, &fixture->arena, app_id_make(1, 1), &row, &err),
				 -1);
		assert_int_equal(err.class, ERR_INTERNAL);
		assert_int_equal(fixture_room_count(fixture, APP), 1); /* the reader goes on */
		fixture_free(fixture);
	}
	(void)state;
}

/* A command that names the row must not act on what cannot be. */
static void test_sqlite_state_that_is_none_fails_the_replay(void **state)
{
	static const char *const rows[] = {"UPDATE callbacks SET state = 4", "UPDATE callbacks SET state = -1",
					   "UPDATE callbacks SET state = (1 << 32) + 1"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *fixture = fixture_new();
		struct command replay = world_command(COMMAND_CALLBACK_REPLAY, APP);
		int64_t id = app_id_make(1, 1);
		struct error err = {0};

		replay.u.replay.ids = &id;
		replay.u.replay.count = 1;
		fixture_open(fixture);
		fixture_add_app(fixture->store, APP, 1);
		fixture_add_callbacks(fixture->store, APP, 1, 1000);
		fixture_close(fixture);
		fixture_tamper(fixture, rows[i]);
		fixture_open(fixture);
		assert_int_equal(fixture_try_batch(fixture->store, &replay, 1, &err), -1);
		assert_int_equal(err.class, ERR_INTERNAL);
		assert_non_null(strstr(err.text, "malformed"));
		fixture_free(fixture);
	}
	(void)state;
}

/* A number or a state that no program wrote is no reason to remove a row, nor to look for ever. */
static void test_sqlite_pruning_keeps_what_it_does_not_know(void **state)
{
	static const char *const rows[] = {"UPDATE callbacks SET state = 4", "UPDATE callbacks SET state = -1",
					   "UPDATE callbacks SET state = 1, id = 9223372036854775807",
					   "UPDATE callbacks SET state = 1, id = -1"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *fixture = fixture_new();
		struct store_retention retention = {.delivered_before_ms = i < 2 ? INT64_MAX : 1};
		struct error err = {0};
		int64_t cursor = 0;
		size_t removed = 99;

		fixture_open(fixture);
		fixture_add_app(fixture->store, APP, 1);
		fixture_add_callbacks(fixture->store, APP, 1, 1000);
		fixture_close(fixture);
		fixture_tamper(fixture, rows[i]);
		fixture_open(fixture);
		assert_int_equal(store_prune(fixture->store, &retention, &cursor, &removed, &err), 0);
		assert_int_equal(removed, 0);
		assert_int_equal(cursor, 0);
		fixture_free(fixture);
	}
	(void)state;
}

static void test_sqlite_certificate_out_of_bounds_is_an_error(void **state)
{
	static const char *const rows[] = {"UPDATE certificates SET chain = ''",
					   "UPDATE certificates SET chain = printf('%.16385c', 'c')",
					   "UPDATE certificates SET key = printf('%.16385c', 'k')"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *fixture = fixture_new();
		struct command certificate = world_command(COMMAND_CERTIFICATE_SET, APP);
		struct str chain = STR("untouched");
		struct str key = STR("untouched");
		struct error err = {0};

		certificate.u.certificate.chain = STR("chain");
		certificate.u.certificate.key = STR("key");
		fixture_open(fixture);
		fixture_add_app(fixture->store, APP, 1);
		assert_int_equal(fixture_run(fixture->store, certificate), HW_OK);
		fixture_close(fixture);
		fixture_tamper(fixture, rows[i]);
		fixture_open(fixture);
		assert_int_equal(store_certificate_get(fixture->reader, &fixture->arena, APP, &chain, &key, &err), -1);
		assert_int_equal(err.class, ERR_INTERNAL);
		assert_null(strstr(err.text, "kkk")); /* nothing of the key is said */
		assert_true(str_eq(chain, STR("untouched")) && str_eq(key, STR("untouched")));
		assert_int_equal(fixture_room_count(fixture, APP), 0); /* the reader goes on */
		fixture_free(fixture);
	}
	(void)state;
}

static void see_nothing(void *context, uint32_t sdkappid, uint32_t failures)
{
	(void)context; /* nothing is noted */
	(void)sdkappid;
	(void)failures;
}

static void test_sqlite_waiting_row_of_no_app_is_an_error(void **state)
{
	static const char *const rows[] = {"UPDATE callbacks SET sdkappid = 1 << 32",
					   "UPDATE callbacks SET sdkappid = -1"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *fixture = fixture_new();
		struct error err = {0};

		fixture_open(fixture);
		fixture_add_app(fixture->store, APP, 1);
		fixture_add_callbacks(fixture->store, APP, 1, 1000);
		fixture_close(fixture);
		fixture_tamper(fixture, rows[i]);
		fixture_open(fixture);
		assert_int_equal(store_waiting_each(fixture->reader, see_nothing, NULL, &err), -1);
		assert_int_equal(err.class, ERR_INTERNAL);
		assert_int_equal(fixture_room_count(fixture, APP), 0); /* the reader goes on */
		fixture_free(fixture);
	}
	(void)state;
}

static void see_no_line(void *context, const struct store_app_line *line)
{
	(void)line; /* how many is what matters */
	++*(unsigned *)context;
}

/* A server's start would refuse these; whoever only looks at the file meets them. */
static void test_sqlite_app_line_out_of_bounds_is_an_error(void **state)
{
	static const char *const rows[] = {
		"UPDATE apps SET room_count_max = -1",
		"UPDATE apps SET room_count_max = 1000000001",
		"UPDATE apps SET thresholds = ''",
		"UPDATE apps SET thresholds = '101'",
		"UPDATE apps SET pause = 3",
		"UPDATE apps SET pause = -1",
		"UPDATE app_state SET room_count = -1",
		"UPDATE app_state SET room_count = 1 << 40",
		"UPDATE app_state SET callback_pending = -1",
		"UPDATE app_state SET callback_pending = 1 << 40",
		"UPDATE app_state SET failures = -1",
		"UPDATE app_state SET failures = 1 << 32",
		"DELETE FROM app_state",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *fixture = fixture_new();
		struct store_reader *reader;
		struct error err = {0};
		unsigned seen = 0;

		fixture_open(fixture);
		fixture_add_app(fixture->store, APP, 3);
		fixture_close(fixture);
		assert_int_equal(store_sqlite_look(fixture->path, &reader, &err), 0);
		assert_int_equal(store_app_line_each(reader, see_no_line, &seen, &err), 0);
		store_reader_close(&reader);
		fixture_tamper(fixture, rows[i]);
		assert_int_equal(store_sqlite_look(fixture->path, &reader, &err), 0);
		if (store_app_line_each(reader, see_no_line, &seen, &err) != -1)
			fail_msg("it was read after %s", rows[i]);
		assert_int_equal(err.class, ERR_INTERNAL);
		assert_int_equal(seen, 1);
		store_reader_close(&reader);
		fixture_free(fixture);
	}
	(void)state;
}

static void test_sqlite_sample_out_of_bounds_is_an_error(void **state)
{
	static const char *const rows[] = {
		"INSERT INTO samples VALUES (1, 60000, -1, 1, 1)",
		"INSERT INTO samples VALUES (1, 60000, 1, -1, 1)",
		"INSERT INTO samples VALUES (1, 60000, 1, 1, -1)",
		"INSERT INTO samples VALUES (1, 60000, 1, 1, 1000000001)",
		"INSERT INTO samples VALUES (1, -60000, 1, 1, 1)",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *fixture = fixture_new();
		struct store_sample sample = {.minute_ms = 77};
		struct error err = {0};
		size_t count = 99;

		fixture_open(fixture);
		fixture_add_app(fixture->store, APP, 1);
		fixture_close(fixture);
		fixture_tamper(fixture, rows[i]);
		fixture_open(fixture);
		assert_int_equal(store_sample_at(fixture->reader, 1, INT64_MAX, &sample, &err), -1);
		assert_int_equal(err.class, ERR_INTERNAL);
		assert_int_equal(sample.minute_ms, 77);
		err.class = ERR_NONE;
		assert_int_equal(store_sample_list(fixture->reader, 1, -60000, 1, &sample, &count, &err), -1);
		assert_int_equal(err.class, ERR_INTERNAL);
		assert_int_equal(count, 99);
		assert_int_equal(fixture_room_count(fixture, APP), 0); /* the reader goes on */
		fixture_free(fixture);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sqlite_damaged_header_is_refused),
		cmocka_unit_test(test_sqlite_damaged_pages_are_errors),
		cmocka_unit_test(test_sqlite_app_row_out_of_bounds_is_an_error),
		cmocka_unit_test(test_sqlite_keys_that_are_damaged_are_an_error),
		cmocka_unit_test(test_sqlite_callback_row_out_of_bounds_is_an_error),
		cmocka_unit_test(test_sqlite_state_that_is_none_fails_the_replay),
		cmocka_unit_test(test_sqlite_pruning_keeps_what_it_does_not_know),
		cmocka_unit_test(test_sqlite_certificate_out_of_bounds_is_an_error),
		cmocka_unit_test(test_sqlite_waiting_row_of_no_app_is_an_error),
		cmocka_unit_test(test_sqlite_app_line_out_of_bounds_is_an_error),
		cmocka_unit_test(test_sqlite_sample_out_of_bounds_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
