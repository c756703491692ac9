/* The HTTP request of a sink; see sink_http.h. */
#include "receive/sink_http.h"
#include "base/mem.h"

#include <highwater/callback.h>
#include <string.h>

#define SINK_HTTP_REPLY_BYTES_MAX 16384
#define SINK_HTTP_SHOWN_BYTES 120 /* of a refusal's body */
#define SINK_HTTP_STOP_MS 200	  /* look so often whether the process ends */

struct sink_http {
	const char *name;
	char *url;
	struct http_client *client;
	/* of the request under way */
	bool done;
	int result;
	struct error *err;
};

int sink_http_open(const struct sink_http_options *options, struct sink_http **http_out, struct error *err)
{
	const struct http_client_options client = {.ca_file = options->ca_file,
						   .connect_timeout_ms = options->timeout_ms,
						   .total_timeout_ms = options->timeout_ms,
						   .reply_bytes_max = SINK_HTTP_REPLY_BYTES_MAX,
						   .in_flight_max = 1};
	const char *wrong = hw_callback_url_check(options->url, strlen(options->url));
	struct sink_http *http;

	if (wrong)
		return error_set(err, ERR_INVALID, "%s: %s", options->name, wrong);
	http = mem_zalloc(sizeof(*http));
	http->name = options->name;
	http->url = mem_dup(options->url, strlen(options->url));
	if (http_client_open(&client, &http->client, err)) {
		sink_http_close(&http);
		return error_wrap(err, "%s", options->name);
	}
	*http_out = http;
	return 0;
}

void sink_http_close(struct sink_http **http_ptr)
{
	struct sink_http *http = *http_ptr;

	if (!http)
		return;
	http_client_close(&http->client);
	mem_free(http->url);
	mem_free(http);
	*http_ptr = NULL;
}

static void sink_http_done(void *context, const struct http_result *result)
{
	struct sink_http *http = context;
	struct str shown = str_slice(result->body, 0, SINK_HTTP_SHOWN_BYTES);
	char text[SINK_HTTP_SHOWN_BYTES + 1];

	http->done = true;
	if (result->outcome == HTTP_OUTCOME_TOO_LARGE && result->status >= 200 && result->status < 300)
		return; /* the status says it: nobody here reads the page that comes with it */
	if (result->outcome != HTTP_OUTCOME_REPLIED) {
		http->result = error_set(http->err, ERR_IO, "%s: %s", http_outcome_word(result->outcome), result->text);
		return;
	}
	if (result->status >= 200 && result->status < 300)
		return;
	for (size_t i = 0; i < shown.len; i++)
		text[i] = shown.ptr[i] < ' ' || shown.ptr[i] > '~' ? '?' : shown.ptr[i];
	text[shown.len] = '\0';
	http->result = error_set(http->err, ERR_IO, "HTTP status %d%s%s", result->status, shown.len ? ": " : "", text);
}

int sink_http_post(struct sink_http *http, const char *path, const char *const *headers, size_t header_count,
		   struct str body, const atomic_bool *stop, struct error *err)
{
	struct http_request request = {
		.method = "POST", .headers = headers, .header_count = header_count, .body = body};
	struct buf url;

	buf_init(&url, HW_CALLBACK_URL_BYTES_MAX + 256);
	buf_append_c(&url, http->url);
	buf_append_c(&url, path);
	request.url = buf_c(&url);
	http->done = false;
	http->result = 0;
	http->err = err;
	http_client_submit(http->client, &request, sink_http_done, http);
	buf_fini(&url);
	while (!http->done && !atomic_load(stop)) /* bounded by the request's own time limit */
		http_client_poll(http->client, SINK_HTTP_STOP_MS);
	if (!http->done) /* it is abandoned when the client is closed, and that is soon */
		return error_set(err, ERR_BUSY, "interrupted by the end of the process");
	return http->result;
}
