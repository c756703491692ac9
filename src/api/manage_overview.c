/* The management API's look at many apps at a time.
 *
 * One statement goes over little of every app, which counts, chooses and sorts; the rest is read for those on the page
 * only, each from a state that is committed then: an app that is deleted in between is left out. The trend of an app
 * is looked up point by point, so that an app with a sample every minute costs no more than a quiet one. */
#include "api/manage.h"
#include "api/overview.h"
#include "base/clock.h"
#include "base/mem.h"
#include "live/sample.h"

#include <inttypes.h>

#define OVERVIEW_SEARCH_DIGITS_MAX 10
#define OVERVIEW_COUNT_DEFAULT 50
#define OVERVIEW_OFFSET_MAX 1000000000
#define TREND_POINTS 24
#define TREND_STEP_MS INT64_C(3600000)

/* ---- the trend ---- */

struct trend {
	struct store_reader *reader;
	const struct store_app *app;
	int64_t minute_ms;	    /* since when the count is the app's own */
	struct store_sample sample; /* what was found last, */
	bool found;		    /* if anything was, */
	bool looked;		    /* and nothing before has it been looked for */
};

/* Tells the count then, of points that go back in time. Returns 1, 0 when it is not known, -1. */
static int trend_at(struct trend *trend, int64_t time_ms, uint64_t *count_out, struct error *err)
{
	int found;

	if (time_ms >= trend->minute_ms) {
		*count_out = trend->app->state.room_count;
		return 1;
	}
	if (!trend->looked || (trend->found && trend->sample.minute_ms > time_ms)) {
		found = store_sample_at(trend->reader, trend->app->config.number, time_ms, &trend->sample, err);
		if (found < 0)
			return -1;
		trend->looked = true;
		trend->found = found == 1;
	}
	*count_out = trend->found ? trend->sample.room_count : 0;
	return trend->found;
}

/* An hour apart, the last of them now. */
static int trend_append(struct buf *out, struct trend *trend, int64_t now_ms, struct error *err)
{
	uint64_t counts[TREND_POINTS];
	unsigned first = TREND_POINTS;

	while (first > 0) {
		int64_t time_ms = now_ms - (TREND_POINTS - (int64_t)first) * TREND_STEP_MS;
		int found = trend_at(trend, time_ms, &counts[first - 1], err);

		if (found < 0)
			return -1;
		if (found == 0)
			break;
		first--;
	}
	buf_append_c(out, "\"Trend\":[");
	for (unsigned i = first; i < TREND_POINTS; i++)
		buf_printf(out, "%s{\"Time\":%" PRId64 ",\"RoomCount\":%" PRIu64 "}", i > first ? "," : "",
			   now_ms - (TREND_POINTS - 1 - (int64_t)i) * TREND_STEP_MS, counts[i]);
	buf_append_char(out, ']');
	return 0;
}

/* ---- an app ---- */

static void overview_append_app(struct buf *out, const struct store_app *app, int64_t oldest_ms)
{
	const struct app_config *config = &app->config;

	buf_printf(out, "{\"SdkAppid\":%" PRIu32 ",\"RoomCount\":%" PRIu64 ",\"MaxRoomCount\":%" PRIu32 ",",
		   config->sdkappid, app->state.room_count, config->room_count_max);
	manage_append_policy(out, &config->alert);
	buf_printf(out, ",\"AlertLevel\":%u,\"CallbackUrl\":", app->state.alert_level);
	buf_append_json_string(out, str_c(config->callback_url));
	buf_append_c(out, ",\"CallbackCommandList\":");
	api_append_callback_commands(out, config->callback_commands);
	buf_printf(out, ",\"CallbackPending\":%" PRIu64 ",\"OldestPending\":%" PRId64 ",", app->state.callback_pending,
		   oldest_ms);
	manage_append_endpoint(out, config, &app->state.endpoint);
	buf_append_char(out, ',');
}

/* Returns 1 when the app was appended, 0 when there is none, -1. */
static int overview_read_app(struct store_reader *reader, uint32_t sdkappid, int64_t now_ms, struct store_app *app,
			     struct buf *out, struct error *err)
{
	struct trend trend = {.reader = reader, .app = app};
	int64_t oldest_ms = 0;
	int found = store_app_get(reader, sdkappid, app, err);

