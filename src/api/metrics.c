/* Metrics of the backend, and whether it can work; see metrics.h.
 *
 * Which apps are told of is a rule that does not change with what they do: a series that comes and goes with the fullest
 * thousand could be neither graphed nor trusted. What happens to the others shows in the sums, which is what the rules of
 * contrib/ watch first. */
#include "api/metrics.h"
#include "api/request.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/prom.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define METRICS_OLDEST_MS 1000	       /* how long what the store says of the oldest waiting event is used */
#define METRICS_AFTER_FAILURE_MS 60000 /* a store that does not answer costs the page its time limit this often */

struct metrics {
	struct metrics_options options;
	char *store_path;
	struct store_reader *reader;
	struct figures_app *apps; /* app_count_max of them */
	int64_t oldest_ms;	  /* wall clock, of the oldest event that waits; 0 for none */
	int64_t oldest_next_ms;	  /* monotonic: when that is to be read again */
};

/* ---- apps ---- */

static uint64_t metrics_rooms(const struct figures_app *app)
{
	return app->room_count;
}

static uint64_t metrics_rooms_maximum(const struct figures_app *app)
{
	return app->room_count_max;
}

static uint64_t metrics_alert_level(const struct figures_app *app)
{
	return app->alert_level;
}

static uint64_t metrics_pending(const struct figures_app *app)
{
	return app->callback_pending;
}

static uint64_t metrics_endpoint(const struct figures_app *app)
{
	return (uint64_t)app->endpoint;
}

static const struct {
	const char *name;
	const char *help;
	uint64_t (*value)(const struct figures_app *app);
} metrics_app_rows[] = {
	{"highwater_app_rooms", "Rooms of the app.", metrics_rooms},
	{"highwater_app_rooms_maximum", "Most rooms the app may have.", metrics_rooms_maximum},
	{"highwater_app_alert_level_percent", "Highest threshold that has alerted and is not re-armed; 0: none.",
	 metrics_alert_level},
	{"highwater_app_callbacks_pending", "Callbacks of the app that wait.", metrics_pending},
	{"highwater_app_endpoint_state", "Of the app's receiver: 0 ok, 1 its last attempt failed, 2 open, 3 paused.",
	 metrics_endpoint},
};

static void metrics_write_each_app(const struct metrics *metrics, size_t count, struct buf *out)
{
	for (size_t r = 0; r < ARRAY_LEN(metrics_app_rows); r++) {
		prom_family(out, metrics_app_rows[r].name, "gauge", metrics_app_rows[r].help);
		for (size_t i = 0; i < count; i++) {
			char text[16];

			(void)snprintf(text, sizeof(text), "%" PRIu32, metrics->apps[i].sdkappid); /* fits */
			prom_word(out, metrics_app_rows[r].name, "app", text,
				  metrics_app_rows[r].value(&metrics->apps[i]));
		}
	}
}

static void metrics_write_apps(struct metrics *metrics, struct buf *out)
{
	struct figures_sum sum;
	size_t count = figures_list(engine_figures(metrics->options.engine), metrics->apps,
				    metrics->options.app_count_max, &sum);

	prom_gauge(out, "highwater_apps", "Apps.", sum.app_count);
	prom_gauge(out, "highwater_apps_left_out", "Apps beyond status.apps_max, told of in the sums only.",
		   sum.app_count - count);
	prom_gauge(out, "highwater_apps_near", "Apps at or above their lowest threshold.", sum.near_count);
	prom_gauge(out, "highwater_apps_full", "Apps at or above their maximum.", sum.full_count);
	prom_gauge(out, "highwater_apps_waiting", "Apps with callbacks that wait.", sum.waiting_count);
	prom_gauge(out, "highwater_rooms", "Rooms of all apps.", sum.room_count);
	prom_gauge(out, "highwater_rooms_maximum", "Most rooms all apps together may have.", sum.room_count_max);
	prom_gauge(out, "highwater_callbacks_pending", "Callbacks that wait, of all apps.", sum.callback_pending);
	prom_family(out, "highwater_endpoints", "gauge", "Apps with a callback URL by the state of their receiver.");
	for (size_t i = 0; i < FIGURES_ENDPOINT_COUNT; i++)
		prom_word(out, "highwater_endpoints", "state", endpoint_state_word((enum endpoint_state)i),
			  sum.endpoint_count[i]);
	metrics_write_each_app(metrics, count, out);
}

