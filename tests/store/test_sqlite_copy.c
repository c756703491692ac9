/* The SQLite store's file beside a store that uses it: looking at a moment, checking, copying. */
#include "store/sqlite_file.h"

#include <errno.h>
#include <sys/stat.h>

static int setup(void **state)
{
	struct fixture *fixture = fixture_new();

	fixture_open(fixture);
	fixture_add_app(fixture->store, APP, 10);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

/* A path beside the store's; the file is removed. */
static const char *beside(struct fixture *fixture, const char *name)
{
	static char path[96];

	(void)snprintf(path, sizeof(path), "%s/%s", fixture->folder, name); /* fits */
	(void)unlink(path);						    /* may not be there */
	return path;
}

static uint64_t count_rooms(struct store_reader *reader)
{
	struct error err;
	uint64_t count;

	assert_int_equal(store_room_count(reader, 1, &count, &err), 0);
	return count;
}

static void test_look_sees_the_moment_of_its_opening(void **state)
{
	struct fixture *fixture = *state;
	struct store_reader *frozen;
	struct store_app app;
	struct error err;

	assert_int_equal(fixture_run(fixture->store, world_create(APP, "a", "alice")), HW_OK);
	if (store_sqlite_look(fixture->path, &frozen, &err))
		fail_msg("%s", err.text);
	assert_int_equal(fixture_run(fixture->store, world_create(APP, "b", "alice")), HW_OK);
	assert_int_equal(count_rooms(frozen), 1);
	assert_int_equal(store_app_get(frozen, APP, &app, &err), 1);
	assert_int_equal(app.state.room_count, 1);
	assert_int_equal(count_rooms(fixture->reader), 2);
	store_reader_close(&frozen);
}

static void test_copy_is_one_moment_private_and_whole(void **state)
{
	struct fixture *fixture = *state;
	const char *to = beside(fixture, "copy");
	struct store_reader *reader;
	char finding[64];
	struct stat info;
	struct error err;

	assert_int_equal(fixture_run(fixture->store, world_create(APP, "a", "alice")), HW_OK);
	if (store_sqlite_copy(fixture->path, to, false, &err))
		fail_msg("%s", err.text);
	assert_int_equal(fixture_run(fixture->store, world_create(APP, "b", "alice")), HW_OK);
	assert_int_equal(stat(to, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(store_sqlite_verify(to, finding, sizeof(finding), &err), 1);
	assert_int_equal(store_sqlite_look(to, &reader, &err), 0);
	assert_int_equal(count_rooms(reader), 1);
	store_reader_close(&reader);
	assert_int_equal(store_sqlite_copy(fixture->path, to, false, &err), -1);
	assert_int_equal(err.class, ERR_INVALID);
	assert_non_null(strstr(err.text, "exists already"));
	(void)beside(fixture, "copy-wal");
	(void)beside(fixture, "copy-shm");
	(void)beside(fixture, "copy");
}

static uint64_t id_of(const char *path)
{
	const struct store_sqlite_options options = {.path = path, .cache_bytes = 1 << 20, .wal_bytes_max = 1 << 22};
	struct store *store;
	struct error err;
	uint64_t id;

	assert_int_equal(store_sqlite_open(&options, &store, &err), 0);
	id = store_id(store);
	store_close(&store);
	return id;
}

static void test_copy_may_have_an_id_of_its_own(void **state)
{
	struct fixture *fixture = *state;
	uint64_t id = store_id(fixture->store);
	const char *to = beside(fixture, "copy");
	struct error err;

	assert_int_equal(store_sqlite_copy(fixture->path, to, false, &err), 0);
	assert_true(id_of(to) == id);
	to = beside(fixture, "copy");
	assert_int_equal(store_sqlite_copy(fixture->path, to, true, &err), 0);
	assert_true(id_of(to) != id);
	(void)beside(fixture, "copy.lock");
	(void)beside(fixture, "copy");
}

static void test_copy_of_nothing_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;
	char target[96];
	struct error err;
	FILE *file;

	(void)strcpy(target, beside(fixture, "copy"));
	assert_int_equal(store_sqlite_copy("/nonexistent/db", target, false, &err), -1);
	assert_int_equal(err.class, ERR_IO);
	file = fopen(beside(fixture, "other"), "we");
	assert_non_null(file);
	assert_true(fputs("this is a text file, and no database at all\n", file) >= 0);
	assert_int_equal(fclose(file), 0);
	{
		char other[96];

		(void)snprintf(other, sizeof(other), "%s/other", fixture->folder); /* fits */
		assert_int_equal(store_sqlite_copy(other, target, false, &err), -1);
		assert_int_equal(err.class, ERR_INVALID);
	}
	assert_int_equal(access(target, F_OK), -1);
	assert_int_equal(store_sqlite_copy(fixture->path, "/nonexistent/copy", false, &err), -1);
	file = fopen(beside(fixture, "copy.partial"), "we"); /* somebody else's */
	assert_int_equal(fclose(file), 0);
	assert_int_equal(store_sqlite_copy(fixture->path, target, false, &err), -1);
	assert_non_null(strstr(err.text, "copy.partial exists"));
	assert_int_equal(access(target, F_OK), -1);
	(void)beside(fixture, "copy.partial");
	(void)beside(fixture, "other");
}

static void test_verify_finds_damage(void **state)
{
	struct fixture *fixture = *state;
	char finding[128];
	struct error err;
	int fd;

	for (int i = 0; i < 200; i++) {
		char room[16];

		(void)snprintf(room, sizeof(room), "room-%d", i);		     /* fits */
		(void)fixture_run(fixture->store, world_create(APP, room, "alice")); /* those over the quota too */
	}
	assert_int_equal(store_sqlite_verify(fixture->path, finding, sizeof(finding), &err), 1);
	fixture_close(fixture);
	fixture_tamper(fixture,
		       "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = "
		       "(SELECT rootpage FROM sqlite_schema WHERE name = 'rooms') WHERE name = 'rooms_by_name'");
	assert_int_equal(store_sqlite_verify(fixture->path, finding, sizeof(finding), &err) == 1, 0);
	fd = open(fixture->path, O_WRONLY);
	assert_int_equal(pwrite(fd, "xxxxxxxx", 8, 0), 8);
	assert_int_equal(close(fd), 0);
	assert_int_equal(store_sqlite_verify(fixture->path, finding, sizeof(finding), &err), -1);
}

static void test_file_of_an_older_schema_is_told(void **state)
{
	struct fixture *fixture = *state;
	struct store_reader *reader;
	struct error err;

	fixture_close(fixture);
	fixture_tamper(fixture, "PRAGMA user_version = 2");
	assert_int_equal(store_sqlite_look(fixture->path, &reader, &err), -1);
	assert_int_equal(err.class, ERR_INVALID);
	assert_non_null(strstr(err.text, "older"));
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_look_sees_the_moment_of_its_opening),
		WITH_STORE(test_copy_is_one_moment_private_and_whole),
		WITH_STORE(test_copy_may_have_an_id_of_its_own),
		WITH_STORE(test_copy_of_nothing_leaves_nothing),
		WITH_STORE(test_verify_finds_damage),
		WITH_STORE(test_file_of_an_older_schema_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
