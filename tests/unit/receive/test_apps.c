/* The file of apps with tokens and keys of their own. */
#include "receive/apps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KEY "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static int read_apps(const char *text, uint32_t *sdkappids, size_t *count, struct error *err)
{
	struct hw_receiver *receiver = hw_receiver_new();
	int result = apps_read(str_c(text), receiver, sdkappids, count, err);

	hw_receiver_free(receiver);
	return result;
}

static void test_apps_are_read(void **state)
{
	uint32_t sdkappids[HW_RECEIVER_APPS_MAX];
	struct error err;
	size_t count;

	(void)state;
	if (read_apps("{\"AppList\":[{\"SdkAppid\":7,\"TokenList\":[\"a\",\"b\"],\"KeyList\":[\"" KEY
		      "\"]},{\"SdkAppid\":4294967295},"
		      "{\"SdkAppid\":8,\"TokenList\":[],\"KeyList\":null}]}",
		      sdkappids, &count, &err))
		fail_msg("%s", err.text);
	assert_int_equal(count, 3);
	assert_true(sdkappids[0] == 7 && sdkappids[1] == 4294967295u && sdkappids[2] == 8);
	assert_int_equal(read_apps("{\"AppList\":[]}", sdkappids, &count, &err), 0);
	assert_int_equal(count, 0);
}

static void test_apps_that_are_wrong_are_named_without_secrets(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{"", "JSON"},
		{"[]", "it must be an object with an array AppList"},
		{"{\"AppList\":{}}", "it must be an object with an array AppList"},
		{"{\"AppList\":[],\"Other\":1}", "unknown field \"Other\""},
		{"{\"AppList\":[1]}", "AppList[0]: it is no object"},
		{"{\"AppList\":[{}]}", "AppList[0]: SdkAppid must be a number from 1 to"},
		{"{\"AppList\":[{\"SdkAppid\":0}]}", "AppList[0]: SdkAppid must be"},
		{"{\"AppList\":[{\"SdkAppid\":\"7\"}]}", "AppList[0]: SdkAppid must be"},
		{"{\"AppList\":[{\"SdkAppid\":7},{\"SdkAppid\":7}]}", "AppList[1]: app 7 is there twice"},
		{"{\"AppList\":[{\"SdkAppid\":7,\"Tokens\":[]}]}", "AppList[0]: unknown field \"Tokens\""},
		{"{\"AppList\":[{\"SdkAppid\":7,\"TokenList\":\"secret\"}]}", "AppList[0]: TokenList is no array"},
		{"{\"AppList\":[{\"SdkAppid\":7,\"TokenList\":[5]}]}", "AppList[0]: TokenList[0] is no text"},
		{"{\"AppList\":[{\"SdkAppid\":7,\"TokenList\":[\"\"]}]}", "TokenList[0]: a token is 1 to 128 bytes"},
		{"{\"AppList\":[{\"SdkAppid\":7,\"TokenList\":[\"secret\\n\"]}]}", "TokenList[0]: a token is"},
		{"{\"AppList\":[{\"SdkAppid\":7,\"TokenList\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}]}",
		 "TokenList[4]: more than 4"},
		{"{\"AppList\":[{\"SdkAppid\":7,\"KeyList\":[\"secret\"]}]}", "KeyList[0]: a key must begin with"},
		{"{\"AppList\":[{\"SdkAppid\":7,\"SdkAppid\":8}]}", "duplicate"},
		{"{\"AppList\":[{\"SdkAppid\":7,\"TokenList\":[\"the secret\"\"",
		 "not valid JSON at line 1, column 52"},
		{"{\"AppList\":[{\"SdkAppid\":7,\"TokenList\":[secret]}]}", "not valid JSON at line 1, column"},
	};
	uint32_t sdkappids[HW_RECEIVER_APPS_MAX];
	struct error err;
	size_t count;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(read_apps(cases[i].text, sdkappids, &count, &err), -1);
		assert_int_equal(err.class, ERR_INVALID);
		if (!strstr(err.text, cases[i].words))
			fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].words);
		assert_null(strstr(err.text, "secret"));
	}
}

static void test_apps_are_bounded(void **state)
{
	static char text[64 * (HW_RECEIVER_APPS_MAX + 2)];
	uint32_t sdkappids[HW_RECEIVER_APPS_MAX];
	struct error err;
	size_t count;

	(void)state;
	for (int more = 0; more <= 1; more++) {
		size_t len = (size_t)snprintf(text, sizeof(text), "{\"AppList\":[");

		for (unsigned i = 0; i < HW_RECEIVER_APPS_MAX + (unsigned)more; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s{\"SdkAppid\":%u}", i ? "," : "",
						i + 1);
		(void)snprintf(text + len, sizeof(text) - len, "]}"); /* sized for it */
		assert_int_equal(read_apps(text, sdkappids, &count, &err), more ? -1 : 0);
	}
	assert_non_null(strstr(err.text, "more than 1000 apps"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_apps_are_read),
		cmocka_unit_test(test_apps_that_are_wrong_are_named_without_secrets),
		cmocka_unit_test(test_apps_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
