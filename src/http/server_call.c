/* Calls of the HTTP server: from the library's request to the handler and back.
 *
 * A call is taken from the thread's free list, lent to the handler, and put back when it is replied to. The request may
 * end earlier (the client has gone): a piece of memory in the request's pool tells, by its disposal, and the call goes
 * on without a request until it is replied to.
 *
 * What the library refuses by itself (a body over the limit, broken chunking) gets the body that `refuse` writes, by a
 * filter on its replies. A header too large, and a body just over the limit, are refused here: the library is given
 * some slack, so that a client that sends a little too much is answered in order rather than cut off. */
#include "base/clock.h"
#include "base/mem.h"
#include "http/server_internal.h"

#include <arpa/inet.h>
#include <assert.h>

#define SERVER_REFUSAL_BYTES_MAX 4096
#define SERVER_CALL_ARENA_BYTES 8192
#define SERVER_REQUEST_LINE_BYTES 12 /* two spaces, the version and the line's end */

static struct server_thread *server_call_thread_of(h2o_req_t *req)
{
	return H2O_STRUCT_FROM_MEMBER(struct server_thread, context, req->conn->ctx);
}

/* ---- life of a call ---- */

static struct http_call *server_call_take(struct server_thread *thread)
{
	struct http_call *call = thread->free_calls;

	if (call) {
		thread->free_calls = call->next_free;
		return call;
	}
	call = mem_zalloc(sizeof(*call));
	call->thread = thread;
	arena_init(&call->arena, SERVER_CALL_ARENA_BYTES);
	return call;
}

void server_call_put(struct http_call *call)
{
	call->req = NULL;
	call->conn = NULL;
	call->hold = NULL;
	call->added_count = 0;
	arena_reset(&call->arena);
	call->next_free = call->thread->free_calls;
	call->thread->free_calls = call;
	(void)atomic_fetch_sub(&call->thread->calls_open, 1); /* the old value */
}

void server_call_free_all(struct server_thread *thread)
{
	while (thread->free_calls) {
		struct http_call *call = thread->free_calls;

		thread->free_calls = call->next_free;
		arena_fini(&call->arena);
		mem_free(call);
	}
}

/* The request is over: replied to and written, or its connection has gone. */
static void server_call_request_over(void *ptr)
{
	struct server_hold *hold = ptr;

	if (hold->call) {
		hold->call->req = NULL;
		hold->call->hold = NULL;
		hold->call->conn = NULL;
		hold->conn->call = NULL;
	}
	if (hold->stream)
		server_stream_over(hold->stream);
	hold->conn->replying = false;
	hold->conn->since_ms = clock_mono_ms();
}

static struct server_hold *server_call_hold(h2o_req_t *req, struct server_conn *conn)
{
	struct server_hold *hold = h2o_mem_alloc_shared(&req->pool, sizeof(*hold), server_call_request_over);

	*hold = (struct server_hold){.conn = conn};
	conn->in_request = false;
	return hold;
}

/* ---- refusals ---- */

static const struct {
	enum http_refusal why;
	int status;
	const char *reason;
} server_refusals[] = {
	{HTTP_REFUSAL_BODY_TOO_LARGE, 413, "Payload Too Large"},
	{HTTP_REFUSAL_HEADER_TOO_LARGE, 431, "Request Header Fields Too Large"},
	{HTTP_REFUSAL_BAD_REQUEST, 400, "Bad Request"},
};

/* Writes the refusal's body into the request's pool. */
static h2o_iovec_t server_call_word_refusal(struct server_thread *thread, h2o_req_t *req, enum http_refusal why)
{
	struct buf body;
	h2o_iovec_t copy;

	buf_init(&body, SERVER_REFUSAL_BYTES_MAX);
	thread->server->options.refuse(thread->server->options.context, why, &body);
	copy = h2o_strdup(&req->pool, buf_c(&body), body.len);
	buf_fini(&body);
	(void)atomic_fetch_add(&thread->refused_total, 1); /* the old value */
	return copy;
}

