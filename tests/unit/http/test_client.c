/* The client: each outcome, and many requests at once. */
#include "http/client.h"
#include "unit/http/cert.h"
#include "unit/http/script.h"
#include "unit/http/web.h"

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"

struct seen {
	unsigned count;
	enum http_outcome outcome; /* of the last */
	int status;
	char body[256];
	char text[256];
	int64_t duration_us;
};

struct fixture {
	struct http_client_options options;
	struct http_client *client;
	struct seen seen;
};

static void note(void *context, const struct http_result *result)
{
	struct seen *seen = context;

	seen->count++;
	seen->outcome = result->outcome;
	seen->status = result->status;
	(void)snprintf(seen->body, sizeof(seen->body), "%.*s", STR_ARG(result->body)); /* a long one is cut */
	(void)snprintf(seen->text, sizeof(seen->text), "%s", result->text);
	seen->duration_us = result->duration_us;
}

static int setup(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	(void)signal(SIGPIPE, SIG_IGN); /* as the program does */
	fixture->options = (struct http_client_options){
		.connect_timeout_ms = WEB_PATIENCE_MS,
		.total_timeout_ms = WEB_PATIENCE_MS,
		.reply_bytes_max = 100,
		.in_flight_max = 4,
	};
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	http_client_close(&fixture->client);
	mem_free(fixture);
	return 0;
}

static void open_client(struct fixture *fixture)
{
	struct error err;

	if (http_client_open(&fixture->options, &fixture->client, &err))
		fail_msg("%s", err.text);
}

static void submit(struct fixture *fixture, const char *method, const char *url, struct str body)
{
	const char *headers[] = {"X-Test: yes", "Content-Type: application/json"};
	struct http_request request = {
		.method = method, .url = url, .headers = headers, .header_count = 2, .body = body};

	http_client_submit(fixture->client, &request, note, &fixture->seen);
}

static void poll_until(struct fixture *fixture, unsigned count)
{
	int64_t limit_ms = clock_mono_ms() + 2 * WEB_PATIENCE_MS;

	while (fixture->seen.count < count && clock_mono_ms() < limit_ms)
		http_client_poll(fixture->client, 1000);
	assert_int_equal(fixture->seen.count, count);
}

/* One request with a client of its own; expects the outcome, and words for it. */
static void expect_outcome(struct fixture *fixture, const char *url, enum http_outcome outcome)
{
	memset(&fixture->seen, 0, sizeof(fixture->seen));
	open_client(fixture);
	submit(fixture, "POST", url, STR("{}"));
	poll_until(fixture, 1);
	assert_string_equal(http_outcome_word(fixture->seen.outcome), http_outcome_word(outcome));
	assert_int_equal(fixture->seen.text[0] == '\0', outcome == HTTP_OUTCOME_REPLIED);
	assert_null(strstr(fixture->seen.text, "secret"));
	assert_int_equal(http_client_in_flight(fixture->client), 0);
	http_client_close(&fixture->client);
}

static void expect_of_script(struct fixture *fixture, const char *reply, enum script_end end, enum http_outcome outcome)
{
	struct script script;
	char url[64];

	script_start(&script, reply, end);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/path?token=secret", script.port); /* fits */
	expect_outcome(fixture, url, outcome);
	script_stop(&script);
}

/* ---- outcomes ---- */

