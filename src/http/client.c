/* Outgoing HTTP; see client.h. One curl multi handle, easy handles reused, everything on the thread that polls.
 *
 * A request's memory: an exchange, with its easy handle, is taken from a free list and put back when the request is
 * done, so that at most in_flight_max of them exist. Connections are kept by the multi handle and reused.
 *
 * The guard judges in curl's hook that opens the socket: it is given the very address that is connected to next, after
 * names were looked up and odd spellings read, so nothing can change in between. A kept connection was judged when it
 * was made. Of several addresses of a name those that are refused are left out. */
#include "http/client.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/client_head.h"
#include "http/client_tls.h"
#include "http/guard.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define CLIENT_HEADER_BYTES_MAX 65536 /* of all headers of a reply together, interim ones too */
#define CLIENT_ADDRESS_BYTES_MAX 63   /* IPv6 in brackets and a port need 47 */
#define CLIENT_TLS_BYTES_MAX 79	      /* the longest name of a cipher that OpenSSL has: 35 */

struct http_exchange {
	struct http_exchange *next; /* in the list of the free, or of those in flight */
	struct http_exchange *previous;
	CURL *easy;
	struct curl_slist *headers;
	char *request_body; /* owned */
	struct buf reply;
	size_t header_bytes; /* of the reply so far */
	struct client_head head;
	bool too_large;
	bool has_client_cert;	  /* set in the easy handle */
	bool ready;		  /* there was a connection, with its TLS, for the request to go out */
	const SSL_CIPHER *cipher; /* of that; NULL without TLS; static, as is the next */
	const char *tls_version;
	const struct guard *guard;		/* NULL for none */
	bool tried;				/* a socket was opened */
	char refused[GUARD_TEXT_BYTES_MAX + 1]; /* the first address that the guard refused, and why; "" for none */
	http_done done;
	void *context;
	int64_t start_ns;
	int64_t handshake_ns; /* when it began; 0 for not at all */
	char error[CURL_ERROR_SIZE];
	/* for the result */
	char tls_text[CLIENT_TLS_TEXT_BYTES_MAX + 1];
	char address[CLIENT_ADDRESS_BYTES_MAX + 1];
	char tls[CLIENT_TLS_BYTES_MAX + 1];
};

struct http_client {
	CURLM *multi;
	struct http_client_options options;
	char *ca_file; /* NULL for the system's */
	struct http_exchange *free;
	struct http_exchange *busy;
	unsigned in_flight;
	struct guard guard; /* where options.guard points to, unless that is NULL */
};

const char *http_outcome_word(enum http_outcome outcome)
{
	static const char *const words[] = {
		[HTTP_OUTCOME_REPLIED] = "replied",
		[HTTP_OUTCOME_DNS] = "dns",
		[HTTP_OUTCOME_NOT_ALLOWED] = "not_allowed",
		[HTTP_OUTCOME_CONNECT] = "connect",
		[HTTP_OUTCOME_TLS] = "tls",
		[HTTP_OUTCOME_TIMEOUT] = "timeout",
		[HTTP_OUTCOME_TOO_LARGE] = "too_large",
		[HTTP_OUTCOME_BROKEN] = "broken",
	};

	return words[outcome];
}

/* ---- setting up an exchange ---- */

static size_t client_on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct http_exchange *exchange = context;

	struct str piece = {bytes, size * count};
	struct str fitting = str_slice(piece, 0, exchange->reply.bytes_max - exchange->reply.len);

	buf_append_str(&exchange->reply, fitting);
	if (fitting.len == piece.len)
		return piece.len;
	exchange->too_large = true;
	return 0; /* ends the transfer */
}

/* A line of the header. Counted, since a receiver may send them without end; and curl takes a reply that ends within its
 * header for a whole one. */
static size_t client_on_header(char *bytes, size_t size, size_t count, void *context)
{
	struct http_exchange *exchange = context;
	struct str line = {bytes, size * count};

	client_head_take(&exchange->head, line);
	exchange->header_bytes += line.len;
	if (exchange->header_bytes <= CLIENT_HEADER_BYTES_MAX)
		return line.len;
	exchange->too_large = true;
	return 0; /* ends the transfer */
}

