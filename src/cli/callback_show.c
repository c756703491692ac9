/* `highwater callback list` and `attempts`: callbacks and what became of them. */
#include "base/clock.h"
#include "cli/callback.h"
#include "cli/moment.h"

#include <highwater/callback.h>

#include <inttypes.h>
#include <string.h>

#define CALLBACKS_PAGE_COUNT 100 /* the server's largest page */
#define CALLBACKS_LIMIT_DEFAULT 20
#define CALLBACKS_TOKEN_BYTES_MAX 128 /* of Next */

/* ---- words ---- */

void callbacks_describe(const json_t *row, char *out, size_t size)
{
	const json_t *body = json_object_get(row, "Body");
	const char *command = remote_text(row, "CallbackCommand");
	const char *room_id = remote_text(body, "RoomId");
	const struct str common = STR("Live.CallbackAfter");

	if (strcmp(command, hw_callback_word(HW_CALLBACK_THRESHOLD)) == 0) {
		(void)snprintf(out, size, "%s, %" PRId64 " of %" PRId64 " rooms",
			       remote_number(row, "Threshold") ? "alert" : "test", remote_number(body, "CurRoomCount"),
			       remote_number(body, "MaxRoomCount")); /* fits */
		return;
	}
	if (!*room_id)
		room_id = remote_text(json_object_get(body, "RoomInfo"), "RoomId");
	if (str_starts_with(str_c(command), common))
		command += common.len;
	(void)snprintf(out, size, "%s %s", command, room_id); /* fits: the longest word and id */
}

/* By outcome; replies by the first row whose range has their status. */
static const struct {
	const char *outcome;
	int64_t status_min;
	int64_t status_max;
	const char *advice;
} callbacks_advices[] = {
	{"dns", 0, 999,
	 "the host of the URL has no address: look for a typing mistake, or at the resolver of the server"},
	{"not_allowed", 0, 999,
	 "the server may not send to that address: the setting callback.allowed_addresses opens networks that are not "
	 "public"},
	{"connect", 0, 999, "nothing listens at that address and port, or a firewall keeps the server from it"},
	{"tls", 0, 999,
	 "the TLS handshake failed: the certificate must be valid for the URL's host and lead to an authority that the "
	 "server trusts (callback.ca_file); an endpoint that wants a client certificate needs `highwater app "
	 "set-certificate`"},
	{"timeout", 0, 999, "the endpoint took too long: it should answer first and work then"},
	{"too_large", 0, 999, "the reply was too large: {\"ActionStatus\":\"OK\"} is enough"},
	{"broken", 0, 999, "the connection was closed in the middle, or what answers there speaks no HTTP"},
	{"not_sent", 0, 999, "no request was sent: `highwater callback show` tells URL and switches"},
	{"replied", 300, 399, "redirects are not followed: set the URL that the endpoint names"},
	{"replied", 401, 401,
	 "the endpoint wants to know who calls: compare its callback token and secrets with the app's"},
	{"replied", 403, 403, "the endpoint refuses it: compare its callback token and secrets with the app's"},
	{"replied", 404, 405, "the endpoint has nothing at that path: look at the URL"},
	{"replied", 410, 410, "the endpoint says that it has gone for good: callbacks of the app are paused"},
	{"replied", 429, 429, "the endpoint has too much to do and asked to wait"},
	{"replied", 503, 503, "the endpoint is not available now and asked to wait"},
	{"replied", 400, 499, "the endpoint refuses the request: its log should say why"},
	{"replied", 500, 599, "the endpoint failed: its log should say why"},
	{"replied", 200, 299, "the endpoint answered, but not with ActionStatus \"OK\""},
	{"replied", 0, 999, "the endpoint answered with a status that says neither yes nor no"},
};

const char *callbacks_advice(const json_t *attempt)
{
	const char *outcome = remote_text(attempt, "Outcome");
	int64_t status = remote_number(attempt, "HttpStatus");

	if (!*remote_text(attempt, "Error"))
		return "";
	for (size_t i = 0; i < ARRAY_LEN(callbacks_advices); i++)
		if (strcmp(outcome, callbacks_advices[i].outcome) == 0 && status >= callbacks_advices[i].status_min &&
		    status <= callbacks_advices[i].status_max)
			return callbacks_advices[i].advice;
	return "";
}

/* ---- list ---- */

static int callbacks_append_time(const struct cli_line *line, enum option_id id, const char *name, const char *key,
				 struct buf *body)
{
	const struct option_value *option = options_get(line, id);
	struct error err;
	int64_t time_ms;

	if (!option->set)
		return CLI_DONE;
	if (moment_parse(option->text, clock_wall_ms(), &time_ms, &err))
		return cli_fail(line, CLI_USAGE, "--%s: %s", name, err.text);
	buf_printf(body, ",\"%s\":%" PRId64, key, time_ms);
	return CLI_DONE;
}

