/* What the client tells of an exchange beside its outcome: peer, times, and what it keeps of a reply. */
#include "http/client.h"
#include "unit/http/script.h"
#include "unit/http/web.h"

#include <time.h>

struct seen {
	unsigned count;
	enum http_outcome outcome;
	int status;
	char body[256];
	char address[64];
	char tls[64];
	int64_t dns_us;
	int64_t connect_us;
	int64_t tls_us;
	int64_t first_byte_us;
	int64_t duration_us;
	int64_t retry_after_s;
	int64_t date_s;
	char location[HTTP_LOCATION_BYTES_MAX + 2];
};

static void note(void *context, const struct http_result *result)
{
	struct seen *seen = context;

	seen->count++;
	seen->outcome = result->outcome;
	seen->status = result->status;
	(void)snprintf(seen->body, sizeof(seen->body), "%.*s", STR_ARG(result->body)); /* fits, as below */
	(void)snprintf(seen->address, sizeof(seen->address), "%s", result->address);
	(void)snprintf(seen->tls, sizeof(seen->tls), "%s", result->tls);
	(void)snprintf(seen->location, sizeof(seen->location), "%s", result->location);
	seen->dns_us = result->dns_us;
	seen->connect_us = result->connect_us;
	seen->tls_us = result->tls_us;
	seen->first_byte_us = result->first_byte_us;
	seen->duration_us = result->duration_us;
	seen->retry_after_s = result->retry_after_s;
	seen->date_s = result->date_s;
}

static struct http_client *open_client(uint64_t total_timeout_ms)
{
	const struct http_client_options options = {
		.connect_timeout_ms = WEB_PATIENCE_MS,
		.total_timeout_ms = total_timeout_ms,
		.reply_bytes_max = 100,
		.in_flight_max = 1,
	};
	struct http_client *client = NULL;
	struct error err;

	(void)signal(SIGPIPE, SIG_IGN); /* as the program does */
	if (http_client_open(&options, &client, &err))
		fail_msg("%s", err.text);
	return client;
}

static struct seen request(struct http_client *client, const char *url)
{
	const struct http_request request = {.method = "POST", .url = url, .body = STR("{}")};
	struct seen seen = {0};

	http_client_submit(client, &request, note, &seen);
	while (!seen.count) /* ctest's limit ends it */
		http_client_poll(client, 1000);
	return seen;
}

static struct seen request_of_script(struct http_client *client, const char *reply, enum script_end end)
{
	struct script script;
	struct seen seen;
	char url[64];

	script_start(&script, reply, end);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/?token=secret", script.port); /* fits */
	seen = request(client, url);
	script_stop(&script);
	return seen;
}

/* ---- peer and times ---- */

static void test_result_of_a_new_connection_has_its_phases(void **state)
{
	struct http_client *client = open_client(WEB_PATIENCE_MS);
	struct script script;
	struct seen seen;
	char url[64];

	(void)state; /* none */
	script_start(&script, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE);
	(void)snprintf(url, sizeof(url), "http://localhost:%u/", script.port); /* fits */
	seen = request(client, url);
	script_stop(&script);
	assert_int_equal(seen.outcome, HTTP_OUTCOME_REPLIED);
	assert_true(seen.dns_us > 0 && seen.connect_us > 0 && seen.first_byte_us > 0);
	assert_int_equal(seen.tls_us, 0);
	assert_true(seen.dns_us + seen.connect_us + seen.first_byte_us <= seen.duration_us);
	http_client_close(&client);
}

static void test_result_names_the_peer(void **state)
{
	struct http_client *client = open_client(WEB_PATIENCE_MS);
	struct script script;
	struct seen seen;
	char expected[64];
	char url[64];

	(void)state; /* none */
	script_start(&script, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE);
	(void)snprintf(url, sizeof(url), "http://0x7f.1:%u/", script.port); /* fits, as below */
	(void)snprintf(expected, sizeof(expected), "127.0.0.1:%u", script.port);
	seen = request(client, url);
	assert_string_equal(seen.address, expected);
	assert_string_equal(seen.tls, "");
	script_stop(&script);
	http_client_close(&client);
}

