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
#include "http/client_exchange.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENT_HEADER_BYTES_MAX 65536 /* of all headers of a reply together, interim ones too */
#define CLIENT_CA_CACHE_S 86400L
#define CLIENT_SOCKETS_PER_FLIGHT 4 /* one kept, and one per family while it connects; with room */

struct http_client {
	CURLM *multi;
	struct http_client_options options;
	char *ca_file;	    /* NULL for the system's */
	int64_t changed_ms; /* monotonic: of the last http_client_change; 0: none */
	struct http_exchange *free;
	struct http_exchange *busy;
	unsigned in_flight;
	struct guard guard; /* where options.guard points to, unless that is NULL */
	struct client_tls_watcher watcher;
	struct client_sockets sockets;
};

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

/* Whether the connection is kept when the exchange ends now. It is not while nothing was answered: then curl closes it
 * at once, and reads what the other side said last before it hung up. */
static void client_set_keep(struct http_exchange *exchange, bool keep)
{
	(void)curl_easy_setopt(exchange->easy, CURLOPT_FORBID_REUSE, keep ? 0L : 1L); /* a number, which cannot fail */
}

/* A line of the header. Counted, since a receiver may send them without end; and curl takes a reply that ends within its
 * header for a whole one. */
static size_t client_on_header(char *bytes, size_t size, size_t count, void *context)
{
	struct http_exchange *exchange = context;
	struct str line = {bytes, size * count};

	if (!exchange->head.answered)
		client_set_keep(exchange, true);
	client_head_take(&exchange->head, line);
	exchange->header_bytes += line.len;
	if (exchange->header_bytes <= CLIENT_HEADER_BYTES_MAX)
		return line.len;
	exchange->too_large = true;
	return 0; /* ends the transfer */
}

/* Is there something to read on a kept connection before anything was asked? It would be taken for the reply to what is
 * asked next, and a refused callback for one that arrived. curl looks only whether the connection was closed. With TLS it
 * may be but a session ticket that came late: then a connection was made too many. */
static bool client_is_stale(const struct http_exchange *exchange, const struct client_ends *ends)
{
	long made = 0; /* connections, for this request */

	return curl_easy_getinfo(exchange->easy, CURLINFO_NUM_CONNECTS, &made) == CURLE_OK && made == 0 &&
	       client_sockets_is_readable(exchange->sockets, ends);
}

/* The request goes out next: the one moment at which curl shows the connection, kept or new, and its TLS. */
static int client_on_ready(void *context, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	struct http_exchange *exchange = context;
	struct curl_tlssessioninfo *info = NULL;
	const SSL *ssl = NULL;

	exchange->stale =
		client_is_stale(exchange, &(struct client_ends){remote_ip, local_ip, remote_port, local_port});
	exchange->ready = true;
	if (curl_easy_getinfo(exchange->easy, CURLINFO_TLS_SSL_PTR, &info) == CURLE_OK && info &&
	    info->backend == CURLSSLBACKEND_OPENSSL)
		ssl = info->internals;
	exchange->cipher = ssl ? SSL_get_current_cipher(ssl) : NULL;
	exchange->tls_version = ssl ? SSL_get_version(ssl) : NULL;
	exchange->tls_of = ssl ? SSL_get_SSL_CTX(ssl) : NULL;
	return exchange->stale ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* There is a TCP connection and the handshake begins: curl sets its mark for that only when the handshake succeeds. */
static CURLcode client_on_handshake(CURL *easy, void *settings, void *context)
{
	struct http_exchange *exchange = context;

	(void)easy;
	exchange->handshake_ns = clock_mono_ns();
	exchange->tls_of = settings;
	client_tls_watch(settings, exchange->watcher);
	return CURLE_OK;
}

/* A kept connection belongs to whoever uses it now; of one that nobody uses there is nothing to tell. */
static void client_on_alert(void *context, const SSL_CTX *tls, int alert)
{
	struct http_client *client = context;

	for (struct http_exchange *exchange = client->busy; exchange; exchange = exchange->next)
		if (exchange->tls_of == tls)
			exchange->alert = alert;
}

/* Opens the socket that curl will connect to this address, unless there is a guard that refuses it. */
static curl_socket_t client_on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_exchange *exchange = context;
	char text[GUARD_TEXT_BYTES_MAX + 1];
	int fd;

	(void)purpose; /* there is one: a connection */
	if (exchange->guard && !guard_allows(exchange->guard, &address->addr, address->addrlen, text)) {
		if (!exchange->refused[0])
			(void)str_copy(exchange->refused, sizeof(exchange->refused), str_c(text)); /* fits */
		return CURL_SOCKET_BAD;
	}
	exchange->tried = true;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd >= 0)
		client_sockets_add(exchange->sockets, fd);
	return fd;
}