/* The request goes out next: the one moment at which curl shows the connection, kept or new, and its TLS. */
static int client_on_ready(void *context, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	struct http_exchange *exchange = context;
	struct curl_tlssessioninfo *info = NULL;
	const SSL *ssl = NULL;

	(void)remote_ip; /* curl keeps the addresses for client_finish, as it does when there is no such moment */
	(void)local_ip;
	(void)remote_port;
	(void)local_port;
	exchange->ready = true;
	if (curl_easy_getinfo(exchange->easy, CURLINFO_TLS_SSL_PTR, &info) == CURLE_OK && info &&
	    info->backend == CURLSSLBACKEND_OPENSSL)
		ssl = info->internals;
	exchange->cipher = ssl ? SSL_get_current_cipher(ssl) : NULL;
	exchange->tls_version = ssl ? SSL_get_version(ssl) : NULL;
	return CURL_PREREQFUNC_OK;
}

/* There is a TCP connection and the handshake begins: curl sets its mark for that only when the handshake succeeds. */
static CURLcode client_on_handshake(CURL *easy, void *settings, void *context)
{
	struct http_exchange *exchange = context;

	(void)easy, (void)settings; /* of OpenSSL; they stay as curl made them */
	exchange->handshake_ns = clock_mono_ns();
	return CURLE_OK;
}

/* Opens the socket that curl will connect to this address, unless the guard refuses it. */
static curl_socket_t client_on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_exchange *exchange = context;
	char text[GUARD_TEXT_BYTES_MAX + 1];

	(void)purpose; /* there is one: a connection */
	if (!guard_allows(exchange->guard, &address->addr, address->addrlen, text)) {
		if (!exchange->refused[0])
			(void)str_copy(exchange->refused, sizeof(exchange->refused), str_c(text)); /* fits */
		return CURL_SOCKET_BAD;
	}
	exchange->tried = true;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* What is the same for every request of this handle. curl_easy_setopt fails for these only when curl was built without
 * the feature or memory is out, which http_client_open finds out once. */
static CURLcode client_set_fixed(const struct http_client *client, struct http_exchange *exchange)
{
	CURL *easy = exchange->easy;
	CURLcode rc = curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);

#define CLIENT_SET(option, value)                                                                                      \
	do {                                                                                                           \
		if (rc == CURLE_OK)                                                                                    \
			rc = curl_easy_setopt(easy, (option), (value));                                                \
	} while (0)
	CLIENT_SET(CURLOPT_WRITEFUNCTION, client_on_body);
	CLIENT_SET(CURLOPT_WRITEDATA, exchange);
	CLIENT_SET(CURLOPT_HEADERFUNCTION, client_on_header);
	CLIENT_SET(CURLOPT_HEADERDATA, exchange);
	CLIENT_SET(CURLOPT_SSL_CTX_FUNCTION, client_on_handshake);
	CLIENT_SET(CURLOPT_SSL_CTX_DATA, exchange);
	CLIENT_SET(CURLOPT_PREREQFUNCTION, client_on_ready);
	CLIENT_SET(CURLOPT_PREREQDATA, exchange);
	CLIENT_SET(CURLOPT_ERRORBUFFER, exchange->error);
	CLIENT_SET(CURLOPT_NOSIGNAL, 1L);
	/* A name that is still being looked up when the time is over: leave that to its thread. Without this curl waits
	 * for it, and so does everything else on this client, for as long as a name server is silent. */
	CLIENT_SET(CURLOPT_QUICK_EXIT, 1L);
	CLIENT_SET(CURLOPT_PROXY, ""); /* also forbids the environment's */
	CLIENT_SET(CURLOPT_FOLLOWLOCATION, 0L);
	CLIENT_SET(CURLOPT_PROTOCOLS_STR, "http,https");
	CLIENT_SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	CLIENT_SET(CURLOPT_SSL_VERIFYPEER, 1L);
	CLIENT_SET(CURLOPT_SSL_VERIFYHOST, 2L);
	CLIENT_SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	CLIENT_SET(CURLOPT_KEYPASSWD, ""); /* else OpenSSL asks the terminal for the password of a client's key */
	CLIENT_SET(CURLOPT_CONNECTTIMEOUT_MS, (long)client->options.connect_timeout_ms);
	CLIENT_SET(CURLOPT_TIMEOUT_MS, (long)client->options.total_timeout_ms);
	if (exchange->guard) {
		CLIENT_SET(CURLOPT_OPENSOCKETFUNCTION, client_on_socket);
		CLIENT_SET(CURLOPT_OPENSOCKETDATA, exchange);
	}
	if (client->ca_file) {
		CLIENT_SET(CURLOPT_CAINFO, client->ca_file);
		CLIENT_SET(CURLOPT_CAPATH, NULL);
	}
