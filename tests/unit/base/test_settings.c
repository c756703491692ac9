/* The settings table: sources and their strength, units, ranges, errors that say where, help. */
#include "base/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct options {
	char *listen;
	bool tls;
	uint64_t count;
	uint64_t wait_ms;
	uint64_t size_bytes;
	char *hook;
};

#define KIB UINT64_C(1024)

static const struct setting rows[] = {
	{"http.listen", SETTING_TEXT, offsetof(struct options, listen), "127.0.0.1:80", 0, 30, "Where to listen.",
	 false},
	{"http.tls", SETTING_BOOL, offsetof(struct options, tls), "off", 0, 0, "Whether to speak TLS.", false},
	{"a.b_count", SETTING_COUNT, offsetof(struct options, count), "5", 1, 100, "How many.", true},
	{"a.wait", SETTING_DURATION, offsetof(struct options, wait_ms), "2s", 10, 86400000, "How long.", false},
	{"a.size", SETTING_SIZE, offsetof(struct options, size_bytes), "64KiB", 1, 1024 * 1024 * KIB, "How large.",
	 false},
	{"a.hook", SETTING_HIDDEN, offsetof(struct options, hook), "", 0, 30, "Where to post.", true},
};

struct fixture {
	struct settings settings;
	struct options options;
	char path[32];
};

static int setup(void **state)
{
	static struct fixture fixture;
	int fd;

	(void)strcpy(fixture.path, "/tmp/hw-settings-XXXXXX");
	fd = mkstemp(fixture.path);
	if (fd < 0)
		return -1;
	(void)close(fd); /* opened again by name */
	settings_init(&fixture.settings, rows, ARRAY_LEN(rows), &fixture.options);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	settings_fini(&fixture->settings);
	(void)unlink(fixture->path);	       /* a temporary file */
	(void)unsetenv("HIGHWATER_A_B_COUNT"); /* what the tests set */
	(void)unsetenv("HIGHWATER_HTTP_LISTEN");
	(void)unsetenv("HIGHWATER_A_WAIT");
	return fixture->options.listen != NULL || fixture->options.hook != NULL;
}

