/* Log lines: fields, escapes, cutting, levels, the limiter. */
#include "base/log.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct capture {
	int fd;
	char text[20000];
};

static int capture_setup(void **state)
{
	struct capture *capture = mem_zalloc(sizeof(*capture));

	capture->fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	log_setup(capture->fd, LOG_LEVEL_INFO);
	*state = capture;
	return capture->fd < 0;
}

static int capture_teardown(void **state)
{
	log_setup(STDERR_FILENO, LOG_LEVEL_INFO);
	(void)close(((struct capture *)*state)->fd); /* only a temporary file */
	mem_free(*state);
	return 0;
}

/* The line without its time, which is checked for its form. */
static const char *line(struct capture *capture)
{
	ssize_t got = pread(capture->fd, capture->text, sizeof(capture->text) - 1, 0);

	assert_true(got > 30);
	capture->text[got] = '\0';
	assert_memory_equal(capture->text, "time=20", 7);
	assert_int_equal(capture->text[29 - 1], 'Z');
	assert_int_equal(capture->text[got - 1], '\n');
	return capture->text + 30;
}

static void test_log_writes_typed_fields(void **state)
{
	struct capture *capture = *state;

	log_event(LOG_LEVEL_WARN, "thing_happened", LOG_STR("room", STR("r1")), LOG_I64("delta", -5),
		  LOG_U64("big", UINT64_MAX));
	assert_string_equal(line(capture),
			    "level=warn event=thing_happened room=r1 delta=-5 big=18446744073709551615\n");
}

static void test_log_escapes_values(void **state)
{
	static const struct {
		struct str value;
		const char *want;
	} rows[] = {
		{{"plain-1.2/x:y", 13}, "plain-1.2/x:y"},
		{{"", 0}, "\"\""},
		{{NULL, 0}, "\"\""},
		{{"two words", 9}, "\"two words\""},
		{{"a=b", 3}, "\"a=b\""},
		{{"say \"hi\"", 8}, "\"say \\\"hi\\\"\""},
		{{"back\\slash", 10}, "\"back\\\\slash\""},
		{{"x\nlevel=error event=forged", 26}, "\"x\\nlevel=error event=forged\""},
		{{"\x1b[31m", 5}, "\"\\u001b[31m\""},
		{{"\0", 1}, "\"\\u0000\""},
		{{"\xe6\x88\xbf", 3}, "\"\xe6\x88\xbf\""},
		{{"a\xff", 2}, "\"(not UTF-8)\""},
	};
	struct capture *capture = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char want[200];

		assert_int_equal(ftruncate(capture->fd, 0), 0);
		assert_int_equal(lseek(capture->fd, 0, SEEK_SET), 0);
		log_event(LOG_LEVEL_INFO, "e", LOG_STR("v", rows[i].value));
		(void)snprintf(want, sizeof(want), "level=info event=e v=%s\n", rows[i].want); /* fits */
		assert_string_equal(line(capture), want);
	}
}

static void test_log_respects_the_level(void **state)
{
	struct capture *capture = *state;

	log_event(LOG_LEVEL_DEBUG, "hidden", LOG_I64("n", 1));
	assert_false(log_enabled(LOG_LEVEL_DEBUG));
	assert_int_equal(lseek(capture->fd, 0, SEEK_END), 0);
	log_setup(capture->fd, LOG_LEVEL_OFF);
	log_event(LOG_LEVEL_ERROR, "hidden", LOG_I64("n", 1));
	log_write(LOG_LEVEL_OFF, "hidden", NULL, 0);
	assert_int_equal(lseek(capture->fd, 0, SEEK_END), 0);
}

static void test_log_writes_an_event_without_fields(void **state)
{
	log_write(LOG_LEVEL_ERROR, "alone", NULL, 0);
	assert_string_equal(line(*state), "level=error event=alone\n");
}

static char *filled(size_t len, char c)
{
	char *text = malloc(len + 1);

	assert_non_null(text);
	memset(text, c, len);
	text[len] = '\0';
	return text;
}

/* Both kinds of values: bare, and one that opens a quote and holds escapes. */
static void test_log_cut_line_ends_before_the_field_that_does_not_fit(void **state)
{
	static const char *const tails[] = {"", " \n"};

	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		struct capture *capture = *state;
		char *text = filled(5000, 'x');

		memcpy(text, tails[i], strlen(tails[i]));
		assert_int_equal(ftruncate(capture->fd, 0), 0);
		assert_int_equal(lseek(capture->fd, 0, SEEK_SET), 0);
		log_event(LOG_LEVEL_INFO, "e", LOG_I64("before", 1), LOG_C("long", text), LOG_I64("after", 2));
		free(text);
		assert_string_equal(line(capture), "level=info event=e before=1 cut=true\n");
	}
}

static void test_log_cut_line_of_every_length_keeps_quotes_even(void **state)
{
	struct capture *capture = *state;

	for (size_t len = 3900; len < 4200; len++) {
		char *text = filled(len, 'y');
		const char *got;
		size_t quotes = 0;

		text[0] = ' ';
		assert_int_equal(ftruncate(capture->fd, 0), 0);
		assert_int_equal(lseek(capture->fd, 0, SEEK_SET), 0);
		log_event(LOG_LEVEL_INFO, "e", LOG_C("a", text), LOG_STR("b", STR("c d")));
		got = line(capture);
		for (const char *c = got; *c; c++)
			quotes += *c == '"';
		assert_int_equal(quotes % 2, 0);
		assert_true(strlen(got) < 4096 + 16);
		free(text);
	}
}

