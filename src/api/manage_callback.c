/* The management API's calls for callbacks: looking at them, sending them again, and holding them back.
 *
 * How a waiting callback waits is not stored (see live/delivery.h): it is told here from the app's endpoint and from what
 * the delivery thread has on the wire at this moment. A replay first finds the callbacks, on the reader thread, and then
 * names them to the engine: what ended or was removed in between is left out there. */
#include "api/manage.h"
#include "api/page.h"
#include "base/clock.h"
#include "hook/request.h"

#include <inttypes.h>

#define CALLBACKS_PAGE_BYTES (1024 * 1024)	    /* a page of callbacks ends with the row that passes this */
#define CALLBACKS_TIME_MAX INT64_C(253402300799999) /* the last moment of the year 9999 */
#define CALLBACKS_IN_FLIGHT_MAX 32768		    /* as many as hook_in_flight gives at the most */
#define CALLBACKS_SEQUENCE_MAX ((INT64_C(1) << APP_ID_SEQUENCE_BITS) - 1)

#define FINAL_STATES (1u << STATE_DELIVERED | 1u << STATE_SUPERSEDED | 1u << STATE_FAILED)
#define ALL_STATES ((1u << DELIVERY_STATE_COUNT) - 1)

/* ---- states ---- */

/* Words of State beside those of the states themselves. */
static const struct {
	const char *word;
	unsigned states;
} callbacks_groups[] = {
	{"waiting", ALL_STATES & ~FINAL_STATES},
	{"final", FINAL_STATES},
};

static int callbacks_parse_states(struct str word, unsigned *out)
{
	enum delivery_state state;

	for (size_t i = 0; i < ARRAY_LEN(callbacks_groups); i++) {
		if (str_eq(word, str_c(callbacks_groups[i].word))) {
			*out = callbacks_groups[i].states;
			return 0;
		}
	}
	if (delivery_state_parse(word, &state))
		return -1;
	*out = 1u << state;
	return 0;
}

/* The stored states of which one may be shown as one of these. */
static unsigned callbacks_stored_states(unsigned states)
{
	unsigned stored = states & ~FINAL_STATES ? 1u << CALLBACK_WAITING : 0;

	for (unsigned state = CALLBACK_WAITING + 1; state < CALLBACK_STATE_COUNT; state++)
		if (states & 1u << delivery_state_of_final((enum callback_state)state))
			stored |= 1u << state;
	return stored;
}

/* Takes State into look.states and look.filter. `among` are those that may be asked for, `text` their names. */
static int callbacks_take_state(struct api_request *request, unsigned among, unsigned fallback, const char *text)
{
	struct str word;
	int found = api_take_str(request, request->body, "State", 0, 32, &word);

	request->look.states = fallback;
	if (found < 0)
		return -1;
	if (found && (callbacks_parse_states(word, &request->look.states) || request->look.states & ~among)) {
		api_refuse_with(request, HW_BAD_PARAMETER, "State must be %s", text);
		return -1;
	}
	request->look.filter.states = callbacks_stored_states(request->look.states);
	return 0;
}

/* ---- which callbacks ---- */

static bool callbacks_has(const struct api_request *request, const char *key)
{
	const json_t *value = json_object_get(request->body, key);

	return value && !json_is_null(value);
}

/* Those of the app, or with NULL of all, at all times. */
static void callbacks_look_at(struct api_request *request, const struct directory_entry *app)
{
	struct store_callback_filter *filter = &request->look.filter;

	request->look.number = app ? app->config.number : 0;
	filter->after_id = app ? app_id_make(request->look.number, 0) : 0;
	filter->before_id = app ? app_id_make(request->look.number, CALLBACKS_SEQUENCE_MAX) : INT64_MAX;
	filter->since_ms = INT64_MIN;
	filter->until_ms = INT64_MAX;
}