static void write_bytes(struct fixture *fixture, struct str text)
{
	FILE *file = fopen(fixture->path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
	assert_int_equal(fclose(file), 0);
}

static int from_bytes(struct fixture *fixture, struct str text, struct error *err)
{
	write_bytes(fixture, text);
	return settings_read_file(&fixture->settings, fixture->path, err);
}

static int from_file(struct fixture *fixture, const char *text, struct error *err)
{
	return from_bytes(fixture, str_c(text), err);
}

static int from_flag(struct fixture *fixture, const char *flag, const char *value, struct error *err)
{
	char first[200];
	char second[200];
	char *argv[] = {first, second, NULL};
	int index = 0;
	int result;

	assert_true(str_copy(first, sizeof(first), str_c(flag)) && str_copy(second, sizeof(second), str_c(value)));
	result = settings_take_flag(&fixture->settings, value ? 2 : 1, argv, &index, err);
	if (result == 1)
		assert_int_equal(index, value ? 2 : 1);
	else if (result == 0)
		assert_int_equal(index, 0);
	return result;
}

static void test_settings_defaults(void **state)
{
	struct fixture *fixture = *state;

	assert_string_equal(fixture->options.listen, "127.0.0.1:80");
	assert_false(fixture->options.tls);
	assert_int_equal(fixture->options.count, 5);
	assert_int_equal(fixture->options.wait_ms, 2000);
	assert_int_equal(fixture->options.size_bytes, 65536);
}

static void test_settings_file_is_read_with_spaces_and_comments(void **state)
{
	struct fixture *fixture = *state;
	struct error err;

	assert_int_equal(from_file(fixture,
				   "# comment\n\n   \t\n  # another\nhttp.listen=[::1]:0\n a.b_count =\t7 \r\n"
				   "http.tls = yes\na.wait = 3m\na.size = 2MiB", /* no newline at the end */
				   &err),
			 0);
	assert_string_equal(fixture->options.listen, "[::1]:0");
	assert_int_equal(fixture->options.count, 7);
	assert_true(fixture->options.tls);
	assert_int_equal(fixture->options.wait_ms, 180000);
	assert_int_equal(fixture->options.size_bytes, 2 * KIB * KIB);
}

static void test_settings_text_value_may_hold_equals_and_hash(void **state)
{
	struct fixture *fixture = *state;
	struct error err;

	assert_int_equal(from_file(fixture, "http.listen = a=b # c\n", &err), 0);
	assert_string_equal(fixture->options.listen, "a=b # c");
	assert_int_equal(from_file(fixture, "http.listen =\n", &err), 0);
	assert_string_equal(fixture->options.listen, "");
}

enum source { SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG, SOURCE_COUNT };

static void apply(struct fixture *fixture, enum source source)
{
	struct error err;

	if (source == SOURCE_FILE)
		assert_int_equal(from_file(fixture, "a.b_count = 11\nhttp.listen = file\n", &err), 0);
	else if (source == SOURCE_ENVIRONMENT)
		assert_int_equal(settings_read_environment(&fixture->settings, &err), 0);
	else {
		assert_int_equal(from_flag(fixture, "--a-b-count", "13", &err), 1);
		assert_int_equal(from_flag(fixture, "--http-listen=flag", NULL, &err), 1);
	}
}

static void test_settings_stronger_source_wins_in_every_order(void **state)
{
	static const enum source orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		struct fixture *fixture = *state;

		assert_int_equal(setenv("HIGHWATER_A_B_COUNT", "12", 1), 0);
		assert_int_equal(setenv("HIGHWATER_HTTP_LISTEN", "environment", 1), 0);
		for (size_t j = 0; j < SOURCE_COUNT; j++)
			apply(fixture, orders[i][j]);
		assert_int_equal(fixture->options.count, 13);
		assert_string_equal(fixture->options.listen, "flag");
		settings_fini(&fixture->settings);
		settings_init(&fixture->settings, rows, ARRAY_LEN(rows), &fixture->options);
	}
}

static void test_settings_environment_beats_file_and_only_where_set(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(setenv("HIGHWATER_A_B_COUNT", "12", 1), 0);
	apply(fixture, SOURCE_ENVIRONMENT);
	apply(fixture, SOURCE_FILE);
	assert_int_equal(fixture->options.count, 12);
	assert_string_equal(fixture->options.listen, "file");
}

