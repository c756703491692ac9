/* Streams of the HTTP server: replies that go on until somebody ends them.
 *
 * The library asks for bytes when the last ones are with the system (`proceed`), and none may be given before. So there
 * are two buffers: what is in its hands, and what waits meanwhile; they change places. When the second is full the
 * sender is told, and decides what is not worth waiting for.
 *
 * The library does not read while it replies, so it does not see a client that has gone before it writes to it: the
 * sweep asks the socket. The end of the request, whatever its reason, is told by the disposal of its memory, as for
 * calls. It never comes from within a function of this file: the library is always given something to write, and what
 * becomes of a write it tells from its loop. */
#include "base/clock.h"
#include "base/mem.h"
#include "http/server_internal.h"

#include <assert.h>
#include <poll.h>

#define STREAM_SYSTEM_BYTES 65536 /* of what the system keeps for a client that does not read */
#define STREAM_DRAIN_MS 500	  /* for the end of a stream when the server drains */

static struct server_thread *stream_thread(const struct http_stream *stream)
{
	return stream->conn->thread;
}

/* ---- writing ---- */

static void stream_hand_over(struct http_stream *stream, h2o_iovec_t *bytes, h2o_send_state_t state)
{
	stream->in_flight = true;
	stream->sent_ms = clock_mono_ms();
	h2o_send(stream->req, bytes, bytes && bytes->len ? 1 : 0, state);
}

/* HTTP/1.0 has no mark for the end but that of the connection: there the last write is one that fails. */
static void stream_hand_over_end(struct http_stream *stream)
{
	h2o_iovec_t last = {0};

	if (stream->req->version < 0x101) {
		server_conn_shut(stream->conn);
		last = h2o_iovec_init(H2O_STRLIT("\n"));
	}
	stream->ended = true;
	stream->req->http1_is_persistent = 0;
	stream_hand_over(stream, &last, H2O_SEND_STATE_FINAL);
}

static void stream_go_on(struct http_stream *stream)
{
	struct buf sent = stream->sending;
	h2o_iovec_t bytes;

	if (stream->in_flight || stream->ended)
		return;
	if (stream->waiting.len == 0) {
		if (stream->ending)
			stream_hand_over_end(stream);
		return;
	}
	buf_reset(&sent);
	stream->sending = stream->waiting;
	stream->waiting = sent;
	bytes = h2o_iovec_init(stream->sending.ptr, stream->sending.len);
	stream_hand_over(stream, &bytes, H2O_SEND_STATE_IN_PROGRESS);
}

/* What was handed over is with the system. */
static void stream_on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
	struct http_stream *stream = H2O_STRUCT_FROM_MEMBER(struct http_stream, generator, generator);

	(void)req; /* is the stream's */
	stream->in_flight = false;
	stream_go_on(stream);
}

/* ---- life ---- */

/* Less than what the system would take by itself, which is megabytes. */
static void stream_bound_system(const struct http_stream *stream)
{
	const int bytes = STREAM_SYSTEM_BYTES;

	(void)setsockopt(h2o_socket_get_fd(stream->conn->sock), SOL_SOCKET, SO_SNDBUF, &bytes,
			 sizeof(bytes)); /* without it more is kept */
}

struct http_stream *http_call_stream(struct http_call *call, const struct http_stream_options *options)
{
	struct server_hold *hold = call->hold;
	struct http_stream *stream;

	if (!call->req) {
		server_call_put(call);
		return NULL;
	}
	assert(!str_eq(http_call_method(call), STR("HEAD")));
	stream = mem_zalloc(sizeof(*stream));
	stream->generator.proceed = stream_on_proceed;
	stream->conn = call->conn;
	stream->options = *options;
	buf_init(&stream->waiting, options->waiting_bytes_max);
	buf_init(&stream->sending, options->waiting_bytes_max);
	stream->req = server_call_begin(call, 200, options->content_type);
	stream->options.content_type = (struct str){0}; /* the caller's may go */
	server_call_put(call);
	hold->stream = stream;
	stream->conn->stream = stream;
	(void)atomic_fetch_add(&stream_thread(stream)->streams_open, 1); /* the old value */
	stream_bound_system(stream);
	stream->req->res.content_length = SIZE_MAX;
	server_call_start(stream_thread(stream), stream->req, &stream->generator);
	stream_hand_over(stream, NULL, H2O_SEND_STATE_IN_PROGRESS); /* the headers */
	return stream;
}

int http_stream_send(struct http_stream *stream, struct str bytes)
{
	assert(!stream->ending);
	if (bytes.len > stream->options.waiting_bytes_max - stream->waiting.len)
		return -1;
	buf_append_str(&stream->waiting, bytes);
	stream_go_on(stream);
	return 0;
}

bool http_stream_is_behind(const struct http_stream *stream)
{
	return stream->in_flight;
}

void http_stream_end(struct http_stream *stream)
{
	if (!stream->ending)
		stream->sent_ms = clock_mono_ms();
	stream->ending = true;
	stream_go_on(stream);
}

void server_stream_over(struct http_stream *stream)
{
	(void)atomic_fetch_sub(&stream_thread(stream)->streams_open, 1); /* the old value */
	stream->conn->stream = NULL;
	stream->options.over(stream->options.context);
	buf_fini(&stream->waiting);
	buf_fini(&stream->sending);
	mem_free(stream);
}

void server_stream_abort(struct http_stream *stream)
{
	server_conn_shut(stream->conn);
	stream->ending = true;
	buf_reset(&stream->waiting);
	stream_go_on(stream); /* when something is in flight it fails by itself */
}

/* ---- the sweep ---- */

static bool stream_client_has_gone(const struct http_stream *stream)
{
	struct pollfd poll_fd = {.fd = h2o_socket_get_fd(stream->conn->sock), .events = POLLRDHUP};

	return poll(&poll_fd, 1, 0) > 0;
}

static void stream_check_time(struct http_stream *stream, int64_t now_ms, bool draining)
{
	struct server_thread *thread = stream_thread(stream);
	uint64_t limit_ms = draining ? STREAM_DRAIN_MS : thread->server->options.idle_timeout_ms;

	if ((uint64_t)(now_ms - stream->sent_ms) < limit_ms)
		return;
	(void)atomic_fetch_add(&thread->timeouts_total, 1); /* the old value */
	stream->sent_ms = now_ms;			    /* once more in a while, as for all connections */
	server_stream_abort(stream);
}

void server_stream_check(struct http_stream *stream, int64_t now_ms, bool draining)
{
	if (stream_client_has_gone(stream)) {
		server_stream_abort(stream);
		return;
	}
	if (draining && !stream->ending)
		http_stream_end(stream);
	if (stream->in_flight)
		stream_check_time(stream, now_ms, draining);
	if (!stream->ending)
		stream->options.tick(stream->options.context, stream, now_ms);
}