static void test_result_puts_an_ipv6_address_in_brackets(void **state)
{
	struct http_client *client = open_client(300);
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct seen seen;
	char expected[64];
	char url[64];

	(void)state; /* none */
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len))
		skip(); /* no IPv6 here */
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(listen(fd, 8), 0);
	(void)snprintf(url, sizeof(url), "http://[::1]:%u/", ntohs(address.sin6_port)); /* fits, as below */
	(void)snprintf(expected, sizeof(expected), "[::1]:%u", ntohs(address.sin6_port));
	seen = request(client, url);
	assert_int_equal(seen.outcome, HTTP_OUTCOME_TIMEOUT); /* nobody answers, but the kernel connects */
	assert_string_equal(seen.address, expected);
	assert_int_equal(seen.first_byte_us, 0);
	assert_int_equal(seen.status, 0);
	(void)close(fd);
	http_client_close(&client);
}

static void test_result_of_a_refused_connection_has_no_peer(void **state)
{
	struct http_client *client = open_client(WEB_PATIENCE_MS);
	unsigned port;
	int fd = script_bind(&port); /* nobody listens */
	struct seen seen;
	char url[64];

	(void)state;							/* none */
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port); /* fits */
	seen = request(client, url);
	assert_int_equal(seen.outcome, HTTP_OUTCOME_CONNECT);
	assert_string_equal(seen.address, "");
	assert_int_equal(seen.connect_us, 0);
	assert_int_equal(seen.first_byte_us, 0);
	assert_int_equal(seen.status, 0);
	assert_int_equal(seen.retry_after_s, -1);
	assert_int_equal(seen.date_s, -1);
	assert_string_equal(seen.location, "");
	(void)close(fd);
	http_client_close(&client);
}

static void test_result_of_a_kept_connection_skips_its_phases(void **state)
{
	struct http_client *client = open_client(WEB_PATIENCE_MS);
	void *context = NULL;
	struct web *web;
	struct seen seen;
	char first[64];
	char url[64];

	(void)state; /* none */
	assert_int_equal(web_setup(&context), 0);
	web = context;
	web_start(web);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/echo", http_server_port(web->server)); /* fits */
	seen = request(client, url);
	assert_true(seen.connect_us > 0);
	(void)snprintf(first, sizeof(first), "%s", seen.address); /* fits */
	for (unsigned i = 0; i < 3; i++) {
		seen = request(client, url);
		assert_int_equal(seen.outcome, HTTP_OUTCOME_REPLIED);
		assert_string_equal(seen.address, first);
		assert_int_equal(seen.dns_us, 0);
		assert_int_equal(seen.connect_us, 0);
		assert_int_equal(seen.tls_us, 0);
		assert_in_range(seen.first_byte_us, 1, seen.duration_us);
	}
	assert_int_equal(web_stats(web).connections_total, 1);
	http_client_close(&client);
	assert_int_equal(web_teardown(&context), 0);
}

/* ---- the header ---- */

#define EMPTY "Content-Length: 0\r\n\r\n"
#define NOVEMBER_S 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 */
#define NOVEMBER "Sun, 06 Nov 1994 08:49:37 GMT"

static void test_result_has_the_date(void **state)
{
	static const struct {
		const char *reply;
		int64_t date_s;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nDate: " NOVEMBER "\r\n" EMPTY, NOVEMBER_S},
		{"HTTP/1.1 200 OK\r\ndAte:\tSunday, 06-Nov-94 08:49:37 GMT \r\n" EMPTY, NOVEMBER_S},
		{"HTTP/1.1 200 OK\r\nDate: Sun Nov  6 08:49:37 1994\r\n" EMPTY, NOVEMBER_S},
		{"HTTP/1.1 100 Continue\r\nDate: " NOVEMBER "\r\n\r\nHTTP/1.1 200 OK\r\n" EMPTY, -1},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nDate: " NOVEMBER "\r\n\r\n", -1},
		{"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n" EMPTY, 0},
		{"HTTP/1.1 200 OK\r\nDate: Thu, 29 Feb 2024 23:59:59 GMT\r\n" EMPTY, 1709251199},
		{"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 EST\r\n" EMPTY, NOVEMBER_S + 5 * 3600},
		{"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 25:49:37 GMT\r\n" EMPTY, -1},
		{"HTTP/1.1 200 OK\r\nDate: Sun, 06 Not 1994 08:49:37 GMT\r\n" EMPTY, -1},
		{"HTTP/1.1 200 OK\r\nDate: soon\r\n" EMPTY, -1},
		{"HTTP/1.1 200 OK\r\nDate:\r\n" EMPTY, -1},
		{"HTTP/1.1 200 OK\r\nX-Date: " NOVEMBER "\r\n" EMPTY, -1},
		{"HTTP/1.1 200 OK\r\nDate: " NOVEMBER " and a text that is longer than any date\r\n" EMPTY, -1},
		{"HTTP/1.1 200 OK\r\n" EMPTY, -1},
	};
	struct http_client *client = open_client(WEB_PATIENCE_MS);

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(request_of_script(client, cases[i].reply, SCRIPT_CLOSE).date_s, cases[i].date_s);
	http_client_close(&client);
}