static void test_settings_values_table(void **state)
{
	static const struct {
		const char *line;
		uint64_t want; /* of count, wait or size; 999 when refused */
		const char *said;
	} table[] = {
		{"a.b_count = 1", 1, NULL},
		{"a.b_count = 100", 100, NULL},
		{"a.b_count = 0", 999, "1 to 100"},
		{"a.b_count = 101", 999, "1 to 100"},
		{"a.b_count = 18446744073709551616", 999, "not a number"},
		{"a.b_count = -1", 999, "not a number"},
		{"a.b_count = 5s", 999, "not a whole number"},
		{"a.b_count = 5.0", 999, "not a whole number"},
		{"a.b_count = ", 999, "not a number"},
		{"a.wait = 10ms", 10, NULL},
		{"a.wait = 1d", 86400000, NULL},
		{"a.wait = 24h", 86400000, NULL},
		{"a.wait = 1440m", 86400000, NULL},
		{"a.wait = 86400001ms", 999, "10ms to 1d"},
		{"a.wait = 9ms", 999, "10ms to 1d"},
		{"a.wait = 0s", 999, "10ms to 1d"},
		{"a.wait = 0", 999, "10ms to 1d"}, /* 0 needs no unit, but here it is too small */
		{"a.wait = 10", 999, "needs a unit"},
		{"a.wait = 10 ms", 999, "needs a unit"},
		{"a.wait = 10S", 999, "needs a unit"},
		{"a.wait = 10KiB", 999, "needs a unit"},
		{"a.wait = ms", 999, "not a number"},
		{"a.wait = 99999999999999999d", 999, "10ms to 1d"},
		{"a.size = 1B", 1, NULL},
		{"a.size = 3KiB", 3072, NULL},
		{"a.size = 1GiB", 1073741824, NULL},
		{"a.size = 2GiB", 999, "1B to 1GiB"},
		{"a.size = 1kib", 999, "needs a unit"},
		{"a.size = 1KB", 999, "needs a unit"},
		{"a.size = 18446744073709551615GiB", 999, "1B to 1GiB"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct fixture *fixture = *state;
		struct options before = fixture->options;
		struct error err = {0};
		int rc = from_file(fixture, table[i].line, &err);
		char kind = table[i].line[2];
		uint64_t got = kind == 'b'   ? fixture->options.count
			       : kind == 'w' ? fixture->options.wait_ms
					     : fixture->options.size_bytes;

		assert_int_equal(rc, table[i].said ? -1 : 0);
		if (!table[i].said) {
			assert_true(got == table[i].want);
			continue;
		}
		assert_int_equal(err.class, ERR_INVALID);
		assert_non_null(strstr(err.text, table[i].said));
		assert_non_null(strstr(err.text, ":1: a."));
		assert_memory_equal(&before, &fixture->options, sizeof(before));
	}
}

static void test_settings_bools(void **state)
{
	static const struct {
		const char *word;
		int want;
	} table[] = {{"true", 1}, {"yes", 1}, {"on", 1},    {"false", 0}, {"no", 0},
		     {"off", 0},  {"1", -1},  {"True", -1}, {"", -1},	  {"onn", -1}};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct fixture *fixture = *state;
		char line[40];
		struct error err;

		fixture->options.tls = table[i].want == 0;
		(void)snprintf(line, sizeof(line), "http.tls = %s", table[i].word); /* fits */
		assert_int_equal(from_file(fixture, line, &err), table[i].want < 0 ? -1 : 0);
		assert_int_equal(fixture->options.tls, table[i].want == 1);
	}
}

static void test_settings_text_length_is_bounded(void **state)
{
	struct fixture *fixture = *state;
	struct error err;

	assert_int_equal(from_file(fixture, "http.listen = 123456789012345678901234567890", &err), 0);
	assert_int_equal(from_file(fixture, "http.listen = 1234567890123456789012345678901", &err), -1);
	assert_non_null(strstr(err.text, "0 to 30 bytes"));
	assert_string_equal(fixture->options.listen, "123456789012345678901234567890");
}

static void test_settings_file_errors_name_file_and_line(void **state)
{
	static const struct {
		const char *text;
		const char *said;
	} table[] = {
		{"a.b_count = 7\n\n# x\na.b_count = x\n", ":4: a.b_count: \"x\" is not a number"},
		{"a.b_count = 7\nno equals\n", ":2: expected \"name = value\""},
		{"a.unknown = 7\n", ":1: unknown setting \"a.unknown\""},
		{"A.B_COUNT = 7\n", ":1: unknown setting \"A.B_COUNT\""},
		{"a-b-count = 7\n", ":1: unknown setting \"a-b-count\""},
		{"= 7\n", ":1: unknown setting \"\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct fixture *fixture = *state;
		struct error err;

		assert_int_equal(from_file(fixture, table[i].text, &err), -1);
		assert_int_equal(err.class, ERR_INVALID);
		assert_memory_equal(err.text, fixture->path, strlen(fixture->path));
		assert_non_null(strstr(err.text, table[i].said));
	}
}

static void test_settings_file_line_length_has_an_exact_limit(void **state)
{
	char text[20100];

	for (size_t len = 19996; len < 20006; len++) {
		struct fixture *fixture = *state;
		struct error err;

		memset(text, 'x', sizeof(text));
		text[0] = '#';
		text[len] = '\n';
		(void)strcpy(text + len + 1, "a.b_count = 9\n");
		fixture->options.count = 1;
		assert_int_equal(from_file(fixture, text, &err), len <= 20000 ? 0 : -1);
		assert_int_equal(fixture->options.count, len <= 20000 ? 9 : 1);
		if (len > 20000)
			assert_non_null(strstr(err.text, ":1: line longer than 20000 bytes"));
	}
}

static void test_settings_file_with_a_nul_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct error err;

	assert_int_equal(from_bytes(fixture, STR("a.b_count = 9\0rubbish\na.wait = 1s\n"), &err), -1);
	assert_non_null(strstr(err.text, "NUL"));
	assert_int_equal(fixture->options.count, 5);
	assert_int_equal(from_bytes(fixture, STR("\0\na.b_count = 9\n"), &err), -1);
	assert_int_equal(fixture->options.count, 5);
}