/* Since and Until, both inclusive. Returns 1 when Since is given, 0, or -1 when answered. */
static int callbacks_take_times(struct api_request *request)
{
	struct store_callback_filter *filter = &request->look.filter;
	uint64_t since = 0;
	uint64_t until = CALLBACKS_TIME_MAX;
	int has_since = api_take_u64(request, request->body, "Since", 0, CALLBACKS_TIME_MAX, &since);
	int has_until;

	if (has_since < 0)
		return -1;
	has_until = api_take_u64(request, request->body, "Until", 0, CALLBACKS_TIME_MAX, &until);
	if (has_until < 0)
		return -1;
	if (since > until) {
		api_answer(request, HW_BAD_PARAMETER, "Since must not be later than Until");
		return -1;
	}
	if (has_since)
		filter->since_ms = (int64_t)since;
	if (has_until)
		filter->until_ms = (int64_t)until;
	return has_since;
}

/* Where a page starts. */
static int callbacks_take_next(struct api_request *request)
{
	struct secret key = store_secret(engine_store(request->api->engine));
	struct str next = {0};
	int64_t before_id;

	if (api_take_str(request, request->body, "Next", 0, PAGE_TOKEN_BYTES_MAX, &next) < 0)
		return -1;
	if (next.len == 0)
		return 0;
	if (page_callbacks_read(next, key, request->look.number, &before_id)) {
		api_answer(request, HW_BAD_PARAMETER, "Next must be \"\" or what the previous page gave");
		return -1;
	}
	if (before_id < request->look.filter.before_id)
		request->look.filter.before_id = before_id;
	return 0;
}

static void callbacks_append_next(struct api_request *request, int64_t next_id)
{
	buf_append_c(&request->response, ",\"Next\":\"");
	if (next_id)
		page_callbacks_append(&request->response, store_secret(engine_store(request->api->engine)),
				      request->look.number, next_id);
	buf_append_c(&request->response, "\"}");
}

static int callbacks_need_id(struct api_request *request)
{
	uint64_t store = store_id(engine_store(request->api->engine));
	struct str text;

	if (api_need_str(request, request->body, "WebhookId", 1, 64, &text))
		return -1;
	if (request_event_id_parse(text, store, &request->look.callback_id)) {
		api_answer(request, HW_BAD_PARAMETER, "WebhookId must be the webhook-id of a callback of this backend");
		return -1;
	}
	return 0;
}

/* ---- rows ---- */

/* What tells how waiting callbacks wait, each looked up when the first one is shown. */
struct callbacks_view {
	struct api_request *request;
	struct store_reader *reader;
	int64_t *in_flight; /* NULL before the look */
	size_t in_flight_count;
	uint32_t sdkappid; /* whose endpoint is known; 0 before the first */
	enum endpoint_state endpoint;
};

static bool callbacks_is_in_flight(struct callbacks_view *view, int64_t id)
{
	if (!view->in_flight) {
		view->in_flight = arena_array(view->request->arena, CALLBACKS_IN_FLIGHT_MAX, sizeof(*view->in_flight));
		view->in_flight_count =
			hook_in_flight(view->request->api->hook, view->in_flight, CALLBACKS_IN_FLIGHT_MAX);
	}
	for (size_t i = 0; i < view->in_flight_count; i++)
		if (view->in_flight[i] == id)
			return true;
	return false;
}

/* Returns 0, or -1 with the outcome set. */
static int callbacks_find_endpoint(struct callbacks_view *view, uint32_t sdkappid)
{
	struct store_app *app;
	struct error err;
	int found;

	if (view->sdkappid == sdkappid)
		return 0;
	app = arena_new(view->request->arena, struct store_app);
	found = store_app_get(view->reader, sdkappid, app, &err);
	if (found < 0) {
		api_read_failed(view->request, &err);
		return -1;
	}
	view->sdkappid = sdkappid;
	view->endpoint = found ? endpoint_state_of(app->config.pause, app->state.endpoint.failures) : ENDPOINT_OK;
	return 0;
}

/* Returns 0, or -1 with the outcome set. */
static int callbacks_find_state(struct callbacks_view *view, const struct store_callback *row,
				enum delivery_state *state_out)
{
	if (row->state != CALLBACK_WAITING) {
		*state_out = delivery_state_of_final(row->state);
		return 0;
	}
	if (callbacks_find_endpoint(view, row->sdkappid))
		return -1;
	*state_out = delivery_state_of_waiting(row->due_ms > 0, callbacks_is_in_flight(view, row->id), view->endpoint);
	return 0;
}

