/* Server-sent events; see events.h.
 *
 * The writer thread notes changes (changes.c), and each stream looks for them on its own loop thread, whenever the HTTP
 * server's tick comes round: nothing is posted, and nobody waits for anybody. What a client has not taken yet is not
 * added to: its changes stay where they are, newest state only, until it has. */
#include "api/events.h"
#include "api/changes.h"
#include "api/manage.h"
#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#define EVENTS_PAUSE_MS 250	   /* between two looks that found something */
#define EVENTS_COMMENT_MS 15000	   /* of silence, after which a comment keeps proxies from closing */
#define EVENTS_SESSION_MS 1000	   /* between two looks at the session */
#define EVENTS_READ_COUNT_MAX 256  /* changes at a look */
#define EVENTS_EVENT_BYTES_MAX 224 /* of one, numbers at their longest */
#define EVENTS_BYTES_MAX (EVENTS_READ_COUNT_MAX * EVENTS_EVENT_BYTES_MAX)

struct events {
	struct changes *changes;
	_Atomic unsigned stream_count;
};

/* One client; its loop thread's. */
struct events_client {
	struct events *events;
	struct sessions *sessions;
	char token[SESSION_TOKEN_BYTES + 1]; /* of the session; empty for who has the admin token */
	uint64_t seen;
	int64_t read_ms;    /* monotonic, as all: when changes were last passed on */
	int64_t send_ms;    /* when anything was */
	int64_t session_ms; /* when the session was last looked at */
};

struct events *events_new(void)
{
	struct events *events = mem_zalloc(sizeof(*events));

	events->changes = changes_new();
	return events;
}

void events_free(struct events **events)
{
	if (!*events)
		return;
	assert(atomic_load(&(*events)->stream_count) == 0);
	changes_free(&(*events)->changes);
	mem_free(*events);
	*events = NULL;
}

void events_on_batch(void *context, const struct live_set *set)
{
	struct events *events = context;

	changes_note(events->changes, set);
}

/* ---- what is sent ---- */

static void events_append(struct buf *out, const struct change *change)
{
	switch (change->kind) {
	case CHANGE_APP:
		buf_printf(out,
			   "event: app\ndata: {\"SdkAppid\":%" PRIu32 ",\"RoomCount\":%" PRIu64
			   ",\"MaxRoomCount\":%" PRIu32 ",\"AlertLevel\":%u,\"CallbackPending\":%" PRIu64
			   ",\"EndpointState\":\"%s\"}\n\n",
			   change->sdkappid, change->room_count, change->room_count_max, change->alert_level,
			   change->callback_pending, endpoint_state_word(change->endpoint));
		break;
	case CHANGE_CONFIG:
		buf_printf(out, "event: config\ndata: {\"SdkAppid\":%" PRIu32 "}\n\n", change->sdkappid);
		break;
	case CHANGE_CALLBACKS:
		buf_printf(out, "event: callbacks\ndata: {\"SdkAppid\":%" PRIu32 "}\n\n", change->sdkappid);
		break;
	}
}

/* All of it fits: it is sent only when nothing waits. */
static void events_send(struct events_client *client, struct http_stream *stream, struct str bytes, int64_t now_ms)
{
	int rc = http_stream_send(stream, bytes);

	assert(rc == 0);
	client->send_ms = now_ms;
}

static void events_pass_on(struct events_client *client, struct http_stream *stream, int64_t now_ms)
{
	struct change changes[EVENTS_READ_COUNT_MAX];
	struct buf out;
	bool lost;
	size_t count = changes_read(client->events->changes, &client->seen, changes, ARRAY_LEN(changes), &lost);

	if (count == 0 && !lost)
		return;
	buf_init(&out, EVENTS_BYTES_MAX);
	if (lost)
		buf_append_c(&out, "event: lost\ndata: {}\n\n");
	for (size_t i = 0; i < count; i++)
		events_append(&out, &changes[i]);
	assert(buf_ok(&out));
	client->read_ms = now_ms;
	events_send(client, stream, buf_str(&out), now_ms);
	buf_fini(&out);
}

static bool events_session_has_ended(struct events_client *client, int64_t now_ms)
{
	struct session_view view;

	if (!client->token[0] || now_ms - client->session_ms < EVENTS_SESSION_MS)
		return false;
	client->session_ms = now_ms;
	return sessions_look(client->sessions, str_c(client->token), now_ms, &view) != 0;
}

static void events_tick(void *context, struct http_stream *stream, int64_t now_ms)
{
	struct events_client *client = context;

	if (events_session_has_ended(client, now_ms)) {
		http_stream_end(stream);
		return;
	}
	if (http_stream_is_behind(stream))
		return;
	if (now_ms - client->read_ms >= EVENTS_PAUSE_MS)
		events_pass_on(client, stream, now_ms);
	if (now_ms - client->send_ms >= EVENTS_COMMENT_MS)
		events_send(client, stream, STR(":\n\n"), now_ms);
}

/* ---- the call ---- */

static void events_over(void *context)
{
	struct events_client *client = context;
	struct events *events = client->events;

	changes_leave(events->changes);
	mem_wipe(client->token, sizeof(client->token));
	mem_free(client);
	(void)atomic_fetch_sub(&events->stream_count, 1); /* the old value */
}

static struct events_client *events_client_new(const struct api_request *request)
{
	struct events_client *client = mem_zalloc(sizeof(*client));

	client->events = request->api->events;
	client->sessions = request->api->sessions;
	(void)str_copy(client->token, sizeof(client->token), manage_session_token(request)); /* as long as all tokens */
	client->send_ms = client->session_ms = clock_mono_ms();
	changes_listen(client->events->changes, &client->seen);
	return client;
}

void api_manage_events(struct api_request *request)
{
	struct events *events = request->api->events;
	struct http_stream_options options = {.content_type = STR("text/event-stream"),
					      .waiting_bytes_max = EVENTS_BYTES_MAX,
					      .tick = events_tick,
					      .over = events_over};
	struct http_stream *stream;
	struct buf hello;

	if (atomic_fetch_add(&events->stream_count, 1) >= EVENTS_STREAM_COUNT_MAX) {
		(void)atomic_fetch_sub(&events->stream_count, 1); /* the old value */
		api_refuse_with(request, HW_API_BUSY, "too frequent: %d streams of events are open, close one first",
				EVENTS_STREAM_COUNT_MAX);
		return;
	}
	options.context = events_client_new(request);
	http_call_add_header(request->call, STR("cache-control"), STR("no-store"));
	http_call_add_header(request->call, STR("x-accel-buffering"), STR("no")); /* nginx must not collect them */
	stream = api_answer_stream(request, &options);
	if (!stream) {
		events_over(options.context);
		return;
	}
	buf_init(&hello, EVENTS_EVENT_BYTES_MAX);
	buf_printf(&hello, "event: hello\ndata: {\"Now\":%" PRId64 "}\n\n", clock_wall_ms());
	if (http_stream_send(stream, buf_str(&hello)))
		http_stream_end(stream); /* cannot be: nothing was sent before */
	buf_fini(&hello);
}
