/* Events by HTTP POST; see sink_post.h. */
#include "receive/sink_post.h"
#include "base/clock.h"
#include "base/mem.h"
#include "receive/sink_http.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define POST_HEADERS_MAX 5
#define POST_HEADER_BYTES_MAX 512
#define POST_BEARER_BYTES_MAX 256

struct sink_post {
	struct sink_http *http;
	enum sink_events events;
	char bearer[POST_BEARER_BYTES_MAX + 1]; /* secret, as the next */
	struct hw_webhook_key key;
	struct buf body;
};

struct post_headers {
	char text[POST_HEADERS_MAX][POST_HEADER_BYTES_MAX];
	const char *list[POST_HEADERS_MAX];
	size_t count;
};

static bool sink_post_wants(const void *sink, const struct record_row *row)
{
	return sink_wants(((const struct sink_post *)sink)->events, row);
}

static void post_add_header(struct post_headers *headers, const char *name, const char *value)
{
	char *text = headers->text[headers->count];

	(void)snprintf(text, POST_HEADER_BYTES_MAX, "%s: %s", name, value); /* sized for all of them */
	headers->list[headers->count++] = text;
}

/* The event's id as it came, or one of our own: the record's numbers are never given twice. */
static void post_event_id(const struct record_row *row, char out[HW_WEBHOOK_ID_BYTES_MAX + 1])
{
	bool usable = row->webhook_id.len && row->webhook_id.len <= HW_WEBHOOK_ID_BYTES_MAX &&
		      str_find_char(row->webhook_id, '.') < 0 && str_find_char(row->webhook_id, ' ') < 0;

	if (usable && str_copy(out, HW_WEBHOOK_ID_BYTES_MAX + 1, row->webhook_id))
		return;
	(void)snprintf(out, HW_WEBHOOK_ID_BYTES_MAX + 1, "row_%" PRId64, row->id); /* fits */
}

static int post_sign(struct sink_post *post, const char *id, struct post_headers *headers, struct error *err)
{
	const int64_t now_s = clock_wall_ms() / 1000;
	const struct hw_webhook_message message = {
		.id = id, .id_len = strlen(id), .time_s = now_s, .body = post->body.ptr, .body_len = post->body.len};
	char signature[HW_WEBHOOK_SIGNATURE_SIZE(1)];
	char number[24];

	if (post->key.kind == HW_WEBHOOK_NONE)
		return 0;
	if (hw_webhook_sign(&message, &post->key, 1, signature, sizeof(signature)) < 0)
		return error_set(err, ERR_INVALID, "the event cannot be signed");
	(void)snprintf(number, sizeof(number), "%" PRId64, now_s); /* fits */
	post_add_header(headers, "webhook-timestamp", number);
	post_add_header(headers, "webhook-signature", signature);
	return 0;
}

static int post_one(struct sink_post *post, const struct record_row *row, const atomic_bool *stop, struct error *err)
{
	struct post_headers headers = {.count = 0};
	char id[HW_WEBHOOK_ID_BYTES_MAX + 1];
	char bearer[POST_BEARER_BYTES_MAX + 16];
	int result;

	buf_reset(&post->body);
	record_append_json(row, &post->body);
	post_event_id(row, id);
	post_add_header(&headers, "Content-Type", "application/json");
	post_add_header(&headers, "webhook-id", id);
	if (post->bearer[0]) {
		(void)snprintf(bearer, sizeof(bearer), "Bearer %s", post->bearer); /* fits */
		post_add_header(&headers, "Authorization", bearer);
		mem_wipe(bearer, sizeof(bearer));
	}
	result = post_sign(post, id, &headers, err);
	if (result == 0)
		result = sink_http_post(post->http, "", headers.list, headers.count, buf_str(&post->body), stop, err);
	mem_wipe(&headers, sizeof(headers));
	return result;
}

static size_t sink_post_deliver(void *sink, const struct record_row *rows, size_t count, const atomic_bool *stop,
				struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (post_one(sink, &rows[i], stop, err))
			return i;
	return count;
}

static void sink_post_close(void *sink)
{
	struct sink_post *post = sink;

	sink_http_close(&post->http);
	buf_fini(&post->body);
	mem_wipe(post, sizeof(*post));
	mem_free(post);
}

static const struct sink_ops sink_post_ops = {
	.kind = SINK_POST, .wants = sink_post_wants, .deliver = sink_post_deliver, .close = sink_post_close};

int sink_post_open(const struct sink_post_options *options, struct sink *sink_out, struct error *err)
{
	const struct sink_http_options http = {"receive.post_url", options->url, options->ca_file, options->timeout_ms};
	struct sink_post *post = mem_zalloc(sizeof(*post));

	buf_init(&post->body, RECORD_LINE_BYTES_MAX);
	post->events = options->events;
	if (!str_copy(post->bearer, sizeof(post->bearer), secret_reveal(options->bearer))) {
		sink_post_close(post);
		return error_set(err, ERR_INVALID, "receive.post_token_file: more than %d bytes",
				 POST_BEARER_BYTES_MAX);
	}
	if (options->key)
		post->key = *options->key;
	if (sink_http_open(&http, &post->http, err)) {
		sink_post_close(post);
		return -1;
	}
	*sink_out = (struct sink){&sink_post_ops, post};
	return 0;
}
