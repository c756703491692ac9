/* What changes while the server runs: its certificate, its time limits; a socket that somebody else made. */
#include "unit/http/cert.h"
#include "unit/http/web.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#define SHORT_MS 300

struct changing {
	struct web *web;
	struct cert_folder folder;
	SSL_CTX *context;
};

static int setup(void **state)
{
	struct changing *changing = mem_zalloc(sizeof(*changing));
	void *web = NULL;

	assert_int_equal(web_setup(&web), 0);
	changing->web = web;
	cert_folder_make(&changing->folder);
	changing->context = SSL_CTX_new(TLS_client_method());
	*state = changing;
	return 0;
}

static int teardown(void **state)
{
	struct changing *changing = *state;
	void *web = changing->web;

	SSL_CTX_free(changing->context);
	assert_int_equal(web_teardown(&web), 0);
	cert_folder_remove(&changing->folder);
	mem_free(changing);
	return 0;
}

/* ---- certificates ---- */

static SSL *shake_hands(struct changing *changing)
{
	SSL *tls = SSL_new(changing->context);

	assert_int_equal(SSL_set_fd(tls, peer_connect(changing->web)), 1);
	assert_int_equal(SSL_connect(tls), 1);
	return tls;
}

static void hang_up(SSL *tls)
{
	int fd = SSL_get_fd(tls);

	SSL_free(tls);
	(void)close(fd);
}

/* Is this the certificate that the file holds? */
static bool is_shown(SSL *tls, const char *path)
{
	X509 *shown = SSL_get1_peer_certificate(tls);
	X509 *wanted = cert_read(path);
	bool same = X509_cmp(shown, wanted) == 0;

	X509_free(shown);
	X509_free(wanted);
	return same;
}

static void echo(SSL *tls)
{
	static const char request[] = "GET /echo?a HTTP/1.1\r\n\r\n";
	char text[4096] = "";

	assert_int_equal(SSL_write(tls, request, sizeof(request) - 1), sizeof(request) - 1);
	for (size_t len = 0; !strstr(text, "GET|/echo|a");) {
		int got = SSL_read(tls, text + len, (int)(sizeof(text) - 1 - len));

		assert_true(got > 0);
		len += (size_t)got;
		text[len] = '\0';
	}
}

/* New connections until one is shown that certificate: each loop takes it when it next goes round. */
static void wait_shown(struct changing *changing, const char *path)
{
	int64_t limit_ms = clock_mono_ms() + WEB_PATIENCE_MS;
	bool shown;

	do {
		SSL *tls = shake_hands(changing);

		shown = is_shown(tls, path);
		hang_up(tls);
	} while (!shown && clock_mono_ms() < limit_ms);
	assert_true(shown);
}

static void test_server_shows_a_new_certificate_to_new_connections(void **state)
{
	struct changing *changing = *state;
	const char *files[][2] = {{changing->folder.other_cert, changing->folder.other_key},
				  {changing->folder.cert, changing->folder.key}};
	SSL *kept;

	changing->web->options.cert_file = changing->folder.cert;
	changing->web->options.key_file = changing->folder.key;
	changing->web->options.thread_count = 2;
	web_start(changing->web);
	kept = shake_hands(changing);
	assert_true(is_shown(kept, changing->folder.cert));
	for (size_t i = 0; i < 20; i++) {
		struct http_tls *tls;
		struct error err;

		assert_int_equal(http_tls_open(files[i % 2][0], files[i % 2][1], &tls, &err), 0);
		http_server_set_tls(changing->web->server, &tls);
		assert_null(tls);
		wait_shown(changing, files[i % 2][0]);
		echo(kept); /* goes on, with what it was shown */
	}
	hang_up(kept);
}

static void test_certificate_that_cannot_be_used_is_told(void **state)
{
	struct changing *changing = *state;
	struct http_tls *tls = NULL;
	struct error err;

	assert_int_equal(http_tls_open(changing->folder.text, changing->folder.key, &tls, &err), -1);
	assert_non_null(strstr(err.text, changing->folder.text));
	assert_int_equal(http_tls_open(changing->folder.cert, changing->folder.other_key, &tls, &err), -1);
	assert_int_equal(err.class, ERR_INVALID);
	assert_null(tls);
	http_tls_close(&tls);
	assert_int_equal(http_tls_open(changing->folder.cert, changing->folder.key, &tls, &err), 0);
	http_tls_close(&tls); /* that nobody took */
	assert_null(tls);
}

/* ---- time limits ---- */

static void test_server_takes_new_time_limits(void **state)
{
	struct changing *changing = *state;
	int64_t began_ms = clock_mono_ms();
	int idle;

	web_start(changing->web);
	idle = peer_connect(changing->web);
	peer_send(idle, "GET /echo?a HTTP/1.1\r\n\r\n");
	peer_expect(idle, 200, "GET|/echo|a||127.0.0.1|0|0");
	http_server_set_timeouts(changing->web->server, WEB_PATIENCE_MS, SHORT_MS);
	assert_true(peer_wait_end(idle) - began_ms < WEB_PATIENCE_MS / 2);
	(void)close(idle);
}

static void test_loops_go_round_by_themselves(void **state)
{
	const struct timespec pause = {.tv_nsec = 400 * 1000000};
	struct changing *changing = *state;
	int64_t first_ms;

	changing->web->options.thread_count = 4;
	web_start(changing->web);
	first_ms = http_server_round_ms(changing->web->server);
	(void)nanosleep(&pause, NULL); /* four times as long as a round may take */
	assert_true(http_server_round_ms(changing->web->server) > first_ms);
	assert_true(clock_mono_ms() - http_server_round_ms(changing->web->server) < 10000);
}

/* ---- a socket that was made elsewhere ---- */

static int make_socket(bool listens, unsigned *port_out)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (listens)
		assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*port_out = ntohs(address.sin_port);
	return fd;
}

static void test_server_serves_a_socket_that_is_passed(void **state)
{
	struct changing *changing = *state;
	unsigned port;
	int fd = make_socket(true, &port);
	int keep = dup(fd); /* the manager's copy */
	int early = peer_try_connect(port);

	peer_send(early, "GET /echo?a HTTP/1.1\r\n\r\n"); /* before anybody serves */
	changing->web->options.listen = "not looked at";
	changing->web->options.listen_fd = fd;
	web_start(changing->web);
	assert_int_equal(http_server_port(changing->web->server), port);
	peer_expect(early, 200, "GET|/echo|a||127.0.0.1|0|0");
	(void)close(early);
	http_server_drain(changing->web->server, WEB_PATIENCE_MS);
	early = peer_try_connect(port);
	assert_true(early >= 0); /* waits for the next server, in the queue of the manager's copy */
	(void)close(early);
	(void)close(keep);
}

static void test_socket_that_does_not_listen_is_refused(void **state)
{
	struct changing *changing = *state;
	struct http_server *server = NULL;
	struct error err;
	unsigned port;

	changing->web->options.listen_fd = make_socket(false, &port);
	assert_int_equal(http_server_open(&changing->web->options, &server, &err), -1);
	assert_int_equal(err.class, ERR_INVALID);
	assert_null(server);
	(void)close(changing->web->options.listen_fd); /* not taken over */
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_server_shows_a_new_certificate_to_new_connections),
		WITH_SERVER(test_certificate_that_cannot_be_used_is_told),
		WITH_SERVER(test_server_takes_new_time_limits),
		WITH_SERVER(test_loops_go_round_by_themselves),
		WITH_SERVER(test_server_serves_a_socket_that_is_passed),
		WITH_SERVER(test_socket_that_does_not_listen_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