#undef CLIENT_SET
	return rc;
}

static struct http_exchange *client_take(struct http_client *client)
{
	struct http_exchange *exchange = client->free;
	CURLcode rc;

	if (exchange) {
		client->free = exchange->next;
	} else {
		exchange = mem_zalloc(sizeof(*exchange));
		exchange->easy = curl_easy_init();
		assert(exchange->easy); /* out of memory */
		buf_init(&exchange->reply, (size_t)client->options.reply_bytes_max);
		exchange->guard = client->options.guard;
		client_head_reset(&exchange->head);
		rc = client_set_fixed(client, exchange);
		assert(rc == CURLE_OK); /* http_client_open has tried them */
	}
	exchange->previous = NULL;
	exchange->next = client->busy;
	if (client->busy)
		client->busy->previous = exchange;
	client->busy = exchange;
	client->in_flight++;
	return exchange;
}

/* Forgets the request. The easy handle keeps its settings and its place in curl's caches. */
static void client_clear(struct http_exchange *exchange)
{
	curl_slist_free_all(exchange->headers);
	exchange->headers = NULL;
	mem_free(exchange->request_body);
	exchange->request_body = NULL;
	buf_reset(&exchange->reply);
	exchange->header_bytes = 0;
	client_head_reset(&exchange->head);
	exchange->too_large = false;
	exchange->ready = false;
	exchange->handshake_ns = 0;
	exchange->cipher = NULL;
	exchange->tls_version = NULL;
	exchange->tried = false;
	exchange->refused[0] = '\0';
	exchange->error[0] = '\0';
}

/* Out of the list of those in flight. */
static void client_unlink(struct http_client *client, struct http_exchange *exchange)
{
	if (exchange->previous)
		exchange->previous->next = exchange->next;
	else
		client->busy = exchange->next;
	if (exchange->next)
		exchange->next->previous = exchange->previous;
	client->in_flight--;
}

static void client_put(struct http_client *client, struct http_exchange *exchange)
{
	client_clear(exchange);
	exchange->next = client->free;
	client->free = exchange;
}

static void client_free(struct http_exchange *exchange)
{
	client_clear(exchange);
	buf_fini(&exchange->reply);
	curl_easy_cleanup(exchange->easy);
	mem_free(exchange);
}

/* ---- life ---- */

static pthread_once_t client_once = PTHREAD_ONCE_INIT;
static CURLcode client_global;

static void client_init_global(void)
{
	client_global = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Reads the CA file as curl will, to say at the start, not at the first alert, that it is not there. */
static int client_check_ca_file(const char *path, struct error *err)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return error_set_errno(err, errno, "reading the CA file %s", path);
	(void)fclose(file); /* only opened */
	return 0;
}