/* Without the closing brace. */
static void callbacks_append_row(struct buf *out, uint64_t store, const struct store_callback *row,
				 enum delivery_state state)
{
	char event_id[REQUEST_EVENT_ID_BYTES + 1];

	request_event_id(store, row->id, event_id);
	buf_printf(out,
		   "{\"WebhookId\":\"%s\",\"SdkAppid\":%" PRIu32 ",\"Sequence\":%" PRIu64
		   ",\"CallbackCommand\":\"%s\",\"State\":\"%s\",\"Attempts\":%" PRIu32 ",\"Replays\":%" PRIu32
		   ",\"DueTime\":%" PRId64 ",\"LastAttemptTime\":%" PRId64 ",\"HttpStatus\":%" PRId32 ",\"Error\":",
		   event_id, row->sdkappid, app_id_sequence(row->id), hw_callback_word(row->command),
		   delivery_state_word(state), row->attempts, row->replays,
		   row->state == CALLBACK_WAITING ? row->due_ms : 0, row->attempt_ms, row->http_status);
	buf_append_json_string(out, row->error);
	buf_printf(out,
		   ",\"EventTime\":%" PRId64 ",\"Threshold\":%u,\"OptPlatform\":\"%s\",\"ClientIP\":", row->event_ms,
		   row->threshold, hw_platform_word(row->platform));
	buf_append_json_string(out, row->client_ip);
	buf_append_c(out, ",\"Body\":");
	buf_append_str(out, row->body); /* JSON, made by this program */
}

/* Appends the row unless its state is none of those asked for. Returns 1 when it was appended, 0, or -1 with the outcome
 * set. */
static int callbacks_show_row(struct callbacks_view *view, const struct store_callback *row, bool first)
{
	struct buf *out = &view->request->response;
	enum delivery_state state;

	if (callbacks_find_state(view, row, &state))
		return -1;
	if (!(view->request->look.states & 1u << state))
		return 0;
	if (!first)
		buf_append_char(out, ',');
	callbacks_append_row(out, store_id(engine_store(view->request->api->engine)), row, state);
	return 1;
}

/* ---- list, show ---- */

static void callbacks_list_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct store_callback *rows = arena_array(request->arena, request->look.count, sizeof(*rows));
	struct callbacks_view view = {.request = request, .reader = reader};
	struct buf *out = &request->response;
	struct error err;
	int64_t next_id;
	size_t count;
	size_t looked_at;
	bool first = true;

	if (store_callback_list(reader, request->arena, &request->look.filter, request->look.count, rows, &count,
				&next_id, &err)) {
		api_read_failed(request, &err);
		return;
	}
	buf_append_c(out, "{\"CallbackList\":[");
	for (looked_at = 0; looked_at < count && out->len < CALLBACKS_PAGE_BYTES; looked_at++) {
		int shown = callbacks_show_row(&view, &rows[looked_at], first);

		if (shown < 0) {
			buf_reset(out);
			return;
		}
		if (shown)
			buf_append_char(out, '}');
		first = first && !shown;
	}
	buf_append_char(out, ']');
	callbacks_append_next(request, looked_at < count ? rows[looked_at - 1].id : next_id);
}

/* By falling id: newest first within an app, the app that was made last first. */
void api_manage_callback_list(struct api_request *request)
{
	struct str states =
		STR("pending, scheduled, in_flight, parked, delivered, superseded, failed, waiting or final");

	if (callbacks_has(request, "SdkAppid") && manage_hold_app(request))
		return;
	callbacks_look_at(request, request->app);
	request->look.count = MANAGE_PAGE_COUNT_MAX;
	if (callbacks_take_state(request, ALL_STATES, ALL_STATES, states.ptr) || callbacks_take_times(request) < 0 ||
	    callbacks_take_next(request) ||
	    api_take_u64(request, request->body, "Count", 1, MANAGE_PAGE_COUNT_MAX, &request->look.count) < 0)
		return;
	api_submit_read(request, callbacks_list_read);
}

