/* The record: appending, taking back what a failed write left, cutting a torn line, locking, and the end of the process
 * after a failed sync. */
#include "base/log.h"
#include "base/mem.h"
#include "receive/lines.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#define LINE_START STR("{\"ReceivedTime\":")
#define LINE_MAX_BYTES 6000 /* more than one of the chunks in which the end is looked for */
#define LINE_A "{\"ReceivedTime\":1}\n"
#define LINE_B "{\"ReceivedTime\":2}\n"

struct fixture {
	char folder[64];
	char path[96];
};

static int setup(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	(void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/highwater-record-XXXXXX"); /* fits, as below */
	assert_non_null(mkdtemp(fixture->folder));
	(void)snprintf(fixture->path, sizeof(fixture->path), "%s/record", fixture->folder);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	(void)unlink(fixture->path); /* some tests never make it */
	(void)rmdir(fixture->path);
	assert_int_equal(rmdir(fixture->folder), 0);
	mem_free(fixture);
	return 0;
}

static void put(const char *path, const void *bytes, size_t len)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void expect(const char *path, const char *text)
{
	char *found = mem_zalloc(20000);
	FILE *file = fopen(path, "rb");
	size_t len;

	assert_non_null(file);
	len = fread(found, 1, 19999, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(len, strlen(text));
	assert_string_equal(found, text);
	mem_free(found);
}

static int try_open(const char *path, struct lines **out, struct error *err)
{
	return lines_open(path, LINE_START, LINE_MAX_BYTES, out, err);
}

static struct lines *open_ok(const char *path)
{
	struct lines *record = NULL;
	struct error err;

	if (try_open(path, &record, &err))
		fail_msg("%s", err.text);
	return record;
}

static void test_record_open_makes_private_file(void **state)
{
	struct fixture *fixture = *state;
	struct lines *record = open_ok(fixture->path);
	struct stat info;

	assert_int_equal(stat(fixture->path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	lines_close(&record);
	assert_null(record);
}

static void test_record_append_adds_after_what_is_there(void **state)
{
	struct fixture *fixture = *state;
	struct lines *record;
	struct error err;

	put(fixture->path, LINE_A, strlen(LINE_A));
	record = open_ok(fixture->path);
	assert_int_equal(lines_append(record, STR(LINE_B), &err), 0);
	assert_int_equal(lines_append(record, STR(LINE_A LINE_B), &err), 0);
	lines_close(&record);
	expect(fixture->path, LINE_A LINE_B LINE_A LINE_B);
}

static void test_record_append_notices_a_shortened_file(void **state)
{
	struct fixture *fixture = *state;
	struct lines *record = open_ok(fixture->path);
	struct error err;

	assert_int_equal(lines_append(record, STR(LINE_A LINE_A), &err), 0);
	assert_int_equal(truncate(fixture->path, 0), 0);
	assert_int_equal(lines_append(record, STR(LINE_B), &err), 0);
	lines_close(&record);
	expect(fixture->path, LINE_B);
}

static void test_record_open_cuts_torn_line(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *left;
	} cases[] = {
		{LINE_A "{\"ReceivedTime\":2,\"Sdk", sizeof(LINE_A "{\"ReceivedTime\":2,\"Sdk") - 1, LINE_A},
		{LINE_A "{", sizeof(LINE_A "{") - 1, LINE_A},
		{"{\"Rece", 6, ""},
		{LINE_A LINE_B, sizeof(LINE_A LINE_B) - 1, LINE_A LINE_B},
		{LINE_A "\0\0\0\0\0", sizeof(LINE_A) - 1 + 5, LINE_A},
		{"", 0, ""},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct lines *record;

		put(fixture->path, cases[i].bytes, cases[i].len);
		record = open_ok(fixture->path);
		lines_close(&record);
		expect(fixture->path, cases[i].left);
	}
}

/* The last whole line's end may lie further back than one read. */
static void test_record_open_cuts_long_torn_line(void **state)
{
	struct fixture *fixture = *state;
	char bytes[sizeof(LINE_A) - 1 + 5000];
	struct lines *record;

	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, LINE_A "{\"ReceivedTime\":", sizeof(LINE_A "{\"ReceivedTime\":") - 1);
	put(fixture->path, bytes, sizeof(bytes));
	record = open_ok(fixture->path);
	lines_close(&record);
	expect(fixture->path, LINE_A);
}

static void test_record_open_leaves_foreign_file_alone(void **state)
{
	struct fixture *fixture = *state;
	char *bytes = mem_zalloc(LINE_MAX_BYTES + 5001);
	struct lines *record = NULL;
	struct error err;

	put(fixture->path, "a\nletter", 8);
	assert_int_equal(try_open(fixture->path, &record, &err), -1);
	assert_int_equal(err.class, ERR_INVALID);
	expect(fixture->path, "a\nletter");
	memset(bytes, '7', LINE_MAX_BYTES + 5000);
	memcpy(bytes, "{\"ReceivedTime\":", 16);
	put(fixture->path, bytes, LINE_MAX_BYTES + 5000);
	assert_int_equal(try_open(fixture->path, &record, &err), -1);
	assert_int_equal(err.class, ERR_INVALID);
	expect(fixture->path, bytes);
	assert_null(record);
	mem_free(bytes);
}

static void test_record_open_refuses_what_is_no_regular_file(void **state)
{
	struct fixture *fixture = *state;
	struct lines *record = NULL;
	struct error err;

	assert_int_equal(try_open("/dev/null", &record, &err), -1);
	assert_int_equal(err.class, ERR_INVALID);
	assert_int_equal(try_open(fixture->folder, &record, &err), -1);
	assert_int_equal(err.class, ERR_IO);
	assert_non_null(strstr(err.text, fixture->folder));
	assert_int_equal(try_open("/tmp/highwater-no-such-folder/record", &record, &err), -1);
	assert_int_equal(err.class, ERR_IO);
	assert_null(record);
}

static void test_record_open_refuses_second_receiver(void **state)
{
	struct fixture *fixture = *state;
	struct lines *record = open_ok(fixture->path);
	struct lines *second = NULL;
	struct error err;

	assert_int_equal(try_open(fixture->path, &second, &err), -1);
	assert_int_equal(err.class, ERR_BUSY);
	assert_null(second);
	lines_close(&record);
	second = open_ok(fixture->path);
	lines_close(&second);
}

/* The kernel writes up to the limit and fails the rest, as a full disk does. */
static void test_record_append_takes_back_partial_write(void **state)
{
	struct fixture *fixture = *state;
	struct lines *record = open_ok(fixture->path);
	struct rlimit before;
	struct rlimit tight;
	struct error err;
	int result;

	assert_int_equal(lines_append(record, STR(LINE_A), &err), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight = (struct rlimit){.rlim_cur = sizeof(LINE_A) - 1 + 7, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	result = lines_append(record, STR(LINE_B LINE_B), &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(result, -1);
	assert_int_equal(err.class, ERR_IO);
	expect(fixture->path, LINE_A);
	assert_int_equal(lines_append(record, STR(LINE_B), &err), 0);
	expect(fixture->path, LINE_A LINE_B);
	lines_close(&record);
}

/* Puts a pipe in the place of the record's descriptor: it can be written, but syncing it fails. */
static void break_sync(const char *path)
{
	struct stat record;
	struct stat other;
	int ends[2];

	if (stat(path, &record) || pipe(ends))
		_exit(1);
	for (int fd = 3; fd < 64; fd++)
		if (fstat(fd, &other) == 0 && other.st_ino == record.st_ino && other.st_dev == record.st_dev &&
		    dup2(ends[1], fd) < 0)
			_exit(2);
}

static void test_record_failed_sync_ends_the_process(void **state)
{
	struct fixture *fixture = *state;
	pid_t child = fork();
	int status = 0;

	assert_true(child >= 0);
	if (child == 0) {
		struct lines *record;
		struct error err;

		log_setup(2, LOG_LEVEL_OFF);
		if (try_open(fixture->path, &record, &err))
			_exit(3);
		break_sync(fixture->path);
		_exit(lines_append(record, STR(LINE_A), &err) ? 4 : 5);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EX_IOERR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_record_open_makes_private_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record_append_adds_after_what_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record_append_notices_a_shortened_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record_open_cuts_torn_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record_open_cuts_long_torn_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record_open_leaves_foreign_file_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record_open_refuses_what_is_no_regular_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record_open_refuses_second_receiver, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record_append_takes_back_partial_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record_failed_sync_ends_the_process, setup, teardown),
	};

	log_setup(2, LOG_LEVEL_OFF);
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return 1;
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