/* Of a connection that may be older than the exchanges there are. */
static int client_on_close(void *context, curl_socket_t fd)
{
	client_sockets_remove(context, fd);
	return close(fd);
}

/* How old certificates may be that curl has in memory: those that it read before the last change do not count. */
static long client_ca_cache_s(const struct http_client *client)
{
	int64_t since_s = (clock_mono_ms() - client->changed_ms) / 1000;

	return client->changed_ms && since_s < CLIENT_CA_CACHE_S ? (long)since_s : CLIENT_CA_CACHE_S;
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
	CLIENT_SET(CURLOPT_CA_CACHE_TIMEOUT, client_ca_cache_s(client));
	CLIENT_SET(CURLOPT_OPENSOCKETFUNCTION, client_on_socket);
	CLIENT_SET(CURLOPT_OPENSOCKETDATA, exchange);
	CLIENT_SET(CURLOPT_CLOSESOCKETFUNCTION, client_on_close);
	CLIENT_SET(CURLOPT_CLOSESOCKETDATA, exchange->sockets);
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
		/* Its caches stay. For as long as a handle lives, curl counts how often it sent a request again because
		 * a kept connection had died, and gives up at the sixth: then that request would cost an attempt. */
		curl_easy_reset(exchange->easy);
		exchange->has_client_cert = false;
	} else {
		exchange = mem_zalloc(sizeof(*exchange));
		exchange->easy = curl_easy_init();
		assert(exchange->easy); /* out of memory */
		buf_init(&exchange->reply, (size_t)client->options.reply_bytes_max);
		exchange->watcher = &client->watcher;
		exchange->sockets = &client->sockets;
		client_head_reset(&exchange->head);
	}
	exchange->reply.bytes_max = (size_t)client->options.reply_bytes_max;
	exchange->guard = client->options.guard;
	rc = client_set_fixed(client, exchange);
	assert(rc == CURLE_OK); /* http_client_open has tried them */
	exchange->previous = NULL;
	exchange->next = client->busy;
	if (client->busy)
		client->busy->previous = exchange;
	client->busy = exchange;
	client->in_flight++;
	return exchange;
}

/* Forgets the request. */
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
	exchange->stale = false;
	exchange->ready = false;
	exchange->handshake_ns = 0;
	exchange->cipher = NULL;
	exchange->tls_version = NULL;
	exchange->tls_of = NULL;
	exchange->alert = 0;
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
	if (client_global == CURLE_OK && client_tls_init())
		client_global = CURLE_OUT_OF_MEMORY;
}

/* Reads the CA file as curl will, to say at the start, not at the first alert, that it is not there. */
static int client_check_ca_file(const char *path, struct error *err)
{
	FILE *file = fopen(path, "re");
	int number = 0;

	if (!file)
		return error_set_errno(err, errno, "reading the CA file %s", path);
	errno = 0;
	if (fgetc(file) == EOF && ferror(file)) /* a folder can be opened */
		number = errno;
	(void)fclose(file); /* only read from */
	return number ? error_set_errno(err, number, "reading the CA file %s", path) : 0;
}

int http_client_check_ca(const char *ca_file, struct error *err)
{
	X509_STORE *store;
	int result = 0;

	if (client_check_ca_file(ca_file, err))
		return -1;
	store = X509_STORE_new();
	if (!store || X509_STORE_load_file(store, ca_file) != 1)
		result = error_set(err, ERR_INVALID, "the CA file %s holds no certificates that can be read", ca_file);
	X509_STORE_free(store);
	ERR_clear_error();
	return result;
}

