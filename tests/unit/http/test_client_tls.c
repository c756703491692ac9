/* The client and TLS: what it says of each failure, and certificates of its own. */
#include "http/client.h"
#include "unit/http/cert.h"
#include "unit/http/peer.h"
#include "unit/http/script.h"
#include "unit/http/web.h"

/* ---- fixture ---- */

#define PEM_BYTES_MAX 4096

/* A certificate, its key, and both as text. */
struct pair {
	char cert[96];
	char key[96];
	char cert_pem[PEM_BYTES_MAX];
	char key_pem[PEM_BYTES_MAX];
};

struct seen {
	unsigned count;
	enum http_outcome outcome;
	char body[PEER_NAME_BYTES_MAX + 1];
	char text[256];
	char address[64];
	char tls[80];
	int64_t connect_us;
	int64_t tls_us;
};

struct fixture {
	char path[64];
	struct pair ca;
	struct pair server;   /* of ca */
	struct pair alice;    /* of ca, for clients */
	struct pair bob;      /* of ca, for clients */
	struct pair stranger; /* of itself */
	struct http_client_options options;
	struct http_client *client;
};

static void read_text(const char *path, char out[PEM_BYTES_MAX])
{
	FILE *file = fopen(path, "re");
	size_t len;

	assert_non_null(file);
	len = fread(out, 1, PEM_BYTES_MAX - 1, file);
	assert_true(len > 0);
	out[len] = '\0';
	(void)fclose(file); /* only read */
}

static void make_pair(struct fixture *fixture, struct pair *pair, const char *stem, const struct cert_spec *spec)
{
	(void)snprintf(pair->cert, sizeof(pair->cert), "%s/%s.pem", fixture->path, stem); /* fits, as below */
	(void)snprintf(pair->key, sizeof(pair->key), "%s/%s.key", fixture->path, stem);
	cert_make(pair->cert, pair->key, spec);
	read_text(pair->cert, pair->cert_pem);
	read_text(pair->key, pair->key_pem);
}

/* One of ca. */
static void make_issued(struct fixture *fixture, struct pair *pair, const char *stem, const char *name)
{
	const struct cert_spec spec = {name, fixture->ca.cert, fixture->ca.key, -3600, 3600};

	make_pair(fixture, pair, stem, &spec);
}

static int setup(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));
	const struct cert_spec ca = {"DNS:ca.example", NULL, NULL, -7200, 7200};
	const struct cert_spec stranger = {"DNS:stranger.example", NULL, NULL, -3600, 3600};

	(void)signal(SIGPIPE, SIG_IGN);							   /* as the program does */
	(void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/highwater-tls-XXXXXX"); /* fits */
	assert_non_null(mkdtemp(fixture->path));
	make_pair(fixture, &fixture->ca, "ca", &ca);
	make_pair(fixture, &fixture->stranger, "stranger", &stranger);
	make_issued(fixture, &fixture->server, "server", "IP:127.0.0.1");
	make_issued(fixture, &fixture->alice, "alice", "DNS:alice");
	make_issued(fixture, &fixture->bob, "bob", "DNS:bob");
	fixture->options = (struct http_client_options){
		.ca_file = fixture->ca.cert,
		.connect_timeout_ms = WEB_PATIENCE_MS,
		.total_timeout_ms = WEB_PATIENCE_MS,
		.reply_bytes_max = 100,
		.in_flight_max = 4,
	};
	*state = fixture;
	return 0;
}

static void remove_pair(const struct pair *pair)
{
	(void)unlink(pair->cert); /* what is left over does not matter to the tests */
	(void)unlink(pair->key);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	http_client_close(&fixture->client);
	remove_pair(&fixture->ca);
	remove_pair(&fixture->server);
	remove_pair(&fixture->alice);
	remove_pair(&fixture->bob);
	remove_pair(&fixture->stranger);
	(void)rmdir(fixture->path); /* as above */
	mem_free(fixture);
	return 0;
}

/* ---- requests ---- */

static void note(void *context, const struct http_result *result)
{
	struct seen *seen = context;

	seen->count++;
	seen->outcome = result->outcome;
	(void)snprintf(seen->body, sizeof(seen->body), "%.*s", STR_ARG(result->body)); /* fits, as below */
	(void)snprintf(seen->text, sizeof(seen->text), "%s", result->text);
	(void)snprintf(seen->address, sizeof(seen->address), "%s", result->address);
	(void)snprintf(seen->tls, sizeof(seen->tls), "%s", result->tls);
	seen->connect_us = result->connect_us;
	seen->tls_us = result->tls_us;
}

