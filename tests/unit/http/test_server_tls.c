/* TLS: which versions are spoken, and peers that do not finish what they began. */
#include "unit/http/cert.h"
#include "unit/http/web.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#define SHORT_MS 300

struct secure {
	struct web *web;
	struct cert_folder folder;
	SSL_CTX *context;
};

static int setup(void **state)
{
	struct secure *secure = mem_zalloc(sizeof(*secure));
	void *web = NULL;

	assert_int_equal(web_setup(&web), 0);
	secure->web = web;
	cert_folder_make(&secure->folder);
	secure->web->options.cert_file = secure->folder.cert;
	secure->web->options.key_file = secure->folder.key;
	secure->context = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_load_verify_file(secure->context, secure->folder.cert), 1);
	SSL_CTX_set_verify(secure->context, SSL_VERIFY_PEER, NULL);
	*state = secure;
	return 0;
}

static int teardown(void **state)
{
	struct secure *secure = *state;
	void *web = secure->web;

	SSL_CTX_free(secure->context);
	assert_int_equal(web_teardown(&web), 0);
	cert_folder_remove(&secure->folder);
	mem_free(secure);
	return 0;
}

static SSL *attach(struct secure *secure, int fd)
{
	SSL *tls = SSL_new(secure->context);

	assert_non_null(tls);
	assert_int_equal(SSL_set_fd(tls, fd), 1);
	return tls;
}

static SSL *shake_hands(struct secure *secure)
{
	SSL *tls = attach(secure, peer_connect(secure->web));

	if (SSL_connect(tls) != 1)
		fail_msg("handshake: %s", ERR_reason_error_string(ERR_peek_last_error()));
	return tls;
}

static void tls_send(SSL *tls, const char *text)
{
	assert_int_equal(SSL_write(tls, text, (int)strlen(text)), (int)strlen(text));
}

/* Reads until `end` has come. */
static void tls_expect(SSL *tls, const char *begin, const char *end)
{
	char text[8192] = "";
	size_t len = 0;

	while (!strstr(text, end)) {
		int got = SSL_read(tls, text + len, (int)(sizeof(text) - 1 - len));

		assert_true(got > 0);
		len += (size_t)got;
		text[len] = '\0';
	}
	assert_memory_equal(text, begin, strlen(begin));
}

static void hang_up(SSL *tls)
{
	int fd = SSL_get_fd(tls);

	SSL_free(tls);
	(void)close(fd);
}

static void test_server_speaks_tls_of_both_versions(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct secure *secure = *state;

	web_start(secure->web);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		SSL *tls;

		assert_int_equal(SSL_CTX_set_min_proto_version(secure->context, versions[i]), 1);
		assert_int_equal(SSL_CTX_set_max_proto_version(secure->context, versions[i]), 1);
		tls = shake_hands(secure);
		assert_int_equal(SSL_version(tls), versions[i]);
		tls_send(tls, "GET /echo?a HTTP/1.1\r\n\r\n");
		tls_expect(tls, "HTTP/1.1 200 OK\r\n", "GET|/echo|a||127.0.0.1|0|0");
		tls_send(tls, "GET /echo?b HTTP/1.1\r\n\r\n"); /* kept alive */
		tls_expect(tls, "HTTP/1.1 200 OK\r\n", "GET|/echo|b||127.0.0.1|0|0");
		hang_up(tls);
	}
}

static void test_server_refuses_old_tls(void **state)
{
	static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION};
	struct secure *secure = *state;

	web_start(secure->web);
	SSL_CTX_set_security_level(secure->context, 0); /* else this side would not try */
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		SSL *tls = attach(secure, peer_connect(secure->web));
		int reason;

		assert_int_equal(SSL_set_min_proto_version(tls, versions[i]), 1);
		assert_int_equal(SSL_set_max_proto_version(tls, versions[i]), 1);
		ERR_clear_error();
		assert_int_not_equal(SSL_connect(tls), 1);
		reason = ERR_GET_REASON(ERR_peek_last_error()); /* the server's doing; not that this side did not try */
		assert_true(reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION ||
			    reason == SSL_R_UNEXPECTED_EOF_WHILE_READING);
		hang_up(tls);
	}
	web_wait_stats(secure->web, web_is_empty);
}