void server_call_start(struct server_thread *thread, h2o_req_t *req, h2o_generator_t *generator)
{
	thread->own_reply = true;
	h2o_start_response(req, generator);
	thread->own_reply = false;
}

static void server_call_send(struct server_thread *thread, h2o_req_t *req, h2o_iovec_t body)
{
	static h2o_generator_t generator = {NULL, NULL};
	bool without_body = req->res.status == 204 || req->res.status == 304;

	req->res.content_length = without_body ? SIZE_MAX : body.len; /* which these must not have */
	if (atomic_load_explicit(&thread->server->draining, memory_order_relaxed))
		req->http1_is_persistent = 0;
	server_call_start(thread, req, &generator);
	if (h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD")))
		h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
	else
		h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
}

static void server_call_refuse(struct server_thread *thread, h2o_req_t *req, enum http_refusal why)
{
	struct server_conn *conn = server_conn_of(req);
	struct server_hold *hold = server_call_hold(req, conn);

	(void)hold; /* tells when the refusal is written */
	conn->replying = true;
	conn->since_ms = clock_mono_ms();
	req->res.status = server_refusals[why].status;
	req->res.reason = server_refusals[why].reason;
	req->http1_is_persistent = 0;
	h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, H2O_STRLIT("application/json"));
	server_conn_linger(conn); /* more may be on its way */
	server_call_send(thread, req, server_call_word_refusal(thread, req, why));
}

struct server_refusal_stream {
	h2o_ostream_t super;
	h2o_iovec_t body;
};

static void server_call_replace_body(h2o_ostream_t *stream, h2o_req_t *req, h2o_iovec_t *bufs, size_t count,
				     h2o_send_state_t state)
{
	struct server_refusal_stream *self = (struct server_refusal_stream *)stream;

	(void)bufs; /* the library's own text */
	h2o_ostream_send_next(stream, req, &self->body, count ? 1 : 0, state);
}

static void server_call_count(struct server_thread *thread, int status)
{
	size_t class = status >= 100 && status < 600 ? (size_t)status / 100 : 0;

	(void)atomic_fetch_add_explicit(&thread->replies_total[class], 1, memory_order_relaxed); /* the old value */
}

/* On every reply: counts it, and rewords those that are not the handler's. */
static void server_call_filter(h2o_filter_t *filter, h2o_req_t *req, h2o_ostream_t **slot)
{
	struct server_thread *thread = server_call_thread_of(req);
	struct server_refusal_stream *stream;
	enum http_refusal why = req->res.status == 413 ? HTTP_REFUSAL_BODY_TOO_LARGE : HTTP_REFUSAL_BAD_REQUEST;

	(void)filter; /* has no state */
	server_call_count(thread, req->res.status);
	if (thread->own_reply) {
		h2o_setup_next_ostream(req, slot);
		return;
	}
	stream = (struct server_refusal_stream *)h2o_add_ostream(req, sizeof(*stream), slot);
	stream->super.do_send = server_call_replace_body;
	stream->body = server_call_word_refusal(thread, req, why);
	req->res.content_length = stream->body.len;
	req->res.headers.size = 0;
	h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, H2O_STRLIT("application/json"));
	server_conn_linger(server_conn_of(req));
	h2o_setup_next_ostream(req, &stream->super.next);
}

/* ---- from request to handler ---- */

static size_t server_call_header_bytes(const h2o_req_t *req)
{
	size_t total =
		req->input.method.len + req->input.path.len + SERVER_REQUEST_LINE_BYTES + req->input.authority.len;

	for (size_t i = 0; i < req->headers.size; i++)
		total += req->headers.entries[i].name->len + req->headers.entries[i].value.len +
			 4; /* ": " and the end */
	return total;
}

/* Without scheme and host, when it has them: what is left begins with "/" or "?", or is empty. */
static struct str server_call_strip_origin(struct str target)
{
	size_t at = 0;

	if (str_eq_nocase(str_slice(target, 0, 7), STR("http://")))
		at = 7;
	else if (str_eq_nocase(str_slice(target, 0, 8), STR("https://")))
		at = 8;
	else
		return target;
	while (at < target.len && target.ptr[at] != '/' && target.ptr[at] != '?')
		at++;
	return str_slice(target, at, target.len);
}

