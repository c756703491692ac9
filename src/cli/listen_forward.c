/* Passing on; see listen_forward.h. */
#include "cli/listen_forward.h"
#include "base/mem.h"
#include "http/client.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define FORWARD_COUNT_MAX 1000
#define FORWARD_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define FORWARD_HEADERS_MAX 12
#define FORWARD_TIMEOUT_MS 10000
#define FORWARD_STOP_MS 200 /* look so often whether it ends */

/* One callback; its texts stand behind it. */
struct forward_item {
	struct forward_item *next;
	int64_t id;
	struct buf url;
	struct buf headers; /* each ends with a NUL */
	size_t header_count;
	struct buf body;
};

struct listen_forward {
	char *url;
	struct listen_show *show;
	struct http_client *client;
	atomic_bool stop;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct forward_item *first; /* under the lock, as all below */
	struct forward_item *last;
	size_t count;
	size_t bytes;
	bool running;
	size_t abandoned; /* the thread's: under way when it had to stop */
	pthread_t thread;
};

/* ---- items ---- */

static void forward_free(struct forward_item *item)
{
	buf_fini(&item->url);
	buf_fini(&item->headers);
	buf_fini(&item->body);
	mem_free(item);
}

static void forward_add_header(struct forward_item *item, const char *name, struct str value)
{
	if (value.len == 0)
		return;
	buf_printf(&item->headers, "%s: ", name);
	buf_append_str(&item->headers, value);
	buf_append_char(&item->headers, '\0');
	item->header_count++;
}

static void forward_add_number(struct forward_item *item, const char *name, int64_t value)
{
	char text[24];

	if (value < 0)
		return;
	(void)snprintf(text, sizeof(text), "%" PRId64, value); /* fits */
	forward_add_header(item, name, str_c(text));
}

static struct forward_item *forward_copy(const struct listen_forward *forward, const struct receive_seen *seen)
{
	const struct hw_receiver_request *request = seen->request;
	const struct record_row *row = seen->row;
	struct forward_item *item = mem_zalloc(sizeof(*item));

	item->id = row->id;
	buf_init(&item->url, 65536);
	buf_init(&item->headers, 65536);
	buf_init(&item->body, HW_PACKET_BYTES_MAX);
	buf_append_c(&item->url, forward->url);
	buf_append_char(&item->url, strchr(forward->url, '?') ? '&' : '?');
	buf_append(&item->url, request->query, request->query_len);
	forward_add_header(item, "Content-Type", STR("application/json"));
	forward_add_header(item, "webhook-id", (struct str){request->webhook_id, request->webhook_id_len});
	forward_add_header(item, "webhook-timestamp",
			   (struct str){request->webhook_timestamp, request->webhook_timestamp_len});
	forward_add_header(item, "webhook-signature",
			   (struct str){request->webhook_signature, request->webhook_signature_len});
	forward_add_number(item, "Highwater-Attempt", row->attempt);
	forward_add_number(item, "Highwater-Sequence", row->sequence);
	forward_add_number(item, "Highwater-Threshold", row->threshold);
	forward_add_number(item, "Highwater-Replay", seen->replay);
	if (row->is_test)
		forward_add_header(item, "Highwater-Test", STR("1"));
	buf_append_str(&item->body, row->body);
	return item;
}

void listen_forward_put(struct listen_forward *forward, const struct receive_seen *seen)
{
	struct forward_item *item = forward_copy(forward, seen);
	bool fits;

	pthread_mutex_lock(&forward->lock);
	fits = forward->count < FORWARD_COUNT_MAX && forward->bytes + item->body.len <= FORWARD_BYTES_MAX;
	if (fits) {
		if (forward->first)
			forward->last->next = item;
		else
			forward->first = item;
		forward->last = item;
		forward->count++;
		forward->bytes += item->body.len;
		pthread_cond_signal(&forward->work);
	}
	pthread_mutex_unlock(&forward->lock);
	if (fits)
		return;
	listen_show_not_forwarded(forward->show, item->id);
	forward_free(item);
}

/* ---- the thread ---- */

struct forward_wait {
	bool done;
	struct listen_forward *forward;
	const struct forward_item *item;
};