/* ---- calls ---- */

enum metrics_creation { CREATION_OK, CREATION_OVER_QUOTA, CREATION_EXISTS, CREATION_REFUSED, CREATION_FAILED };

static void metrics_write_creations(const uint64_t counts[API_RESULT_COUNT], struct buf *out)
{
	static const char *const words[] = {"ok", "over_quota", "exists", "refused", "failed"};
	static const char name[] = "highwater_room_creations_total";
	uint64_t totals[ARRAY_LEN(words)] = {0};

	for (size_t i = 0; i < API_RESULT_COUNT; i++) {
		enum metrics_creation creation = i == RESULT_OK		? CREATION_OK
						 : i == RESULT_FULL	? CREATION_OVER_QUOTA
						 : i == RESULT_CONFLICT ? CREATION_EXISTS
						 : i == RESULT_FAILED	? CREATION_FAILED
									: CREATION_REFUSED;

		totals[creation] += counts[i];
	}
	prom_family(out, name, "counter", "Calls that would create a room, by what became of them.");
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		prom_word(out, name, "result", words[i], totals[i]);
}

static void metrics_write_calls(const struct metrics *metrics, struct buf *out)
{
	static const char name[] = "highwater_calls_total";
	uint64_t creations[API_RESULT_COUNT] = {0};

	prom_family(out, name, "counter", "Calls by path and by what was answered.");
	for (size_t place = 0; place <= api_route_count(); place++) {
		const struct api_route *route = api_route_at(place);
		uint64_t counts[API_RESULT_COUNT];

		api_tally_sum(metrics->options.api, place, counts);
		for (size_t i = 0; i < API_RESULT_COUNT; i++) {
			const struct prom_label labels[] = {
				{"route", str_c(route ? route->path : "unknown")},
				{"result", str_c(api_result_word((enum api_result)i))},
			};

			prom_u64(out, name, labels, ARRAY_LEN(labels), counts[i]);
			if (route && (route->handle == api_room_create || route->handle == api_manage_room_create))
				creations[i] += counts[i];
		}
	}
	metrics_write_creations(creations, out);
}

/* ---- the engine and its store ---- */

static void metrics_write_queues(const struct engine_stats *engine, const struct hook_stats *hook, struct buf *out)
{
	const struct {
		const char *word;
		uint64_t length;
		uint64_t maximum;
	} queues[] = {
		{"writer", engine->queue_count, engine->queue_count_max},
		{"reader", engine->read_count, engine->read_count_max},
		{"delivery", hook->held, hook->held_max},
	};

	prom_family(out, "highwater_queue_length", "gauge", "What waits in the queue now.");
	for (size_t i = 0; i < ARRAY_LEN(queues); i++)
		prom_word(out, "highwater_queue_length", "queue", queues[i].word, queues[i].length);
	prom_family(out, "highwater_queue_maximum", "gauge", "How much may wait in the queue.");
	for (size_t i = 0; i < ARRAY_LEN(queues); i++)
		prom_word(out, "highwater_queue_maximum", "queue", queues[i].word, queues[i].maximum);
	prom_counter(out, "highwater_queue_refused_total", "Calls refused because a queue was full.",
		     engine->refused_total);
}

static uint64_t metrics_store_bytes(const struct metrics *metrics)
{
	static const char *const ends[] = {"", "-wal"};
	uint64_t bytes = 0;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct stat info;
		char path[4200];

		(void)snprintf(path, sizeof(path), "%s%s", metrics->store_path, ends[i]); /* fits: see data.dir */
		if (stat(path, &info) == 0)
			bytes += (uint64_t)info.st_size;
	}
	return bytes;
}

