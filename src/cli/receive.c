/* `highwater receive`: the App backend, a ready receiver of callbacks.
 *
 * Every callback that passed all checks is written to the record first, then printed on standard output as one JSON
 * line, then answered, and passed on to the sinks that are set. What callbacks must prove is read by receive_trust.c. */
#include "receive/receive.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/files.h"
#include "cli/receive_sinks.h"
#include "cli/receive_trust.h"
#include "cli/reload.h"
#include "cli/service.h"
#include "receive/status.h"
#include "status/page.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct receive_settings {
	struct service_http http;
	struct receive_trust_settings trust;
	char *record;
	uint64_t keep;
	uint64_t silence;
	uint64_t gap_after;
	struct receive_sinks_settings sinks;
	struct service_status status;
	struct service_log log;
};

#define RECEIVE_PIPE_BYTES (1024 * 1024) /* the longest line and more */

static const struct setting receive_rows[] = {
	SERVICE_HTTP_ROWS(receive_settings, "127.0.0.1:8081", "1", "128KiB"),
	RECEIVE_TRUST_ROWS(receive_settings),
	{"receive.record", SETTING_TEXT, offsetof(struct receive_settings, record), "./callbacks.db", 1, 4000,
	 "SQLite file that gets each event, once; `highwater record` reads it.", false},
	{"receive.keep", SETTING_DURATION, offsetof(struct receive_settings, keep), "90d", 3600 * 1000,
	 UINT64_C(3650) * 86400 * 1000,
	 "How long events are kept, and known when they come again; longer while a sink has not taken them.", false},
	{"receive.silence", SETTING_DURATION, offsetof(struct receive_settings, silence), "0s", 0,
	 UINT64_C(366) * 86400 * 1000,
	 "Tell (log, metrics, sinks) when no callback of an app came for so long; 0s: never.", false},
	{"receive.gap_after", SETTING_DURATION, offsetof(struct receive_settings, gap_after), "5m", 0,
	 UINT64_C(30) * 86400 * 1000,
	 "Log a gap in an app's sequence when what is missing has not come for so long after its successor.", false},
	RECEIVE_SINK_ROWS(receive_settings),
	SERVICE_STATUS_ROWS(receive_settings, "127.0.0.1:8082"),
	SERVICE_LOG_ROWS(receive_settings),
};

struct receiver {
	struct receive_settings settings;
	struct receive_trust trust;
	struct service_log_choice log;
	struct log_limit output_limit;
	struct buf line; /* the recording thread's */
	struct receive *receive;
	struct http_server *server;
	struct status *status; /* NULL for none, as status_server */
	struct status_page page;
	struct http_server *status_server;
	struct reload reload;
	bool wrote_status_port; /* the file of another process that runs is not ours to remove */
};

static int receiver_check(void *target, struct error *err)
{
	struct receiver *receiver = container_of(target, struct receiver, settings);
	const struct receive_settings *settings = &receiver->settings;

	return service_http_check(&settings->http, err) || service_status_check(&settings->status, err) ||
			       receive_trust_open(&settings->trust, &receiver->trust, err) ||
			       receive_sinks_check(&settings->sinks, err) ||
			       service_log_check(&settings->log, &receiver->log, err)
		       ? -1
		       : 0;
}

static void receiver_look_record(const char *path, struct look *look)
{
	struct error err;

	if (access(path, F_OK) && errno == ENOENT) {
		look_place(look, "receive.record", path);
		return;
	}
	if (record_inspect(path, &err) || (access(path, W_OK) && error_set_errno(&err, errno, "writing %s", path))) {
		look_fail(look, "receive.record", &err);
		return;
	}
	look_say(look, LOOK_OK, "receive.record", "%s is a record that can be read and written", path);
}

static void receiver_look(void *target, struct look *look)
{
	const struct receiver *receiver = container_of(target, struct receiver, settings);
	const struct receive_settings *settings = &receiver->settings;

	service_http_look(&settings->http, look);
	look_say(look, LOOK_OK, "receive.sdkappids", "%zu app%s, with their tokens and keys, can be read",
		 receiver->trust.sdkappid_count, receiver->trust.sdkappid_count == 1 ? "" : "s");
	receiver_look_record(settings->record, look);
	look_authorities(look, "receive.sink_ca_file", settings->sinks.ca_file);
	service_status_look(&settings->status, look);
}

/* ---- life ---- */

