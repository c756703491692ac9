/* Metrics of the receiver, and whether it can work; see status.h.
 *
 * A scrape costs the same however much is recorded: counters are read where they are kept, and of the record only the table
 * of apps and the gaps, which are bounded, at most once a second, by whichever loop thread asks first; the others wait for
 * it, which takes milliseconds even for a thousand apps. */
#include "receive/status.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/prom.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define STATUS_APPS_MS 1000 /* how long what the record says of the apps is used */

struct status {
	struct status_options options;
	char *record_path;
	pthread_mutex_t lock;
	struct record_reader *reader; /* under the lock, as the next four */
	struct arena arena;
	struct record_app *apps;
	size_t app_count;
	int64_t apps_ms; /* monotonic: when they were read; 0: never */
};

/* ---- apps ---- */

static int64_t status_last_callback(const struct record_app *app)
{
	return app->last_ms;
}

static int64_t status_recorded(const struct record_app *app)
{
	return (int64_t)app->callbacks;
}

static int64_t status_room_count(const struct record_app *app)
{
	return app->has_alert ? (int64_t)app->room_count : -1;
}

static int64_t status_room_count_max(const struct record_app *app)
{
	return app->has_alert ? (int64_t)app->room_count_max : -1;
}

static int64_t status_threshold(const struct record_app *app)
{
	return app->has_alert ? app->threshold : -1;
}

static int64_t status_alert_time(const struct record_app *app)
{
	return app->has_alert ? app->alert_ms : -1;
}

static int64_t status_sequence(const struct record_app *app)
{
	return app->sequence;
}

static int64_t status_missing(const struct record_app *app)
{
	return (int64_t)app->missing;
}

static int64_t status_resets(const struct record_app *app)
{
	return (int64_t)app->resets;
}

static int64_t status_silent(const struct record_app *app)
{
	return app->is_silent;
}

/* What is told of each app; a value below 0 is left out. */
static const struct {
	const char *name;
	const char *type;
	const char *help;
	int64_t (*value)(const struct record_app *app);
	bool is_time; /* in milliseconds */
} status_app_rows[] = {
	{"highwater_receive_app_recorded_total", "counter", "Events recorded of the app, ever.", status_recorded,
	 false},
	{"highwater_receive_app_last_callback_timestamp_seconds", "gauge",
	 "When the app's last callback came; 0: never.", status_last_callback, true},
	{"highwater_receive_app_rooms_current", "gauge", "Rooms of the app, by its newest alert.", status_room_count,
	 false},
	{"highwater_receive_app_rooms_maximum", "gauge", "Most rooms the app may have, by its newest alert.",
	 status_room_count_max, false},
	{"highwater_receive_app_alert_threshold_percent", "gauge", "Threshold of the app's newest alert.",
	 status_threshold, false},
	{"highwater_receive_app_alert_timestamp_seconds", "gauge", "When the app's newest alert happened.",
	 status_alert_time, true},
	{"highwater_receive_app_sequence_last", "gauge", "Greatest sequence number of the app's callbacks.",
	 status_sequence, false},
	{"highwater_receive_app_sequence_missing", "gauge", "Sequence numbers below it that never came.",
	 status_missing, false},
	{"highwater_receive_app_sequence_resets_total", "counter", "How often the app's sender began to count anew.",
	 status_resets, false},
	{"highwater_receive_app_silent", "gauge", "1 while no callback of the app has come for receive.silence.",
	 status_silent, false},
};

/* Reads the apps when what there is is too old. What cannot be read now stays as it was. Under the lock. */
static void status_read_apps(struct status *status)
{
	int64_t now_ms = clock_mono_ms();
	struct record_app *apps = NULL;
	struct arena arena;
	struct error err;
	size_t count;

	if (status->apps_ms && now_ms - status->apps_ms < STATUS_APPS_MS)
		return;
	arena_init(&arena, 65536);
	if (record_read_apps(status->reader, &arena, &apps, &count, &err)) {
		arena_fini(&arena);
		return;
	}
	arena_fini(&status->arena);
	status->arena = arena;
	status->apps = apps;
	status->app_count = count;
	status->apps_ms = now_ms;
}