static void metrics_write_engine(const struct metrics *metrics, const struct engine_stats *stats, struct buf *out)
{
	static const int64_t commit_bounds[] = ENGINE_COMMIT_BUCKETS_US;
	static const int64_t batch_bounds[] = ENGINE_BATCH_BUCKETS;
	const struct prom_histogram commits = {commit_bounds, stats->commit_buckets, ARRAY_LEN(commit_bounds),
					       stats->commit_us_total};
	const struct prom_histogram batches = {batch_bounds, stats->batch_buckets, ARRAY_LEN(batch_bounds),
					       stats->commands_total};

	prom_family(out, "highwater_batches_total", "counter", "Batches of commands by what became of them.");
	prom_word(out, "highwater_batches_total", "result", "stored",
		  stats->batches_total - stats->batches_failed_total);
	prom_word(out, "highwater_batches_total", "result", "failed", stats->batches_failed_total);
	prom_family(out, "highwater_batch_commands", "histogram", "Commands in a batch, which is one transaction.");
	prom_histogram_counts(out, "highwater_batch_commands", &batches);
	prom_family(out, "highwater_commit_seconds", "histogram", "How long it took to make a batch durable.");
	prom_histogram(out, "highwater_commit_seconds", &commits);
	prom_gauge(out, "highwater_store_failing", "1 while the store cannot be written.", stats->is_failing);
	if (metrics->store_path)
		prom_gauge(out, "highwater_store_bytes", "Size of the SQLite database and its log on disk.",
			   metrics_store_bytes(metrics));
	prom_counter(out, "highwater_callbacks_pruned_total", "Callbacks removed because nobody keeps them longer.",
		     stats->pruned_total);
}

/* ---- delivery ---- */

/* Reads the oldest event that waits when what there is is too old. What cannot be read now stays as it was. The thread
 * answers /healthz too: a store that is known to fail is not asked. */
static void metrics_read_oldest(struct metrics *metrics, bool is_failing)
{
	int64_t now_ms = clock_mono_ms();
	int64_t oldest_ms = 0;
	struct error err;

	if (is_failing || now_ms < metrics->oldest_next_ms)
		return;
	if (store_waiting_oldest(metrics->reader, 0, &oldest_ms, &err) < 0) {
		metrics->oldest_next_ms = clock_mono_ms() + METRICS_AFTER_FAILURE_MS;
		return;
	}
	metrics->oldest_ms = oldest_ms;
	metrics->oldest_next_ms = now_ms + METRICS_OLDEST_MS;
}

static void metrics_write_delivery(struct metrics *metrics, const struct hook_stats *stats, bool is_failing,
				   struct buf *out)
{
	static const int64_t bounds[] = HOOK_LATENCY_BUCKETS_US;
	static const char name[] = "highwater_deliveries_total";
	const struct prom_histogram latency = {bounds, stats->latency_buckets, ARRAY_LEN(bounds),
					       stats->latency_us_total};
	int64_t age_ms;

	metrics_read_oldest(metrics, is_failing);
	age_ms = metrics->oldest_ms ? clock_wall_ms() - metrics->oldest_ms : 0;
	prom_family(out, name, "counter", "Callbacks by how a try of them ended, once that is durable.");
	prom_word(out, name, "outcome", "delivered", stats->delivered_total);
	prom_word(out, name, "outcome", "retry", stats->retried_total);
	prom_word(out, name, "outcome", "failed", stats->failed_total);
	prom_word(out, name, "outcome", "superseded", stats->superseded_total);
	prom_counter(out, "highwater_delivery_attempts_total", "Requests to receivers that ended.",
		     stats->attempts_total);
	prom_gauge(out, "highwater_delivery_in_flight", "Requests to receivers under way.", stats->in_flight);
	prom_gauge(out, "highwater_delivery_targets", "Apps that delivery has in hand.", stats->targets);
	prom_family(out, "highwater_delivery_seconds", "histogram",
		    "From the event, or the last replay, to the reply that took it.");
	prom_histogram(out, "highwater_delivery_seconds", &latency);
	prom_family(out, "highwater_callbacks_oldest_age_seconds", "gauge",
		    "Age of the oldest event whose callback waits; 0: none waits.");
	prom_thousandths(out, "highwater_callbacks_oldest_age_seconds", NULL, 0, age_ms > 0 ? age_ms : 0);
}