/* Returns 0 with the callback that was named, or -1 with the outcome set. */
static int callbacks_get(struct api_request *request, struct store_reader *reader, struct store_callback *row_out)
{
	struct error err;
	int found = store_callback_get(reader, request->arena, request->look.callback_id, row_out, &err);

	if (found < 0)
		api_read_failed(request, &err);
	else if (found == 0)
		api_read_refused(request, HW_BAD_PARAMETER, "WebhookId: no such callback, or it was removed");
	return found == 1 ? 0 : -1;
}

static void callbacks_show_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct callbacks_view view = {.request = request, .reader = reader};
	struct store_callback row;

	if (callbacks_get(request, reader, &row) || callbacks_show_row(&view, &row, true) < 0)
		return;
	buf_append_c(&request->response, ",\"AttemptList\":");
	buf_append_str(&request->response, row.log.len ? row.log : STR("[]")); /* JSON, made by this program */
	buf_append_char(&request->response, '}');
}

void api_manage_callback_show(struct api_request *request)
{
	request->look.states = ALL_STATES;
	if (callbacks_need_id(request) == 0)
		api_submit_read(request, callbacks_show_read);
}

/* ---- replay ---- */

static void callbacks_answer_replayed(struct api_request *request, uint64_t count)
{
	buf_printf(&request->response, "{\"Replayed\":%" PRIu64, count);
	callbacks_append_next(request, request->look.filter.before_id);
	api_answer(request, HW_OK, NULL);
}

static void callbacks_replayed(struct mail *mail)
{
	struct api_request *request = api_request_of_job(mail);
	const struct command *command = &request->job.command;

	if (command->code == HW_OK)
		callbacks_answer_replayed(request, command->count);
	else
		api_answer(request, command->code, command->text);
}

/* The read is done: from here on look.filter.before_id is where the next page starts, 0 for none. */
static void callbacks_found(struct mail *mail)
{
	struct api_request *request = api_request_of_read_mail(mail);

	if (request->code != HW_OK)
		api_answer(request, request->code, request->text);
	else if (request->job.command.u.replay.count == 0)
		callbacks_answer_replayed(request, 0);
	else
		api_submit(request, COMMAND_CALLBACK_REPLAY, request->look.sdkappid, callbacks_replayed);
}

static void callbacks_find_one(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct store_callback row;

	if (callbacks_get(request, reader, &row))
		return;
	request->look.sdkappid = row.sdkappid;
	request->look.filter.before_id = 0;
	request->job.command.u.replay.ids = &request->look.callback_id;
	request->job.command.u.replay.count = request->look.filter.states & 1u << row.state ? 1 : 0;
}

static void callbacks_find_many(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct store_callback *rows = arena_array(request->arena, REPLAY_COUNT_MAX, sizeof(*rows));
	int64_t *ids = arena_array(request->arena, REPLAY_COUNT_MAX, sizeof(*ids));
	struct error err;
	int64_t next_id;
	size_t count;

	if (store_callback_list(reader, request->arena, &request->look.filter, REPLAY_COUNT_MAX, rows, &count, &next_id,
				&err)) {
		api_read_failed(request, &err);
		return;
	}
	for (size_t i = 0; i < count; i++)
		ids[i] = rows[i].id;
	request->look.filter.before_id = next_id;
	request->job.command.u.replay.ids = ids;
	request->job.command.u.replay.count = count;
}

static int callbacks_take_sequences(struct api_request *request)
{
	struct store_callback_filter *filter = &request->look.filter;
	uint32_t number = request->look.number;
	uint64_t from;
	uint64_t to;

	if (api_need_u64(request, request->body, "FromSequence", 1, CALLBACKS_SEQUENCE_MAX - 1, &from) ||
	    api_need_u64(request, request->body, "ToSequence", 1, CALLBACKS_SEQUENCE_MAX - 1, &to))
		return -1;
	if (from > to) {
		api_answer(request, HW_BAD_PARAMETER, "FromSequence must not be above ToSequence");
		return -1;
	}
	filter->after_id = app_id_make(number, from - 1);
	filter->before_id = app_id_make(number, to + 1);
	return 0;
}