/* Cuts the target into path and query; an absolute target loses scheme and host. */
static void server_call_split_target(struct http_call *call, struct str target)
{
	struct str rest = server_call_strip_origin(target);
	ptrdiff_t at = str_find_char(rest, '?');

	call->path = at < 0 ? rest : str_slice(rest, 0, (size_t)at);
	call->query = at < 0 ? (struct str){0} : str_slice(rest, (size_t)at + 1, rest.len);
	if (call->path.len == 0)
		call->path = STR("/");
}

static void server_call_read_peer(struct http_call *call, h2o_req_t *req)
{
	struct sockaddr_storage address;
	socklen_t len = req->conn->callbacks->get_peername(req->conn, (struct sockaddr *)&address);
	const char *text = NULL;

	if (len && address.ss_family == AF_INET) {
		text = inet_ntop(AF_INET, &((struct sockaddr_in *)&address)->sin_addr, call->peer, sizeof(call->peer));
	} else if (len && address.ss_family == AF_INET6) {
		const struct in6_addr *six = &((struct sockaddr_in6 *)&address)->sin6_addr;

		if (IN6_IS_ADDR_V4MAPPED(six))
			text = inet_ntop(AF_INET, six->s6_addr + 12, call->peer, sizeof(call->peer));
		else
			text = inet_ntop(AF_INET6, six, call->peer, sizeof(call->peer));
	}
	if (!text)
		(void)str_copy(call->peer, sizeof(call->peer), STR("0.0.0.0")); /* fits; the peer has just gone */
}

/* How many header lines say how long the body is. The library obeys one and drops the others; something before us may
 * have obeyed another, and then the rest of the body would be taken for a request of its own. The raw header is still
 * at the start of the connection's input, its names in lower case. */
static unsigned server_call_length_lines(h2o_req_t *req)
{
	static const struct str names[] = {{"content-length:", 15}, {"transfer-encoding:", 18}};
	const h2o_buffer_t *input = req->conn->callbacks->get_socket(req->conn)->input;
	struct str rest = {input->bytes, input->size};
	bool begun = false; /* an empty line before the request line is skipped by the library too */
	unsigned count = 0;
	ptrdiff_t end;

	while ((end = str_find_char(rest, '\n')) >= 0) {
		struct str line = str_slice(rest, 0, (size_t)end);
		bool empty = line.len == 0 || (line.len == 1 && line.ptr[0] == '\r');

		if (empty && begun)
			break;
		begun = true;
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			count += str_starts_with(line, names[i]);
		rest = str_slice(rest, (size_t)end + 1, rest.len);
	}
	return count;
}

static int server_call_on_request(h2o_handler_t *handler, h2o_req_t *req)
{
	struct http_server *server = ((struct server_handler *)handler)->server;
	struct server_thread *thread = server_call_thread_of(req);
	struct http_call *call;

	if (server_call_length_lines(req) > 1) {
		server_call_refuse(thread, req, HTTP_REFUSAL_BAD_REQUEST);
		return 0;
	}
	if (req->entity.len > server->options.body_bytes_max) {
		server_call_refuse(thread, req, HTTP_REFUSAL_BODY_TOO_LARGE);
		return 0;
	}
	if (server_call_header_bytes(req) > server->options.header_bytes_max) {
		server_call_refuse(thread, req, HTTP_REFUSAL_HEADER_TOO_LARGE);
		return 0;
	}
	call = server_call_take(thread);
	call->req = req;
	call->conn = server_conn_of(req);
	call->hold = server_call_hold(req, call->conn);
	call->hold->call = call;
	call->conn->call = call;
	server_call_split_target(call, (struct str){req->input.path.base, req->input.path.len});
	server_call_read_peer(call, req);
	(void)atomic_fetch_add(&thread->calls_total, 1); /* the old value, as below */
	(void)atomic_fetch_add(&thread->calls_open, 1);
	server->options.handler(server->options.context, call);
	return 0;
}