static struct seen request_to(struct fixture *fixture, unsigned port, struct str cert, struct str key)
{
	struct http_request request = {.method = "GET", .client_cert = cert, .client_key = key};
	struct seen seen = {0};
	struct error err;
	char url[64];

	if (!fixture->client && http_client_open(&fixture->options, &fixture->client, &err))
		fail_msg("%s", err.text);
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/?token=secret", port); /* fits */
	request.url = url;
	http_client_submit(fixture->client, &request, note, &seen);
	while (!seen.count) /* ctest's limit ends it */
		http_client_poll(fixture->client, 1000);
	return seen;
}

/* With that certificate, or none. */
static struct seen request_as(struct fixture *fixture, unsigned port, const struct pair *pair)
{
	return request_to(fixture, port, str_c(pair ? pair->cert_pem : NULL), str_c(pair ? pair->key_pem : NULL));
}

static void expect_refusal(const struct seen *seen, const char *part)
{
	assert_string_equal(http_outcome_word(seen->outcome), http_outcome_word(HTTP_OUTCOME_TLS));
	if (!strstr(seen->text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, seen->text);
	assert_null(strstr(seen->text, "secret"));
}

/* ---- the server's certificate ---- */

static void test_tls_says_what_is_wrong_with_a_certificate(void **state)
{
	struct fixture *fixture = *state;
	const char *ca = fixture->ca.cert;
	const char *ca_key = fixture->ca.key;
	const struct {
		struct cert_spec spec;
		const char *ca_file;
		const char *part;
	} cases[] = {
		{{"IP:127.0.0.1", ca, ca_key, -7000, -60}, ca, "has expired"},
		{{"IP:127.0.0.1", ca, ca_key, 3600, 7200}, ca, "is not valid yet"},
		{{"DNS:other.example", ca, ca_key, -60, 3600}, ca, "is for another name than '127.0.0.1'"},
		{{"IP:127.0.0.2", ca, ca_key, -60, 3600}, ca, "is for another name than '127.0.0.1'"},
		{{"IP:127.0.0.1", ca, ca_key, -60, 3600}, fixture->stranger.cert, "is of an unknown authority"},
		{{"IP:127.0.0.1", ca, ca_key, -60, 3600}, "", "is of an unknown authority"},
		{{"IP:127.0.0.1", NULL, NULL, -60, 3600}, ca, "is self-signed"},
		{{"IP:127.0.0.1", ca, ca_key, -60, 3600}, fixture->ca.key, "the CA file cannot be read"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pair pair;
		struct peer peer;
		struct seen seen;

		make_pair(fixture, &pair, "case", &cases[i].spec);
		fixture->options.ca_file = cases[i].ca_file;
		peer_start(&peer, pair.cert, pair.key);
		peer_listen(&peer);
		seen = request_as(fixture, peer.port, NULL);
		http_client_close(&fixture->client);
		peer_stop(&peer);
		remove_pair(&pair);
		expect_refusal(&seen, cases[i].part);
		assert_string_equal(seen.tls, "");
		assert_int_equal(seen.tls_us, 0);
	}
}

/* The chain is sent whole, and its root is the one that is not known. */
static void test_tls_says_that_the_root_is_unknown(void **state)
{
	struct fixture *fixture = *state;
	struct peer peer;
	struct seen seen;

	fixture->options.ca_file = fixture->stranger.cert;
	peer_start(&peer, fixture->server.cert, fixture->server.key);
	assert_int_equal(SSL_CTX_add0_chain_cert(peer.tls, cert_read(fixture->ca.cert)), 1);
	peer_listen(&peer);
	seen = request_as(fixture, peer.port, NULL);
	http_client_close(&fixture->client);
	peer_stop(&peer);
	expect_refusal(&seen, "is of an unknown authority");
}

/* ---- the handshake ---- */

static void test_tls_says_that_the_other_side_speaks_none(void **state)
{
	static const char *const replies[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "220 smtp.example.com ESMTP\r\n"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		unsigned port;
		int fd = script_bind(&port);
		struct http_request request = {.method = "GET"};
		struct seen seen = {0};
		struct error err;
		char url[64];
		int accepted;

		assert_int_equal(listen(fd, 8), 0);
		if (http_client_open(&fixture->options, &fixture->client, &err))
			fail_msg("%s", err.text);
		(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/?token=secret", port); /* fits */
		request.url = url;
		http_client_submit(fixture->client, &request, note, &seen);
		http_client_poll(fixture->client, 0);
		accepted = accept(fd, (struct sockaddr *)&peer, &len);
		assert_true(accepted >= 0);
		assert_int_equal(send(accepted, replies[i], strlen(replies[i]), MSG_NOSIGNAL), strlen(replies[i]));
		while (!seen.count) /* ctest's limit ends it */
			http_client_poll(fixture->client, 1000);
		(void)close(accepted); /* the case is over, as below */
		(void)close(fd);
		http_client_close(&fixture->client);
		expect_refusal(&seen, "does not speak TLS on this port");
	}
}

static void test_tls_says_that_the_other_side_is_too_old(void **state)
{
	struct fixture *fixture = *state;
	struct peer peer;
	struct seen seen;

	peer_start(&peer, fixture->server.cert, fixture->server.key);
	assert_int_equal(SSL_CTX_set_cipher_list(peer.tls, "ALL:@SECLEVEL=0"), 1); /* else not even it speaks 1.1 */
	assert_int_equal(SSL_CTX_set_min_proto_version(peer.tls, TLS1_VERSION), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(peer.tls, TLS1_1_VERSION), 1);
	peer_listen(&peer);
	seen = request_as(fixture, peer.port, NULL);
	http_client_close(&fixture->client);
	peer_stop(&peer);
	expect_refusal(&seen, "speaks no TLS 1.2 or newer");
}

static void test_tls_names_the_peer_of_a_failed_handshake(void **state)
{
	struct fixture *fixture = *state;
	struct peer peer;
	struct seen seen;
	char expected[64];

	fixture->options.ca_file = fixture->stranger.cert;
	peer_start(&peer, fixture->server.cert, fixture->server.key);
	peer_listen(&peer);
	seen = request_as(fixture, peer.port, NULL);
	http_client_close(&fixture->client);
	peer_stop(&peer);
	(void)snprintf(expected, sizeof(expected), "127.0.0.1:%u", peer.port); /* fits */
	assert_string_equal(http_outcome_word(seen.outcome), "tls");
	assert_string_equal(seen.address, expected);
	assert_true(seen.connect_us > 0);
	assert_int_equal(seen.tls_us, 0);
}

/* Reads the client's first message and closes. */
static void *hang_up(void *context)
{
	int fd = accept(*(int *)context, NULL, NULL);
	char hello[4096];

	(void)recv(fd, hello, sizeof(hello), 0); /* all of it, else this would be a reset */
	(void)close(fd);
	return NULL;
}

static void test_tls_says_that_the_other_side_hung_up(void **state)
{
	struct fixture *fixture = *state;
	unsigned port;
	int fd = script_bind(&port);
	pthread_t thread;
	struct seen seen;

	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(pthread_create(&thread, NULL, hang_up, &fd), 0);
	seen = request_as(fixture, port, NULL);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(fd); /* nothing was written */
	expect_refusal(&seen, "SSL_connect");
}

static void test_tls_names_version_and_cipher(void **state)
{
	static const struct {
		int version;
		const char *tls;
	} cases[] = {
		{TLS1_3_VERSION, "TLSv1.3 TLS_AES_256_GCM_SHA384"},
		{TLS1_2_VERSION, "TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384"},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct peer peer;

		peer_start(&peer, fixture->server.cert, fixture->server.key);
		assert_int_equal(SSL_CTX_set_max_proto_version(peer.tls, cases[i].version), 1);
		peer_listen(&peer);
		for (unsigned round = 0; round < 3; round++) {
			struct seen seen = request_as(fixture, peer.port, NULL);

			assert_string_equal(http_outcome_word(seen.outcome), "replied");
			assert_string_equal(seen.tls, cases[i].tls);
			assert_int_equal(seen.tls_us > 0, round == 0); /* then the connection is kept */
		}
		http_client_close(&fixture->client);
		peer_stop(&peer);
		assert_int_equal(peer.connections, 1);
	}
}

/* A receiver that is silent after the handshake. */
static void test_tls_is_named_when_no_reply_came(void **state)
{
	struct fixture *fixture = *state;
	struct peer peer;
	struct seen seen;

	fixture->options.total_timeout_ms = 500;
	peer_start(&peer, fixture->server.cert, fixture->server.key);
	peer.silent = true;
	peer_listen(&peer);
	seen = request_as(fixture, peer.port, NULL);
	http_client_close(&fixture->client);
	peer_stop(&peer);
	assert_string_equal(http_outcome_word(seen.outcome), "timeout");
	assert_string_equal(seen.tls, "TLSv1.3 TLS_AES_256_GCM_SHA384");
	assert_true(seen.tls_us > 0);
}

/* ---- the client's certificate ---- */

static void expect_required(struct fixture *fixture, int version, const struct pair *pair, const char *part)
{
	struct peer peer;
	struct seen seen;

	peer_start(&peer, fixture->server.cert, fixture->server.key);
	assert_int_equal(SSL_CTX_set_max_proto_version(peer.tls, version), 1);
	peer_ask_for_client_cert(&peer, fixture->ca.cert, true);
	peer_listen(&peer);
	seen = request_as(fixture, peer.port, pair);
	http_client_close(&fixture->client);
	peer_stop(&peer);
	expect_refusal(&seen, part);
}

static void test_tls_says_that_a_client_certificate_is_missing(void **state)
{
	expect_required(*state, TLS1_3_VERSION, NULL, "requires a client certificate");
	expect_required(*state, TLS1_2_VERSION, NULL, "may require a client certificate");
}

static void test_tls_says_that_a_client_certificate_is_refused(void **state)
{
	struct fixture *fixture = *state;

	expect_required(fixture, TLS1_3_VERSION, &fixture->stranger, "refused the client certificate");
	expect_required(fixture, TLS1_2_VERSION, &fixture->stranger, "refused the client certificate");
}

/* The alert is there, but a reset comes behind it, sometimes before the request goes out: then that is what fails. */
static void test_tls_hears_the_refusal_of_one_that_hangs_up_at_once(void **state)
{
	struct fixture *fixture = *state;
	char address[64];

	for (unsigned i = 0; i < 30; i++) {
		struct peer peer;
		struct seen seen;

		peer_start(&peer, fixture->server.cert, fixture->server.key);
		peer.hasty = true;
		peer_ask_for_client_cert(&peer, fixture->ca.cert, true);
		peer_listen(&peer);
		seen = request_as(fixture, peer.port, i % 2 ? &fixture->stranger : NULL);
		http_client_close(&fixture->client);
		peer_stop(&peer);
		expect_refusal(&seen, i % 2 ? "refused the client certificate: unknown authority"
					    : "requires a client certificate");
		(void)snprintf(address, sizeof(address), "127.0.0.1:%u", peer.port); /* fits */
		assert_string_equal(seen.address, address);
	}
}

static void test_tls_shows_the_client_certificate(void **state)
{
	static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct peer peer;
		struct seen seen;

		peer_start(&peer, fixture->server.cert, fixture->server.key);
		assert_int_equal(SSL_CTX_set_max_proto_version(peer.tls, versions[i]), 1);
		peer_ask_for_client_cert(&peer, fixture->ca.cert, true);
		peer_listen(&peer);
		seen = request_as(fixture, peer.port, &fixture->alice);
		http_client_close(&fixture->client);
		peer_stop(&peer);
		assert_string_equal(seen.text, "");
		assert_string_equal(seen.body, "DNS:alice");
	}
}

/* Each request has the certificate it was given and no other, on a connection and in a session alike: one handle and
 * one pool serve all of them. */
static void test_tls_keeps_connections_of_different_client_certificates_apart(void **state)
{
	static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
	struct fixture *fixture = *state;
	const struct pair *const pairs[] = {NULL, &fixture->alice, NULL, &fixture->bob, &fixture->alice, &fixture->bob,
					    NULL, &fixture->alice};

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct peer peer;

		peer_start(&peer, fixture->server.cert, fixture->server.key);
		assert_int_equal(SSL_CTX_set_max_proto_version(peer.tls, versions[i]), 1);
		peer_ask_for_client_cert(&peer, fixture->ca.cert, false);
		peer_listen(&peer);
		for (size_t k = 0; k < ARRAY_LEN(pairs); k++) {
			struct seen seen = request_as(fixture, peer.port, pairs[k]);

			assert_string_equal(seen.text, "");
			assert_string_equal(seen.body, !pairs[k]		     ? "-"
						       : pairs[k] == &fixture->alice ? "DNS:alice"
										     : "DNS:bob");
		}
		http_client_close(&fixture->client);
		peer_stop(&peer);
		assert_int_equal(peer.connections, 3); /* one for each, and each was kept */
	}
}

/* The same with no connection left to keep: only a session could carry a certificate over. */
static void test_tls_resumes_no_session_of_another_client_certificate(void **state)
{
	struct fixture *fixture = *state;
	const struct pair *const pairs[] = {&fixture->alice, NULL, &fixture->bob, NULL, &fixture->alice};
	struct peer peer;

	fixture->options.in_flight_max = 1; /* one connection is kept at most */
	peer_start(&peer, fixture->server.cert, fixture->server.key);
	assert_int_equal(SSL_CTX_set_max_proto_version(peer.tls, TLS1_2_VERSION), 1);
	peer_ask_for_client_cert(&peer, fixture->ca.cert, false);
	peer_listen(&peer);
	for (size_t k = 0; k < ARRAY_LEN(pairs); k++) {
		struct seen seen = request_as(fixture, peer.port, pairs[k]);

		assert_string_equal(seen.body, !pairs[k] ? "-" : pairs[k] == &fixture->alice ? "DNS:alice" : "DNS:bob");
	}
	http_client_close(&fixture->client);
	peer_stop(&peer);
	assert_int_equal(peer.connections, ARRAY_LEN(pairs));
}

/* A key that is locked with a password: nothing may ask the terminal for it. */
static void lock_key(const struct pair *pair, char out[PEM_BYTES_MAX])
{
	EVP_PKEY *key = cert_read_key(pair->key);
	FILE *file = fopen(pair->key, "we");

	assert_non_null(file);
	assert_int_equal(PEM_write_PKCS8PrivateKey(file, key, EVP_aes_128_cbc(), "locked", 6, NULL, NULL), 1);
	assert_int_equal(fclose(file), 0);
	EVP_PKEY_free(key);
	read_text(pair->key, out);
}

static void test_tls_says_that_a_client_certificate_cannot_be_used(void **state)
{
	struct fixture *fixture = *state;
	char locked[PEM_BYTES_MAX];
	struct peer peer;

	lock_key(&fixture->bob, locked);
	const struct {
		const char *cert;
		const char *key;
	} cases[] = {
		{"no certificate\n", fixture->alice.key_pem},
		{fixture->alice.cert_pem, "no key\n"},
		{fixture->alice.cert_pem, fixture->stranger.key_pem},
		{fixture->alice.cert_pem, ""},
		{fixture->bob.cert_pem, locked},
	};

	peer_start(&peer, fixture->server.cert, fixture->server.key);
	peer_ask_for_client_cert(&peer, fixture->ca.cert, false);
	peer_listen(&peer);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seen seen = request_to(fixture, peer.port, str_c(cases[i].cert), str_c(cases[i].key));

		expect_refusal(&seen, "the client certificate or its key cannot be used");
	}
	http_client_close(&fixture->client);
	peer_stop(&peer);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TLS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TLS_TEST(test_tls_says_what_is_wrong_with_a_certificate),
		TLS_TEST(test_tls_says_that_the_root_is_unknown),
		TLS_TEST(test_tls_says_that_the_other_side_speaks_none),
		TLS_TEST(test_tls_says_that_the_other_side_is_too_old),
		TLS_TEST(test_tls_names_the_peer_of_a_failed_handshake),
		TLS_TEST(test_tls_says_that_the_other_side_hung_up),
		TLS_TEST(test_tls_names_version_and_cipher),
		TLS_TEST(test_tls_is_named_when_no_reply_came),
		TLS_TEST(test_tls_says_that_a_client_certificate_is_missing),
		TLS_TEST(test_tls_says_that_a_client_certificate_is_refused),
		TLS_TEST(test_tls_hears_the_refusal_of_one_that_hangs_up_at_once),
		TLS_TEST(test_tls_shows_the_client_certificate),
		TLS_TEST(test_tls_keeps_connections_of_different_client_certificates_apart),
		TLS_TEST(test_tls_resumes_no_session_of_another_client_certificate),
		TLS_TEST(test_tls_says_that_a_client_certificate_cannot_be_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