/* ---- HTTP ---- */

static void metrics_write_http(const struct metrics *metrics, struct buf *out)
{
	static const char *const words[HTTP_STATUS_CLASSES] = {"other", "1xx", "2xx", "3xx", "4xx", "5xx"};
	static const char name[] = "highwater_http_responses_total";
	struct http_server_stats stats;

	http_server_stats(metrics->options.server, &stats);
	prom_gauge(out, "highwater_http_connections", "Open connections.", stats.connection_count);
	prom_counter(out, "highwater_http_connections_total", "Connections taken.", stats.connections_total);
	prom_counter(out, "highwater_http_requests_total", "Whole requests.", stats.calls_total);
	prom_gauge(out, "highwater_http_requests_open", "Requests not yet answered.", stats.calls_open);
	prom_gauge(out, "highwater_http_streams", "Open streams of events.", stats.streams_open);
	prom_counter(out, "highwater_http_refused_total", "Requests too large or not understood.", stats.refused_total);
	prom_counter(out, "highwater_http_timeouts_total", "Connections closed because they were too slow.",
		     stats.timeouts_total);
	prom_family(out, name, "counter", "Responses by HTTP status; calls answer 200 and say more in ErrorCode.");
	for (size_t i = 0; i < HTTP_STATUS_CLASSES; i++)
		prom_word(out, name, "status", words[i], stats.replies_total[i]);
}

/* ---- the page ---- */

void metrics_write(void *context, struct buf *out)
{
	struct metrics *metrics = context;
	struct engine_stats engine;
	struct hook_stats hook;

	engine_stats(metrics->options.engine, &engine);
	hook_stats(metrics->options.hook, &hook);
	metrics_write_apps(metrics, out);
	metrics_write_calls(metrics, out);
	metrics_write_queues(&engine, &hook, out);
	metrics_write_engine(metrics, &engine, out);
	metrics_write_delivery(metrics, &hook, engine.is_failing, out);
	prom_gauge(out, "highwater_sessions", "Browsers signed in to the console.",
		   sessions_count(metrics->options.api->sessions, clock_mono_ms()));
	metrics_write_http(metrics, out);
}

void metrics_write_trouble(void *context, struct buf *out)
{
	const struct metrics *metrics = context;
	struct engine_stats stats;

	engine_stats(metrics->options.engine, &stats);
	if (stats.is_failing)
		buf_printf(out, "the store cannot be written: %s", stats.failure);
	else if (stats.queue_count >= stats.queue_count_max)
		buf_append_c(out, "too many commands wait for the writer");
	else if (stats.read_count >= stats.read_count_max)
		buf_append_c(out, "too many reads wait");
}

int metrics_open(const struct metrics_options *options, struct metrics **metrics_out, struct error *err)
{
	struct metrics *metrics = mem_zalloc(sizeof(*metrics));

	metrics->options = *options;
	if (options->store_path)
		metrics->store_path = mem_dup(options->store_path, strlen(options->store_path));
	metrics->apps = mem_zalloc((options->app_count_max + 1) * sizeof(*metrics->apps)); /* not 0 */
	if (store_reader_open(engine_store(options->engine), &metrics->reader, err)) {
		metrics_close(&metrics);
		return -1;
	}
	*metrics_out = metrics;
	return 0;
}

void metrics_close(struct metrics **metrics_ptr)
{
	struct metrics *metrics = *metrics_ptr;

	if (!metrics)
		return;
	store_reader_close(&metrics->reader);
	mem_free(metrics->apps);
	mem_free(metrics->store_path);
	mem_free(metrics);
	*metrics_ptr = NULL;
}
