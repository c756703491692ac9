/* Opening, draining, closing, and what is left afterwards. */
#include "unit/http/cert.h"
#include "unit/http/web.h"

#include <dirent.h>
#include <pthread.h>

/* ---- opening ---- */

static void expect_refused(struct web *web, enum error_class class, const char *words)
{
	struct error err = {ERR_NONE, ""};

	assert_int_equal(http_server_open(&web->options, &web->server, &err), -1);
	assert_int_equal(err.class, class);
	assert_non_null(strstr(err.text, words));
	assert_null(web->server);
}

static void test_server_refuses_malformed_addresses(void **state)
{
	static const char *const texts[] = {
		"",
		":",
		":80",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:65536",
		"127.0.0.1:-1",
		"127.0.0.1:x",
		"localhost:80",
		"::1:80",
		"[::1]",
		"[::1]80",
		"[]:80",
		"[::1:80",
		"256.0.0.1:80",
		"127.0.0.1:80:80",
		"127.0.0.1: 80",
		"http://127.0.0.1:80",
		"[127.0.0.1%0]:80",
		"1111111111111111111111111111111111111111111111111111111111111111111111:1",
	};
	struct web *web = *state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		web->options.listen = texts[i];
		expect_refused(web, ERR_INVALID, texts[i]);
	}
}

static void test_server_tells_an_address_in_use(void **state)
{
	struct web *web = *state;
	struct web other = {.options = web->options};
	char listen_text[32];

	web_start(web);
	(void)snprintf(listen_text, sizeof(listen_text), "127.0.0.1:%u", http_server_port(web->server)); /* fits */
	other.options.listen = listen_text;
	expect_refused(&other, ERR_IO, listen_text);
}

static void test_server_names_the_bad_tls_file(void **state)
{
	struct web *web = *state;
	struct cert_folder folder;

	cert_folder_make(&folder);
	const struct {
		const char *cert;
		const char *key;
		const char *words;
	} cases[] = {
		{folder.cert, NULL, "key file"},
		{"", folder.key, "certificate file"},
		{"/nonexistent/cert.pem", folder.key, "/nonexistent/cert.pem"},
		{folder.cert, "/nonexistent/key.pem", "/nonexistent/key.pem"},
		{folder.text, folder.key, folder.text},
		{folder.cert, folder.text, folder.text},
		{folder.path, folder.key, folder.path},
		{folder.key, folder.key, folder.key},
		{folder.cert, folder.cert, folder.cert},
		{folder.cert, folder.other_key, folder.other_key},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		web->options.cert_file = cases[i].cert;
		web->options.key_file = cases[i].key;
		expect_refused(web, ERR_INVALID, cases[i].words);
	}
	cert_folder_remove(&folder);
}

static void test_server_keeps_nothing_of_its_options(void **state)
{
	struct web *web = *state;
	char listen_text[] = "127.0.0.1:0";
	int fd;

	web->options.listen = listen_text;
	web_start(web);
	memset(listen_text, 'x', sizeof(listen_text) - 1);
	fd = peer_connect(web);
	peer_send(fd, "GET /echo HTTP/1.1\r\n\r\n");
	peer_expect(fd, 200, "GET|/echo|||127.0.0.1|0|0");
	(void)close(fd);
}

/* ---- draining ---- */

static void *drain_main(void *context)
{
	http_server_drain(((struct web *)context)->server, WEB_PATIENCE_MS);
	return NULL;
}

static void test_server_drains(void **state)
{
	struct web *web = *state;
	pthread_t drainer;
	struct peer_reply reply;
	int busy;
	int idle;
	int half;

	web->options.thread_count = 2;
	web_start(web);
	busy = peer_connect(web);
	idle = peer_connect(web);
	half = peer_connect(web);
	peer_send(busy, "GET /hold HTTP/1.1\r\n\r\nGET /echo HTTP/1.1\r\n\r\n");
	peer_send(idle, "GET /echo HTTP/1.1\r\n\r\n");
	peer_read(idle, true, &reply);
	peer_send(half, "POST /body HTTP/1.1\r\nContent-Length: 4\r\n\r\nbo");
	web_wait_held(web, 1);
	assert_int_equal(pthread_create(&drainer, NULL, drain_main, web), 0);
	peer_expect_end(idle);
	assert_true(peer_is_silent(busy, 200));
	web_release(web);
	peer_read(busy, true, &reply);
	assert_string_equal(reply.body, "late");
	assert_non_null(strcasestr(reply.head, "\r\nconnection: close\r\n"));
	peer_expect_end(busy); /* the second request was not taken */
	peer_send(half, "dy");
	peer_read(half, true, &reply);
	assert_string_equal(reply.body, "body");
	assert_non_null(strcasestr(reply.head, "\r\nconnection: close\r\n"));
	peer_expect_end(half);
	assert_int_equal(pthread_join(drainer, NULL), 0);
	assert_int_equal(web_stats(web).connection_count, 0);
}

static void test_server_refuses_connections_after_draining(void **state)
{
	struct web *web = *state;

	web->options.thread_count = 2;
	web_start(web);
	http_server_drain(web->server, WEB_PATIENCE_MS);
	assert_int_equal(peer_try_connect(http_server_port(web->server)), -1);
}