static void status_write_apps(struct status *status, struct buf *out)
{
	pthread_mutex_lock(&status->lock);
	status_read_apps(status);
	for (size_t r = 0; r < ARRAY_LEN(status_app_rows); r++) {
		prom_family(out, status_app_rows[r].name, status_app_rows[r].type, status_app_rows[r].help);
		for (size_t i = 0; i < status->app_count; i++) {
			int64_t value = status_app_rows[r].value(&status->apps[i]);
			struct prom_label app = {"app", STR("")};
			char text[16];

			if (value < 0)
				continue;
			(void)snprintf(text, sizeof(text), "%" PRIu32, status->apps[i].sdkappid); /* fits */
			app.value = str_c(text);
			if (status_app_rows[r].is_time)
				prom_thousandths(out, status_app_rows[r].name, &app, 1, value);
			else
				prom_i64(out, status_app_rows[r].name, &app, 1, value);
		}
	}
	pthread_mutex_unlock(&status->lock);
}

/* ---- the receiver ---- */

static void status_write_callbacks(const struct receive_stats *stats, struct buf *out)
{
	static const char results[] = "highwater_receive_callbacks_total";
	static const char reasons[] = "highwater_receive_refusals_total";
	uint64_t refused = stats->refused_by_server_total;

	for (size_t i = HW_RECEIVER_OK + 1; i < HW_RECEIVER_RESULT_COUNT; i++)
		refused += stats->refused_total[i];
	prom_family(out, results, "counter", "Requests by what became of them.");
	prom_word(out, results, "result", "recorded", stats->recorder.recorded_total);
	prom_word(out, results, "result", "duplicate", stats->recorder.duplicate_total);
	prom_word(out, results, "result", "refused", refused);
	prom_word(out, results, "result", "unrecorded", stats->recorder.unrecorded_total);
	prom_family(out, reasons, "counter", "Refused requests by reason.");
	for (size_t i = HW_RECEIVER_OK + 1; i < HW_RECEIVER_RESULT_COUNT; i++)
		prom_word(out, reasons, "reason", hw_receiver_result_word((enum hw_receiver_result)i),
			  stats->refused_total[i]);
	prom_word(out, reasons, "reason", "http", stats->refused_by_server_total);
}

static uint64_t status_record_bytes(const struct status *status)
{
	static const char *const ends[] = {"", "-wal"};
	uint64_t bytes = 0;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct stat info;
		char path[4200];

		(void)snprintf(path, sizeof(path), "%s%s", status->record_path, ends[i]); /* fits: a setting has 4000 */
		if (stat(path, &info) == 0)
			bytes += (uint64_t)info.st_size;
	}
	return bytes;
}

static void status_write_record(const struct status *status, const struct recorder_stats *stats, struct buf *out)
{
	static const int64_t bounds[] = RECORDER_BUCKETS_US;
	const struct prom_histogram histogram = {bounds, stats->batch_buckets, ARRAY_LEN(bounds),
						 stats->batch_us_total};

	prom_family(out, "highwater_receive_batch_seconds", "histogram",
		    "How long it took to make a batch of callbacks durable.");
	prom_histogram(out, "highwater_receive_batch_seconds", &histogram);
	prom_gauge(out, "highwater_receive_queue_length", "Callbacks that wait to be recorded.", stats->queue_count);
	prom_gauge(out, "highwater_receive_record_failing", "1 while the record cannot be written.", stats->is_failing);
	prom_gauge(out, "highwater_receive_record_bytes", "Size of the record on disk.", status_record_bytes(status));
	prom_counter(out, "highwater_receive_notes_total", "Notes of silence and of its end.", stats->notes_total);
	prom_counter(out, "highwater_receive_pruned_total", "Events removed because they were older than receive.keep.",
		     stats->pruned_total);
}

/* ---- sinks ---- */

static uint64_t status_sink_events(const struct sink_stats *sink)
{
	return sink->delivered_total;
}

static uint64_t status_sink_failures(const struct sink_stats *sink)
{
	return sink->failures_total;
}