static void forward_done(void *context, const struct http_result *result)
{
	struct forward_wait *wait = context;
	bool replied = result->outcome == HTTP_OUTCOME_REPLIED;
	char error[320] = "";

	wait->done = true;
	if (!replied) /* cut when longer */
		(void)snprintf(error, sizeof(error), "%s: %s", http_outcome_word(result->outcome), result->text);
	listen_show_forwarded(wait->forward->show, wait->item->id, replied ? result->status : 0, result->duration_us,
			      error);
}

static void forward_send(struct listen_forward *forward, struct forward_item *item)
{
	struct forward_wait wait = {.forward = forward, .item = item};
	const char *headers[FORWARD_HEADERS_MAX];
	struct http_request request = {.method = "POST",
				       .url = buf_c(&item->url),
				       .headers = headers,
				       .header_count = item->header_count,
				       .body = buf_str(&item->body)};
	const char *at = item->headers.ptr;

	assert(item->header_count <= FORWARD_HEADERS_MAX);
	for (size_t i = 0; i < item->header_count; i++) {
		headers[i] = at;
		at += strlen(at) + 1;
	}
	http_client_submit(forward->client, &request, forward_done, &wait);
	while (!wait.done && !atomic_load(&forward->stop)) /* bounded by the request's own time limit */
		http_client_poll(forward->client, FORWARD_STOP_MS);
	forward->abandoned += !wait.done;
}

static void *forward_main(void *context)
{
	struct listen_forward *forward = context;

	while (!atomic_load(&forward->stop)) {
		struct forward_item *item;

		pthread_mutex_lock(&forward->lock);
		while (!forward->first && !atomic_load(&forward->stop))
			pthread_cond_wait(&forward->work, &forward->lock);
		item = forward->first;
		if (item) {
			forward->first = item->next;
			forward->count--;
			forward->bytes -= item->body.len;
		}
		pthread_mutex_unlock(&forward->lock);
		if (!item)
			continue;
		forward_send(forward, item);
		forward_free(item);
	}
	return NULL;
}

/* ---- life ---- */

int listen_forward_open(const char *url, const char *ca_file, struct listen_show *show,
			struct listen_forward **forward_out, struct error *err)
{
	const struct http_client_options options = {.ca_file = ca_file,
						    .connect_timeout_ms = FORWARD_TIMEOUT_MS,
						    .total_timeout_ms = FORWARD_TIMEOUT_MS,
						    .reply_bytes_max = 65536,
						    .in_flight_max = 1};
	const char *wrong = hw_callback_url_check(url, strlen(url));
	struct listen_forward *forward;
	int rc;

	if (wrong)
		return error_set(err, ERR_INVALID, "--forward: %s", wrong);
	forward = mem_zalloc(sizeof(*forward));
	forward->url = mem_dup(url, strlen(url));
	forward->show = show;
	rc = pthread_mutex_init(&forward->lock, NULL);
	assert(rc == 0);
	rc = pthread_cond_init(&forward->work, NULL);
	assert(rc == 0);
	if (http_client_open(&options, &forward->client, err)) {
		(void)listen_forward_close(&forward); /* there were none, as below */
		return error_wrap(err, "--ca-file");
	}
	rc = pthread_create(&forward->thread, NULL, forward_main, forward);
	if (rc) {
		(void)listen_forward_close(&forward);
		return error_set_errno(err, rc, "starting the thread that passes on");
	}
	forward->running = true;
	*forward_out = forward;
	return 0;
}

size_t listen_forward_close(struct listen_forward **forward_ptr)
{
	struct listen_forward *forward = *forward_ptr;
	size_t left;

	if (!forward)
		return 0;
	pthread_mutex_lock(&forward->lock);
	atomic_store(&forward->stop, true);
	pthread_cond_signal(&forward->work);
	pthread_mutex_unlock(&forward->lock);
	if (forward->running)
		(void)pthread_join(forward->thread, NULL); /* ours, joined once */
	http_client_close(&forward->client);
	left = forward->count + forward->abandoned;
	while (forward->first) {
		struct forward_item *item = forward->first;

		forward->first = item->next;
		forward_free(item);
	}
	(void)pthread_cond_destroy(&forward->work); /* nobody waits any more, as for the lock */
	(void)pthread_mutex_destroy(&forward->lock);
	mem_free(forward->url);
	mem_free(forward);
	*forward_ptr = NULL;
	return left;
}