static void test_server_drain_gives_up_in_time(void **state)
{
	struct web *web = *state;
	int64_t start_ms;
	int fd;

	web_start(web);
	fd = peer_connect(web);
	peer_send(fd, "GET /hold HTTP/1.1\r\n\r\n");
	web_wait_held(web, 1);
	start_ms = clock_mono_ms();
	http_server_drain(web->server, 200);
	assert_in_range(clock_mono_ms() - start_ms, 200, WEB_PATIENCE_MS / 2);
	assert_int_equal(web_stats(web).calls_open, 1);
	web_release(web);
	peer_expect(fd, 200, "late");
	(void)close(fd);
}

/* ---- closing ---- */

static void test_server_closes_over_connections_in_every_state(void **state)
{
	static const char *const texts[] = {
		"",
		"GET",
		"GET /echo HTTP/1.1\r\n\r\n",
		"POST /echo HTTP/1.1\r\nContent-Length: 9\r\n\r\n12",
		"GET /large?33554432 HTTP/1.1\r\n\r\n",
		"POST /echo HTTP/1.1\r\nContent-Length: 999999\r\n\r\n",
	};
	struct web *web = *state;
	int fds[2 * ARRAY_LEN(texts)];

	web->options.thread_count = 2;
	web_start(web);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = peer_connect(web);
		peer_send(fds[i], texts[i % ARRAY_LEN(texts)]);
	}
	web_stop(web); /* at whatever point each of them is */
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		(void)peer_wait_end(fds[i]);
		(void)close(fds[i]);
	}
}

static void test_server_sends_the_last_replies_when_closing(void **state)
{
	struct web *web = *state;
	int fd;

	web_start(web);
	fd = peer_connect(web);
	peer_send(fd, "GET /hold HTTP/1.1\r\n\r\n");
	web_wait_held(web, 1);
	web_release(web);
	web_stop(web); /* asserts that nothing is open */
	(void)peer_wait_end(fd);
	(void)close(fd);
}

static void test_server_close_accepts_null(void **state)
{
	struct http_server *server = NULL;

	(void)state; /* none */
	http_server_close(&server);
	assert_null(server);
}

/* Descriptors of this process, without the one per thread that the library's loop never closes. */
static unsigned count_descriptors(unsigned *loops_out)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;
	unsigned count = 0;

	assert_non_null(folder);
	*loops_out = 0;
	while ((entry = readdir(folder)) != NULL) {
		char target[64] = "";

		if (readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1) < 0)
			continue; /* "." and ".." */
		if (strcmp(target, "anon_inode:[eventpoll]") == 0)
			++*loops_out;
		else
			count++;
	}
	assert_int_equal(closedir(folder), 0);
	return count;
}

static void test_server_leaves_no_descriptors(void **state)
{
	enum { ROUNDS = 100 };
	struct web *web = *state;
	unsigned loops_before;
	unsigned loops;
	unsigned before = count_descriptors(&loops_before);
	struct error err;

	web->options.thread_count = 2;
	for (unsigned i = 0; i < ROUNDS; i++) {
		int fd;

		if (i % 10 == 0) { /* never started */
			assert_int_equal(http_server_open(&web->options, &web->server, &err), 0);
			web_stop(web);
			continue;
		}
		web_start(web);
		fd = peer_connect(web);
		peer_send(fd,
			  i % 2 ? "GET /echo HTTP/1.1\r\n\r\n" : "POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n");
		peer_expect(fd, i % 2 ? 200 : 413, NULL);
		(void)close(fd);
		web_stop(web);
	}
	assert_int_equal(count_descriptors(&loops), before);
	assert_true(loops - loops_before <= 2 * ROUNDS);
}

static void test_server_leaves_nothing_when_it_cannot_open(void **state)
{
	struct web *web = *state;
	unsigned loops_before;
	unsigned loops;
	unsigned before = count_descriptors(&loops_before);

	web->options.listen = "192.0.2.1:0"; /* an address for documentation: nobody has it */
	for (unsigned i = 0; i < 20; i++)
		expect_refused(web, ERR_IO, "192.0.2.1");
	assert_int_equal(count_descriptors(&loops), before);
	assert_int_equal(loops, loops_before);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define LIFE_TEST(name) cmocka_unit_test_setup_teardown(name, web_setup, web_teardown)
		LIFE_TEST(test_server_refuses_malformed_addresses),
		LIFE_TEST(test_server_tells_an_address_in_use),
		LIFE_TEST(test_server_names_the_bad_tls_file),
		LIFE_TEST(test_server_keeps_nothing_of_its_options),
		LIFE_TEST(test_server_drains),
		LIFE_TEST(test_server_refuses_connections_after_draining),
		LIFE_TEST(test_server_drain_gives_up_in_time),
		LIFE_TEST(test_server_closes_over_connections_in_every_state),
		LIFE_TEST(test_server_sends_the_last_replies_when_closing),
		cmocka_unit_test(test_server_close_accepts_null),
		LIFE_TEST(test_server_leaves_no_descriptors),
		LIFE_TEST(test_server_leaves_nothing_when_it_cannot_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