/* What a pipe takes without waiting. It has slots of PIPE_BUF bytes, which may be half empty each, and one more that is
 * being read. */
static bool receiver_fits_pipe(size_t len)
{
	int size = fcntl(STDOUT_FILENO, F_GETPIPE_SZ);
	int used = 0;

	if (size < 0 || ioctl(STDOUT_FILENO, FIONREAD, &used) || used < 0)
		return len < PIPE_BUF;
	return len / PIPE_BUF + 2 + 2 * (size_t)used / PIPE_BUF + 1 <= (size_t)size / PIPE_BUF || len < PIPE_BUF;
}

/* The recording thread prints: a reader that has stopped reading must not stop the recording. */
static bool receiver_can_print(size_t len)
{
	struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
	struct stat status;
	bool fits = true;

	errno = EAGAIN; /* for the caller's log line */
	if (fstat(STDOUT_FILENO, &status) || S_ISREG(status.st_mode))
		return true;
	if (S_ISFIFO(status.st_mode))
		fits = receiver_fits_pipe(len);
	else if (isatty(STDOUT_FILENO)) /* /dev/null takes all */
		fits = len < PIPE_BUF;
	return fits && poll(&output, 1, 0) == 1 && (output.revents & POLLOUT);
}

/* What is new, on the recording thread. */
static void receiver_print(void *context, const struct receive_seen *seen)
{
	struct receiver *receiver = context;
	struct buf *line = &receiver->line;
	uint64_t held_back;

	if (!seen->row || !seen->is_new)
		return;
	buf_reset(line);
	record_append_json(seen->row, line);
	buf_append_char(line, '\n');
	if (receiver_can_print(line->len) && fwrite(line->ptr, 1, line->len, stdout) == line->len && !fflush(stdout))
		return;
	clearerr(stdout);
	if (log_limit_pass(&receiver->output_limit, clock_mono_ms(), &held_back))
		log_event(LOG_LEVEL_WARN, "cannot_print", LOG_C("error", strerror(errno)),
			  LOG_U64("held_back", held_back));
}

static int receiver_open_status(struct receiver *receiver, struct error *err)
{
	const struct receive_settings *settings = &receiver->settings;
	const struct status_options options = {receiver->receive, receiver->server, settings->record};

	if (!*settings->status.listen)
		return 0;
	if (status_open(&options, &receiver->status, err))
		return -1;
	receiver->page.write_metrics = status_write_metrics;
	receiver->page.write_trouble = status_write_trouble;
	receiver->page.context = receiver->status;
	if (service_open_status(&settings->status, &receiver->page, &receiver->status_server, err))
		return -1;
	receiver->wrote_status_port = true;
	return 0;
}

static void receiver_close_status(struct receiver *receiver)
{
	status_page_close(&receiver->status_server);
	status_close(&receiver->status);
}

static int receiver_open(struct receiver *receiver, struct error *err)
{
	const struct receive_settings *settings = &receiver->settings;
	struct http_server_options server;
	struct receive_options options = {
		.receiver = receiver->trust.receiver,
		.record_path = settings->record,
		.keep_ms = settings->keep,
		.silence_ms = settings->silence,
		.gap_after_ms = settings->gap_after,
		.sdkappids = receiver->trust.sdkappids,
		.sdkappid_count = receiver->trust.sdkappid_count,
		.sink_retry_longest_ms = settings->sinks.retry_longest,
		.on_seen = receiver_print,
		.context = receiver,
	};

	if (service_http_options(&receiver->settings.http, &server, err) ||
	    receive_sinks_open(&settings->sinks, options.sinks, &options.sink_count, err) ||
	    receive_open(&options, &receiver->receive, err))
		return -1;
	server.handler = receive_handle;
	server.refuse = receive_refuse;
	server.context = receiver->receive;
	return http_server_open(&server, &receiver->server, err) || receiver_open_status(receiver, err) ||
			       http_server_start(receiver->server, err) ||
			       service_ready(&settings->http, http_server_port(receiver->server), err)
		       ? -1
		       : 0;
}

/* It borrows the server that is closed next. */
static void receiver_finish(void *context)
{
	receiver_close_status(context);
}

/* ---- while it runs ---- */

static int receiver_check_apps(const struct receive_trust *now, const struct receive_trust *fresh, struct error *err)
{
	bool same = now->sdkappid_count == fresh->sdkappid_count;

	for (size_t i = 0; same && i < now->sdkappid_count; i++)
		same = now->sdkappids[i] == fresh->sdkappids[i];
	if (!same)
		return error_set(err, ERR_INVALID,
				 "receive.sdkappids, receive.apps_file: other SDKAppIDs, or another "
				 "order of them, need a restart");
	return 0;
}

