#pragma once
/* A TLS server whose settings a test makes as it likes. It asks for a certificate of the client when told to, and says
 * in each reply whose it was. */
#include "unit/http/cert.h"
#include "unit/http/script.h"

#include <openssl/ssl.h>

#define PEER_CONNECTIONS_MAX 32
#define PEER_NAME_BYTES_MAX 63

/* One thread per connection. Each reply's body is the name in the client's certificate, "-" for none. */
struct peer {
	SSL_CTX *tls;
	bool silent; /* reads, and never answers */
	bool hasty;  /* when it refuses, resets the connection without reading what is under way */
	int fd;
	unsigned port;
	pthread_t thread;
	unsigned connections;
	pthread_t threads[PEER_CONNECTIONS_MAX];
	struct peer_connection {
		struct peer *peer;
		int fd;
	} list[PEER_CONNECTIONS_MAX];
};

static inline void peer_name(const SSL *ssl, char out[PEER_NAME_BYTES_MAX + 1])
{
	const X509 *cert = SSL_get0_peer_certificate(ssl);

	(void)snprintf(out, PEER_NAME_BYTES_MAX + 1, "-"); /* fits */
	if (cert)
		(void)X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, out,
						PEER_NAME_BYTES_MAX + 1); /* tests compare it */
}

/* Reads to the end of a request, of whose body there is nothing, and answers. */
static inline bool peer_answer(const struct peer *peer, SSL *ssl)
{
	char name[PEER_NAME_BYTES_MAX + 1];
	char request[4096];
	char reply[256];
	int len = 0;

	while (len < 4 || memcmp(request + len - 4, "\r\n\r\n", 4) != 0 || peer->silent) {
		int got = len < (int)sizeof(request) ? SSL_read(ssl, request + len, (int)sizeof(request) - len) : 0;

		if (got <= 0)
			return false;
		len += got;
	}
	peer_name(ssl, name);
	(void)snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(name),
		       name); /* fits */
	return SSL_write(ssl, reply, (int)strlen(reply)) > 0;
}

static inline void *peer_serve(void *context)
{
	struct peer_connection *connection = context;
	SSL *ssl = SSL_new(connection->peer->tls);
	char rest[1024];

	assert_non_null(ssl);
	assert_int_equal(SSL_set_fd(ssl, connection->fd), 1);
	if (SSL_accept(ssl) == 1)
		while (peer_answer(connection->peer, ssl))
			;
	SSL_free(ssl);
	if (connection->peer->hasty) {
		(void)close(connection->fd); /* with something unread that is a reset */
		return NULL;
	}
	(void)shutdown(connection->fd, SHUT_WR); /* then what came is read, since a reset would overtake the alert */
	while (recv(connection->fd, rest, sizeof(rest), 0) > 0)
		;
	(void)close(connection->fd); /* nothing more to say */
	return NULL;
}

static inline void *peer_main(void *context)
{
	struct peer *peer = context;

	while (true) {
		int fd = accept(peer->fd, NULL, NULL);
		unsigned at = peer->connections;

		if (fd < 0)
			return NULL; /* peer_stop */
		assert_true(at < PEER_CONNECTIONS_MAX);
		peer->list[at] = (struct peer_connection){peer, fd};
		assert_int_equal(pthread_create(&peer->threads[at], NULL, peer_serve, &peer->list[at]), 0);
		peer->connections++;
	}
}

static inline void peer_start(struct peer *peer, const char *cert, const char *key)
{
	static const unsigned char sessions[] = "test";

	*peer = (struct peer){.tls = SSL_CTX_new(TLS_server_method())};
	assert_non_null(peer->tls);
	assert_int_equal(SSL_CTX_use_certificate_chain_file(peer->tls, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(peer->tls, key, SSL_FILETYPE_PEM), 1);
	assert_int_equal(SSL_CTX_set_session_id_context(peer->tls, sessions, sizeof(sessions)), 1);
	peer->fd = script_bind(&peer->port);
}

/* When its settings are made. */
static inline void peer_listen(struct peer *peer)
{
	assert_int_equal(listen(peer->fd, 64), 0);
	assert_int_equal(pthread_create(&peer->thread, NULL, peer_main, peer), 0);
}

/* The client must be closed. */
static inline void peer_stop(struct peer *peer)
{
	(void)shutdown(peer->fd, SHUT_RDWR); /* ends accept */
	assert_int_equal(pthread_join(peer->thread, NULL), 0);
	for (unsigned i = 0; i < peer->connections; i++)
		assert_int_equal(pthread_join(peer->threads[i], NULL), 0);
	(void)close(peer->fd); /* nothing was written */
	SSL_CTX_free(peer->tls);
}

static inline void peer_ask_for_client_cert(struct peer *peer, const char *ca_file, bool required)
{
	assert_int_equal(SSL_CTX_load_verify_locations(peer->tls, ca_file, NULL), 1);
	SSL_CTX_set_verify(peer->tls, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
}
