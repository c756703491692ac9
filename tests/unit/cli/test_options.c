/* Reading a command's line. */
#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct cli_command command = {
	.group = "app",
	.name = "try",
	.arguments = "THING",
	.argument_max = 1,
	.options = OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_MAX) | OPTION_BIT(OPTION_FORCE) |
		   OPTION_BIT(OPTION_EXPIRE) | OPTION_BIT(OPTION_SERVER) | OPTION_BIT(OPTION_NAME),
	.required = OPTION_BIT(OPTION_APP),
	.summary = "Tries",
	.details = "",
};

/* Splits `text` at spaces and parses it. */
static int parse(const char *text, struct cli_line *line, struct error *err)
{
	static char copy[256];
	char *words[16];
	char *rest = copy;
	int count = 0;

	(void)str_copy(copy, sizeof(copy), str_c(text)); /* fits */
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	return options_parse(&command, count, words, line, err);
}

static void test_options_takes_both_spellings_of_a_value(void **state)
{
	static const char *const lines[] = {"--app 7 --max 3", "--app=7 --max=3", "--max 3 --app=7"};
	struct cli_line line;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		assert_int_equal(parse(lines[i], &line, &err), 0);
		assert_int_equal(options_get(&line, OPTION_APP)->number, 7);
		assert_int_equal(options_get(&line, OPTION_MAX)->number, 3);
		assert_false(options_get(&line, OPTION_FORCE)->set);
	}
}

static void test_options_takes_arguments_anywhere(void **state)
{
	static const struct {
		const char *line;
		const char *argument;
	} rows[] = {
		{"room --app 7", "room"},      {"--app 7 room", "room"}, {"--app 7 --force room", "room"},
		{"--app 7 -- --max", "--max"}, {"--app 7 -", "-"},
	};
	struct cli_line line;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(parse(rows[i].line, &line, &err), 0);
		assert_int_equal(line.argument_count, 1);
		assert_string_equal(line.arguments[0], rows[i].argument);
	}
}

static void test_options_refuses_and_names_what_is_wrong(void **state)
{
	static const struct {
		const char *line;
		const char *words;
	} rows[] = {
		{"", "--app SDKAPPID is missing"},
		{"--app", "--app needs a value"},
		{"--app=", "--app needs a value"},
		{"--app 0", "--app: \"0\" is not a whole number from 1 to 4294967295"},
		{"--app 4294967296", "--app: \"4294967296\" is not a whole number"},
		{"--app -1", "--app: \"-1\""},
		{"--app 7 --app 7", "--app is given twice"},
		{"--app 7 --mx 3", "unknown option --mx"},
		{"--app 7 --mx=secret", "unknown option --mx"},
		{"--app 7 -x", "unknown option -x"},
		{"--app 7 --url http://h", "unknown option --url"},
		{"--app 7 --force=yes", "--force takes no value"},
		{"--app 7 --max 3x", "--max: \"3x\" is not a whole number"},
		{"--app 7 --max 9223372036854775808", "is not a whole number from 0 to 9223372036854775807"},
		{"--app 7 --expire 5", "--expire: \"5\" needs a unit"},
		{"--app 7 --expire 0s", "--expire: must be 1s to"},
		{"--app 7 one two", "\"two\" is one argument too many"},
	};
	struct cli_line line;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(parse(rows[i].line, &line, &err), -1);
		assert_int_equal(err.class, ERR_INVALID);
		assert_non_null(strstr(err.text, rows[i].words));
	}
}

static void test_options_keeps_the_value_of_an_unknown_option_out_of_the_text(void **state)
{
	struct cli_line line;
	struct error err;

	(void)state;
	assert_int_equal(parse("--app 7 --token=hidden", &line, &err), -1);
	assert_null(strstr(err.text, "hidden"));
}

static void test_options_refuses_a_missing_argument(void **state)
{
	struct cli_command needs = command;
	struct cli_line line;
	struct error err;
	char app[] = "--app=7";
	char *words[] = {app};

	(void)state;
	needs.argument_min = 1;
	assert_int_equal(options_parse(&needs, 1, words, &line, &err), -1);
	assert_string_equal(err.text, "THING is missing");
}

static void test_options_reads_durations_in_milliseconds(void **state)
{
	static const struct {
		const char *line;
		uint64_t ms;
	} rows[] = {{"--app 7", 180 * UINT64_C(86400000)},
		    {"--app 7 --expire 90s", 90000},
		    {"--app 7 --expire 2h", 7200000}};
	struct cli_line line;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(parse(rows[i].line, &line, &err), 0);
		assert_int_equal(options_get(&line, OPTION_EXPIRE)->number, rows[i].ms);
	}
}

static void test_options_prefers_line_then_environment_then_default(void **state)
{
	struct cli_line line;
	struct error err;

	(void)state;
	assert_int_equal(unsetenv("HIGHWATER_SERVER"), 0);
	assert_int_equal(parse("--app 7", &line, &err), 0);
	assert_string_equal(options_get(&line, OPTION_SERVER)->text, "http://127.0.0.1:8080");
	assert_false(options_get(&line, OPTION_SERVER)->set);
	assert_int_equal(setenv("HIGHWATER_SERVER", "http://environment", 1), 0);
	assert_int_equal(parse("--app 7", &line, &err), 0);
	assert_string_equal(options_get(&line, OPTION_SERVER)->text, "http://environment");
	assert_int_equal(parse("--app 7 --server http://line", &line, &err), 0);
	assert_string_equal(options_get(&line, OPTION_SERVER)->text, "http://line");
	assert_int_equal(unsetenv("HIGHWATER_SERVER"), 0);
}

static void test_options_asks_for_help_before_anything_else_is_missing(void **state)
{
	struct cli_line line;
	struct error err;

	(void)state;
	assert_int_equal(parse("--help", &line, &err), 1);
	assert_int_equal(parse("--max 3 -h", &line, &err), 1);
}

static void test_options_help_shows_the_commands_options_only(void **state)
{
	struct buf help;

	(void)state;
	buf_init(&help, 64 * 1024);
	options_help(&command, &help);
	assert_true(buf_ok(&help));
	assert_non_null(strstr(buf_c(&help), "usage: highwater app try THING --app SDKAPPID [OPTION]..."));
	assert_non_null(strstr(buf_c(&help), "  --max N\n"));
	assert_non_null(strstr(buf_c(&help), "Environment HIGHWATER_SERVER."));
	assert_null(strstr(buf_c(&help), "--url"));
	buf_fini(&help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_takes_both_spellings_of_a_value),
		cmocka_unit_test(test_options_takes_arguments_anywhere),
		cmocka_unit_test(test_options_refuses_and_names_what_is_wrong),
		cmocka_unit_test(test_options_keeps_the_value_of_an_unknown_option_out_of_the_text),
		cmocka_unit_test(test_options_refuses_a_missing_argument),
		cmocka_unit_test(test_options_reads_durations_in_milliseconds),
		cmocka_unit_test(test_options_prefers_line_then_environment_then_default),
		cmocka_unit_test(test_options_asks_for_help_before_anything_else_is_missing),
		cmocka_unit_test(test_options_help_shows_the_commands_options_only),
	};

	return cmocka_run_group_tests_name("cli options", tests, NULL, NULL);
}
