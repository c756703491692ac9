/* What only the SQLite store promises: the file survives, belongs to one process, is recognised, and is never trusted.
 */
#include "store/fixture.h"

#include <fcntl.h>
#include <sqlite3.h>
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

static void open_store(struct fixture *fixture)
{
	struct error err;

	if (fixture_open_sqlite(fixture, &err) || store_reader_open(fixture->store, &fixture->reader, &err))
		fail_msg("%s", err.text);
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

/* Changes the closed file behind the store's back. */
static void tamper(struct fixture *fixture, const char *sql)
{
	char *why = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why))
		fail_msg("%s: %s", sql, why);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t look(struct fixture *fixture, const char *sql)
{
	sqlite3_stmt *statement;
	sqlite3 *db;
	int64_t value;

	assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return value;
}

static void write_file(struct fixture *fixture, const void *bytes, size_t len, off_t at)
{
	int fd = open(fixture->path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, at), len);
	assert_int_equal(close(fd), 0);
}

/* ---- surviving ---- */

static void test_sqlite_reopen_keeps_everything(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback row;
	uint64_t id;

	open_store(fixture);
	id = store_id(fixture->store);
	fixture_add_app(fixture->store, APP, 3);
	fixture_add_rooms(fixture->store, APP, 0, 3);
	fixture_add_app(fixture->store, 5, 3);
	assert_int_equal(fixture_run(fixture->store, world_command(COMMAND_APP_DELETE, 5)), HW_OK);
	fixture_close(fixture);
	open_store(fixture);
	assert_true(store_id(fixture->store) == id);
	assert_int_equal(fixture_room_count(fixture, APP), 3);
	assert_int_equal(fixture_app(fixture, APP).state.room_sequence, 3);
	assert_int_equal(fixture_app(fixture, APP).state.alert_level, 70);
	assert_int_equal(fixture_pending(fixture, APP, &row, 1), 1);
	assert_int_equal(fixture_run(fixture->store, world_create(APP, "r4", "u")), HW_QUOTA_FULL);
	assert_int_equal(fixture_run(fixture->store, world_destroy(APP, "r0", "bob")), HW_NO_PERMISSION);
	fixture_add_app(fixture->store, 6, 1);
	assert_int_equal(fixture_app(fixture, 6).config.number, 3); /* that of the deleted app is not used again */
}

static void test_sqlite_two_stores_have_two_ids(void **state)
{
	struct fixture *other = fixture_new();
	struct fixture *fixture = *state;

	open_store(fixture);
	open_store(other);
	assert_true(store_id(fixture->store) != store_id(other->store));
	fixture_free(other);
}

static void test_sqlite_files_are_private(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	struct fixture *fixture = *state;
	mode_t old = umask(0);

	open_store(fixture);
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

	open_store(fixture);
	store = fixture->store;
	fixture->store = NULL;
	open_fails(fixture, ERR_BUSY, "another highwater process");
	fixture->store = store;
	fixture_add_app(fixture->store, APP, 3); /* the first one is unharmed */
	fixture_close(fixture);
	open_store(fixture);
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
	open_store(fixture); /* the lock ended with the process, which did not close */
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
		tamper(fixture, theirs[i]);
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
	write_file(fixture, text, sizeof(text), 0);
	open_fails(fixture, ERR_INVALID, "not an SQLite file");
}

static void test_sqlite_newer_schema_is_refused(void **state)
{
	struct fixture *fixture = *state;

	open_store(fixture);
	fixture_close(fixture);
	tamper(fixture, "PRAGMA user_version = 9999");
	open_fails(fixture, ERR_INVALID, "newer");
	assert_int_equal(look(fixture, "PRAGMA user_version"), 9999);
	tamper(fixture, "PRAGMA user_version = -1");
	open_fails(fixture, ERR_INVALID, "newer");
}

static void test_sqlite_makes_a_store_of_an_empty_file(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "", 0, 0);
	open_store(fixture);
	fixture_add_app(fixture->store, APP, 3);
	fixture_close(fixture);
	assert_true(look(fixture, "PRAGMA user_version") >= 1);
	assert_int_equal(look(fixture, "PRAGMA application_id"), 0x48575452);
	open_store(fixture);
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

/* history/N.sql is a store as a program with N schema steps left it: app 1400000001 with number 2, a maximum of 3,
 * rooms r0 to r2, and one pending callback. Whoever adds step N + 1 leaves those files as they are. */
