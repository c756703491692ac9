/* The callback's URL: which are accepted, what the request's looks like, what a receiver reads in it. */
#include "base/compiler.h"

#include <highwater/callback.h>
#include <highwater/sign.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define OURS "SdkAppid=1400000001&CallbackCommand=Live.CallbackAfterCreateRoomReachingThreshold"
#define TAIL "&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI"
#define SIGN "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"

/* ---- check ---- */

static void test_check_accepts_good_urls(void **state)
{
	static const char *const rows[] = {
		"http://h",
		"https://www.example.com",
		"HTTPS://www.example.com",
		"hTTp://www.example.com/",
		"https://www.example.com/callback",
		"https://www.example.com:1",
		"https://www.example.com:65535/a/b?c=d&e=%20",
		"https://www.example.com:00080/",
		"https://www.example.com?x=1",
		"https://www.example.com./",
		"http://127.0.0.1:8080/callback",
		"http://my_service-1.local",
		"http://[::1]",
		"http://[::1]:8080/path",
		"http://[2001:db8::192.0.2.1]/",
		"http://[::ffff:127.0.0.1]?x",
		"http://xn--bcher-kva.example/",
		"http://h/path@with:signs//and/http://x?y=a@b",
		"http://h/\\",
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *fault = hw_callback_url_check(rows[i], strlen(rows[i]));

		if (fault)
			fail_msg("%s: %s", rows[i], fault);
	}
}

static const struct {
	const char *url;
	const char *word; /* in the sentence */
} url_bad[] = {
	{"", "empty"},
	{"www.example.com", "begin with"},
	{"//www.example.com", "begin with"},
	{"ftp://www.example.com", "begin with"},
	{"file:///etc/passwd", "begin with"},
	{"http:/h", "begin with"},
	{"http:h", "begin with"},
	{"http:", "begin with"},
	{"https", "begin with"},
	{"://h", "begin with"},
	{"http://", "no host"},
	{"https:///path", "no host"},
	{"http://?x=1", "no host"},
	{"http://:80/", "no host"},
	{"http://user@h/", "user or password"},
	{"http://user:pass@h/", "user or password"},
	{"http://@h/", "user or password"},
	{"http://good.example\\@evil.example/", "user or password"},
	{"http://h#", "fragment"},
	{"http://h/path#part", "fragment"},
	{"http://h?a=1#part", "fragment"},
	{"http://h/a b", "printable"},
	{" http://h/", "printable"},
	{"http://h/\n", "printable"},
	{"http://h/\x7f", "printable"},
	{"http://b\xc3\xbc"
	 "cher.example/",
	 "printable"},
	{"http://h:0/", "port"},
	{"http://h:65536/", "port"},
	{"http://h:/", "port"},
	{"http://h:", "port"},
	{"http://h:-1", "port"},
	{"http://h:8x", "port"},
	{"http://h:80:80", "port"},
	{"http://h:000080", "port"},
	{"http://h:18446744073709551617", "port"},
	{"http://::1/", "no host"},
	{"http://[::1", "IPv6"},
	{"http://[]/", "IPv6"},
	{"http://[", "IPv6"},
	{"http://[127.0.0.1]/", "IPv6"},
	{"http://[::1%25eth0]/", "IPv6"},
	{"http://[::g]/", "IPv6"},
	{"http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]/", "IPv6"},
	{"http://[::1]x/", "rubbish"},
	{"http://[::1]x:80/", "rubbish"},
	{"http://[::1]:0", "port"},
	{"http://[::1]:", "port"},
	{"http://x[::1]/", "not a valid name"},
	{"http://.h/", "not a valid name"},
	{"http://a..b/", "not a valid name"},
	{"http://h\\x/", "not a valid name"},
	{"http://a,b/", "not a valid name"},
	{"http://%68/", "not a valid name"},
	{"http://h!/", "not a valid name"},
};

static void test_check_says_what_is_wrong(void **state)
{
	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(url_bad); i++) {
		const char *fault = hw_callback_url_check(url_bad[i].url, strlen(url_bad[i].url));

		if (!fault || !strstr(fault, url_bad[i].word))
			fail_msg("%s: %s", url_bad[i].url, fault ? fault : "accepted");
	}
}

static void test_check_refuses_a_nul(void **state)
{
	(void)state; /* none */
	assert_non_null(hw_callback_url_check("http://h/\0x", 11));
}

