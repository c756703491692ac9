/* The management API's looks at the past: the history of an app's room count, and the audit log. */
#include "api/manage.h"
#include "base/clock.h"
#include "live/sample.h"

#include <inttypes.h>

#define HISTORY_TIME_MAX INT64_C(253402300799999) /* the last moment of the year 9999 */
#define HISTORY_SPAN_MS (31 * INT64_C(86400000))  /* furthest look back, as history.keep at the most */
#define HISTORY_DEFAULT_MS INT64_C(86400000)
#define HISTORY_POINTS_MAX 500
#define HISTORY_POINTS_DEFAULT 120
#define AUDIT_PAGE_BYTES (256 * 1024) /* a page ends with the row that passes this */

/* ---- the history of a room count ---- */

/* Goes over the samples in the order of time; the minute that runs is the last of them. */
struct history_walk {
	const struct store_sample *samples;
	size_t count;
	size_t at;
	const struct store_sample *last; /* before the moment reached; NULL: what was then is not known */
};

/* Moves on to `time_ms`. Returns the highest count since the moment before. */
static uint64_t history_move(struct history_walk *walk, int64_t time_ms)
{
	uint64_t highest = walk->last ? walk->last->room_count : 0;

	for (; walk->at < walk->count && walk->samples[walk->at].minute_ms <= time_ms; walk->at++) {
		walk->last = &walk->samples[walk->at];
		if (walk->last->room_count_highest > highest)
			highest = walk->last->room_count_highest;
	}
	return highest;
}

/* Points at equal distances, the last of them now; none for a time of which nothing is known. */
static void history_append_points(struct buf *out, struct history_walk *walk, int64_t since_ms, int64_t now_ms,
				  uint64_t points)
{
	int64_t span_ms = now_ms - since_ms;
	bool first = true;

	if (span_ms / SAMPLE_MS < (int64_t)points) /* finer than a minute tells nothing */
		points = span_ms < SAMPLE_MS ? 1 : (uint64_t)(span_ms / SAMPLE_MS);
	(void)history_move(walk, since_ms); /* what was highest before is of no interest */
	for (uint64_t i = 1; i <= points; i++) {
		int64_t time_ms = since_ms + span_ms * (int64_t)i / (int64_t)points;
		uint64_t highest = history_move(walk, time_ms);

		if (!walk->last)
			continue;
		buf_printf(out,
			   "%s{\"Time\":%" PRId64 ",\"RoomCount\":%" PRIu64 ",\"HighestRoomCount\":%" PRIu64
			   ",\"MaxRoomCount\":%" PRIu32 "}",
			   first ? "" : ",", time_ms, walk->last->room_count, highest, walk->last->room_count_max);
		first = false;
	}
}

static void history_append(struct api_request *request, const struct store_app *app, struct store_sample *samples,
			   size_t count, int64_t now_ms)
{
	struct history_walk walk = {.samples = samples, .count = count};
	struct buf *out = &request->response;
	const struct app_state *state = &app->state;
	int64_t minute_ms = state->minute_ms ? state->minute_ms : app->config.create_ms;

	while (walk.count && samples[walk.count - 1].minute_ms >= minute_ms)
		walk.count--; /* made while the clock was ahead */
	samples[walk.count++] = (struct store_sample){
		.minute_ms = minute_ms,
		.room_count = state->room_count,
		.room_count_highest = state->minute_ms ? state->minute_highest : state->room_count,
		.room_count_max = app->config.room_count_max,
	};
	buf_append_c(out, "{\"PointList\":[");
	history_append_points(out, &walk, request->look.filter.since_ms, now_ms, request->look.count);
	buf_printf(out, "],\"RoomCount\":%" PRIu64 ",\"MaxRoomCount\":%" PRIu32 "}", state->room_count,
		   app->config.room_count_max);
}