#define REPLAY_STATES "failed, superseded, delivered or final"

/* Some of an app's callbacks: a range of sequence numbers, or of times. */
static void callbacks_replay_range(struct api_request *request, bool by_sequence)
{
	if (manage_hold_app(request))
		return;
	callbacks_look_at(request, request->app);
	if (callbacks_take_state(request, FINAL_STATES, 1u << STATE_FAILED, REPLAY_STATES) ||
	    (by_sequence ? callbacks_take_sequences(request) : callbacks_take_times(request) < 0) ||
	    callbacks_take_next(request))
		return;
	api_submit_read_then(request, callbacks_find_many, callbacks_found);
}

void api_manage_callback_replay(struct api_request *request)
{
	bool one = callbacks_has(request, "WebhookId");
	bool by_sequence = callbacks_has(request, "FromSequence") || callbacks_has(request, "ToSequence");
	bool by_time = callbacks_has(request, "Since");

	if (one + by_sequence + by_time != 1 || (!by_time && callbacks_has(request, "Until")) ||
	    (one && callbacks_has(request, "SdkAppid"))) {
		api_answer(
			request, HW_BAD_PARAMETER,
			"give WebhookId, or SdkAppid with FromSequence and ToSequence, or SdkAppid with Since and, if "
			"you like, Until");
		return;
	}
	if (!one)
		callbacks_replay_range(request, by_sequence);
	else if (callbacks_need_id(request) == 0 &&
		 callbacks_take_state(request, FINAL_STATES, FINAL_STATES, REPLAY_STATES) == 0)
		api_submit_read_then(request, callbacks_find_one, callbacks_found);
}

/* ---- pause, resume, test ---- */

void api_manage_callback_pause(struct api_request *request)
{
	uint32_t sdkappid;

	if (manage_need_sdkappid(request, &sdkappid) == 0)
		api_submit(request, COMMAND_CALLBACK_PAUSE, sdkappid, api_command_done);
}

void api_manage_callback_resume(struct api_request *request)
{
	uint32_t sdkappid;

	if (manage_need_sdkappid(request, &sdkappid) == 0)
		api_submit(request, COMMAND_CALLBACK_RESUME, sdkappid, api_command_done);
}

static void callbacks_tested(struct mail *mail)
{
	struct api_request *request = api_request_of_job(mail);
	const struct command *command = &request->job.command;
	char event_id[REQUEST_EVENT_ID_BYTES + 1];

	if (command->code == HW_OK) {
		request_event_id(store_id(engine_store(request->api->engine)), command->callback_id, event_id);
		buf_printf(&request->response, "{\"WebhookId\":\"%s\",\"Sequence\":%" PRIu64 "}", event_id,
			   app_id_sequence(command->callback_id));
	}
	api_answer(request, command->code, command->text);
}

void api_manage_callback_test(struct api_request *request)
{
	uint32_t sdkappid;

	if (manage_need_sdkappid(request, &sdkappid) == 0)
		api_submit(request, COMMAND_CALLBACK_TEST, sdkappid, callbacks_tested);
}

/* ---- where they go ---- */

/* URL, switches and token in one commit, whatever was there. A token that is given is switched on unless the call says
 * otherwise. */
void api_manage_callback_set(struct api_request *request)
{
	struct command *command = &request->job.command;
	struct token_change *token = &command->u.callback.token;
	uint32_t sdkappid;

	if (manage_need_sdkappid(request, &sdkappid) || api_need_callback(request, "CallbackUrl") ||
	    api_take_token(request, token))
		return;
	if (token->has_token && !token->has_enabled)
		token->has_enabled = token->enabled = true;
	command->u.callback.replace = true;
	api_submit(request, COMMAND_CALLBACK_SET, sdkappid, api_command_done);
}

void api_manage_callback_clear(struct api_request *request)
{
	uint32_t sdkappid;

	if (manage_need_sdkappid(request, &sdkappid) == 0)
		api_submit(request, COMMAND_CALLBACK_DELETE, sdkappid, api_command_done);
}
