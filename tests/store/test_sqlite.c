/* What only the SQLite store promises: the file survives, belongs to one process, is recognised, and is brought forward
 * from every earlier version. */
#include "store/sqlite_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

/* Opening must fail with that class, and say what. */
static void open_fails(struct fixture *fixture, enum error_class class, const char *said)
{
	struct error err = {0};

	if (fixture_open_sqlite(fixture, &err) == 0)
		fail_msg("it opened, where \"%s\" was expected", said);
	if (err.class != class || !strstr(err.text, said))
		fail_msg("%s: %s", error_class_word(err.class), err.text);
	assert_null(fixture->store);
	assert_non_null(strstr(err.text, fixture->path));
}

/* ---- surviving ---- */

static void test_sqlite_reopen_keeps_everything(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback row;
	uint64_t id;

	fixture_open(fixture);
	id = store_id(fixture->store);
	fixture_add_app(fixture->store, APP, 3);
	fixture_add_rooms(fixture->store, APP, 0, 3);
	fixture_add_app(fixture->store, 5, 3);
	assert_int_equal(fixture_run(fixture->store, world_command(COMMAND_APP_DELETE, 5)), HW_OK);
	fixture_close(fixture);
	fixture_open(fixture);
	assert_true(store_id(fixture->store) == id);
	assert_int_equal(fixture_room_count(fixture, APP), 3);
	assert_int_equal(fixture_app(fixture, APP).state.room_sequence, 3);
	assert_int_equal(fixture_app(fixture, APP).state.alert_level, 70);
	assert_int_equal(fixture_waiting(fixture, APP, &row, 1), 1);
	assert_int_equal(fixture_run(fixture->store, world_create(APP, "r4", "u")), HW_QUOTA_FULL);
	assert_int_equal(fixture_run(fixture->store, world_destroy(APP, "r0", "bob")), HW_NO_PERMISSION);
	fixture_add_app(fixture->store, 6, 1);
	assert_int_equal(fixture_app(fixture, 6).config.number, 3); /* that of the deleted app is not used again */
}

static void test_sqlite_two_stores_have_two_ids(void **state)
{
	struct fixture *other = fixture_new();
	struct fixture *fixture = *state;

	fixture_open(fixture);
	fixture_open(other);
	assert_true(store_id(fixture->store) != store_id(other->store));
	fixture_free(other);
}

static void test_sqlite_files_are_private(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	struct fixture *fixture = *state;
	mode_t old = umask(0);

	fixture_open(fixture);
	fixture_add_app(fixture->store, APP, 3);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		struct stat facts;
		char path[96];

		(void)snprintf(path, sizeof(path), "%s%s", fixture->path, suffixes[i]); /* fits */
		assert_int_equal(stat(path, &facts), 0);
		assert_int_equal(facts.st_mode & 07777, 0600);
	}
	(void)umask(old); /* as it was */
}

/* ---- one process ---- */

static void test_sqlite_second_opener_is_refused_until_the_first_closes(void **state)
{
	struct fixture *fixture = *state;
	struct store *store;

	fixture_open(fixture);
	store = fixture->store;
	fixture->store = NULL;
	open_fails(fixture, ERR_BUSY, "another highwater process");
	fixture->store = store;
	fixture_add_app(fixture->store, APP, 3); /* the first one is unharmed */
	fixture_close(fixture);
	fixture_open(fixture);
}

