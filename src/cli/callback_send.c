/* `highwater callback replay`, `pause`, `resume` and `test`: what is sent, and when. */
#include "base/clock.h"
#include "cli/callback.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define CALLBACKS_POLL_MS 100
#define CALLBACKS_TOKEN_BYTES_MAX 128 /* of Next */

/* ---- replay ---- */

/* The two ways to say which, and what each excludes. */
static int callbacks_check_replay(const struct cli_line *line)
{
	bool one = line->argument_count == 1;
	bool app = options_get(line, OPTION_APP)->set;
	bool from = options_get(line, OPTION_FROM)->set;
	bool to = options_get(line, OPTION_TO)->set;
	bool since = options_get(line, OPTION_SINCE)->set;
	bool until = options_get(line, OPTION_UNTIL)->set;

	if (one && (app || from || to || since || until))
		return cli_fail(line, CLI_USAGE, "give a WEBHOOK-ID, or --app with a range, not both");
	if (one)
		return CLI_DONE;
	if (!app || (from || to) == since)
		return cli_fail(
			line, CLI_USAGE,
			"which callbacks? Give a WEBHOOK-ID, or --app and a range: --from and --to, or --since");
	if (from != to || (from && until))
		return cli_fail(line, CLI_USAGE,
				"a range of sequence numbers is --from and --to, both, and nothing else");
	return CLI_DONE;
}

/* What all pages have in common, without its end. */
static int callbacks_append_which(const struct cli_line *line, struct buf *out)
{
	const struct option_value *state = options_get(line, OPTION_STATE);
	const char *id = line->argument_count ? line->arguments[0] : NULL;

	if (!str_is_utf8(str_c(state->text)) || !str_is_utf8(str_c(id)))
		return cli_fail(line, CLI_USAGE, "what was given is no text");
	buf_append_c(out, "{\"State\":");
	if (state->set)
		buf_append_json_string(out, str_c(state->text));
	else
		buf_append_c(out, "null");
	if (id) {
		buf_append_c(out, ",\"WebhookId\":");
		buf_append_json_string(out, str_c(id));
		return CLI_DONE;
	}
	buf_printf(out, ",\"SdkAppid\":%" PRIu64, options_get(line, OPTION_APP)->number);
	if (options_get(line, OPTION_FROM)->set)
		buf_printf(out, ",\"FromSequence\":%" PRIu64 ",\"ToSequence\":%" PRIu64,
			   options_get(line, OPTION_FROM)->number, options_get(line, OPTION_TO)->number);
	return callbacks_append_times(line, out);
}

/* All pages; `total_out` counts also when one of them fails. */
static int callbacks_replay_pages(const struct cli_line *line, const struct buf *which, int64_t *total_out)
{
	char next[CALLBACKS_TOKEN_BYTES_MAX] = "";
	char before[CALLBACKS_TOKEN_BYTES_MAX];

	*total_out = 0;
	do {
		struct remote_answer answer;
		struct buf body;
		int exit;

		memcpy(before, next, sizeof(before));
		buf_init(&body, CALLBACKS_BODY_BYTES_MAX);
		buf_append_str(&body, buf_str(which));
		buf_append_c(&body, ",\"Next\":");
		buf_append_json_string(&body, str_c(next));
		buf_append_char(&body, '}');
		exit = remote_run_manage(line, "callback_replay", &body, &answer);
		buf_fini(&body);
		if (exit != CLI_DONE)
			return exit;
		*total_out += remote_number(answer.response, "Replayed");
		(void)str_copy(next, sizeof(next), str_c(remote_text(answer.response, "Next"))); /* the server's fit */
		remote_answer_free(&answer);
		if (*next && strcmp(next, before) == 0)
			return cli_fail(line, CLI_IO, "the server's pages do not end");
	} while (*next);
	return CLI_DONE;
}

static int callbacks_tell_replayed(const struct cli_line *line, int64_t total)
{
	json_t *whole = json_pack("{s:I}", "Replayed", (json_int_t)total);
	bool printed = remote_print_json(line, whole);

	json_decref(whole);
	if (line->argument_count && total == 0)
		return cli_fail(
			line, CLI_REFUSED,
			"nothing was replayed: the callback still waits to be delivered, is in another state than was "
			"asked for, or its app was deleted; `highwater callback attempts` shows it");
	if (!printed) /* standard output is all there is */
		(void)printf("replayed %" PRId64 " %s\n", total, total == 1 ? "callback" : "callbacks");
	return CLI_DONE;
}