static void test_check_bounds_url_and_host(void **state)
{
	char url[HW_CALLBACK_URL_BYTES_MAX + 2];

	(void)state; /* none */
	memset(url, 'a', sizeof(url));
	memcpy(url, "http://h/", 9);
	assert_null(hw_callback_url_check(url, HW_CALLBACK_URL_BYTES_MAX));
	assert_non_null(hw_callback_url_check(url, HW_CALLBACK_URL_BYTES_MAX + 1));
	url[8] = 'a';
	assert_null(hw_callback_url_check(url, 7 + 253));
	assert_non_null(hw_callback_url_check(url, 7 + 254));
}

/* ---- build ---- */

static struct hw_callback_url url_good(const char *base)
{
	return (struct hw_callback_url){.base = base,
					.sdkappid = 1400000001,
					.command = HW_CALLBACK_THRESHOLD,
					.client_ip = "127.0.0.1",
					.platform = HW_PLATFORM_RESTAPI};
}

static void test_build_keeps_the_base_exactly(void **state)
{
	static const struct {
		const char *base;
		const char *want;
	} rows[] = {
		{"https://www.example.com", "https://www.example.com?" OURS TAIL},
		{"https://www.example.com/", "https://www.example.com/?" OURS TAIL},
		{"http://h:8080/a%20b", "http://h:8080/a%20b?" OURS TAIL},
		{"http://h/cb?key=a%2Fb", "http://h/cb?key=a%2Fb&" OURS TAIL},
		{"http://h?x", "http://h?x&" OURS TAIL},
		{"http://h/?", "http://h/?" OURS TAIL},
		{"http://h/?a=b?", "http://h/?a=b?&" OURS TAIL}, /* the second "?" is part of a value */
		{"http://h/?a=1&", "http://h/?a=1&" OURS TAIL},
		{"http://[::1]:80/x", "http://[::1]:80/x?" OURS TAIL},
	};
	char out[HW_CALLBACK_REQUEST_URL_BYTES_MAX + 1];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hw_callback_url url = url_good(rows[i].base);

		assert_int_equal(hw_callback_url_build(&url, out, sizeof(out)), strlen(rows[i].want));
		assert_string_equal(out, rows[i].want);
	}
}

static void test_build_signs_with_a_token(void **state)
{
	struct hw_callback_url url = url_good("https://h");
	char out[HW_CALLBACK_REQUEST_URL_BYTES_MAX + 1];

	(void)state; /* none */
	url.token = "xxxxyyyy";
	url.token_len = 8;
	url.request_time_s = 1669872112;
	assert_true(hw_callback_url_build(&url, out, sizeof(out)) > 0);
	assert_string_equal(out, "https://h?" OURS TAIL "&Sign=" SIGN "&RequestTime=1669872112");
	url.token_len = 0;
	assert_true(hw_callback_url_build(&url, out, sizeof(out)) > 0);
	assert_string_equal(out, "https://h?" OURS TAIL);
}

static void test_build_encodes_values(void **state)
{
	struct hw_callback_url url = url_good("https://h");
	char out[HW_CALLBACK_REQUEST_URL_BYTES_MAX + 1];

	(void)state; /* none */
	url.client_ip = "fe80::1%a&b=c \xff~";
	assert_true(hw_callback_url_build(&url, out, sizeof(out)) > 0);
	assert_string_equal(out, "https://h?" OURS
				 "&contenttype=json&ClientIP=fe80::1%25a%26b%3Dc%20%FF~&OptPlatform=RESTAPI");
}

static void test_build_bounds_its_output(void **state)
{
	struct hw_callback_url url = url_good("https://h");
	char out[HW_CALLBACK_REQUEST_URL_BYTES_MAX + 1] = "untouched";
	char base[2048];
	size_t len = strlen("https://h?" OURS TAIL);

	(void)state; /* none */
	assert_int_equal(hw_callback_url_build(&url, out, 0), -1);
	assert_int_equal(hw_callback_url_build(&url, out, len), -1);
	assert_string_equal(out, "untouched");
	assert_int_equal(hw_callback_url_build(&url, out, len + 1), len);
	/* the longest of everything fits */
	memset(base, 'a', sizeof(base));
	memcpy(base, "http://h/", 9);
	base[HW_CALLBACK_URL_BYTES_MAX] = '\0';
	url = (struct hw_callback_url){.base = base,
				       .sdkappid = UINT32_MAX,
				       .command = HW_CALLBACK_THRESHOLD,
				       .client_ip = "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%",
				       .platform = HW_PLATFORM_WINDOWS,
				       .token = "t",
				       .token_len = 1,
				       .request_time_s = INT64_MIN};
	assert_int_equal(strlen(url.client_ip), HW_IP_BYTES_MAX);
	assert_true(hw_callback_url_build(&url, out, sizeof(out)) > HW_CALLBACK_URL_BYTES_MAX);
	/* an unchecked base does not */
	memset(base, 'a', sizeof(base) - 1);
	base[sizeof(base) - 1] = '\0';
	assert_int_equal(hw_callback_url_build(&url, out, sizeof(out)), -1);
}

