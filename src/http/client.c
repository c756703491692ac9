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
#include "http/guard.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define CLIENT_HEADER_BYTES_MAX 65536 /* of all headers of a reply together, interim ones too */

struct http_exchange {
	struct http_exchange *next; /* in the list of the free, or of those in flight */
	struct http_exchange *previous;
	CURL *easy;
	struct curl_slist *headers;
	char *request_body; /* owned */
	struct buf reply;
	size_t header_bytes; /* of the reply so far */
	bool header_ended;
	bool too_large;
	const struct guard *guard;		/* NULL for none */
	bool tried;				/* a socket was opened */
	char refused[GUARD_TEXT_BYTES_MAX + 1]; /* the first address that the guard refused, and why; "" for none */
	http_done done;
	void *context;
	int64_t start_ns;
	char error[CURL_ERROR_SIZE];
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

	buf_append(&exchange->reply, bytes, size * count);
	if (buf_ok(&exchange->reply))
		return size * count;
	exchange->too_large = true;
	return 0; /* ends the transfer */
}

/* A line of the header. Not kept, but counted, since a receiver may send them without end; and curl takes a reply that
 * ends within its header for a whole one. */
static size_t client_on_header(char *bytes, size_t size, size_t count, void *context)
{
	struct http_exchange *exchange = context;
	struct str line = {bytes, size * count};

	if (str_starts_with(line, STR("HTTP/")))
		exchange->header_ended = false; /* after an interim reply, once more */
	else if (str_eq(line, STR("\r\n")) || str_eq(line, STR("\n")))
		exchange->header_ended = true;
	exchange->header_bytes += line.len;
	if (exchange->header_bytes <= CLIENT_HEADER_BYTES_MAX)
		return line.len;
	exchange->too_large = true;
	return 0; /* ends the transfer */
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
	exchange->header_ended = false;
	exchange->too_large = false;
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

static enum http_outcome client_outcome(const struct http_exchange *exchange, CURLcode rc)
{
	switch (rc) {
	case CURLE_OK:
		return exchange->header_ended ? HTTP_OUTCOME_REPLIED : HTTP_OUTCOME_BROKEN;
	case CURLE_COULDNT_RESOLVE_HOST:
		return HTTP_OUTCOME_DNS;
	case CURLE_COULDNT_CONNECT:
		return exchange->refused[0] && !exchange->tried ? HTTP_OUTCOME_NOT_ALLOWED : HTTP_OUTCOME_CONNECT;
	case CURLE_OPERATION_TIMEDOUT:
		return HTTP_OUTCOME_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
		return HTTP_OUTCOME_TLS;
	default:
		return exchange->too_large ? HTTP_OUTCOME_TOO_LARGE : HTTP_OUTCOME_BROKEN;
	}
}

/* curl's texts name hosts, ports and reasons, never the query or a header. */
static const char *client_text(const struct http_exchange *exchange, enum http_outcome outcome, CURLcode rc)
{
	if (outcome == HTTP_OUTCOME_REPLIED)
		return "";
	if (outcome == HTTP_OUTCOME_NOT_ALLOWED)
		return exchange->refused;
	if (outcome == HTTP_OUTCOME_TOO_LARGE)
		return "the reply is larger than the limit";
	if (rc == CURLE_OK)
		return "the reply ended within its header";
	return exchange->error[0] ? exchange->error : curl_easy_strerror(rc);
}

static void client_finish(struct http_client *client, struct http_exchange *exchange, CURLcode rc)
{
	struct http_result result = {.outcome = client_outcome(exchange, rc)};
	long status = 0;

	(void)curl_multi_remove_handle(client->multi, exchange->easy); /* it is in it */
	if (result.outcome == HTTP_OUTCOME_REPLIED) {
		(void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status); /* stays 0 when it fails */
		result.status = (int)status;
		result.body = buf_str(&exchange->reply);
	}
	result.text = client_text(exchange, result.outcome, rc);
	result.duration_us = (clock_mono_ns() - exchange->start_ns) / 1000;
	client_unlink(client, exchange); /* before `done`, which may submit the next */
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

/* ---- one request, waited for ---- */

struct client_fetch {
	bool done;
	int result;
	int *status_out;
	struct buf *body_out;
	struct error *err;
};

static void client_fetched(void *context, const struct http_result *result)
{
	struct client_fetch *fetch = context;

	fetch->done = true;
	if (result->outcome == HTTP_OUTCOME_REPLIED) {
		*fetch->status_out = result->status;
		buf_append_str(fetch->body_out, result->body);
		return;
	}
	fetch->result = error_set(fetch->err,
				  result->outcome == HTTP_OUTCOME_TIMEOUT     ? ERR_TIMEOUT
				  : result->outcome == HTTP_OUTCOME_TOO_LARGE ? ERR_FULL
									      : ERR_IO,
				  "%s", result->text);
}

int http_fetch(const struct http_client_options *options, const struct http_request *request, int *status_out,
	       struct buf *body_out, struct error *err)
{
	struct client_fetch fetch = {.status_out = status_out, .body_out = body_out, .err = err};
	struct http_client *client = NULL;

	if (http_client_open(options, &client, err))
		return -1;
	http_client_submit(client, request, client_fetched, &fetch);
	while (!fetch.done) /* bounded by the request's own time limit */
		http_client_poll(client, 1000);
	http_client_close(&client);
	return fetch.result;
}
