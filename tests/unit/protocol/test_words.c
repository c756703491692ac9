/* The tables of words and numbers: platforms, callback commands, error codes. */
#include "base/compiler.h"

#include <highwater/callback.h>
#include <highwater/code.h>
#include <highwater/platform.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_platform_words_read_back(void **state)
{
	(void)state; /* none */
	for (unsigned i = 0; i < HW_PLATFORM_COUNT; i++) {
		const char *word = hw_platform_word((enum hw_platform)i);
		enum hw_platform platform = HW_PLATFORM_COUNT;

		assert_int_equal(hw_platform_parse(word, strlen(word), &platform), 0);
		assert_int_equal(platform, i);
	}
	assert_string_equal(hw_platform_word(HW_PLATFORM_COUNT), "Unknown");
	assert_string_equal(hw_platform_word((enum hw_platform)UINT32_MAX), "Unknown");
}

static void test_platform_parse_takes_any_case(void **state)
{
	static const struct {
		const char *word;
		enum hw_platform platform;
	} rows[] = {
		{"restapi", HW_PLATFORM_RESTAPI}, {"WEB", HW_PLATFORM_WEB},	    {"android", HW_PLATFORM_ANDROID},
		{"IOS", HW_PLATFORM_IOS},	  {"iOs", HW_PLATFORM_IOS},	    {"windows", HW_PLATFORM_WINDOWS},
		{"macOS", HW_PLATFORM_MAC},	  {"MACOS", HW_PLATFORM_MAC},	    {"mac", HW_PLATFORM_MAC},
		{"ipad", HW_PLATFORM_IPAD},	  {"unknown", HW_PLATFORM_UNKNOWN},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum hw_platform platform = HW_PLATFORM_COUNT;

		assert_int_equal(hw_platform_parse(rows[i].word, strlen(rows[i].word), &platform), 0);
		assert_int_equal(platform, rows[i].platform);
	}
}

static void test_platform_parse_refuses_other_words(void **state)
{
	static const char *const rows[] = {"", "We", "Webb", "Linux", "rest_api", " Web"};
	enum hw_platform platform = HW_PLATFORM_IPAD;

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(hw_platform_parse(rows[i], strlen(rows[i]), &platform), -1);
	assert_int_equal(hw_platform_parse(NULL, 0, &platform), -1);
	assert_int_equal(platform, HW_PLATFORM_IPAD);
}

static void test_callback_words_read_back(void **state)
{
	(void)state; /* none */
	for (unsigned i = 0; i < HW_CALLBACK_COUNT; i++) {
		const char *word = hw_callback_word((enum hw_callback)i);
		enum hw_callback command = HW_CALLBACK_COUNT;

		assert_int_equal(hw_callback_parse(word, strlen(word), &command), 0);
		assert_int_equal(command, i);
		assert_true(strlen(word) < sizeof(((struct hw_callback_query *)NULL)->command));
	}
	assert_string_equal(hw_callback_word(HW_CALLBACK_THRESHOLD), "Live.CallbackAfterCreateRoomReachingThreshold");
	assert_string_equal(hw_callback_word(HW_CALLBACK_COUNT), "");
}

static void test_callback_parse_refuses_other_words(void **state)
{
	static const char *const rows[] = {"", "Live.CallbackAfterCreateRoo", "Live.CallbackAfterCreateRooms",
					   "live.CallbackAfterCreateRoom", "LIVE.CALLBACKAFTERCREATEROOM"};
	enum hw_callback command = HW_CALLBACK_COUNT;

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(hw_callback_parse(rows[i], strlen(rows[i]), &command), -1);
	assert_int_equal(command, HW_CALLBACK_COUNT);
}

static void test_code_text_is_the_tables(void **state)
{
	(void)state; /* none */
#define CHECK_TEXT(name, number, text) assert_string_equal(hw_code_text(name), text);
	HW_CODES(CHECK_TEXT)
#undef CHECK_TEXT
	assert_string_equal(hw_code_text(HW_OK), "");
	assert_string_equal(hw_code_text(1), "unknown error code");
	assert_string_equal(hw_code_text(-70001), "unknown error code");
}

/* A real client looks for these words in the text of 60010. */
static void test_code_text_names_the_admin_account(void **state)
{
	(void)state; /* none */
	assert_non_null(strstr(hw_code_text(60010), "admin account"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_platform_words_read_back),
		cmocka_unit_test(test_platform_parse_takes_any_case),
		cmocka_unit_test(test_platform_parse_refuses_other_words),
		cmocka_unit_test(test_callback_words_read_back),
		cmocka_unit_test(test_callback_parse_refuses_other_words),
		cmocka_unit_test(test_code_text_is_the_tables),
		cmocka_unit_test(test_code_text_names_the_admin_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