/* ---- the query ---- */

static int parse(const char *query, struct hw_callback_query *out, char *reason)
{
	return hw_callback_query_parse(query, strlen(query), out, reason, 128);
}

static void test_query_parse_reads_what_build_wrote(void **state)
{
	struct hw_callback_url url = url_good("https://h/cb?mine=1");
	char text[HW_CALLBACK_REQUEST_URL_BYTES_MAX + 1];
	struct hw_callback_query query;
	char reason[128];

	(void)state; /* none */
	url.client_ip = "2001:db8::1";
	url.platform = HW_PLATFORM_IPAD;
	url.token = "xxxxyyyy";
	url.token_len = 8;
	url.request_time_s = 1669872112;
	assert_true(hw_callback_url_build(&url, text, sizeof(text)) > 0);
	assert_int_equal(parse(strchr(text, '?') + 1, &query, reason), 0);
	assert_int_equal(query.sdkappid, 1400000001);
	assert_string_equal(query.command, "Live.CallbackAfterCreateRoomReachingThreshold");
	assert_true(query.command_known);
	assert_int_equal(query.command_id, HW_CALLBACK_THRESHOLD);
	assert_string_equal(query.client_ip, "2001:db8::1");
	assert_int_equal(query.platform, HW_PLATFORM_IPAD);
	assert_true(query.has_sign);
	assert_string_equal(query.sign, SIGN);
	assert_int_equal(query.request_time_s, 1669872112);
	assert_true(hw_sign_verify("xxxxyyyy", 8, query.sign, strlen(query.sign), query.request_time_s, 1669872112, 0));
}

static void test_query_parse_is_tolerant_where_senders_differ(void **state)
{
	static const char *const rows[] = {
		"SdkAppid=1&CallbackCommand=x",
		"SdkAppId=1&CallbackCommand=x",
		"sdkappid=1&CallbackCommand=x",
		"sdkappid=1&SdkAppid=1&SdkAppId=01&CallbackCommand=x",
		"CallbackCommand=x&SdkAppid=1&contenttype=JSON",
		"CallbackCommand=x&SdkAppid=1&contenttype=Json&OptPlatform=Toaster&other=1",
		"CallbackCommand=x&SdkAppid=1&OptPlatform=",
	};
	struct hw_callback_query query;
	char reason[128];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		memset(&query, 0xff, sizeof(query));
		if (parse(rows[i], &query, reason))
			fail_msg("%s: %s", rows[i], reason);
		assert_int_equal(query.sdkappid, 1);
		assert_string_equal(query.command, "x");
		assert_false(query.command_known);
		assert_string_equal(query.client_ip, "");
		assert_int_equal(query.platform, HW_PLATFORM_UNKNOWN);
		assert_false(query.has_sign);
		assert_string_equal(query.sign, "");
		assert_int_equal(query.request_time_s, 0);
	}
	assert_int_equal(parse("SdkAppid=1&CallbackCommand=x&OptPlatform=macOS&RequestTime=5", &query, reason), 0);
	assert_int_equal(query.platform, HW_PLATFORM_MAC);
	assert_int_equal(query.request_time_s, 5);
}