static int receiver_take(void *context, void *target, struct error *err)
{
	struct receiver *receiver = context;
	struct receiver *fresh = container_of(target, struct receiver, settings);
	struct hw_receiver *old = receiver->trust.receiver;
	struct http_tls *tls;

	if (receiver_check_apps(&receiver->trust, &fresh->trust, err) ||
	    reload_read_tls(&receiver->settings.http, &fresh->settings.http, &tls, err))
		return -1;
	reload_take_http(receiver->server, &fresh->settings.http, &tls);
	receive_set_receiver(receiver->receive, fresh->trust.receiver);
	receiver->trust.receiver = fresh->trust.receiver;
	fresh->trust.receiver = old; /* freed with what is fresh */
	receive_trust_warn(&fresh->trust);
	log_set_level(fresh->log.level);
	return 0;
}

static void receiver_reload(void *context)
{
	struct receiver *receiver = context;
	struct receiver *fresh = mem_zalloc(sizeof(*fresh));

	reload_run(&receiver->reload, &fresh->settings);
	receive_trust_close(&fresh->trust);
	mem_free(fresh);
}

static int64_t receiver_round_ms(void *context)
{
	const struct receiver *receiver = context;
	int64_t loops_ms = http_server_round_ms(receiver->server);
	int64_t record_ms = receive_round_ms(receiver->receive);

	return loops_ms < record_ms ? loops_ms : record_ms;
}

static int receiver_run_service(struct receiver *receiver, struct error *err)
{
	const struct service_watch watch = {
		.reload = receiver_reload, .round_ms = receiver_round_ms, .context = receiver};

	service_prepare(&receiver->log);
	receiver->output_limit.interval_ms = 1000;
	(void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, RECEIVE_PIPE_BYTES); /* fails where it is no pipe */
	receive_trust_warn(&receiver->trust);
	if (receiver_open(receiver, err))
		return -1;
	service_wait_signal(&watch);
	status_page_drain(&receiver->page);
	service_close_http(&receiver->settings.http, &receiver->server, receiver_finish, receiver);
	return 0;
}

static const char *const receiver_variables[] = {RECEIVE_TOKEN_VARIABLE, RECEIVE_SECRET_VARIABLE, NULL};

static const struct service receiver_service = {
	.name = "receive",
	.summary = "Runs the App backend, which verifies, records and answers callbacks, until SIGTERM or Ctrl-C",
	.details = "Each new event is recorded durably, printed on standard output as one JSON line, answered, and "
		   "passed on\n"
		   "to the sinks that are set. The token comes from receive.token_file or the environment "
		   "variable\n" RECEIVE_TOKEN_VARIABLE
		   ", the webhook keys from receive.secret_file or " RECEIVE_SECRET_VARIABLE
		   "\n(spaces or commas between); "
		   "apps with their own from receive.apps_file. Logs go to standard error.\n",
	.rows = receive_rows,
	.row_count = ARRAY_LEN(receive_rows),
	.check = receiver_check,
	.look = receiver_look,
	.variables = receiver_variables,
};

static int receiver_run(int argc, char **argv)
{
	struct receiver receiver = {0};
	struct settings settings;
	struct error err;
	int exit;

	buf_init(&receiver.line, RECORD_LINE_BYTES_MAX + 1);
	receiver.reload = (struct reload){&receiver_service, argc, argv, &settings, receiver_take, &receiver};
	if (service_configure(&receiver_service, argc, argv, &receiver.settings, &settings, &exit)) {
		bool failed = receiver_run_service(&receiver, &err) != 0;

		receiver_close_status(&receiver);
		http_server_close(&receiver.server);
		receive_close(&receiver.receive);
		if (failed)
			exit = service_fail(&receiver_service, &err);
		else
			service_stopped(&receiver.settings.http);
		if (receiver.wrote_status_port)
			service_stopped_status(&receiver.settings.status);
	}
	buf_fini(&receiver.line);
	receive_trust_close(&receiver.trust);
	settings_fini(&settings);
	return exit;
}

const struct cli_group cli_receive_group = {
	.name = "receive",
	.summary = "Runs the App backend: a receiver that verifies, records and answers callbacks",
	.run = receiver_run,
};