static void test_server_chooses_no_http2(void **state)
{
	static const unsigned char offer[] = "\x02h2\x08http/1.1";
	struct secure *secure = *state;
	const unsigned char *chosen;
	unsigned len;
	SSL *tls;

	web_start(secure->web);
	assert_int_equal(SSL_CTX_set_alpn_protos(secure->context, offer, sizeof(offer) - 1), 0);
	tls = shake_hands(secure);
	SSL_get0_alpn_selected(tls, &chosen, &len);
	assert_int_equal(len, 0);
	tls_send(tls, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	tls_expect(tls, "HTTP/1.1 400 ", "Bad Request");
	hang_up(tls);
}

static void test_server_refuses_bodies_over_tls_in_words(void **state)
{
	struct secure *secure = *state;
	char rest[8192] = "";
	SSL *tls;

	web_start(secure->web);
	tls = shake_hands(secure);
	tls_send(tls, "POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n");
	for (unsigned i = 0; i < 20; i++)
		if (SSL_write(tls, rest, sizeof(rest)) <= 0)
			break;
	tls_expect(tls, "HTTP/1.1 413 ", "refused: body");
	hang_up(tls);
}

static void test_server_sends_late_and_large_replies_over_tls(void **state)
{
	struct secure *secure = *state;
	SSL *tls;

	web_start(secure->web);
	tls = shake_hands(secure);
	tls_send(tls, "GET /hold HTTP/1.1\r\n\r\n");
	web_wait_held(secure->web, 1);
	web_release(secure->web);
	tls_expect(tls, "HTTP/1.1 200 OK\r\n", "late");
	tls_send(tls, "GET /large?4000000 HTTP/1.1\r\nConnection: close\r\n\r\n");
	for (size_t total = 0; total < 4000000;) {
		char bytes[16384];
		int got = SSL_read(tls, bytes, sizeof(bytes));

		assert_true(got > 0);
		total += (size_t)got;
	}
	hang_up(tls);
}

static void test_server_closes_when_a_handshake_stops(void **state)
{
	static const unsigned char hello[] = {0x16, 3, 1, 2, 0, 1, 0}; /* says that 512 bytes come */
	static const size_t sizes[] = {0, 3, sizeof(hello)};
	struct secure *secure = *state;

	secure->web->options.request_timeout_ms = SHORT_MS;
	web_start(secure->web);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		int64_t start_ms = clock_mono_ms();
		int fd = peer_connect(secure->web);

		assert_true(peer_try_send(fd, hello, sizes[i]));
		assert_in_range(peer_wait_end(fd) - start_ms, SHORT_MS, WEB_PATIENCE_MS / 2);
		(void)close(fd);
	}
	web_wait_stats(secure->web, web_is_empty);
	assert_int_equal(web_stats(secure->web).timeouts_total, ARRAY_LEN(sizes));
}

static void test_server_closes_when_nothing_follows_the_handshake(void **state)
{
	struct secure *secure = *state;
	int64_t start_ms;
	char byte;
	SSL *tls;

	secure->web->options.request_timeout_ms = SHORT_MS;
	web_start(secure->web);
	start_ms = clock_mono_ms();
	tls = shake_hands(secure);
	assert_true(SSL_read(tls, &byte, 1) <= 0);
	assert_in_range(clock_mono_ms() - start_ms, SHORT_MS, WEB_PATIENCE_MS / 2);
	hang_up(tls);
}

static void test_server_closes_on_bytes_that_are_no_tls(void **state)
{
	struct secure *secure = *state;
	int fd;

	web_start(secure->web);
	fd = peer_connect(secure->web);
	peer_send(fd, "GET /echo HTTP/1.1\r\n\r\n");
	(void)peer_wait_end(fd); /* an alert may come */
	(void)close(fd);
	web_wait_stats(secure->web, web_is_empty);
	assert_int_equal(web_stats(secure->web).calls_total, 0);
}

static void test_server_outlives_tls_peers_that_go_at_any_point(void **state)
{
	struct secure *secure = *state;
	unsigned char hello[2048];
	size_t len;
	BIO *out = BIO_new(BIO_s_mem());
	SSL *tls = SSL_new(secure->context);

	SSL_set_bio(tls, BIO_new(BIO_s_mem()), out);
	assert_true(SSL_connect(tls) < 0); /* has written its first message */
	len = (size_t)BIO_read(out, hello, sizeof(hello));
	web_start(secure->web);
	for (size_t sent = 0; sent <= len; sent += 16) {
		int fd = peer_connect(secure->web);

		assert_true(peer_try_send(fd, hello, sent));
		peer_reset(fd);
	}
	SSL_free(tls);
	for (unsigned i = 0; i < 10; i++) { /* with a call in hand, with and without a goodbye */
		tls = shake_hands(secure);
		tls_send(tls, "GET /hold HTTP/1.1\r\n\r\n");
		web_wait_held(secure->web, 1);
		if (i % 2)
			(void)SSL_shutdown(tls);
		hang_up(tls);
		web_release(secure->web);
	}
	web_wait_stats(secure->web, web_is_empty);
}

static void test_server_closes_over_half_a_handshake(void **state)
{
	struct secure *secure = *state;
	int fd;

	web_start(secure->web);
	fd = peer_connect(secure->web);
	assert_true(peer_try_send(fd, "\x16\x03\x01", 3));
	hang_up(shake_hands(secure)); /* so that the first one was accepted too */
	web_stop(secure->web);
	(void)peer_wait_end(fd);
	(void)close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TLS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TLS_TEST(test_server_speaks_tls_of_both_versions),
		TLS_TEST(test_server_refuses_old_tls),
		TLS_TEST(test_server_chooses_no_http2),
		TLS_TEST(test_server_refuses_bodies_over_tls_in_words),
		TLS_TEST(test_server_sends_late_and_large_replies_over_tls),
		TLS_TEST(test_server_closes_when_a_handshake_stops),
		TLS_TEST(test_server_closes_when_nothing_follows_the_handshake),
		TLS_TEST(test_server_closes_on_bytes_that_are_no_tls),
		TLS_TEST(test_server_outlives_tls_peers_that_go_at_any_point),
		TLS_TEST(test_server_closes_over_half_a_handshake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