static void test_query_parse_says_what_is_wrong(void **state)
{
	static const struct {
		const char *query;
		const char *word;
	} rows[] = {
		{"", "SdkAppid is missing"},
		{"CallbackCommand=x", "SdkAppid is missing"},
		{"SDKAPPID=1&CallbackCommand=x", "SdkAppid is missing"},
		{"SdkAppid=&CallbackCommand=x", "SdkAppid in the URL is not"},
		{"SdkAppid=0&CallbackCommand=x", "SdkAppid in the URL is not"},
		{"SdkAppid=4294967296&CallbackCommand=x", "SdkAppid in the URL is not"},
		{"SdkAppid=-1&CallbackCommand=x", "SdkAppid in the URL is not"},
		{"SdkAppId=1x&CallbackCommand=x", "SdkAppId in the URL is not"},
		{"SdkAppid=1&sdkappid=2&CallbackCommand=x", "two different"},
		{"SdkAppid=1", "CallbackCommand is missing"},
		{"SdkAppid=1&CallbackCommand=", "CallbackCommand is missing"},
		{"SdkAppid=1&callbackcommand=x", "CallbackCommand is missing"},
		{"SdkAppid=1&CallbackCommand=0123456789012345678901234567890123456789012345678901234567890123",
		 "CallbackCommand in the URL is too long"},
		{"SdkAppid=1&CallbackCommand=x&contenttype=xml", "contenttype"},
		{"SdkAppid=1&CallbackCommand=x&contenttype=", "contenttype"},
		{"SdkAppid=1&CallbackCommand=x&ClientIP=0123456789012345678901234567890123456789012345", "ClientIP"},
		{"SdkAppid=1&CallbackCommand=x&Sign=" SIGN, "RequestTime"},
		{"SdkAppid=1&CallbackCommand=x&Sign=" SIGN "&RequestTime=", "RequestTime"},
		{"SdkAppid=1&CallbackCommand=x&RequestTime=-1", "RequestTime"},
		{"SdkAppid=1&CallbackCommand=x&RequestTime=9223372036854775808", "RequestTime"},
		{"SdkAppid=1&CallbackCommand=x&Sign=" SIGN "0&RequestTime=1", "Sign"},
		{"SdkAppid=1&CallbackCommand=%", "hexadecimal"},
		{"SdkAppid=1&SdkAppid=1&CallbackCommand=x", "twice"},
	};
	struct hw_callback_query query = {.sdkappid = 7};
	char reason[128];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		reason[0] = '\0';
		if (parse(rows[i].query, &query, reason) != -1 || !strstr(reason, rows[i].word))
			fail_msg("%s: %s", rows[i].query, reason);
		assert_int_equal(query.sdkappid, 7);
	}
}

static void test_query_parse_takes_the_longest_values(void **state)
{
	struct hw_callback_query query;
	char reason[128];

	(void)state; /* none */
	assert_int_equal(parse("SdkAppid=4294967295&RequestTime=9223372036854775807&Sign=&"
			       "ClientIP=012345678901234567890123456789012345678901234&"
			       "CallbackCommand=012345678901234567890123456789012345678901234567890123456789012",
			       &query, reason),
			 0);
	assert_int_equal(query.sdkappid, UINT32_MAX);
	assert_int_equal(strlen(query.client_ip), HW_IP_BYTES_MAX);
	assert_int_equal(strlen(query.command), 63);
	assert_true(query.has_sign);
	assert_true(query.request_time_s == INT64_MAX);
}

static void test_query_parse_bounds_its_length(void **state)
{
	char text[HW_CALLBACK_REQUEST_URL_BYTES_MAX + 2];
	struct hw_callback_query query;
	char reason[128];

	(void)state; /* none */
	memset(text, '&', sizeof(text));
	memcpy(text, "SdkAppid=1&CallbackCommand=x", 28);
	assert_int_equal(hw_callback_query_parse(text, sizeof(text) - 2, &query, reason, sizeof(reason)), 0);
	assert_int_equal(hw_callback_query_parse(text, sizeof(text) - 1, &query, reason, sizeof(reason)), -1);
	assert_non_null(strstr(reason, "too long"));
}

static void test_query_parse_cuts_the_reason(void **state)
{
	struct hw_callback_query query;
	char reason[4] = "abc";

	(void)state; /* none */
	assert_int_equal(hw_callback_query_parse("", 0, &query, reason, 3), -1);
	assert_string_equal(reason, "Sd");
	assert_int_equal(hw_callback_query_parse("", 0, &query, reason, 0), -1);
	assert_string_equal(reason, "Sd");
	assert_int_equal(hw_callback_query_parse("", 0, &query, NULL, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_accepts_good_urls),
		cmocka_unit_test(test_check_says_what_is_wrong),
		cmocka_unit_test(test_check_refuses_a_nul),
		cmocka_unit_test(test_check_bounds_url_and_host),
		cmocka_unit_test(test_build_keeps_the_base_exactly),
		cmocka_unit_test(test_build_signs_with_a_token),
		cmocka_unit_test(test_build_encodes_values),
		cmocka_unit_test(test_build_bounds_its_output),
		cmocka_unit_test(test_query_parse_reads_what_build_wrote),
		cmocka_unit_test(test_query_parse_is_tolerant_where_senders_differ),
		cmocka_unit_test(test_query_parse_says_what_is_wrong),
		cmocka_unit_test(test_query_parse_takes_the_longest_values),
		cmocka_unit_test(test_query_parse_bounds_its_length),
		cmocka_unit_test(test_query_parse_cuts_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