static void test_client_takes_replies(void **state)
{
	static const struct {
		const char *reply;
		int status;
		const char *body;
	} cases[] = {
		{OK_REPLY, 200, "good"},
		{"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 500, ""},
		{"HTTP/1.0 404 No\r\n\r\nuntil the end", 404, "until the end"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200, "abc"},
		{"HTTP/1.1 100 Continue\r\n\r\n" OK_REPLY, 200, "good"},
		{"HTTP/1.1 204 None\r\n\r\n", 204, ""},
		{"HTTP/1.1 200 OK\n\nbare", 200, "bare"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\nX-Trailer: t\r\n\r\n", 200, "c"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture *fixture = *state;

		expect_of_script(fixture, cases[i].reply, SCRIPT_CLOSE, HTTP_OUTCOME_REPLIED);
		assert_int_equal(fixture->seen.status, cases[i].status);
		assert_string_equal(fixture->seen.body, cases[i].body);
	}
}

static void test_client_does_not_follow_redirects(void **state)
{
	struct fixture *fixture = *state;

	expect_of_script(fixture, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
			 SCRIPT_CLOSE, HTTP_OUTCOME_REPLIED);
	assert_int_equal(fixture->seen.status, 302);
}

static void test_client_tells_a_broken_reply(void **state)
{
	static const struct {
		const char *reply;
		enum script_end end;
	} cases[] = {
		{"", SCRIPT_CLOSE},
		{"", SCRIPT_RESET},
		{"HTTP/1.1 200 OK\r\nContent-Len", SCRIPT_CLOSE},
		{"HTTP/1.1 200 OK\r\n", SCRIPT_CLOSE},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", SCRIPT_CLOSE},
		{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", SCRIPT_CLOSE},
		{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", SCRIPT_CLOSE},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", SCRIPT_CLOSE},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n", SCRIPT_WAIT},
		{"not HTTP at all, but long enough to be seen as such\r\n\r\n", SCRIPT_CLOSE},
		{"220 smtp.example.com ESMTP\r\n", SCRIPT_WAIT},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_of_script(*state, cases[i].reply, cases[i].end, HTTP_OUTCOME_BROKEN);
}

static void test_client_takes_a_reply_of_the_limit_and_no_more(void **state)
{
	static const char ten[] = "0123456789";
	char reply[256] = "HTTP/1.1 200 OK\r\n\r\n";

	for (unsigned i = 0; i < 10; i++)
		strcat(reply, ten);
	expect_of_script(*state, reply, SCRIPT_CLOSE, HTTP_OUTCOME_REPLIED);
	strcat(reply, "x");
	expect_of_script(*state, reply, SCRIPT_CLOSE, HTTP_OUTCOME_TOO_LARGE);
}

/* The limit ends the exchange, not the receiver. */
static void test_client_stops_a_body_without_end(void **state)
{
	expect_of_script(*state, "HTTP/1.1 200 OK\r\n\r\n", SCRIPT_REPEAT, HTTP_OUTCOME_TOO_LARGE);
}

static void test_client_stops_a_header_without_end(void **state)
{
	static const char *const replies[] = {
		"HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 100 Continue\r\nX-Filler: something or other that is long\r\n\r\n",
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		expect_of_script(fixture, replies[i], SCRIPT_REPEAT, HTTP_OUTCOME_TOO_LARGE);
		assert_true(fixture->seen.duration_us < WEB_PATIENCE_MS * 500); /* not the time limit */
	}
}

static void test_client_tells_a_refused_connection(void **state)
{
	unsigned port;
	int fd = script_bind(&port); /* nobody listens */
	char url[64];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/?token=secret", port); /* fits */
	expect_outcome(*state, url, HTTP_OUTCOME_CONNECT);
	(void)close(fd);
}

static void test_client_speaks_http_only(void **state)
{
	static const char *const urls[] = {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "://",
					   "http://"};

	for (size_t i = 0; i < ARRAY_LEN(urls); i++)
		expect_outcome(*state, urls[i], HTTP_OUTCOME_BROKEN);
}

static void test_client_ends_at_the_total_limit(void **state)
{
	static const char *const replies[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"};
	struct fixture *fixture = *state;

	fixture->options.total_timeout_ms = 300;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		expect_of_script(fixture, replies[i], SCRIPT_WAIT, HTTP_OUTCOME_TIMEOUT);
		assert_in_range(fixture->seen.duration_us, 290000, WEB_PATIENCE_MS * 500);
	}
}

/* A queue of connections that is full leaves further ones without an answer. */
static void test_client_ends_at_the_connect_limit(void **state)
{
	struct fixture *fixture = *state;
	unsigned port;
	int fd = script_bind(&port);
	int waiting[4];
	char url[64];

	assert_int_equal(listen(fd, 0), 0);
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++) {
		struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

		address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(waiting[i], (struct sockaddr *)&address, sizeof(address)); /* under way */
	}
	fixture->options.connect_timeout_ms = 300;
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/?token=secret", port); /* fits */
	expect_outcome(fixture, url, HTTP_OUTCOME_TIMEOUT);
	assert_in_range(fixture->seen.duration_us, 290000, WEB_PATIENCE_MS * 500);
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		(void)close(waiting[i]);
	(void)close(fd);
}

/* ---- TLS ---- */

static void test_client_verifies_the_server(void **state)
{
	struct fixture *fixture = *state;
	struct cert_folder folder;
	void *context = NULL;
	struct web *web;
	char url[64];

	cert_folder_make(&folder);
	const struct {
		const char *server_cert;
		const char *server_key;
		const char *ca_file;
		enum http_outcome outcome;
	} cases[] = {
		{folder.cert, folder.key, folder.cert, HTTP_OUTCOME_REPLIED},
		{folder.cert, folder.key, folder.other_cert, HTTP_OUTCOME_TLS}, /* another authority */
		{folder.cert, folder.key, "", HTTP_OUTCOME_TLS},		/* the system's authorities */
		{folder.cert, folder.key, folder.text, HTTP_OUTCOME_TLS},	/* no certificate in it */
		{folder.other_cert, folder.other_key, folder.other_cert, HTTP_OUTCOME_TLS}, /* another host */
		{NULL, NULL, folder.cert, HTTP_OUTCOME_TLS},				    /* no TLS at all */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(web_setup(&context), 0);
		web = context;
		web->options.cert_file = cases[i].server_cert;
		web->options.key_file = cases[i].server_key;
		web_start(web);
		(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/echo?secret",
			       http_server_port(web->server)); /* fits */
		fixture->options.ca_file = cases[i].ca_file;
		expect_outcome(fixture, url, cases[i].outcome);
		assert_int_equal(web_stats(web).calls_total, cases[i].outcome == HTTP_OUTCOME_REPLIED);
		assert_int_equal(web_teardown(&context), 0);
	}
	cert_folder_remove(&folder);
}

static void test_client_tells_a_missing_ca_file_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct error err;

	fixture->options.ca_file = "/nonexistent/ca.pem";
	assert_int_equal(http_client_open(&fixture->options, &fixture->client, &err), -1);
	assert_non_null(strstr(err.text, "/nonexistent/ca.pem"));
	assert_null(fixture->client);
}

/* ---- requests ---- */

static void test_client_sends_what_it_is_told(void **state)
{
	struct fixture *fixture = *state;
	struct script script;
	char url[64];

	script_start(&script, OK_REPLY, SCRIPT_CLOSE);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/a%%20b?c=d", script.port); /* fits */
	open_client(fixture);
	submit(fixture, "PUT", url, STR("{\"a\":1}"));
	poll_until(fixture, 1);
	http_client_close(&fixture->client);
	script_stop(&script);
	assert_memory_equal(script.request, "PUT /a%20b?c=d HTTP/1.1\r\n", 25);
	assert_non_null(strstr(script.request, "\r\nX-Test: yes\r\n"));
	assert_non_null(strstr(script.request, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(script.request, "\r\nContent-Length: 7\r\n"));
	assert_null(strcasestr(script.request, "\r\nexpect:"));
}

static void test_client_ignores_the_proxies_of_the_environment(void **state)
{
	static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(setenv(names[i], "http://127.0.0.1:1", 1), 0);
	expect_of_script(*state, OK_REPLY, SCRIPT_CLOSE, HTTP_OUTCOME_REPLIED);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(unsetenv(names[i]), 0);
}

static void start_web(struct fixture *fixture, void **context, char url[64], const char *path)
{
	struct web *web;

	assert_int_equal(web_setup(context), 0);
	web = *context;
	web_start(web);
	(void)snprintf(url, 64, "http://127.0.0.1:%u%s", http_server_port(web->server), path); /* fits */
	open_client(fixture);
}

/* Also that nothing of one request is left in the next. */
static void test_client_reuses_a_connection(void **state)
{
	static const struct {
		const char *method;
		struct str body;
		const char *seen;
	} cases[] = {
		{"POST", {"abc", 3}, "POST|/echo||yes|127.0.0.1|3|0"},
		{"GET", {NULL, 0}, "GET|/echo||yes|127.0.0.1|0|0"},
		{"PUT", {"a", 1}, "PUT|/echo||yes|127.0.0.1|1|0"},
		{"DELETE", {NULL, 0}, "DELETE|/echo||yes|127.0.0.1|0|0"},
		{"POST", {NULL, 0}, "POST|/echo||yes|127.0.0.1|0|0"},
		{"GET", {NULL, 0}, "GET|/echo||yes|127.0.0.1|0|0"},
	};
	struct fixture *fixture = *state;
	void *web = NULL;
	char url[64];

	start_web(fixture, &web, url, "/echo");
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		submit(fixture, cases[i].method, url, cases[i].body);
		poll_until(fixture, i + 1);
		assert_string_equal(fixture->seen.body, cases[i].seen);
	}
	assert_int_equal(web_stats(web).connections_total, 1);
	http_client_close(&fixture->client);
	assert_int_equal(web_teardown(&web), 0);
}

/* A kept connection that the server closes unannounced must not cost an attempt, however often it happens. */
static void expect_anew(struct fixture *fixture, enum script_end end)
{
	struct script script;
	char url[64];

	script_start(&script, OK_REPLY, end);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", script.port); /* fits */
	open_client(fixture);
	for (unsigned i = 0; i < 20; i++) {
		submit(fixture, "POST", url, STR("{}"));
		poll_until(fixture, i + 1);
		assert_int_equal(fixture->seen.outcome, HTTP_OUTCOME_REPLIED);
	}
	http_client_close(&fixture->client);
	script_stop(&script);
	assert_int_equal(script.connections, 20);
}

static void test_client_connects_anew_when_the_server_has_closed(void **state)
{
	expect_anew(*state, SCRIPT_CLOSE);
}

static void test_client_connects_anew_when_the_server_closes_meanwhile(void **state)
{
	expect_anew(*state, SCRIPT_CLOSE_LATE);
}

static void test_client_has_many_in_flight(void **state)
{
	enum { COUNT = 100 };
	struct fixture *fixture = *state;
	void *web = NULL;
	char url[64];

	fixture->options.in_flight_max = COUNT;
	start_web(fixture, &web, url, "/hold");
	for (unsigned i = 0; i < COUNT; i++)
		submit(fixture, "POST", url, STR("{}"));
	assert_int_equal(http_client_in_flight(fixture->client), COUNT);
	while (web_stats(web).calls_open < COUNT) /* ctest's limit ends it */
		http_client_poll(fixture->client, 10);
	web_wait_held(web, COUNT);
	web_release(web);
	poll_until(fixture, COUNT);
	assert_int_equal(http_client_in_flight(fixture->client), 0);
	assert_string_equal(fixture->seen.body, "late");
	http_client_close(&fixture->client);
	assert_int_equal(web_teardown(&web), 0);
}

struct chain {
	struct fixture *fixture;
	const char *url;
	unsigned left;
};

static void chain_next(void *context, const struct http_result *result)
{
	struct chain *chain = context;
	struct http_request request = {.method = "POST", .url = chain->url};

	assert_int_equal(result->outcome, HTTP_OUTCOME_REPLIED);
	if (chain->left-- > 1)
		http_client_submit(chain->fixture->client, &request, chain_next, chain);
}

/* With no more than one at a time: a request that is done makes room before it says so. */
static void test_client_takes_a_request_from_within_done(void **state)
{
	struct fixture *fixture = *state;
	struct chain chain = {.fixture = fixture, .left = 10};
	struct http_request request = {.method = "POST"};
	void *web = NULL;
	char url[64];

	fixture->options.in_flight_max = 1;
	start_web(fixture, &web, url, "/echo");
	chain.url = request.url = url;
	http_client_submit(fixture->client, &request, chain_next, &chain);
	while (chain.left) /* ctest's limit ends it */
		http_client_poll(fixture->client, 1000);
	assert_int_equal(http_client_in_flight(fixture->client), 0);
	http_client_close(&fixture->client);
	assert_int_equal(web_teardown(&web), 0);
}

static void test_client_close_abandons_what_is_in_flight(void **state)
{
	struct fixture *fixture = *state;
	struct script script;
	char url[64];

	script_start(&script, "", SCRIPT_WAIT);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", script.port); /* fits */
	open_client(fixture);
	for (unsigned i = 0; i < 4; i++)
		submit(fixture, "POST", url, STR("{}"));
	http_client_poll(fixture->client, 50);
	http_client_close(&fixture->client);
	assert_null(fixture->client);
	assert_int_equal(fixture->seen.count, 0);
	script_stop(&script);
}

/* ---- waking ---- */

static void *wake_main(void *context)
{
	http_client_wake(context);
	return NULL;
}

static void test_client_wakes_from_another_thread(void **state)
{
	struct fixture *fixture = *state;
	int64_t start_ms = clock_mono_ms();
	pthread_t waker;

	open_client(fixture);
	assert_int_equal(pthread_create(&waker, NULL, wake_main, fixture->client), 0);
	http_client_poll(fixture->client, WEB_PATIENCE_MS); /* the wake comes before or during it */
	assert_true(clock_mono_ms() - start_ms < WEB_PATIENCE_MS / 2);
	assert_int_equal(pthread_join(waker, NULL), 0);
}

static void test_client_poll_waits_when_idle(void **state)
{
	struct fixture *fixture = *state;
	int64_t start_ms;

	open_client(fixture);
	start_ms = clock_mono_ms();
	http_client_poll(fixture->client, 100);
	assert_true(clock_mono_ms() - start_ms >= 99);
}

/* ---- one request, waited for ---- */

static void test_fetch_fetches(void **state)
{
	struct fixture *fixture = *state;
	struct http_request request = {.method = "GET"};
	struct script script;
	struct error err;
	struct buf body;
	char url[64];
	int status = 0;

	script_start(&script, OK_REPLY, SCRIPT_CLOSE);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", script.port); /* fits */
	request.url = url;
	buf_init(&body, 100);
	assert_int_equal(http_fetch(&fixture->options, &request, &status, &body, &err), 0);
	assert_int_equal(status, 200);
	assert_string_equal(buf_c(&body), "good");
	buf_fini(&body);
	script_stop(&script);
}

static void test_fetch_tells_errors_apart(void **state)
{
	static const struct {
		const char *reply;
		enum error_class class;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: "
		 "101\r\n\r\n0123456789012345678901234567890123456789012345678901234567890"
		 "1234567890123456789012345678901234567890",
		 ERR_FULL},
		{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", ERR_TIMEOUT},
		{"garbage that is no HTTP\r\n\r\n", ERR_IO},
	};
	struct fixture *fixture = *state;

	fixture->options.total_timeout_ms = 300;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_request request = {.method = "GET"};
		struct error err = {ERR_NONE, ""};
		struct script script;
		struct buf body;
		char url[64];
		int status = 7;

		script_start(&script, cases[i].reply, SCRIPT_WAIT);
		(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", script.port); /* fits */
		request.url = url;
		buf_init(&body, 200);
		assert_int_equal(http_fetch(&fixture->options, &request, &status, &body, &err), -1);
		assert_int_equal(err.class, cases[i].class);
		assert_int_equal(status, 7);
		assert_int_equal(body.len, 0);
		buf_fini(&body);
		script_stop(&script);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define CLIENT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CLIENT_TEST(test_client_takes_replies),
		CLIENT_TEST(test_client_does_not_follow_redirects),
		CLIENT_TEST(test_client_tells_a_broken_reply),
		CLIENT_TEST(test_client_takes_a_reply_of_the_limit_and_no_more),
		CLIENT_TEST(test_client_stops_a_body_without_end),
		CLIENT_TEST(test_client_stops_a_header_without_end),
		CLIENT_TEST(test_client_tells_a_refused_connection),
		CLIENT_TEST(test_client_speaks_http_only),
		CLIENT_TEST(test_client_ends_at_the_total_limit),
		CLIENT_TEST(test_client_ends_at_the_connect_limit),
		CLIENT_TEST(test_client_verifies_the_server),
		CLIENT_TEST(test_client_tells_a_missing_ca_file_at_once),
		CLIENT_TEST(test_client_sends_what_it_is_told),
		CLIENT_TEST(test_client_ignores_the_proxies_of_the_environment),
		CLIENT_TEST(test_client_reuses_a_connection),
		CLIENT_TEST(test_client_connects_anew_when_the_server_has_closed),
		CLIENT_TEST(test_client_connects_anew_when_the_server_closes_meanwhile),
		CLIENT_TEST(test_client_has_many_in_flight),
		CLIENT_TEST(test_client_takes_a_request_from_within_done),
		CLIENT_TEST(test_client_close_abandons_what_is_in_flight),
		CLIENT_TEST(test_client_wakes_from_another_thread),
		CLIENT_TEST(test_client_poll_waits_when_idle),
		CLIENT_TEST(test_fetch_fetches),
		CLIENT_TEST(test_fetch_tells_errors_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
