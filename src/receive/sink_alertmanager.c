/* Alerts for an Alertmanager; see sink_alertmanager.h. Events only change the table, which is the sink's state; the tick
 * says what changed. So an Alertmanager that was dead hears the newest of each alert, not all that was. */
#include "receive/sink_alertmanager.h"
#include "base/clock.h"
#include "base/mem.h"
#include "receive/firing.h"
#include "receive/sink_http.h"

#include <string.h>

#define ALERTMANAGER_BODY_BYTES_MAX (FIRING_POST_MAX * 2048)

struct sink_alertmanager {
	struct sink_http *http;
	struct firing_table table;
	struct buf body;
};

static bool sink_alertmanager_wants(const void *sink, const struct record_row *row)
{
	(void)sink; /* all want the same */
	return sink_wants(SINK_EVENTS_ALERTS, row);
}

static size_t sink_alertmanager_deliver(void *sink, const struct record_row *rows, size_t count,
					const atomic_bool *stop, struct error *err)
{
	struct sink_alertmanager *alertmanager = sink;

	(void)stop; /* nothing takes long, and nothing fails */
	(void)err;
	for (size_t i = 0; i < count; i++)
		firing_take(&alertmanager->table, &rows[i]);
	return count;
}

static int64_t sink_alertmanager_tick(void *sink, const atomic_bool *stop, struct error *err)
{
	static const char *const headers[] = {"Content-Type: application/json"};
	struct sink_alertmanager *alertmanager = sink;

	while (true) {
		int64_t now_ms = clock_wall_ms();

		buf_reset(&alertmanager->body);
		if (firing_write(&alertmanager->table, now_ms, &alertmanager->body) == 0)
			return firing_wait_ms(&alertmanager->table, now_ms);
		if (sink_http_post(alertmanager->http, "/api/v2/alerts", headers, ARRAY_LEN(headers),
				   buf_str(&alertmanager->body), stop, err))
			return -1;
		firing_said(&alertmanager->table, now_ms);
	}
}

static void sink_alertmanager_save(const void *sink, struct buf *out)
{
	firing_save(&((const struct sink_alertmanager *)sink)->table, out);
}

static int sink_alertmanager_restore(void *sink, struct str state, struct error *err)
{
	return firing_restore(&((struct sink_alertmanager *)sink)->table, state, err);
}

static void sink_alertmanager_close(void *sink)
{
	struct sink_alertmanager *alertmanager = sink;

	sink_http_close(&alertmanager->http);
	firing_fini(&alertmanager->table);
	buf_fini(&alertmanager->body);
	mem_free(alertmanager);
}

static const struct sink_ops sink_alertmanager_ops = {.kind = SINK_ALERTMANAGER,
						      .wants = sink_alertmanager_wants,
						      .deliver = sink_alertmanager_deliver,
						      .tick = sink_alertmanager_tick,
						      .save = sink_alertmanager_save,
						      .restore = sink_alertmanager_restore,
						      .close = sink_alertmanager_close};

int sink_alertmanager_open(const struct sink_alertmanager_options *options, struct sink *sink_out, struct error *err)
{
	struct str url = str_c(options->url);
	char base[HW_CALLBACK_URL_BYTES_MAX + 1];
	const struct sink_http_options http = {"receive.alertmanager_url", base, options->ca_file, options->timeout_ms};
	struct sink_alertmanager *alertmanager;

	while (url.len && url.ptr[url.len - 1] == '/')
		url.len--;
	if (!str_copy(base, sizeof(base), url) || str_find_char(url, '?') >= 0)
		return error_set(err, ERR_INVALID, "receive.alertmanager_url: must be at most %d bytes without a query",
				 HW_CALLBACK_URL_BYTES_MAX);
	alertmanager = mem_zalloc(sizeof(*alertmanager));
	buf_init(&alertmanager->body, ALERTMANAGER_BODY_BYTES_MAX);
	firing_init(&alertmanager->table, (int64_t)options->quiet_ms);
	if (sink_http_open(&http, &alertmanager->http, err)) {
		sink_alertmanager_close(alertmanager);
		return -1;
	}
	*sink_out = (struct sink){&sink_alertmanager_ops, alertmanager};
	return 0;
}