void server_call_register(struct http_server *server)
{
	h2o_hostconf_t *host = h2o_config_register_host(&server->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	struct server_handler *handler =
		(struct server_handler *)h2o_create_handler(&host->fallback_path, sizeof(*handler));

	handler->super.on_req = server_call_on_request;
	handler->server = server;
	h2o_create_filter(&host->fallback_path, sizeof(h2o_filter_t))->on_setup_ostream = server_call_filter;
}

/* ---- the handler's view ---- */

struct str http_call_method(const struct http_call *call)
{
	return (struct str){call->req->input.method.base, call->req->input.method.len};
}

struct str http_call_path(const struct http_call *call)
{
	return call->path;
}

struct str http_call_query(const struct http_call *call)
{
	return call->query;
}

struct str http_call_body(const struct http_call *call)
{
	return (struct str){call->req->entity.base, call->req->entity.len};
}

/* The library has cut off the space before a value only. */
static struct str server_call_trim_end(struct str value)
{
	while (value.len && (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t'))
		value.len--;
	return value;
}

struct str http_call_header(const struct http_call *call, struct str name)
{
	const h2o_headers_t *headers = &call->req->headers;

	for (size_t i = 0; i < headers->size; i++) {
		const h2o_header_t *header = &headers->entries[i];

		if (str_eq((struct str){header->name->base, header->name->len}, name))
			return server_call_trim_end((struct str){header->value.base, header->value.len});
	}
	return (struct str){0};
}

struct str http_call_peer(const struct http_call *call)
{
	return str_c(call->peer);
}

struct arena *http_call_arena(struct http_call *call)
{
	return &call->arena;
}

unsigned http_call_thread(const struct http_call *call)
{
	return call->thread->index;
}

struct mailbox *http_call_mailbox(struct http_call *call)
{
	return &call->thread->mailbox;
}

void http_call_add_header(struct http_call *call, struct str name, struct str value)
{
	assert(call->added_count < SERVER_HEADERS_ADDED_MAX);
	call->added[call->added_count][0] = arena_dup(&call->arena, name);
	call->added[call->added_count][1] = arena_dup(&call->arena, value);
	call->added_count++;
}

static const char *server_call_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {{200, "OK"},
		       {204, "No Content"},
		       {304, "Not Modified"},
		       {308, "Permanent Redirect"},
		       {400, "Bad Request"},
		       {401, "Unauthorized"},
		       {403, "Forbidden"},
		       {404, "Not Found"},
		       {405, "Method Not Allowed"},
		       {413, "Payload Too Large"},
		       {500, "Internal Server Error"},
		       {503, "Service Unavailable"}};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Other";
}

static h2o_iovec_t server_call_copy(h2o_req_t *req, struct str s)
{
	return h2o_strdup(&req->pool, s.ptr ? s.ptr : "", s.len);
}

h2o_req_t *server_call_begin(struct http_call *call, int status, struct str content_type)
{
	h2o_req_t *req = call->req;
	h2o_iovec_t copy = server_call_copy(req, content_type);

	req->res.status = status;
	req->res.reason = server_call_reason(status);
	h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, copy.base, copy.len);
	for (size_t i = 0; i < call->added_count; i++) {
		h2o_iovec_t name = server_call_copy(req, call->added[i][0]);
		h2o_iovec_t value = server_call_copy(req, call->added[i][1]);

		h2o_add_header_by_str(&req->pool, &req->res.headers, name.base, name.len, 1, NULL, value.base,
				      value.len);
	}
	call->hold->call = NULL;
	call->conn->call = NULL;
	call->conn->since_ms = clock_mono_ms();
	return req;
}

void http_call_reply(struct http_call *call, int status, struct str content_type, struct str body)
{
	struct server_thread *thread = call->thread;
	h2o_req_t *req = call->req;
	h2o_iovec_t copy;

	if (!req) {
		server_call_put(call);
		return;
	}
	call->conn->replying = true;
	req = server_call_begin(call, status, content_type);
	copy = server_call_copy(req, body);
	server_call_put(call);
	server_call_send(thread, req, copy);
}
