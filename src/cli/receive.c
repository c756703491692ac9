/* `highwater receive`: the App backend, a ready receiver of callbacks.
 *
 * Every callback that passed all checks is written to the record first, then printed on standard output as one JSON
 * line, then answered. The token comes from a file or from the environment, never from the command line, which
 * everybody on the machine can read. */
#include "receive/receive.h"
#include "base/clock.h"
#include "cli/files.h"
#include "cli/service.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECEIVE_TOKEN_VARIABLE "HIGHWATER_RECEIVE_TOKEN"

struct receive_settings {
	struct service_http http;
	char *sdkappids;
	char *path;
	char *token_file;
	char *record;
	char *log_level;
};

#define RECEIVE_ROW(name, field, fallback, min, max, help)                                                             \
	{                                                                                                              \
		name, SETTING_TEXT, offsetof(struct receive_settings, field), fallback, min, max, help                 \
	}

static const struct setting receive_rows[] = {
	SERVICE_HTTP_ROWS(receive_settings, "127.0.0.1:8081", "1", "128KiB"),
	RECEIVE_ROW("receive.sdkappids", sdkappids, "", 0, 1024,
		    "Required: the SDKAppIDs whose callbacks are yours, with commas between."),
	RECEIVE_ROW("receive.path", path, "", 0, 1024,
		    "Path that the callback URL has, such as /callback; without it any is accepted."),
	RECEIVE_ROW("receive.token_file", token_file, "", 0, 4000,
		    "File with the callback token; then Sign and RequestTime are required and checked."),
	RECEIVE_ROW("receive.record", record, "./callbacks.jsonl", 1, 4000,
		    "File to which each verified callback is appended as a JSON line."),
	SERVICE_LOG_ROW(receive_settings),
};

struct receiver {
	struct receive_settings settings;
	struct receive_options options;
	enum log_level log_level;
	struct buf token; /* secret */
	struct log_limit output_limit;
	struct receive *receive;
	struct http_server *server;
};

/* ---- settings ---- */

static int receiver_parse_sdkappids(const char *text, struct receive_options *out, struct error *err)
{
	struct str rest = str_c(text);
	struct str item;
	uint64_t sdkappid;
	bool more;

	if (rest.len == 0)
		return error_set(err, ERR_INVALID,
				 "receive.sdkappids is required: the SDKAppIDs whose callbacks are yours, such as "
				 "--receive-sdkappids 1400000001");
	do {
		more = str_cut(&rest, ',', &item);
		if (out->sdkappid_count == RECEIVE_SDKAPPID_COUNT_MAX)
			return error_set(err, ERR_INVALID, "receive.sdkappids: more than %d",
					 RECEIVE_SDKAPPID_COUNT_MAX);
		if (str_to_u64(item, HW_SDKAPPID_MAX, &sdkappid) || sdkappid == 0)
			return error_set(err, ERR_INVALID,
					 "receive.sdkappids: \"%.*s\" is no SDKAppID, a number from 1 to %u",
					 STR_ARG(str_slice(item, 0, 40)), HW_SDKAPPID_MAX);
		out->sdkappids[out->sdkappid_count++] = (uint32_t)sdkappid;
	} while (more);
	return 0;
}

static int receiver_read_token(struct receiver *receiver, struct error *err)
{
	const char *variable = getenv(RECEIVE_TOKEN_VARIABLE);
	const char *file = receiver->settings.token_file;

	if (*file && variable && *variable)
		return error_set(err, ERR_INVALID,
				 "the token is given twice: by receive.token_file and by " RECEIVE_TOKEN_VARIABLE);
	if (*file && files_read_secret(file, HW_TOKEN_BYTES_MAX, &receiver->token, err))
		return error_wrap(err, "receive.token_file");
	if (variable && *variable)
		buf_append_c(&receiver->token, variable);
	if (!buf_ok(&receiver->token) || receiver->token.len > HW_TOKEN_BYTES_MAX)
		return error_set(err, ERR_INVALID, RECEIVE_TOKEN_VARIABLE ": more than %d bytes", HW_TOKEN_BYTES_MAX);
	if (!str_is_printable_ascii(buf_str(&receiver->token)))
		return error_set(err, ERR_INVALID, RECEIVE_TOKEN_VARIABLE ": must be one line of printable ASCII");
	return 0;
}