int callbacks_replay(const struct cli_line *line)
{
	int64_t total = 0;
	struct buf which;
	int exit = callbacks_check_replay(line);

	if (exit != CLI_DONE)
		return exit;
	buf_init(&which, CALLBACKS_BODY_BYTES_MAX);
	exit = callbacks_append_which(line, &which);
	if (exit == CLI_DONE)
		exit = callbacks_replay_pages(line, &which, &total);
	buf_fini(&which);
	if (exit == CLI_DONE)
		return callbacks_tell_replayed(line, total);
	if (total)
		(void)fprintf(stderr, "%" PRId64 " callbacks were replayed before that.\n",
			      total); /* nobody else to tell */
	return exit;
}

/* ---- pause, resume ---- */

static int callbacks_run_plain(const struct cli_line *line, const char *command, const char *done)
{
	uint64_t sdkappid = options_get(line, OPTION_APP)->number;
	struct remote_answer answer;
	struct buf body;
	int exit;

	buf_init(&body, CALLBACKS_BODY_BYTES_MAX);
	buf_printf(&body, "{\"SdkAppid\":%" PRIu64 "}", sdkappid);
	exit = remote_run_manage(line, command, &body, &answer);
	buf_fini(&body);
	if (exit != CLI_DONE)
		return exit;
	if (!remote_print_json(line, answer.response))
		(void)printf("callbacks of app %" PRIu64 " %s\n", sdkappid, done); /* standard output is all there is */
	remote_answer_free(&answer);
	return CLI_DONE;
}

int callbacks_pause(const struct cli_line *line)
{
	return callbacks_run_plain(line, "callback_pause", "are kept and not sent, until `highwater callback resume`");
}

int callbacks_resume(const struct cli_line *line)
{
	return callbacks_run_plain(line, "callback_resume", "are sent");
}

/* ---- test ---- */

static bool callbacks_is_final(const json_t *callback)
{
	const char *state = remote_text(callback, "State");

	return strcmp(state, "delivered") == 0 || strcmp(state, "failed") == 0 || strcmp(state, "superseded") == 0;
}

/* Asks until the callback is final or the wait is over; on CLI_DONE the caller frees the answer. */
static int callbacks_wait(const struct cli_line *line, const char *webhook_id, struct remote_answer *answer_out)
{
	const struct timespec pause = {.tv_nsec = CALLBACKS_POLL_MS * 1000000L};
	int64_t end_ms = clock_mono_ms() + (int64_t)options_get(line, OPTION_WAIT)->number;

	for (;;) {
		int exit = callbacks_fetch_one(line, webhook_id, answer_out);

		if (exit != CLI_DONE || callbacks_is_final(answer_out->response) || clock_mono_ms() >= end_ms)
			return exit;
		remote_answer_free(answer_out);
		(void)nanosleep(&pause, NULL); /* one that is cut short only asks sooner */
	}
}

static int callbacks_start_test(const struct cli_line *line, char *webhook_id_out, size_t size)
{
	struct remote_answer answer;
	struct buf body;
	int exit;

	buf_init(&body, CALLBACKS_BODY_BYTES_MAX);
	buf_printf(&body, "{\"SdkAppid\":%" PRIu64 "}", options_get(line, OPTION_APP)->number);
	exit = remote_run_manage(line, "callback_test", &body, &answer);
	buf_fini(&body);
	if (exit != CLI_DONE)
		return exit;
	(void)str_copy(webhook_id_out, size, str_c(remote_text(answer.response, "WebhookId"))); /* the server's fit */
	remote_answer_free(&answer);
	return CLI_DONE;
}

static int callbacks_judge_test(const struct cli_line *line, const json_t *callback)
{
	const char *state = remote_text(callback, "State");

	if (strcmp(state, "delivered") == 0) {
		if (!options_get(line, OPTION_JSON)->set) /* standard output is all there is */
			(void)puts("The endpoint has taken the test.");
		return CLI_DONE;
	}
	return cli_fail(line, CLI_REFUSED, "the test was not delivered%s%s",
			callbacks_is_final(callback) ? ": it is "
						     : " in time; it is tried again as any callback: it is ",
			state);
}

int callbacks_test(const struct cli_line *line)
{
	char webhook_id[128];
	struct remote_answer answer;
	int exit = callbacks_start_test(line, webhook_id, sizeof(webhook_id));

	if (exit == CLI_DONE)
		exit = callbacks_wait(line, webhook_id, &answer);
	if (exit != CLI_DONE)
		return exit;
	if (!remote_print_json(line, answer.response))
		callbacks_print_attempts(answer.response);
	exit = callbacks_judge_test(line, answer.response);
	remote_answer_free(&answer);
	return exit;
}