int callbacks_append_times(const struct cli_line *line, struct buf *body)
{
	int exit = callbacks_append_time(line, OPTION_SINCE, "since", "Since", body);

	return exit == CLI_DONE ? callbacks_append_time(line, OPTION_UNTIL, "until", "Until", body) : exit;
}

/* What all pages have in common: `"SdkAppid":..,"State":..`, with a comma at its end. */
static int callbacks_append_filter(const struct cli_line *line, struct buf *out)
{
	const struct option_value *app = options_get(line, OPTION_APP);
	const struct option_value *state = options_get(line, OPTION_STATE);

	if (!str_is_utf8(str_c(state->text)))
		return cli_fail(line, CLI_USAGE, "--state: no such state");
	buf_append_c(out, "{\"State\":");
	if (state->set)
		buf_append_json_string(out, str_c(state->text));
	else
		buf_append_c(out, "null");
	if (app->set)
		buf_printf(out, ",\"SdkAppid\":%" PRIu64, app->number);
	return callbacks_append_times(line, out);
}

/* One page, added to `rows`; `next` is where the one after it starts, "" for none. */
static int callbacks_fetch_page(const struct cli_line *line, const struct buf *filter, uint64_t count, char *next,
				json_t *rows)
{
	char before[CALLBACKS_TOKEN_BYTES_MAX];
	struct remote_answer answer;
	struct buf body;
	int exit;

	memcpy(before, next, sizeof(before));
	buf_init(&body, CALLBACKS_BODY_BYTES_MAX);
	buf_append_str(&body, buf_str(filter));
	buf_append_c(&body, ",\"Next\":");
	buf_append_json_string(&body, str_c(next));
	buf_printf(&body, ",\"Count\":%" PRIu64 "}", count < CALLBACKS_PAGE_COUNT ? count : CALLBACKS_PAGE_COUNT);
	exit = remote_run_manage(line, "callback_list", &body, &answer);
	buf_fini(&body);
	if (exit != CLI_DONE)
		return exit;
	(void)json_array_extend(rows, json_object_get(answer.response, "CallbackList")); /* may be empty */
	(void)str_copy(next, CALLBACKS_TOKEN_BYTES_MAX,
		       str_c(remote_text(answer.response, "Next"))); /* the server's fit */
	remote_answer_free(&answer);
	if (*next && strcmp(next, before) == 0)
		return cli_fail(line, CLI_IO, "the server's pages do not end");
	return CLI_DONE;
}

static int callbacks_fetch(const struct cli_line *line, uint64_t limit, char *next, json_t *rows)
{
	struct buf filter;
	int exit;

	buf_init(&filter, CALLBACKS_BODY_BYTES_MAX);
	exit = callbacks_append_filter(line, &filter);
	while (exit == CLI_DONE) {
		exit = callbacks_fetch_page(line, &filter, limit - json_array_size(rows), next, rows);
		if (!*next || json_array_size(rows) >= limit)
			break;
	}
	buf_fini(&filter);
	return exit;
}

static void callbacks_print_row(const json_t *row, bool with_app)
{
	const char *reason = remote_text(row, "Error");
	char time[CLOCK_TEXT_BYTES];
	char event[128];

	clock_format(remote_number(row, "EventTime"), time);
	callbacks_describe(row, event, sizeof(event));
	/* standard output is all there is, as below */
	if (with_app)
		(void)printf("%-10" PRId64 "  ", remote_number(row, "SdkAppid"));
	(void)printf("%8" PRId64 "  %.19sZ  %-30s  %-10s  %8" PRId64 "  %s\n", remote_number(row, "Sequence"), time,
		     event, remote_text(row, "State"), remote_number(row, "Attempts"), remote_text(row, "WebhookId"));
	if (*reason)
		(void)printf("%*s  %s\n", with_app ? 20 : 8, "", reason);
}

static void callbacks_print_list(const struct cli_line *line, const json_t *rows, bool more)
{
	bool with_app = !options_get(line, OPTION_APP)->set;
	bool filtered = options_get(line, OPTION_STATE)->set || options_get(line, OPTION_SINCE)->set ||
			options_get(line, OPTION_UNTIL)->set;

	if (json_array_size(rows) == 0) /* standard output is all there is, as below */
		(void)puts(filtered ? "there are no such callbacks" : "no callbacks were made yet");
	else
		(void)printf("%s%8s  %-20s  %-30s  %-10s  %8s  %s\n", with_app ? "APP         " : "", "SEQUENCE",
			     "TIME", "EVENT", "STATE", "ATTEMPTS", "WEBHOOK-ID");
	for (size_t i = 0; i < json_array_size(rows); i++)
		callbacks_print_row(json_array_get(rows, i), with_app);
	if (more)
		(void)puts("There may be older ones: --limit N shows up to N.");
}