/* The same lines as objects: what is written before the first field is checked for its form. */
static const char *json_line(struct capture *capture)
{
	ssize_t got = pread(capture->fd, capture->text, sizeof(capture->text) - 1, 0);

	assert_true(got > 40);
	capture->text[got] = '\0';
	assert_memory_equal(capture->text, "{\"time\":\"20", 11);
	assert_memory_equal(capture->text + 32, "Z\",", 3);
	return capture->text + 35;
}

static void test_log_json_writes_typed_fields_and_escapes(void **state)
{
	struct capture *capture = *state;

	log_set_format(LOG_FORMAT_JSON);
	log_event(LOG_LEVEL_WARN, "thing_happened", LOG_STR("room", STR("r1")), LOG_I64("delta", -5),
		  LOG_U64("big", UINT64_MAX), LOG_STR("forged", STR("x\",\"level\":\"error\"}\n{")),
		  LOG_STR("bytes", STR("a\xff")), LOG_STR("none", STR("")));
	assert_string_equal(json_line(capture),
			    "\"level\":\"warn\",\"event\":\"thing_happened\",\"room\":\"r1\",\"delta\":-5,"
			    "\"big\":18446744073709551615,\"forged\":\"x\\\",\\\"level\\\":\\\"error\\\"}\\n{\","
			    "\"bytes\":\"(not UTF-8)\",\"none\":\"\"}\n");
	log_set_format(LOG_FORMAT_LOGFMT);
}

static void test_log_json_cut_line_is_an_object_still(void **state)
{
	struct capture *capture = *state;
	char *text = filled(5000, 'x');

	log_set_format(LOG_FORMAT_JSON);
	log_event(LOG_LEVEL_INFO, "e", LOG_I64("before", 1), LOG_C("long", text), LOG_I64("after", 2));
	free(text);
	assert_string_equal(json_line(capture), "\"level\":\"info\",\"event\":\"e\",\"before\":1,\"cut\":true}\n");
	log_set_format(LOG_FORMAT_LOGFMT);
}

static void test_log_format_parse(void **state)
{
	enum log_format format = LOG_FORMAT_JSON;

	(void)state;
	assert_int_equal(log_format_parse(STR("logfmt"), &format), 0);
	assert_int_equal(format, LOG_FORMAT_LOGFMT);
	assert_int_equal(log_format_parse(STR("json"), &format), 0);
	assert_int_equal(format, LOG_FORMAT_JSON);
	assert_int_equal(log_format_parse(STR("JSON"), &format), -1);
	assert_int_equal(log_format_parse(STR(""), &format), -1);
}

static void test_log_level_parse(void **state)
{
	static const char *const words[] = {"debug", "info", "warn", "error", "off"};
	enum log_level level;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		assert_int_equal(log_level_parse(str_c(words[i]), &level), 0);
		assert_int_equal(level, i);
	}
	level = LOG_LEVEL_WARN;
	assert_int_equal(log_level_parse(STR("INFO"), &level), -1);
	assert_int_equal(log_level_parse(STR(""), &level), -1);
	assert_int_equal(level, LOG_LEVEL_WARN);
}

static void test_log_limit_passes_one_per_interval_and_counts(void **state)
{
	struct log_limit limit = {.interval_ms = 1000};
	uint64_t held_back = 99;

	(void)state;
	assert_true(log_limit_pass(&limit, 5000, &held_back));
	assert_int_equal(held_back, 0);
	held_back = 99;
	assert_false(log_limit_pass(&limit, 5000, &held_back));
	assert_false(log_limit_pass(&limit, 5999, &held_back));
	assert_int_equal(held_back, 99);
	assert_true(log_limit_pass(&limit, 6000, &held_back));
	assert_int_equal(held_back, 2);
	assert_true(log_limit_pass(&limit, 7000, &held_back));
	assert_int_equal(held_back, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_log_writes_typed_fields, capture_setup, capture_teardown),
		cmocka_unit_test_setup_teardown(test_log_escapes_values, capture_setup, capture_teardown),
		cmocka_unit_test_setup_teardown(test_log_json_writes_typed_fields_and_escapes, capture_setup,
						capture_teardown),
		cmocka_unit_test_setup_teardown(test_log_json_cut_line_is_an_object_still, capture_setup,
						capture_teardown),
		cmocka_unit_test(test_log_format_parse),
		cmocka_unit_test_setup_teardown(test_log_respects_the_level, capture_setup, capture_teardown),
		cmocka_unit_test_setup_teardown(test_log_writes_an_event_without_fields, capture_setup,
						capture_teardown),
		cmocka_unit_test_setup_teardown(test_log_cut_line_ends_before_the_field_that_does_not_fit,
						capture_setup, capture_teardown),
		cmocka_unit_test_setup_teardown(test_log_cut_line_of_every_length_keeps_quotes_even, capture_setup,
						capture_teardown),
		cmocka_unit_test(test_log_level_parse),
		cmocka_unit_test(test_log_limit_passes_one_per_interval_and_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