int http_client_open(const struct http_client_options *options, struct http_client **client_out, struct error *err)
{
	struct http_client *client;
	struct http_exchange *probe;

	assert(options->in_flight_max >= 1 && options->reply_bytes_max >= 1);
	if (options->ca_file && options->ca_file[0] && client_check_ca_file(options->ca_file, err))
		return -1;
	if (pthread_once(&client_once, client_init_global) || client_global != CURLE_OK)
		return error_set(err, ERR_INTERNAL, "libcurl cannot be initialised");
	client = mem_zalloc(sizeof(*client));
	client->options = *options;
	client->options.ca_file = NULL;
	if (options->guard) {
		client->guard = *options->guard;
		client->options.guard = &client->guard;
	}
	if (options->ca_file && options->ca_file[0])
		client->ca_file = mem_dup(options->ca_file, strlen(options->ca_file));
	client->multi = curl_multi_init();
	probe = mem_zalloc(sizeof(*probe));
	probe->easy = curl_easy_init();
	buf_init(&probe->reply, 1);
	probe->guard = client->options.guard;
	if (!client->multi || !probe->easy || client_set_fixed(client, probe) != CURLE_OK ||
	    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)options->in_flight_max) != CURLM_OK) {
		client_free(probe);
		http_client_close(&client);
		return error_set(err, ERR_INTERNAL, "libcurl lacks an option that is needed");
	}
	client_free(probe);
	*client_out = client;
	return 0;
}

void http_client_close(struct http_client **client_ptr)
{
	struct http_client *client = *client_ptr;

	if (!client)
		return;
	while (client->busy) {
		struct http_exchange *exchange = client->busy;

		(void)curl_multi_remove_handle(client->multi, exchange->easy); /* it is in it */
		client_unlink(client, exchange);
		client_put(client, exchange);
	}
	while (client->free) {
		struct http_exchange *exchange = client->free;

		client->free = exchange->next;
		client_free(exchange);
	}
	if (client->multi)
		(void)curl_multi_cleanup(client->multi); /* nothing is in it any more */
	mem_free(client->ca_file);
	mem_free(client);
	*client_ptr = NULL;
}

/* ---- requests ---- */

static void client_add_header(struct http_exchange *exchange, const char *line)
{
	struct curl_slist *grown = curl_slist_append(exchange->headers, line);

	assert(grown); /* out of memory */
	exchange->headers = grown;
}

static void client_set_blob(CURL *easy, CURLoption option, struct str pem)
{
	struct curl_blob blob = {.data = (void *)(uintptr_t)pem.ptr, .len = pem.len, .flags = CURL_BLOB_COPY};
	CURLcode rc = curl_easy_setopt(easy, option, pem.len ? &blob : NULL);

	assert(rc == CURLE_OK); /* out of memory, or no PEM has so many bytes */
}

/* Sets the request's client certificate, or takes the last one's away. When curl looks for a kept connection, and for a
 * TLS session to resume, it compares the certificate, byte by byte, but not the key: that belongs to it. */
static void client_set_client_cert(struct http_exchange *exchange, const struct http_request *request)
{
	bool wanted = request->client_cert.len > 0;

	if (!wanted && !exchange->has_client_cert)
		return;
	client_set_blob(exchange->easy, CURLOPT_SSLCERT_BLOB, request->client_cert);
	client_set_blob(exchange->easy, CURLOPT_SSLKEY_BLOB, wanted ? request->client_key : (struct str){0});
	exchange->has_client_cert = wanted;
}

void http_client_submit(struct http_client *client, const struct http_request *request, http_done done, void *context)
{
	struct http_exchange *exchange = client_take(client);
	CURL *easy = exchange->easy;
	CURLMcode rc;

	assert(client->in_flight <= client->options.in_flight_max);
	exchange->done = done;
	exchange->context = context;
	exchange->start_ns = clock_mono_ns();
	exchange->request_body = mem_dup(request->body.ptr, request->body.len);
	client_add_header(exchange, "Expect:"); /* no 100-continue: it costs a round trip or a second */
	for (size_t i = 0; i < request->header_count; i++)
		client_add_header(exchange, request->headers[i]);
	client_set_client_cert(exchange, request);
	/* copies or plain pointers: these fail only when memory is out */
	(void)curl_easy_setopt(easy, CURLOPT_URL, request->url);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
	if (strcmp(request->method, "GET") == 0) {
		(void)curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
	} else {
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->request_body);
		(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	}
	rc = curl_multi_add_handle(client->multi, easy);
	assert(rc == CURLM_OK); /* it was in no multi handle */
}