int callbacks_list(const struct cli_line *line)
{
	const struct option_value *limit = options_get(line, OPTION_LIMIT);
	json_t *whole = json_pack("{s:[]}", "CallbackList");
	json_t *rows = json_object_get(whole, "CallbackList");
	char next[CALLBACKS_TOKEN_BYTES_MAX] = "";
	int exit = callbacks_fetch(line, limit->set ? limit->number : CALLBACKS_LIMIT_DEFAULT, next, rows);

	if (exit == CLI_DONE && !remote_print_json(line, whole))
		callbacks_print_list(line, rows, *next != '\0');
	json_decref(whole);
	return exit;
}

/* ---- attempts ---- */

static void callbacks_print_times(const json_t *attempt)
{
	static const struct {
		const char *key;
		const char *word;
	} rows[] = {
		{"DnsTime", "name"},
		{"ConnectTime", "connect"},
		{"TlsTime", "TLS"},
		{"FirstByteTime", "first byte"},
	};

	(void)printf("  time     "); /* standard output is all there is */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t us = remote_number(attempt, rows[i].key);

		if (us) /* else it was not reached, or the connection was there already */
			(void)printf("%s %.2f ms, ", rows[i].word, (double)us / 1000);
	}
	(void)printf("whole %.2f ms\n", (double)remote_number(attempt, "TotalTime") / 1000);
}

static void callbacks_print_field(const char *name, const char *text)
{
	if (*text) /* standard output is all there is */
		(void)printf("  %-8s %s\n", name, text);
}

static void callbacks_print_attempt(const json_t *attempt)
{
	int64_t status = remote_number(attempt, "HttpStatus");
	char time[CLOCK_TEXT_BYTES];

	clock_format(remote_number(attempt, "Time"), time);
	/* standard output is all there is */
	(void)printf("attempt %" PRId64 ", ended %s\n", remote_number(attempt, "Attempt"), time);
	callbacks_print_field("address", remote_text(attempt, "Address"));
	callbacks_print_field("TLS", remote_text(attempt, "Tls"));
	if (status)
		(void)printf("  %-8s %s, HTTP status %" PRId64 "\n", "outcome", remote_text(attempt, "Outcome"),
			     status);
	else
		callbacks_print_field("outcome", remote_text(attempt, "Outcome"));
	if (json_object_get(attempt, "TotalTime"))
		callbacks_print_times(attempt);
	callbacks_print_field("error", remote_text(attempt, "Error"));
	callbacks_print_field("meaning", callbacks_advice(attempt));
	callbacks_print_field("reply", remote_text(attempt, "Reply"));
}

void callbacks_print_attempts(const json_t *callback)
{
	const json_t *list = json_object_get(callback, "AttemptList");
	int64_t attempts = remote_number(callback, "Attempts");
	int64_t replays = remote_number(callback, "Replays");
	int64_t due_ms = remote_number(callback, "DueTime");
	char time[CLOCK_TEXT_BYTES];
	char event[128];

	callbacks_describe(callback, event, sizeof(event));
	clock_format(remote_number(callback, "EventTime"), time);
	/* standard output is all there is, as below */
	(void)printf("callback %" PRId64 " of app %" PRId64 ", %s\n  event    %s, %s\n  state    %s",
		     remote_number(callback, "Sequence"), remote_number(callback, "SdkAppid"),
		     remote_text(callback, "WebhookId"), event, time, remote_text(callback, "State"));
	clock_format(due_ms, time);
	if (due_ms)
		(void)printf(", next attempt due %s", time);
	(void)printf("\n  attempts %" PRId64, attempts);
	if (replays)
		(void)printf(", replayed %" PRId64 " %s", replays, replays == 1 ? "time" : "times");
	if ((int64_t)json_array_size(list) < attempts)
		(void)printf("; the newest %zu are kept", json_array_size(list));
	(void)puts("");
	for (size_t i = 0; i < json_array_size(list); i++)
		callbacks_print_attempt(json_array_get(list, i));
}

int callbacks_fetch_one(const struct cli_line *line, const char *webhook_id, struct remote_answer *answer_out)
{
	struct buf body;
	int exit;

	if (!str_is_utf8(str_c(webhook_id)))
		return cli_fail(line, CLI_USAGE, "that is no WEBHOOK-ID");
	buf_init(&body, CALLBACKS_BODY_BYTES_MAX);
	buf_append_c(&body, "{\"WebhookId\":");
	buf_append_json_string(&body, str_c(webhook_id));
	buf_append_char(&body, '}');
	exit = remote_run_manage(line, "callback_show", &body, answer_out);
	buf_fini(&body);
	return exit;
}

int callbacks_attempts(const struct cli_line *line)
{
	struct remote_answer answer;
	int exit = callbacks_fetch_one(line, line->arguments[0], &answer);

	if (exit != CLI_DONE)
		return exit;
	if (!remote_print_json(line, answer.response))
		callbacks_print_attempts(answer.response);
	remote_answer_free(&answer);
	return CLI_DONE;
}
