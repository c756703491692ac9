/* The setting client.origins: what is let in, what is no origin, and in which form origins are compared. */
#include "api/cors.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct cors *open_cors(const char *origins)
{
	struct cors *cors = NULL;
	struct error err = {0};

	if (cors_open(origins, &cors, &err))
		fail_msg("\"%s\": %s", origins, err.text);
	return cors;
}

static void expect_allowed(const char *origins, const char *origin, bool allowed)
{
	struct cors *cors = open_cors(origins);

	if (cors_allows(cors, str_c(origin)) != allowed)
		fail_msg("\"%s\" lets \"%s\" %s", origins, origin, allowed ? "not in" : "in");
	cors_close(&cors);
	assert_null(cors);
}

static void test_cors_star_lets_every_origin_in(void **state)
{
	(void)state;
	expect_allowed("*", "https://a.example", true);
	expect_allowed(" * ", "https://a.example", true);
	expect_allowed("*", "null", true);
	expect_allowed("*", "", false);
}

static void test_cors_empty_lets_none_in(void **state)
{
	(void)state;
	expect_allowed("", "https://a.example", false);
	expect_allowed("  ", "https://a.example", false);
	expect_allowed("", "", false);
}

static void test_cors_list_lets_its_origins_in_and_no_other(void **state)
{
	static const char list[] = "https://a.example, http://b.example:8080,app://-,capacitor://localhost";
	static const struct {
		const char *origin;
		bool allowed;
	} rows[] = {
		{"https://a.example", true},
		{"http://b.example:8080", true},
		{"app://-", true},
		{"capacitor://localhost", true},
		{"http://a.example", false},
		{"https://a.example:8443", false},
		{"https://b.a.example", false},
		{"https://a.example.evil.example", false},
		{"https://a.exampl", false},
		{"http://b.example", false},
		{"https://a.example, http://b.example:8080", false},
		{"null", false},
		{"*", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_allowed(list, rows[i].origin, rows[i].allowed);
}

static void test_cors_brings_origins_into_the_form_of_browsers(void **state)
{
	static const struct {
		const char *written;
		const char *sent;
	} rows[] = {
		{"HTTPS://A.Example", "https://a.example"},
		{"https://a.example:443", "https://a.example"},
		{"http://a.example:80", "http://a.example"},
		{"http://a.example:443", "http://a.example:443"},
		{"https://a.example:80", "https://a.example:80"},
		{"http://a.example:08080", "http://a.example:8080"},
		{"http://192.0.2.7:8080", "http://192.0.2.7:8080"},
		{"http://[2001:DB8:0:0:0:0:0:1]:8080", "http://[2001:db8::1]:8080"},
		{"http://[::1]", "http://[::1]"},
		{"http://under_score.example", "http://under_score.example"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_allowed(rows[i].written, rows[i].sent, true);
}

static void expect_refused(const char *origins, const char *words)
{
	struct cors *cors = NULL;
	struct error err = {0};

	if (cors_open(origins, &cors, &err) == 0)
		fail_msg("\"%s\" was taken", origins);
	assert_null(cors);
	assert_int_equal(err.class, ERR_INVALID);
	assert_non_null(strstr(err.text, "client.origins"));
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void test_cors_refuses_what_is_no_origin(void **state)
{
	static const char *const rows[] = {
		"a.example",
		"//a.example",
		"://a.example",
		"https:a.example",
		"https:/a.example",
		"https://",
		"https://:8080",
		"https://a.example/",
		"https://a.example/path",
		"https://a.example?query",
		"https://user@a.example",
		"https://*.example",
		"https://a.example:",
		"https://a.example:0",
		"https://a.example:65536",
		"https://a.example:8o",
		"https://a.example:80:80",
		"https://a example",
		("https://b\xc3\xbc"
		 "cher.example"),
		"1http://a.example",
		"ht tp://a.example",
		"http://[::1",
		"http://[]",
		"http://[",
		"http://[::g]",
		"http://[::1]8080",
		"http://[192.0.2.7]",
		"null",
		",",
		"https://a.example,",
		",https://a.example",
		"https://a.example,,https://b.example",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_refused(rows[i], "is no origin");
	expect_refused("https://a.example,*", "stands alone");
	expect_refused("*,https://a.example", "stands alone");
}

static void test_cors_names_the_origin_it_refuses(void **state)
{
	(void)state;
	expect_refused("https://a.example, https://b.example/path", "\"https://b.example/path\"");
}

static void test_cors_takes_32_origins_and_no_more(void **state)
{
	struct buf list;

	(void)state;
	buf_init(&list, 4000);
	for (unsigned i = 1; i <= CORS_ORIGIN_COUNT_MAX; i++)
		buf_printf(&list, "%shttps://a%u.example", i == 1 ? "" : ",", i);
	expect_allowed(buf_c(&list), "https://a32.example", true);
	buf_append_c(&list, ",https://one-more.example");
	expect_refused(buf_c(&list), "more than 32");
	buf_fini(&list);
}

static void test_cors_limits_the_length_of_an_origin(void **state)
{
	static const char scheme[] = "http://";
	char text[CORS_ORIGIN_BYTES_MAX + 2];

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, scheme, strlen(scheme));
	text[CORS_ORIGIN_BYTES_MAX] = 0;
	expect_allowed(text, text, true);
	text[CORS_ORIGIN_BYTES_MAX] = 'a';
	text[CORS_ORIGIN_BYTES_MAX + 1] = 0;
	expect_refused(text, "is no origin");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cors_star_lets_every_origin_in),
		cmocka_unit_test(test_cors_empty_lets_none_in),
		cmocka_unit_test(test_cors_list_lets_its_origins_in_and_no_other),
		cmocka_unit_test(test_cors_brings_origins_into_the_form_of_browsers),
		cmocka_unit_test(test_cors_refuses_what_is_no_origin),
		cmocka_unit_test(test_cors_names_the_origin_it_refuses),
		cmocka_unit_test(test_cors_takes_32_origins_and_no_more),
		cmocka_unit_test(test_cors_limits_the_length_of_an_origin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