unsigned http_client_in_flight(const struct http_client *client)
{
	return client->in_flight;
}

static int64_t client_mark(const struct http_exchange *exchange, CURLINFO mark)
{
	curl_off_t us = 0;

	(void)curl_easy_getinfo(exchange->easy, mark, &us); /* stays 0 when it fails */
	return us;
}

static enum http_outcome client_outcome(const struct http_exchange *exchange, CURLcode rc)
{
	switch (rc) {
	case CURLE_OK:
		return exchange->head.ended ? HTTP_OUTCOME_REPLIED : HTTP_OUTCOME_BROKEN;
	case CURLE_COULDNT_RESOLVE_HOST:
		return HTTP_OUTCOME_DNS;
	case CURLE_COULDNT_CONNECT:
		return exchange->refused[0] && !exchange->tried ? HTTP_OUTCOME_NOT_ALLOWED : HTTP_OUTCOME_CONNECT;
	case CURLE_OPERATION_TIMEDOUT: /* the mark is at least 1 once there is an address */
		return client_mark(exchange, CURLINFO_NAMELOOKUP_TIME_T) ? HTTP_OUTCOME_TIMEOUT : HTTP_OUTCOME_DNS;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CLIENTCERT:
	case CURLE_SSL_ISSUER_ERROR:
		return HTTP_OUTCOME_TLS;
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return client_tls_is_alert(exchange->error) ? HTTP_OUTCOME_TLS : HTTP_OUTCOME_BROKEN;
	default:
		return exchange->too_large ? HTTP_OUTCOME_TOO_LARGE : HTTP_OUTCOME_BROKEN;
	}
}

static const char *client_tls_text(struct http_exchange *exchange, CURLcode rc)
{
	struct client_tls_failure failure = {.code = rc, .with_client_cert = exchange->has_client_cert};

	failure.text = exchange->error[0] ? exchange->error : curl_easy_strerror(rc);
	/* stays 0 when it fails */
	(void)curl_easy_getinfo(exchange->easy, CURLINFO_SSL_VERIFYRESULT, &failure.verify_result);
	client_tls_explain(&failure, exchange->tls_text);
	return exchange->tls_text;
}

/* curl's texts name hosts, ports and reasons, never the query or a header. */
static const char *client_text(struct http_exchange *exchange, enum http_outcome outcome, CURLcode rc)
{
	if (outcome == HTTP_OUTCOME_REPLIED)
		return "";
	if (outcome == HTTP_OUTCOME_NOT_ALLOWED)
		return exchange->refused;
	if (outcome == HTTP_OUTCOME_TOO_LARGE)
		return "the reply is larger than the limit";
	if (outcome == HTTP_OUTCOME_TLS)
		return client_tls_text(exchange, rc);
	if (rc == CURLE_OK)
		return "the reply ended within its header";
	return exchange->error[0] ? exchange->error : curl_easy_strerror(rc);
}

/* True when a connection was made, not a kept one found. */
static bool client_is_new(const struct http_exchange *exchange)
{
	long connections = 0;

	(void)curl_easy_getinfo(exchange->easy, CURLINFO_NUM_CONNECTS, &connections); /* stays 0 when it fails */
	return connections > 0;
}

/* From curl's marks, each counted from the start, to phases. A mark that was not reached is 0; one that was, at least 1.
 * The request begins at the last mark before it: curl's own for that is set when it was sent. */