static void test_settings_file_that_cannot_be_read_is_an_io_error(void **state)
{
	struct fixture *fixture = *state;
	struct error err;

	assert_int_equal(settings_read_file(&fixture->settings, "/nonexistent/highwater.conf", &err), -1);
	assert_int_equal(err.class, ERR_IO);
	assert_non_null(strstr(err.text, "/nonexistent/highwater.conf"));
	assert_int_equal(settings_read_file(&fixture->settings, "/tmp", &err), -1);
	assert_int_equal(err.class, ERR_IO);
}

static void test_settings_environment_error_names_the_variable(void **state)
{
	struct fixture *fixture = *state;
	struct error err;

	assert_int_equal(setenv("HIGHWATER_A_WAIT", "5", 1), 0);
	assert_int_equal(settings_read_environment(&fixture->settings, &err), -1);
	assert_string_equal(err.text, "environment variable HIGHWATER_A_WAIT: \"5\" needs a unit: ms, s, m, h or d");
}

static void test_settings_flags(void **state)
{
	static const struct {
		const char *flag;
		const char *value;
		int want;
		uint64_t count;
	} table[] = {
		{"--a-b-count", "7", 1, 7},
		{"--a-b-count=8", NULL, 1, 8},
		{"--a-b-count=", NULL, -1, 5},
		{"--a-b-count", NULL, -1, 5},
		{"--a-b-count", "x", -1, 5},
		{"--a.b_count", "7", 0, 5},
		{"--a-b", "7", 0, 5},
		{"--a-b-counts", "7", 0, 5},
		{"-a-b-count", "7", 0, 5},
		{"a-b-count", "7", 0, 5},
		{"--", "7", 0, 5},
		{"", "7", 0, 5},
		{"--A-B-COUNT", "7", 0, 5},
		{"--a-b-count=7=8", NULL, -1, 5},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct fixture *fixture = *state;
		struct error err = {0};

		assert_int_equal(from_flag(fixture, table[i].flag, table[i].value, &err), table[i].want);
		assert_int_equal(fixture->options.count, table[i].count);
		if (table[i].want < 0)
			assert_memory_equal(err.text, "--a-b-count", 11);
		settings_fini(&fixture->settings);
		settings_init(&fixture->settings, rows, ARRAY_LEN(rows), &fixture->options);
	}
}

static void test_settings_flag_value_may_hold_equals(void **state)
{
	struct fixture *fixture = *state;
	struct error err;

	assert_int_equal(from_flag(fixture, "--http-listen=a=b", NULL, &err), 1);
	assert_string_equal(fixture->options.listen, "a=b");
	assert_int_equal(from_flag(fixture, "--http-listen=", NULL, &err), 1);
	assert_string_equal(fixture->options.listen, "");
}

