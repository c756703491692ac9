/* The operator's page; see page.h.
 *
 * The listener is small on purpose: one thread, few connections, short limits. Whoever does not read his scrape holds a
 * connection and nothing else. */
#include "status/page.h"
#include "base/clock.h"
#include "status/process.h"

#define STATUS_CONNECTIONS_MAX 100
#define STATUS_TIMEOUT_MS 10000
#define STATUS_DRAIN_MS 1000
#define STATUS_TEXT STR("text/plain; charset=utf-8")

static void status_answer_metrics(struct status_page *page, struct http_call *call)
{
	struct buf out;

	buf_init(&out, STATUS_METRICS_BYTES_MAX);
	page->write_metrics(page->context, &out);
	process_write_metrics(page->start_ms, &out);
	if (buf_ok(&out))
		http_call_reply(call, 200, STR(PROM_CONTENT_TYPE), buf_str(&out));
	else
		http_call_reply(call, 500, STATUS_TEXT, STR("the metrics are too many\n"));
	buf_fini(&out);
}

static void status_answer_ready(struct status_page *page, struct http_call *call)
{
	struct buf out;

	buf_init(&out, 1024);
	if (atomic_load(&page->draining))
		buf_append_c(&out, "the program is stopping");
	else
		page->write_trouble(page->context, &out);
	if (out.len) {
		buf_append_char(&out, '\n');
		http_call_reply(call, 503, STATUS_TEXT, buf_str(&out));
	} else {
		http_call_reply(call, 200, STATUS_TEXT, STR("ok\n"));
	}
	buf_fini(&out);
}

static void status_handle(void *context, struct http_call *call)
{
	struct status_page *page = context;
	struct str method = http_call_method(call);
	struct str path = http_call_path(call);
	bool known = str_eq(path, STR("/metrics")) || str_eq(path, STR("/healthz")) || str_eq(path, STR("/readyz"));

	if (!known) {
		http_call_reply(call, 404, STATUS_TEXT, STR("there are /metrics, /healthz and /readyz\n"));
	} else if (!str_eq(method, STR("GET")) && !str_eq(method, STR("HEAD"))) {
		http_call_add_header(call, STR("allow"), STR("GET, HEAD"));
		http_call_reply(call, 405, STATUS_TEXT, STR("only GET and HEAD\n"));
	} else if (str_eq(path, STR("/metrics"))) {
		status_answer_metrics(page, call);
	} else if (str_eq(path, STR("/readyz"))) {
		status_answer_ready(page, call);
	} else {
		http_call_reply(call, 200, STATUS_TEXT, STR("ok\n"));
	}
}

static void status_refuse(void *context, enum http_refusal why, struct buf *body_out)
{
	(void)context; /* all are told alike */
	(void)why;
	buf_append_c(body_out, "{\"ErrorInfo\":\"this request cannot be understood, or is too large\"}");
}

int status_page_open(struct status_page *page, const char *listen, int listen_fd, struct http_server **server_out,
		     struct error *err)
{
	const struct http_server_options options = {.listen = listen,
						    .listen_fd = listen_fd,
						    .thread_count = 1,
						    .body_bytes_max = 1024,
						    .header_bytes_max = 16 * 1024,
						    .connection_count_max = STATUS_CONNECTIONS_MAX,
						    .request_timeout_ms = STATUS_TIMEOUT_MS,
						    .idle_timeout_ms = 6 * STATUS_TIMEOUT_MS,
						    .handler = status_handle,
						    .refuse = status_refuse,
						    .context = page};

	page->start_ms = clock_wall_ms();
	atomic_store(&page->draining, false);
	if (http_server_open(&options, server_out, err))
		return error_wrap(err, "status.listen");
	return http_server_start(*server_out, err);
}

void status_page_drain(struct status_page *page)
{
	atomic_store(&page->draining, true);
}

void status_page_close(struct http_server **server)
{
	if (*server)
		http_server_drain(*server, STATUS_DRAIN_MS);
	http_server_close(server);
}