static void client_note_times(const struct http_exchange *exchange, struct http_result *result)
{
	int64_t name = client_mark(exchange, CURLINFO_NAMELOOKUP_TIME_T);
	int64_t connected = client_mark(exchange, CURLINFO_CONNECT_TIME_T);
	int64_t secured = client_mark(exchange, CURLINFO_APPCONNECT_TIME_T);
	int64_t first_byte = client_mark(exchange, CURLINFO_STARTTRANSFER_TIME_T);
	int64_t begun = secured ? secured : connected ? connected : name;

	if (!connected && exchange->handshake_ns)
		connected = (exchange->handshake_ns - exchange->start_ns) / 1000;
	if (client_is_new(exchange) || !exchange->ready) {
		result->dns_us = name;
		result->connect_us = connected > name ? connected - name : 0;
		result->tls_us = secured > connected ? secured - connected : 0;
	}
	if (exchange->head.answered && first_byte > begun)
		result->first_byte_us = first_byte - begun;
}

/* Whom the exchange spoke to, and how. */
static void client_note_peer(struct http_exchange *exchange, struct http_result *result)
{
	const char *ip = NULL;
	long port = 0;

	result->address = exchange->address;
	result->tls = exchange->tls;
	exchange->address[0] = '\0';
	exchange->tls[0] = '\0';
	if (exchange->cipher)
		(void)snprintf(exchange->tls, sizeof(exchange->tls), "%s %s", exchange->tls_version,
			       SSL_CIPHER_get_name(exchange->cipher)); /* fits */
	if (!exchange->ready && !client_is_new(exchange))
		return;
	/* these stay as they are when they fail */
	(void)curl_easy_getinfo(exchange->easy, CURLINFO_PRIMARY_IP, &ip);
	(void)curl_easy_getinfo(exchange->easy, CURLINFO_PRIMARY_PORT, &port);
	if (ip && *ip)
		(void)snprintf(exchange->address, sizeof(exchange->address), strchr(ip, ':') ? "[%s]:%ld" : "%s:%ld",
			       ip, port); /* fits */
}

static void client_note_reply(const struct http_exchange *exchange, struct http_result *result)
{
	const struct client_head *head = &exchange->head;
	long status = 0;

	if (head->answered)
		(void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status); /* stays 0 when it fails */
	result->status = status >= 200 ? (int)status : 0;
	result->body = buf_str(&exchange->reply);
	result->date_s = head->date_s;
	result->retry_after_s = client_head_retry_after_s(head, clock_wall_ms() / 1000);
	result->location = status >= 300 && status <= 399 ? head->location : "";
}

static void client_finish(struct http_client *client, struct http_exchange *exchange, CURLcode rc)
{
	struct http_result result = {.outcome = client_outcome(exchange, rc)};

	result.text = client_text(exchange, result.outcome, rc);
	result.duration_us = (clock_mono_ns() - exchange->start_ns) / 1000;
	client_note_reply(exchange, &result);
	client_note_times(exchange, &result);
	client_note_peer(exchange, &result);
	(void)curl_multi_remove_handle(client->multi, exchange->easy); /* it is in it */
	client_unlink(client, exchange);			       /* before `done`, which may submit the next */
	exchange->done(exchange->context, &result);
	client_put(client, exchange);
}

void http_client_poll(struct http_client *client, int timeout_ms)
{
	int running;
	int left;
	CURLMsg *message;

	(void)curl_multi_perform(client->multi,
				 &running); /* a handle's failure comes as a message; this call's, again */
	message = curl_multi_info_read(client->multi, &left);
	if (!message) {
		(void)curl_multi_poll(client->multi, NULL, 0, timeout_ms, NULL); /* interrupted or not: perform tells */
		(void)curl_multi_perform(client->multi, &running);
		message = curl_multi_info_read(client->multi, &left);
	}
	while (message) {
		struct http_exchange *exchange = NULL;
		CURLcode rc = message->data.result;

		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
		assert(exchange && message->msg == CURLMSG_DONE);
		client_finish(client, exchange, rc); /* `message` is gone from here */
		message = curl_multi_info_read(client->multi, &left);
	}
}

void http_client_wake(struct http_client *client)
{
	(void)curl_multi_wakeup(client->multi); /* fails only when a wake-up is pending already */
}
