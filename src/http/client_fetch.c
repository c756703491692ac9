/* What stands beside the client: the words of its outcomes, and one request that is waited for; see client.h. */
#include "http/client.h"

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