static void test_sqlite_second_process_is_refused(void **state)
{
	struct fixture *fixture = *state;
	int status;
	pid_t child;
	int ready[2];
	int done[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(done), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct error err;

		_exit(fixture_open_sqlite(fixture, &err) || write(ready[1], "r", 1) != 1 ||
		      read(done[0], &byte, 1) != 1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	open_fails(fixture, ERR_BUSY, "another highwater process");
	assert_int_equal(write(done[1], "d", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	fixture_open(fixture); /* the lock ended with the process, which did not close */
	for (int i = 0; i < 2; i++)
		assert_int_equal(close(ready[i]) | close(done[i]), 0);
}

static void test_sqlite_folder_that_is_not_there_is_an_io_error(void **state)
{
	struct fixture *fixture = *state;

	fixture->sqlite.path = "/nonexistent/folder/db";
	(void)strcpy(fixture->path, "/nonexistent/folder/db");
	open_fails(fixture, ERR_IO, "No such file");
}

/* ---- other files ---- */

static void test_sqlite_file_of_another_program_is_refused_untouched(void **state)
{
	static const char *const theirs[] = {
		"CREATE TABLE t (a); INSERT INTO t VALUES (1)",
		"PRAGMA application_id = 7; CREATE TABLE t (a)",
		"PRAGMA user_version = 3; CREATE TABLE t (a)",
	};

	for (size_t i = 0; i < ARRAY_LEN(theirs); i++) {
		struct fixture *fixture = *state;
		char before[8192];
		char after[8192];
		int fd;

		(void)unlink(fixture->path); /* of the round before */
		fixture_tamper(fixture, theirs[i]);
		fd = open(fixture->path, O_RDONLY);
		assert_true(fd >= 0);
		assert_int_equal(pread(fd, before, sizeof(before), 0), sizeof(before));
		open_fails(fixture, ERR_INVALID, "another program");
		assert_int_equal(pread(fd, after, sizeof(after), 0), sizeof(after));
		assert_memory_equal(before, after, sizeof(after)); /* not even the journal mode in the header */
		assert_int_equal(close(fd), 0);
	}
}

static void test_sqlite_file_that_is_no_database_is_refused(void **state)
{
	struct fixture *fixture = *state;
	char text[5000];

	memset(text, 'x', sizeof(text));
	fixture_overwrite(fixture, text, sizeof(text), 0);
	open_fails(fixture, ERR_INVALID, "not an SQLite file");
}

static void test_sqlite_newer_schema_is_refused(void **state)
{
	struct fixture *fixture = *state;

	fixture_open(fixture);
	fixture_close(fixture);
	fixture_tamper(fixture, "PRAGMA user_version = 9999");
	open_fails(fixture, ERR_INVALID, "newer");
	assert_int_equal(fixture_look(fixture, "PRAGMA user_version"), 9999);
	fixture_tamper(fixture, "PRAGMA user_version = -1");
	open_fails(fixture, ERR_INVALID, "newer");
}

static void test_sqlite_makes_a_store_of_an_empty_file(void **state)
{
	struct fixture *fixture = *state;

	fixture_overwrite(fixture, "", 0, 0);
	fixture_open(fixture);
	fixture_add_app(fixture->store, APP, 3);
	fixture_close(fixture);
	assert_true(fixture_look(fixture, "PRAGMA user_version") >= 1);
	assert_int_equal(fixture_look(fixture, "PRAGMA application_id"), 0x48575452);
	fixture_open(fixture);
	assert_int_equal(fixture_room_count(fixture, APP), 0);
}

static char *read_history(int64_t version)
{
	char path[512];
	char *text = mem_zalloc(65536);
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/store/history/%lld.sql", TESTS_FOLDER,
		       (long long)version); /* or no file */
	file = fopen(path, "re");
	if (!file)
		fail_msg("%s is missing: a file of each schema version must be kept", path);
	assert_true(fread(text, 1, 65535, file) > 0);
	assert_int_equal(fclose(file), 0);
	return text;
}

/* The oldest room: every property has a value, whatever the version knew of it; from version 2 on it keeps an item. */
static void check_history_room(struct fixture *fixture, int64_t version)
{
	struct store_item items[2];
	struct store_room room;
	struct room_info info;
	struct error err;
	size_t count;

	assert_int_equal(store_room_get(fixture->reader, &fixture->arena, 2, STR("r0"), &room, &err), 1);
	assert_true(strstr(room.info.ptr, "\"Notice\":\"\"}") != NULL);
	room_info_read(room.info, room.room_id, &fixture->arena, &info);
	assert_true(str_eq(info.values[ROOM_NAME].text, STR("r0")));
	assert_int_equal(
		store_room_items(fixture->reader, &fixture->arena, room.id, ITEM_METADATA, 2, items, &count, &err), 0);
	assert_int_equal(count, version >= 2);
	if (count)
		assert_true(str_eq(items[0].value, STR("value")));
}

/* The one callback, tried twice; from version 3 on with its log, a secret, a certificate and failures of the endpoint. */
static void check_history_callback(struct fixture *fixture, int64_t version)
{
	struct store_app app = fixture_app(fixture, APP);
	struct store_callback row;
	struct error err;
	struct str chain;
	struct str key;

	assert_int_equal(fixture_waiting(fixture, APP, &row, 1), 1);
	assert_int_equal(row.due_ms, 5000);
	assert_int_equal(row.attempts, 2);
	assert_int_equal(row.base_ms, 1000); /* the event's */
	assert_int_equal(row.base_attempts + row.replays, 0);
	assert_true(str_eq(row.log, version >= 3 ? STR("[{}]") : STR("")));
	assert_int_equal(app.state.endpoint.failures, version >= 3 ? 2 : 0);
	assert_int_equal(app.state.endpoint.failing_ms, version >= 3 ? 3000 : 0);
	assert_int_equal(app.state.endpoint.delivered_ms, 0);
	assert_int_equal(app.config.secrets.count, version >= 3);
	assert_int_equal(app.config.secrets.id_next, version >= 3 ? 2 : 1);
	assert_int_equal(app.config.signers.count, 0);
	assert_int_equal(app.config.signers.id_next, 1);
	assert_int_equal(app.config.pause, PAUSE_NONE);
	assert_int_equal(app.config.certificate_set, version >= 3);
	assert_int_equal(store_certificate_get(fixture->reader, &fixture->arena, APP, &chain, &key, &err),
			 version >= 3);
}

/* From version 4 on one row of the audit log and one sample, and the minute that runs; before it none. */
static void check_history_past(struct fixture *fixture, int64_t version)
{
	struct app_state state = fixture_app(fixture, APP).state;
	struct store_audit audit;
	struct store_sample sample;
	struct error err;
	size_t count;

	assert_int_equal(store_audit_list(fixture->reader, &fixture->arena, APP, INT64_MAX, 1, &audit, &count, &err),
			 0);
	assert_int_equal(count, version >= 4);
	if (count)
		assert_true(audit.id == 7 && str_eq(audit.detail, STR("maximum 3")));
	assert_int_equal(store_sample_list(fixture->reader, 2, 0, 1, &sample, &count, &err), 0);
	assert_int_equal(count, version >= 4);
	if (count)
		assert_int_equal(sample.room_count, 2);
	assert_int_equal(state.minute_ms, version >= 4 ? 120000 : 0);
	assert_int_equal(state.minute_highest, version >= 4 ? 3 : 0);
}

/* history/N.sql is a store as a program with N schema steps left it: app 1400000001 with number 2, a maximum of 3,
 * rooms r0 to r2, and one waiting callback. Whoever adds step N + 1 leaves those files as they are. */
static void test_sqlite_opens_a_file_of_every_earlier_version(void **state)
{
	struct fixture *fixture = *state;
	int64_t newest;

	fixture_open(fixture);
	fixture_close(fixture);
	newest = fixture_look(fixture, "PRAGMA user_version");
	for (int64_t version = 1; version <= newest; version++) {
		struct fixture *old = fixture_new();
		char *sql = read_history(version);
		struct app_config config;

		fixture_tamper(old, sql);
		mem_free(sql);
		assert_int_equal(fixture_look(old, "PRAGMA user_version"), version);
		fixture_open(old);
		assert_int_equal(fixture_room_count(old, APP), 3);
		assert_int_equal(fixture_app(old, APP).config.number, 2);
		assert_true(store_id(old->store) == 0x0123456789abcdef);
		check_history_callback(old, version);
		check_history_past(old, version);
		config = fixture_app(old, APP).config;
		assert_true(str_eq(secret_reveal(app_key_newest(&config.keys)), STR("kkkkkkkk")));
		check_history_room(old, version);
		assert_int_equal(fixture_run(old->store, world_create(APP, "r4", "u")), HW_QUOTA_FULL);
		assert_int_equal(fixture_run(old->store, world_destroy(APP, "r0", "alice")), HW_OK);
		fixture_close(old);
		assert_int_equal(fixture_look(old, "PRAGMA user_version"), newest);
		fixture_free(old);
	}
}

static void test_sqlite_key_of_version_1_becomes_the_first_key(void **state)
{
	struct fixture *fixture = *state;
	char *sql = read_history(1);
	struct app_config config;

	fixture_tamper(fixture, sql);
	fixture_tamper(fixture, "UPDATE apps SET key = ' a key with spaces ', create_ms = 1795559392598");
	mem_free(sql);
	for (int i = 0; i < 2; i++) { /* as it was migrated, and as it was stored since */
		fixture_open(fixture);
		config = fixture_app(fixture, APP).config;
		assert_int_equal(config.keys.count, 1);
		assert_int_equal(config.keys.id_next, 2);
		assert_int_equal(config.keys.list[0].id, 1);
		assert_true(config.keys.list[0].create_ms == INT64_C(1795559392598));
		assert_true(config.keys.list[0].expire_ms == 0);
		assert_true(str_eq(secret_reveal(app_key_newest(&config.keys)), STR(" a key with spaces ")));
		assert_false(config.accounts_required);
		config.room_count_max = 4;
		assert_int_equal(fixture_run(fixture->store, world_set_max(APP, &config)), HW_OK);
		fixture_close(fixture);
	}
}

/* Before version 3 a callback that was never tried had a time, and no other column tells that it was not. */
static void test_sqlite_untried_callbacks_of_version_2_are_due_at_once(void **state)
{
	for (int64_t version = 1; version <= 2; version++) {
		struct fixture *fixture = fixture_new();
		char *sql = read_history(version);
		struct store_callback rows[4];
		int64_t id;
		struct error err;

		fixture_tamper(fixture, sql);
		fixture_tamper(fixture,
			       "INSERT INTO callbacks SELECT id + column1, sdkappid, command, column2, platform, "
			       "client_ip, body, event_ms + column1, column3, column4, 7000, 0, 0, '' "
			       "FROM callbacks, (VALUES (1, 0, 0, 0), (2, 90, 2, 1), (3, 0, 2, 0))");
		mem_free(sql);
		fixture_open(fixture);
		assert_int_equal(fixture_waiting(fixture, APP, rows, 4), 2);
		assert_true(rows[0].id == app_id_make(2, 2)); /* never tried */
		assert_int_equal(rows[0].due_ms, 0);
		assert_int_equal(rows[0].base_ms, 1001);
		assert_true(rows[1].id == app_id_make(2, 1));
		assert_int_equal(fixture_list(fixture, 2, rows, 4), 4);
		assert_int_equal(rows[0].due_ms, 7000); /* final rows are as they were */
		/* the indexes hold the rows that were there before them */
		assert_int_equal(store_alert_newest(fixture->reader, APP, 90, &id, &err), 0);
		assert_true(id == app_id_make(2, 3));
		fixture_free(fixture);
	}
	(void)state;
}

static void test_sqlite_reopen_keeps_replays_and_certificates(void **state)
{
	struct fixture *fixture = *state;
	struct command replay = world_command(COMMAND_CALLBACK_REPLAY, APP);
	struct command certificate = world_command(COMMAND_CERTIFICATE_SET, APP);
	int64_t id = app_id_make(1, 1);
	struct store_callback row;
	struct error err;
	struct str chain;
	struct str key;

	replay.u.replay.ids = &id;
	replay.u.replay.count = 1;
	certificate.u.certificate.chain = STR("chain");
	certificate.u.certificate.key = STR("key");
	fixture_open(fixture);
	fixture_add_app(fixture->store, APP, 3);
	fixture_add_callbacks(fixture->store, APP, 1, 9000);
	fixture_mark(fixture->store, APP, id, DELIVERY_FAILED, 0);
	assert_int_equal(fixture_run(fixture->store, replay), HW_OK);
	assert_int_equal(fixture_run(fixture->store, certificate), HW_OK);
	fixture_close(fixture);
	fixture_open(fixture);
	row = fixture_callback(fixture, id);
	assert_int_equal(row.replays, 1);
	assert_int_equal(row.base_ms, 1000);
	assert_int_equal(store_certificate_get(fixture->reader, &fixture->arena, APP, &chain, &key, &err), 1);
	assert_true(str_eq(chain, STR("chain")) && str_eq(key, STR("key")));
}

static void test_sqlite_step_that_fails_leaves_the_old_version(void **state)
{
	struct fixture *fixture = *state;

	/* ours by its mark, version 0, yet a table of step 1 is there */
	fixture_tamper(fixture, "PRAGMA application_id = 0x48575452; CREATE TABLE rooms (x)");
	open_fails(fixture, ERR_IO, "schema step 1");
	assert_int_equal(fixture_look(fixture, "PRAGMA user_version"), 0);
	assert_int_equal(fixture_look(fixture, "SELECT count(*) FROM sqlite_schema"), 1);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_sqlite_reopen_keeps_everything),
		WITH_FIXTURE(test_sqlite_two_stores_have_two_ids),
		WITH_FIXTURE(test_sqlite_files_are_private),
		WITH_FIXTURE(test_sqlite_second_opener_is_refused_until_the_first_closes),
		WITH_FIXTURE(test_sqlite_second_process_is_refused),
		WITH_FIXTURE(test_sqlite_folder_that_is_not_there_is_an_io_error),
		WITH_FIXTURE(test_sqlite_file_of_another_program_is_refused_untouched),
		WITH_FIXTURE(test_sqlite_file_that_is_no_database_is_refused),
		WITH_FIXTURE(test_sqlite_newer_schema_is_refused),
		WITH_FIXTURE(test_sqlite_makes_a_store_of_an_empty_file),
		WITH_FIXTURE(test_sqlite_opens_a_file_of_every_earlier_version),
		WITH_FIXTURE(test_sqlite_key_of_version_1_becomes_the_first_key),
		cmocka_unit_test(test_sqlite_untried_callbacks_of_version_2_are_due_at_once),
		WITH_FIXTURE(test_sqlite_reopen_keeps_replays_and_certificates),
		WITH_FIXTURE(test_sqlite_step_that_fails_leaves_the_old_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