static void test_settings_text_that_a_file_cannot_hold_is_refused(void **state)
{
	static const struct {
		const char *value;
		const char *said;
	} table[] = {{"a\nb", "control"}, {"a\tb", "control"}, {" a", "space"}, {"a ", "space"}, {"a\x7f", "control"}};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct fixture *fixture = *state;
		struct error err;

		assert_int_equal(from_flag(fixture, "--http-listen", table[i].value, &err), -1);
		assert_non_null(strstr(err.text, table[i].said));
		assert_string_equal(fixture->options.listen, "127.0.0.1:80");
	}
}

static void test_settings_dump_tells_every_source_and_loads_again(void **state)
{
	struct fixture *fixture = *state;
	struct error err;
	struct buf out;
	struct buf again;

	buf_init(&out, 10000);
	buf_init(&again, 10000);
	assert_int_equal(setenv("HIGHWATER_A_B_COUNT", "12", 1), 0);
	assert_int_equal(from_file(fixture, "\na.wait = 1500ms\nhttp.listen = a=b # c\n", &err), 0);
	assert_int_equal(settings_read_environment(&fixture->settings, &err), 0);
	assert_int_equal(from_flag(fixture, "--http-tls", "yes", &err), 1);
	settings_dump(&fixture->settings, &out);
	assert_non_null(strstr(buf_c(&out), "# How large.\n# Default: 64KiB. Range: 1B to 1GiB. Source: default\n"
					    "a.size = 64KiB\n"));
	assert_non_null(strstr(buf_c(&out), "Source: environment HIGHWATER_A_B_COUNT\na.b_count = 12\n"));
	assert_non_null(strstr(buf_c(&out), "Default: off. Source: flag --http-tls\nhttp.tls = on\n"));
	assert_non_null(strstr(buf_c(&out), ":2\na.wait = 1500ms\n"));
	assert_non_null(strstr(buf_c(&out), "Default: empty. Source: default\na.hook = \n"));
	assert_string_equal(settings_source_word(&fixture->settings, 3), "file");
	settings_fini(&fixture->settings);
	settings_init(&fixture->settings, rows, ARRAY_LEN(rows), &fixture->options);
	assert_int_equal(from_file(fixture, buf_c(&out), &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		settings_append_value(&fixture->settings, i, &again);
		buf_append_char(&again, '|');
	}
	assert_string_equal(buf_c(&again), "a=b # c|on|12|1500ms|64KiB||");
	buf_fini(&out);
	buf_fini(&again);
}

static void test_settings_hidden_value_is_never_shown(void **state)
{
	struct fixture *fixture = *state;
	struct error err;
	struct buf out;

	buf_init(&out, 10000);
	assert_int_equal(from_flag(fixture, "--a-hook", "https://host/secret", &err), 1);
	settings_dump(&fixture->settings, &out);
	settings_append_value(&fixture->settings, 5, &out);
	assert_null(strstr(buf_c(&out), "host/secret"));
	assert_non_null(strstr(buf_c(&out), "# a.hook is set, and not shown here"));
	assert_int_equal(from_file(fixture, buf_c(&out), &err), -1); /* the value itself, which is no line */
	assert_string_equal(fixture->options.hook, "https://host/secret");
	buf_fini(&out);
}

static void test_settings_help_shows_every_row(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 10000);
	settings_help(rows, ARRAY_LEN(rows), &out);
	assert_non_null(strstr(buf_c(&out), "  --http-listen TEXT\n      Where to listen. Default 127.0.0.1:80.\n"));
	assert_non_null(strstr(buf_c(&out), "  --http-tls BOOL\n      Whether to speak TLS. Default off.\n"));
	assert_non_null(
		strstr(buf_c(&out), "  --a-b-count N\n      How many. Can be reloaded. Default 5; 1 to 100.\n"));
	assert_non_null(strstr(buf_c(&out), "  --a-wait DURATION\n      How long. Default 2s; 10ms to 1d.\n"));
	assert_non_null(strstr(buf_c(&out), "  --a-size SIZE\n      How large. Default 64KiB; 1B to 1GiB.\n"));
	assert_non_null(strstr(buf_c(&out), "  --a-hook TEXT\n      Where to post. Can be reloaded.\n"));
	assert_true(buf_ok(&out));
	buf_fini(&out);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void test_settings_reload_takes_what_reloads_only(void **state)
{
	struct fixture *fixture = *state;
	struct options options = {0};
	struct settings fresh;
	struct error err;
	static const enum settings_change changes[] = {SETTINGS_RESTART, SETTINGS_SAME, SETTINGS_RELOADS,
						       SETTINGS_SAME,	 SETTINGS_SAME, SETTINGS_RELOADS};
	struct buf value;

	settings_init(&fresh, rows, ARRAY_LEN(rows), &options);
	write_bytes(fixture, STR("http.listen = 1.2.3.4:5\na.b_count = 9\na.hook = http://new\n"));
	assert_int_equal(settings_read_file(&fresh, fixture->path, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(settings_compare(&fixture->settings, &fresh, i), changes[i]);
	settings_adopt(&fixture->settings, &fresh);
	assert_string_equal(fixture->options.listen, "127.0.0.1:80");
	assert_int_equal(fixture->options.count, 9);
	assert_string_equal(fixture->options.hook, "http://new");
	assert_string_equal(options.hook, ""); /* the old one, which is freed with it */
	assert_string_equal(settings_source_word(&fixture->settings, 0), "default");
	assert_string_equal(settings_source_word(&fixture->settings, 2), "file");
	settings_fini(&fresh);
	buf_init(&value, 64);
	settings_append_value(&fixture->settings, 2, &value);
	assert_string_equal(buf_c(&value), "9");
	buf_fini(&value);
}

static void test_settings_help_says_what_can_be_reloaded(void **state)
{
	struct fixture *fixture = *state;
	struct buf text;

	buf_init(&text, 65536);
	settings_dump(&fixture->settings, &text);
	assert_non_null(strstr(buf_c(&text), "# How many. Can be reloaded.\n"));
	assert_non_null(strstr(buf_c(&text), "# How long.\n"));
	buf_reset(&text);
	settings_help(rows, ARRAY_LEN(rows), &text);
	assert_non_null(strstr(buf_c(&text), "How many. Can be reloaded. Default 5"));
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_settings_defaults),
		WITH_FIXTURE(test_settings_file_is_read_with_spaces_and_comments),
		WITH_FIXTURE(test_settings_text_value_may_hold_equals_and_hash),
		WITH_FIXTURE(test_settings_stronger_source_wins_in_every_order),
		WITH_FIXTURE(test_settings_environment_beats_file_and_only_where_set),
		WITH_FIXTURE(test_settings_values_table),
		WITH_FIXTURE(test_settings_bools),
		WITH_FIXTURE(test_settings_text_length_is_bounded),
		WITH_FIXTURE(test_settings_file_errors_name_file_and_line),
		WITH_FIXTURE(test_settings_file_line_length_has_an_exact_limit),
		WITH_FIXTURE(test_settings_file_with_a_nul_is_refused),
		WITH_FIXTURE(test_settings_file_that_cannot_be_read_is_an_io_error),
		WITH_FIXTURE(test_settings_environment_error_names_the_variable),
		WITH_FIXTURE(test_settings_flags),
		WITH_FIXTURE(test_settings_flag_value_may_hold_equals),
		WITH_FIXTURE(test_settings_text_that_a_file_cannot_hold_is_refused),
		WITH_FIXTURE(test_settings_dump_tells_every_source_and_loads_again),
		WITH_FIXTURE(test_settings_hidden_value_is_never_shown),
		WITH_FIXTURE(test_settings_help_shows_every_row),
		WITH_FIXTURE(test_settings_reload_takes_what_reloads_only),
		WITH_FIXTURE(test_settings_help_says_what_can_be_reloaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