static int receiver_check(void *target, struct error *err)
{
	struct receiver *receiver = container_of(target, struct receiver, settings);
	const struct receive_settings *settings = &receiver->settings;

	if (*settings->path && (*settings->path != '/' || strpbrk(settings->path, "?# ")))
		return error_set(err, ERR_INVALID, "receive.path: \"%.80s\" is no path such as /callback",
				 settings->path);
	return service_http_check(&settings->http, err) ||
			       receiver_parse_sdkappids(settings->sdkappids, &receiver->options, err) ||
			       receiver_read_token(receiver, err) ||
			       service_log_check(settings->log_level, &receiver->log_level, err)
		       ? -1
		       : 0;
}

/* ---- life ---- */

/* The syncing thread prints: a reader that has stopped reading must not stop the recording. What a pipe takes without
 * waiting is at least PIPE_BUF bytes, when it takes any. */
static bool receiver_can_print(size_t len)
{
	struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
	struct stat status;

	errno = EAGAIN; /* for the caller's log line */
	if (fstat(STDOUT_FILENO, &status) || (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode)))
		return true;
	return len < PIPE_BUF && poll(&output, 1, 0) == 1 && (output.revents & POLLOUT);
}

/* One thread calls this: the one that syncs the record. */
static void receiver_print(void *context, struct str line)
{
	struct receiver *receiver = context;
	uint64_t held_back;
	bool failed = !receiver_can_print(line.len) || fwrite(line.ptr, 1, line.len, stdout) != line.len ||
		      putchar('\n') == EOF || fflush(stdout);

	if (!failed)
		return;
	clearerr(stdout);
	if (log_limit_pass(&receiver->output_limit, clock_mono_ms(), &held_back))
		log_event(LOG_LEVEL_WARN, "cannot_print", LOG_C("error", strerror(errno)),
			  LOG_U64("held_back", held_back));
}

static int receiver_open(struct receiver *receiver, struct error *err)
{
	struct http_server_options server = service_http_options(&receiver->settings.http);
	struct receive_options *options = &receiver->options;

	options->path = receiver->settings.path;
	options->token = secret_of(buf_str(&receiver->token));
	options->record_path = receiver->settings.record;
	options->on_recorded = receiver_print;
	options->on_recorded_context = receiver;
	if (receive_open(options, &receiver->receive, err))
		return -1;
	server.handler = receive_handle;
	server.refuse = receive_refuse;
	server.context = receiver->receive;
	return http_server_open(&server, &receiver->server, err) || http_server_start(receiver->server, err) ||
			       service_ready(&receiver->settings.http, http_server_port(receiver->server), err)
		       ? -1
		       : 0;
}

static int receiver_run_service(struct receiver *receiver, struct error *err)
{
	service_prepare(receiver->log_level);
	receiver->output_limit.interval_ms = 1000;
	if (receiver_open(receiver, err))
		return -1;
	service_wait_signal();
	service_close_http(&receiver->settings.http, &receiver->server, NULL, NULL);
	return 0;
}

static const struct service receiver_service = {
	.name = "receive",
	.summary = "Runs the App backend, which verifies, records and answers callbacks, until SIGTERM or Ctrl-C",
	.details = "Each verified callback is recorded durably, printed on standard output as one JSON line, and "
		   "answered.\n"
		   "The token comes from receive.token_file or the environment variable " RECEIVE_TOKEN_VARIABLE ".\n"
		   "Logs go to standard error.\n",
	.rows = receive_rows,
	.row_count = ARRAY_LEN(receive_rows),
	.check = receiver_check,
};

static int receiver_run(int argc, char **argv)
{
	struct receiver receiver = {0};
	struct settings settings;
	struct error err;
	int exit;

	buf_init(&receiver.token, HW_TOKEN_BYTES_MAX + 1024);
	if (service_configure(&receiver_service, argc, argv, &receiver.settings, &settings, &exit)) {
		bool failed = receiver_run_service(&receiver, &err) != 0;

		http_server_close(&receiver.server);
		receive_close(&receiver.receive);
		if (failed)
			exit = service_fail(&receiver_service, &err);
		else
			service_stopped(&receiver.settings.http);
	}
	files_wipe(&receiver.token);
	settings_fini(&settings);
	return exit;
}

const struct cli_group cli_receive_group = {
	.name = "receive",
	.summary = "Runs the App backend: a receiver that verifies, records and answers callbacks",
	.run = receiver_run,
};