static uint64_t status_sink_failing(const struct sink_stats *sink)
{
	return sink->is_failing;
}

static uint64_t status_sink_oldest(const struct sink_stats *sink)
{
	int64_t age_ms = clock_wall_ms() - sink->oldest_ms;

	return sink->oldest_ms && age_ms > 0 ? (uint64_t)age_ms / 1000 : 0;
}

static const struct {
	const char *name;
	const char *type;
	const char *help;
	uint64_t (*value)(const struct sink_stats *sink);
} status_sink_rows[] = {
	{"highwater_receive_sink_events_total", "counter", "Events that the sink has passed on.", status_sink_events},
	{"highwater_receive_sink_failures_total", "counter", "Attempts of the sink that failed.", status_sink_failures},
	{"highwater_receive_sink_failing", "gauge", "1 while the sink's last attempt failed.", status_sink_failing},
	{"highwater_receive_sink_oldest_seconds", "gauge",
	 "While the sink fails: how long the oldest event has waited for it.", status_sink_oldest},
};

static void status_write_sinks(struct status *status, struct buf *out)
{
	struct sinks *sinks = receive_sinks(status->options.receive);
	struct sink_stats stats[SINK_KIND_COUNT];
	size_t count = sinks ? sinks_stats(sinks, stats) : 0;

	for (size_t r = 0; r < ARRAY_LEN(status_sink_rows); r++) {
		prom_family(out, status_sink_rows[r].name, status_sink_rows[r].type, status_sink_rows[r].help);
		for (size_t i = 0; i < count; i++)
			prom_word(out, status_sink_rows[r].name, "sink", sink_kind_word(stats[i].kind),
				  status_sink_rows[r].value(&stats[i]));
	}
}

/* ---- HTTP ---- */

static void status_write_http(struct status *status, struct buf *out)
{
	struct http_server_stats stats;

	http_server_stats(status->options.callbacks, &stats);
	prom_gauge(out, "highwater_receive_http_connections", "Open connections.", stats.connection_count);
	prom_counter(out, "highwater_receive_http_connections_total", "Connections taken.", stats.connections_total);
	prom_counter(out, "highwater_receive_http_requests_total", "Whole requests.", stats.calls_total);
	prom_counter(out, "highwater_receive_http_timeouts_total", "Connections closed because they were too slow.",
		     stats.timeouts_total);
}

/* ---- answers ---- */

void status_write_metrics(void *context, struct buf *out)
{
	struct status *status = context;
	struct receive_stats stats;

	receive_stats(status->options.receive, &stats);
	status_write_callbacks(&stats, out);
	status_write_apps(status, out);
	status_write_record(status, &stats.recorder, out);
	status_write_sinks(status, out);
	status_write_http(status, out);
}

void status_write_trouble(void *context, struct buf *out)
{
	const struct status *status = context;
	struct receive_stats stats;

	receive_stats(status->options.receive, &stats);
	if (stats.recorder.queue_count >= stats.recorder.queue_count_max)
		buf_append_c(out, "too many callbacks wait to be recorded");
	else if (stats.recorder.is_failing)
		buf_printf(out, "the record cannot be written: %s", stats.recorder.error);
}

/* ---- life ---- */

int status_open(const struct status_options *options, struct status **status_out, struct error *err)
{
	struct status *status = mem_zalloc(sizeof(*status));
	int rc = pthread_mutex_init(&status->lock, NULL);

	assert(rc == 0);
	status->options = *options;
	status->record_path = mem_dup(options->record_path, strlen(options->record_path));
	arena_init(&status->arena, 65536);
	if (record_reader_open(options->record_path, &status->reader, err)) {
		status_close(&status);
		return -1;
	}
	*status_out = status;
	return 0;
}

void status_close(struct status **status_ptr)
{
	struct status *status = *status_ptr;

	if (!status)
		return;
	record_reader_close(&status->reader);
	arena_fini(&status->arena);
	(void)pthread_mutex_destroy(&status->lock); /* unlocked */
	mem_free(status->record_path);
	mem_free(status);
	*status_ptr = NULL;
}