static void test_result_reads_retry_after(void **state)
{
	static const struct {
		const char *fields;
		int64_t retry_after_s;
	} cases[] = {
		{"Retry-After: 120\r\n", 120},
		{"retry-after:0\r\n", 0},
		{"Retry-After: 31622400\r\n", HTTP_RETRY_AFTER_S_MAX},
		{"Retry-After: 31622401\r\n", HTTP_RETRY_AFTER_S_MAX},
		{"Retry-After: 99999999999999999999999999\r\n", HTTP_RETRY_AFTER_S_MAX},
		{"Retry-After: -1\r\n", -1},
		{"Retry-After: 1.5\r\n", -1},
		{"Retry-After: later\r\n", -1},
		{"Retry-After:\r\n", -1},
		{"", -1},
		{"Date: " NOVEMBER "\r\nRetry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n", 60},
		{"Retry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\nDate: " NOVEMBER "\r\n", 60},
		{"Date: " NOVEMBER "\r\nRetry-After: Sunday, 06-Nov-94 08:49:38 GMT\r\n", 1},
		{"Date: " NOVEMBER "\r\nRetry-After: " NOVEMBER "\r\n", 0},
		{"Date: " NOVEMBER "\r\nRetry-After: Sun, 06 Nov 1994 08:49:36 GMT\r\n", 0},
		{"Date: " NOVEMBER "\r\nRetry-After: Sun, 06 Nov 2033 08:49:36 GMT\r\n", HTTP_RETRY_AFTER_S_MAX},
		{"Retry-After: " NOVEMBER "\r\n", 0},
		{"Retry-After: 120\r\nRetry-After: 7\r\n", 7},
	};
	struct http_client *client = open_client(WEB_PATIENCE_MS);
	char reply[512];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seen seen;

		(void)snprintf(reply, sizeof(reply), "HTTP/1.1 503 No\r\n%s" EMPTY, cases[i].fields); /* fits */
		seen = request_of_script(client, reply, SCRIPT_CLOSE);
		if (seen.retry_after_s != cases[i].retry_after_s)
			fail_msg("%s: %lld", cases[i].fields, (long long)seen.retry_after_s);
	}
	http_client_close(&client);
}

static void test_result_judges_a_retry_date_by_the_wall_clock_without_a_date(void **state)
{
	struct http_client *client = open_client(WEB_PATIENCE_MS);
	time_t then = time(NULL) + 600;
	struct tm parts;
	struct seen seen;
	char date[64];
	char reply[256];

	(void)state; /* none */
	assert_non_null(gmtime_r(&then, &parts));
	assert_true(strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0);
	(void)snprintf(reply, sizeof(reply), "HTTP/1.1 503 No\r\nRetry-After: %s\r\n" EMPTY, date); /* fits */
	seen = request_of_script(client, reply, SCRIPT_CLOSE);
	assert_in_range(seen.retry_after_s, 500, 600);
	http_client_close(&client);
}