/* Of the options but in_flight_max. */
static void client_use(struct http_client *client, const struct http_client_options *options)
{
	mem_free(client->ca_file);
	client->options = *options;
	client->options.ca_file = client->ca_file = NULL;
	if (options->guard) {
		client->guard = *options->guard;
		client->options.guard = &client->guard;
	}
	if (options->ca_file && options->ca_file[0])
		client->ca_file = mem_dup(options->ca_file, strlen(options->ca_file));
}

void http_client_change(struct http_client *client, const struct http_client_options *options)
{
	assert(options->in_flight_max == client->options.in_flight_max && options->reply_bytes_max >= 1);
	client_use(client, options);
	client->changed_ms = clock_mono_ms();
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
	client_use(client, options);
	client->watcher = (struct client_tls_watcher){client_on_alert, client};
	client_sockets_init(&client->sockets, CLIENT_SOCKETS_PER_FLIGHT * (size_t)options->in_flight_max);
	client->multi = curl_multi_init();
	probe = mem_zalloc(sizeof(*probe));
	probe->easy = curl_easy_init();
	buf_init(&probe->reply, 1);
	probe->guard = client->options.guard;
	probe->sockets = &client->sockets;
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
		(void)curl_multi_cleanup(client->multi); /* nothing is in it any more but kept connections */
	client_sockets_fini(&client->sockets);
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

/* A byte at a time. */
static size_t client_on_drip(char *out, size_t size, size_t count, void *context)
{
	struct http_exchange *exchange = context;
	const struct timespec pause = {exchange->drip_ms / 1000, (long)(exchange->drip_ms % 1000) * 1000000};

	if (exchange->drip.len == 0 || size * count == 0)
		return 0;
	(void)nanosleep(&pause, NULL); /* waking early only means dripping faster */
	out[0] = exchange->drip.ptr[0];
	exchange->drip = str_slice(exchange->drip, 1, exchange->drip.len);
	return 1;
}

static void client_set_body(struct http_exchange *exchange, const struct http_request *request)
{
	CURL *easy = exchange->easy;

	exchange->drip = (struct str){exchange->request_body, request->body.len};
	exchange->drip_ms = request->drip_ms;
	/* copies or plain values: these fail only when memory is out */
	(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->drip_ms ? NULL : exchange->request_body);
	(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, request->drip_ms ? client_on_drip : NULL);
	(void)curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
	(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
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
	client_set_keep(exchange, false);
	client_set_client_cert(exchange, request);
	(void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 0L); /* plain values do not fail */
	/* copies or plain pointers: these fail only when memory is out */
	(void)curl_easy_setopt(easy, CURLOPT_URL, request->url);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
	if (strcmp(request->method, "GET") == 0 && request->body.len == 0) {
		(void)curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
	} else {
		client_set_body(exchange, request);
	}
	rc = curl_multi_add_handle(client->multi, easy);
	assert(rc == CURLM_OK); /* it was in no multi handle */
}

unsigned http_client_in_flight(const struct http_client *client)
{
	return client->in_flight;
}

/* Sends it again, on a connection of its own. */
static void client_refresh(struct http_client *client, struct http_exchange *exchange)
{
	CURLMcode rc = curl_multi_remove_handle(client->multi, exchange->easy);

	assert(rc == CURLM_OK); /* it was in it */
	exchange->stale = exchange->ready = false;
	exchange->error[0] = '\0';
	(void)curl_easy_setopt(exchange->easy, CURLOPT_FRESH_CONNECT, 1L); /* plain values do not fail */
	rc = curl_multi_add_handle(client->multi, exchange->easy);
	assert(rc == CURLM_OK); /* as in http_client_submit */
}

static void client_finish(struct http_client *client, struct http_exchange *exchange, CURLcode rc)
{
	struct http_result result;

	client_result_fill(exchange, rc, &result);
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
		if (exchange->stale)
			client_refresh(client, exchange); /* `message` is gone from here, as below */
		else
			client_finish(client, exchange, rc);
		message = curl_multi_info_read(client->multi, &left);
	}
}

void http_client_wake(struct http_client *client)
{
	(void)curl_multi_wakeup(client->multi); /* fails only when a wake-up is pending already */
}