static void history_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	int64_t now_ms = request->look.filter.until_ms;
	size_t limit =
		(size_t)((now_ms - request->look.filter.since_ms) / SAMPLE_MS) + 2; /* the one before, the first */
	struct store_sample *samples;
	struct store_app app;
	struct error err;
	size_t count;
	int found = store_app_get(reader, request->look.sdkappid, &app, &err);

	if (found == 0) {
		api_read_refused(request, HW_UNKNOWN_SDKAPPID, NULL);
		return;
	}
	samples = arena_array(request->arena, limit + 1, sizeof(*samples));
	if (found < 0 ||
	    store_sample_list(reader, app.config.number, request->look.filter.since_ms, limit, samples, &count, &err))
		api_read_failed(request, &err);
	else
		history_append(request, &app, samples, count, now_ms);
}

void api_manage_app_history(struct api_request *request)
{
	int64_t now_ms = clock_wall_ms();
	uint64_t since;
	int found;

	request->look.count = HISTORY_POINTS_DEFAULT;
	if (manage_need_sdkappid(request, &request->look.sdkappid) ||
	    api_take_u64(request, request->body, "Points", 1, HISTORY_POINTS_MAX, &request->look.count) < 0)
		return;
	found = api_take_u64(request, request->body, "Since", 0, HISTORY_TIME_MAX, &since);
	if (found < 0)
		return;
	request->look.filter.since_ms = found ? (int64_t)since : now_ms - HISTORY_DEFAULT_MS;
	if (request->look.filter.since_ms >= now_ms) {
		api_answer(request, HW_BAD_PARAMETER, "Since must be in the past");
		return;
	}
	if (request->look.filter.since_ms < now_ms - HISTORY_SPAN_MS)
		request->look.filter.since_ms = now_ms - HISTORY_SPAN_MS;
	request->look.filter.until_ms = now_ms;
	api_submit_read(request, history_read);
}

/* ---- the audit log ---- */

static void audit_append(struct buf *out, const struct store_audit *audit)
{
	buf_printf(out, "{\"AuditId\":%" PRId64 ",\"Time\":%" PRId64 ",\"Actor\":", audit->id, audit->time_ms);
	buf_append_json_string(out, audit->actor);
	buf_append_c(out, ",\"ClientIp\":");
	buf_append_json_string(out, audit->client_ip);
	buf_append_c(out, ",\"Action\":");
	buf_append_json_string(out, audit->action);
	buf_printf(out, ",\"SdkAppid\":%" PRIu32 ",\"Detail\":", audit->sdkappid);
	buf_append_json_string(out, audit->detail);
	buf_append_char(out, '}');
}

static void audit_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct store_audit *audits = arena_array(request->arena, request->look.count, sizeof(*audits));
	struct buf *out = &request->response;
	struct error err;
	size_t count;
	size_t shown = 0;

	if (store_audit_list(reader, request->arena, request->look.sdkappid, request->look.before_id,
			     request->look.count, audits, &count, &err)) {
		api_read_failed(request, &err);
		return;
	}
	buf_append_c(out, "{\"AuditList\":[");
	while (shown < count && out->len < AUDIT_PAGE_BYTES) {
		buf_append_c(out, shown ? "," : "");
		audit_append(out, &audits[shown++]);
	}
	buf_printf(out, "],\"Next\":%" PRId64 "}",
		   shown < count || count == request->look.count ? audits[shown - 1].id : 0);
}

void api_manage_audit_list(struct api_request *request)
{
	uint64_t sdkappid = 0;
	uint64_t next = 0;

	request->look.count = MANAGE_PAGE_COUNT_MAX;
	if (api_take_u64(request, request->body, "SdkAppid", 0, HW_SDKAPPID_MAX, &sdkappid) < 0 ||
	    api_take_u64(request, request->body, "Next", 0, INT64_MAX, &next) < 0 ||
	    api_take_u64(request, request->body, "Count", 1, MANAGE_PAGE_COUNT_MAX, &request->look.count) < 0)
		return;
	request->look.sdkappid = (uint32_t)sdkappid;
	request->look.before_id = next ? (int64_t)next : INT64_MAX;
	api_submit_read(request, audit_read);
}