static void test_result_tells_where_a_redirect_leads(void **state)
{
	static const struct {
		const char *head;
		const char *location;
	} cases[] = {
		{"HTTP/1.1 302 Found\r\nLocation: https://other.example/path\r\n", "https://other.example/path"},
		{"HTTP/1.1 308 Moved\r\nlocation:/path?Sign=secret\r\n", "/path"},
		{"HTTP/1.1 301 Moved\r\nLocation: /path#part\r\n", "/path"},
		{"HTTP/1.1 301 Moved\r\nLocation: /a\x01\x1b[2Jb\xc3\xa4\r\n", "/a??[2Jb??"},
		{"HTTP/1.1 301 Moved\r\n", ""},
		{"HTTP/1.1 200 OK\r\nLocation: /path\r\n", ""},
		{"HTTP/1.1 201 Created\r\nLocation: /path\r\n", ""},
	};
	struct http_client *client = open_client(WEB_PATIENCE_MS);
	char reply[512];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seen seen;

		(void)snprintf(reply, sizeof(reply), "%s" EMPTY, cases[i].head); /* fits */
		seen = request_of_script(client, reply, SCRIPT_CLOSE);
		assert_string_equal(seen.location, cases[i].location);
	}
	http_client_close(&client);
}

static void test_result_cuts_a_long_location(void **state)
{
	struct http_client *client = open_client(WEB_PATIENCE_MS);
	char reply[2048] = "HTTP/1.1 302 Found\r\nLocation: /";
	struct seen seen;

	(void)state; /* none */
	for (unsigned i = 0; i < 1000; i++)
		strcat(reply, "x");
	strcat(reply, "\r\n" EMPTY);
	seen = request_of_script(client, reply, SCRIPT_CLOSE);
	assert_int_equal(strlen(seen.location), HTTP_LOCATION_BYTES_MAX);
	assert_memory_equal(seen.location, "/xxx", 4);
	http_client_close(&client);
}

/* ---- what was received before it went wrong ---- */

static void test_result_keeps_what_came_before_the_failure(void **state)
{
#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
	static const struct {
		const char *reply;
		enum script_end end;
		enum http_outcome outcome;
		int status;
		const char *body;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\n\r\n" FIFTY FIFTY "more", SCRIPT_CLOSE, HTTP_OUTCOME_TOO_LARGE, 200, FIFTY FIFTY},
		{"HTTP/1.1 500 No\r\nContent-Length: 10\r\n\r\nhalf", SCRIPT_WAIT, HTTP_OUTCOME_TIMEOUT, 500, "half"},
		{"HTTP/1.1 500 No\r\nContent-Length: 10\r\n\r\nhalf", SCRIPT_CLOSE, HTTP_OUTCOME_BROKEN, 500, "half"},
		{"HTTP/1.1 404 No\r\nContent-Len", SCRIPT_CLOSE, HTTP_OUTCOME_BROKEN, 404, ""},
		{"HTTP/1.1 100 Continue\r\n\r\n", SCRIPT_WAIT, HTTP_OUTCOME_TIMEOUT, 0, ""},
		{"", SCRIPT_WAIT, HTTP_OUTCOME_TIMEOUT, 0, ""},
		{"", SCRIPT_CLOSE, HTTP_OUTCOME_BROKEN, 0, ""},
	};
	struct http_client *client = open_client(300);

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seen seen = request_of_script(client, cases[i].reply, cases[i].end);

		assert_string_equal(http_outcome_word(seen.outcome), http_outcome_word(cases[i].outcome));
		assert_int_equal(seen.status, cases[i].status);
		assert_string_equal(seen.body, cases[i].body);
	}
	http_client_close(&client);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_result_of_a_new_connection_has_its_phases),
		cmocka_unit_test(test_result_names_the_peer),
		cmocka_unit_test(test_result_puts_an_ipv6_address_in_brackets),
		cmocka_unit_test(test_result_of_a_refused_connection_has_no_peer),
		cmocka_unit_test(test_result_of_a_kept_connection_skips_its_phases),
		cmocka_unit_test(test_result_has_the_date),
		cmocka_unit_test(test_result_reads_retry_after),
		cmocka_unit_test(test_result_judges_a_retry_date_by_the_wall_clock_without_a_date),
		cmocka_unit_test(test_result_tells_where_a_redirect_leads),
		cmocka_unit_test(test_result_cuts_a_long_location),
		cmocka_unit_test(test_result_keeps_what_came_before_the_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