static void test_sqlite_opens_a_file_of_every_earlier_version(void **state)
{
	struct fixture *fixture = *state;
	int64_t newest;

	open_store(fixture);
	fixture_close(fixture);
	newest = look(fixture, "PRAGMA user_version");
	for (int64_t version = 1; version <= newest; version++) {
		struct fixture *old = fixture_new();
		char *sql = read_history(version);
		struct store_callback row;
		struct app_config config;

		tamper(old, sql);
		mem_free(sql);
		assert_int_equal(look(old, "PRAGMA user_version"), version);
		open_store(old);
		assert_int_equal(fixture_room_count(old, APP), 3);
		assert_int_equal(fixture_app(old, APP).config.number, 2);
		assert_true(store_id(old->store) == 0x0123456789abcdef);
		assert_int_equal(fixture_pending(old, APP, &row, 1), 1);
		config = fixture_app(old, APP).config;
		assert_true(str_eq(secret_reveal(app_key_newest(&config.keys)), STR("kkkkkkkk")));
		check_history_room(old, version);
		assert_int_equal(fixture_run(old->store, world_create(APP, "r4", "u")), HW_QUOTA_FULL);
		assert_int_equal(fixture_run(old->store, world_destroy(APP, "r0", "alice")), HW_OK);
		fixture_close(old);
		assert_int_equal(look(old, "PRAGMA user_version"), newest);
		fixture_free(old);
	}
}

static void test_sqlite_key_of_version_1_becomes_the_first_key(void **state)
{
	struct fixture *fixture = *state;
	char *sql = read_history(1);
	struct app_config config;

	tamper(fixture, sql);
	tamper(fixture, "UPDATE apps SET key = ' a key with spaces ', create_ms = 1795559392598");
	mem_free(sql);
	for (int i = 0; i < 2; i++) { /* as it was migrated, and as it was stored since */
		open_store(fixture);
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

static void test_sqlite_step_that_fails_leaves_the_old_version(void **state)
{
	struct fixture *fixture = *state;

	/* ours by its mark, version 0, yet a table of step 1 is there */
	tamper(fixture, "PRAGMA application_id = 0x48575452; CREATE TABLE rooms (x)");
	open_fails(fixture, ERR_IO, "schema step 1");
	assert_int_equal(look(fixture, "PRAGMA user_version"), 0);
	assert_int_equal(look(fixture, "SELECT count(*) FROM sqlite_schema"), 1);
}

/* ---- damage ---- */

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

		open_store(fixture);
		fixture_add_app(fixture->store, APP, 3);
		fixture_close(fixture);
		write_file(fixture, rows[i].bytes, rows[i].len, rows[i].at);
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
		open_store(fixture);
		fixture_add_app(fixture->store, APP, 3);
		fixture_add_rooms(fixture->store, APP, 0, 3);
		fixture_close(fixture);
		write_file(fixture, rubbish, sizeof(rubbish), page * 4096);
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

		open_store(fixture);
		fixture_add_app(fixture->store, APP, 3);
		fixture_close(fixture);
		tamper(fixture, rows[i]);
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
		"UPDATE app_state SET room_count = -1",
		"UPDATE app_state SET room_count = 1 << 60",
		"UPDATE app_state SET room_sequence = 1 << 40",
		"UPDATE app_state SET callback_sequence = -5",
		"UPDATE app_state SET callback_pending = -1",
		"UPDATE app_state SET alert_level = 101",
		"UPDATE app_state SET alert_level = 326",
		"DELETE FROM app_state",
		"DELETE FROM meta WHERE key = 'store_id'",
		"DELETE FROM meta WHERE key = 'app_number_next'",
		"UPDATE meta SET value = 'x' WHERE key = 'app_number_next'",
		"DROP TABLE meta",
		"DROP TABLE callbacks",
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
	};

	check_damage(rows, ARRAY_LEN(rows));
	(void)state;
}

static void test_sqlite_callback_row_out_of_bounds_is_an_error(void **state)
{
	static const char *const rows[] = {
		"UPDATE callbacks SET state = 9",    "UPDATE callbacks SET state = -1",
		"UPDATE callbacks SET command = 99", "UPDATE callbacks SET command = -1",
		"UPDATE callbacks SET platform = 8", "UPDATE callbacks SET platform = -2",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *fixture = fixture_new();
		struct store_callback row;
		struct error err = {0};
		size_t count = 99;

		open_store(fixture);
		fixture_add_app(fixture->store, APP, 1);
		fixture_add_rooms(fixture->store, APP, 0, 1);
		fixture_close(fixture);
		tamper(fixture, rows[i]);
		open_store(fixture);
		assert_int_equal(
			store_callback_list(fixture->reader, &fixture->arena, 1, INT64_MAX, 1, &row, &count, &err), -1);
		assert_int_equal(err.class, ERR_INTERNAL);
		assert_int_equal(count, 99);
		assert_int_equal(fixture_room_count(fixture, APP), 1); /* the reader goes on */
		fixture_free(fixture);
	}
	(void)state;
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
		WITH_FIXTURE(test_sqlite_step_that_fails_leaves_the_old_version),
		cmocka_unit_test(test_sqlite_damaged_header_is_refused),
		cmocka_unit_test(test_sqlite_damaged_pages_are_errors),
		cmocka_unit_test(test_sqlite_app_row_out_of_bounds_is_an_error),
		cmocka_unit_test(test_sqlite_keys_that_are_damaged_are_an_error),
		cmocka_unit_test(test_sqlite_callback_row_out_of_bounds_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