	if (found != 1)
		return found;
	if (app->state.callback_pending && store_waiting_oldest(reader, sdkappid, &oldest_ms, err) < 0)
		return -1;
	overview_append_app(out, app, oldest_ms);
	trend.minute_ms = app->state.minute_ms ? app->state.minute_ms : app->config.create_ms;
	if (trend_append(out, &trend, now_ms, err))
		return -1;
	buf_append_char(out, '}');
	return 1;
}

/* ---- the call ---- */

static void overview_append_counts(struct buf *out, const struct overview *overview)
{
	const uint64_t *counts = overview->counts;

	buf_printf(out,
		   "{\"Total\":%" PRIu64 ",\"Matched\":%zu,\"Near\":%" PRIu64 ",\"Full\":%" PRIu64
		   ",\"Waiting\":%" PRIu64 ",\"Failing\":%" PRIu64 ",\"Paused\":%" PRIu64
		   ",\"CallbackPending\":%" PRIu64 ",\"AppList\":[",
		   overview->total, overview->line_count, counts[OVERVIEW_NEAR], counts[OVERVIEW_FULL],
		   counts[OVERVIEW_WAITING], counts[OVERVIEW_FAILING], counts[OVERVIEW_PAUSED],
		   overview->callback_pending);
}

static void overview_append_page(struct api_request *request, struct store_reader *reader,
				 const struct overview *overview)
{
	struct store_app *app = arena_new(request->arena, struct store_app);
	struct buf *out = &request->response;
	int64_t now_ms = clock_wall_ms();
	struct error err;
	bool first = true;

	overview_append_counts(out, overview);
	for (size_t i = request->look.offset;
	     i < overview->line_count && i - request->look.offset < request->look.count; i++) {
		size_t start = out->len;
		int found;

		if (!first)
			buf_append_char(out, ',');
		found = overview_read_app(reader, overview->lines[i].sdkappid, now_ms, app, out, &err);
		if (found < 0) {
			buf_reset(out);
			api_read_failed(request, &err);
			break;
		}
		if (found == 0)
			out->len = start; /* deleted since */
		first = first && found == 0;
	}
	mem_wipe(app, sizeof(*app)); /* holds keys */
	buf_append_c(out, "]}");
}

static void overview_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct overview *overview = request->look.overview;
	struct error err;

	if (store_app_line_each(reader, overview_add, overview, &err)) {
		api_read_failed(request, &err);
	} else {
		overview_sort(overview);
		overview_append_page(request, reader, overview);
	}
	overview_fini(overview);
}

/* Filter, Sort and Search. Returns 0, or -1 when answered. */
static int overview_take(struct api_request *request, struct overview *overview)
{
	struct str word;
	int found = api_take_str(request, request->body, "Filter", 1, 16, &word);

	if (found == 1 && overview_parse_filter(word, &overview->filter)) {
		api_answer(request, HW_BAD_PARAMETER, "Filter must be all, near, full, waiting, failing or paused");
		return -1;
	}
	if (found < 0)
		return -1;
	found = api_take_str(request, request->body, "Sort", 1, 16, &word);
	if (found == 1 && overview_parse_sort(word, &overview->sort)) {
		api_answer(request, HW_BAD_PARAMETER, "Sort must be usage, sdkappid or waiting");
		return -1;
	}
	if (found < 0 ||
	    api_take_str(request, request->body, "Search", 0, OVERVIEW_SEARCH_DIGITS_MAX, &overview->search) < 0)
		return -1;
	for (size_t i = 0; i < overview->search.len; i++) {
		if (overview->search.ptr[i] < '0' || overview->search.ptr[i] > '9') {
			api_answer(request, HW_BAD_PARAMETER, "Search must be digits, with which the SdkAppid begins");
			return -1;
		}
	}
	return 0;
}

void api_manage_app_overview(struct api_request *request)
{
	struct overview *overview = arena_new(request->arena, struct overview);

	request->look.overview = overview;
	request->look.count = OVERVIEW_COUNT_DEFAULT;
	if (overview_take(request, overview) ||
	    api_take_u64(request, request->body, "Offset", 0, OVERVIEW_OFFSET_MAX, &request->look.offset) < 0 ||
	    api_take_u64(request, request->body, "Count", 1, MANAGE_PAGE_COUNT_MAX, &request->look.count) < 0)
		return;
	api_submit_read(request, overview_read);
}
