/* `highwater receive`: the App backend, a ready receiver of callbacks.
 *
 * Every callback that passed all checks is written to the record first, then printed on standard output as one JSON
 * line, then answered. Token and webhook keys come from files or from the environment, never from the command line,
 * which everybody on the machine can read. */
#include "receive/receive.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/files.h"
#include "cli/service.h"
#include "receive/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECEIVE_TOKEN_VARIABLE "HIGHWATER_RECEIVE_TOKEN"
#define RECEIVE_SECRET_VARIABLE "HIGHWATER_RECEIVE_SECRET"
#define RECEIVE_SECRET_FILE_BYTES_MAX 65536

struct receive_settings {
	struct service_http http;
	char *sdkappids;
	char *path;
	char *token_file;
	char *secret_file;
	uint64_t tolerance;
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
	RECEIVE_ROW(
		"receive.secret_file", secret_file, "", 0, 4000,
		"File with the keys of webhook signatures, one per line; then a signature is required and checked."),
	{"receive.tolerance", SETTING_DURATION, offsetof(struct receive_settings, tolerance), "5m", 1000, 3600 * 1000,
	 "How far webhook-timestamp may be from the time here, in whole seconds, when keys are set."},
	RECEIVE_ROW("receive.record", record, "./callbacks.jsonl", 1, 4000,
		    "File to which each verified callback is appended as a JSON line."),
	SERVICE_LOG_ROW(receive_settings),
};

struct receiver {
	struct receive_settings settings;
	struct receive_options options;
	enum log_level log_level;
	struct buf token;	/* secret */
	struct keyring keyring; /* secret */
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

/* Reads the whole file, which `text` has room for. */
static int receiver_read_secret_file(const char *path, char text[RECEIVE_SECRET_FILE_BYTES_MAX + 1], size_t *len_out,
				     struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t got;

	if (fd < 0)
		return error_set_errno(err, errno, "reading %s", path);
	do {
		got = read(fd, text + len, RECEIVE_SECRET_FILE_BYTES_MAX + 1 - len);
		if (got > 0)
			len += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0)
		(void)error_set_errno(err, errno, "reading %s", path);
	(void)close(fd); /* only read from */
	if (got < 0)
		return -1;
	if (len > RECEIVE_SECRET_FILE_BYTES_MAX)
		return error_set(err, ERR_INVALID, "%s holds more than %d bytes", path, RECEIVE_SECRET_FILE_BYTES_MAX);
	*len_out = len;
	return 0;
}

static int receiver_read_keys_file(const char *path, struct keyring *out, struct error *err)
{
	char *text = mem_zalloc(RECEIVE_SECRET_FILE_BYTES_MAX + 1); /* of one size: growing would leave copies */
	size_t len = 0;
	int result = files_check_private(path, err) || receiver_read_secret_file(path, text, &len, err) ? -1 : 0;

	if (result == 0 && keyring_read_lines((struct str){text, len}, out, err))
		result = error_wrap(err, "%s", path);
	mem_wipe(text, RECEIVE_SECRET_FILE_BYTES_MAX + 1);
	mem_free(text);
	return result ? error_wrap(err, "receive.secret_file") : 0;
}

static int receiver_read_keys(struct receiver *receiver, struct error *err)
{
	const char *variable = getenv(RECEIVE_SECRET_VARIABLE);
	const char *file = receiver->settings.secret_file;

	if (*file && variable && *variable)
		return error_set(
			err, ERR_INVALID,
			"the webhook keys are given twice: by receive.secret_file and by " RECEIVE_SECRET_VARIABLE);
	if (*file)
		return receiver_read_keys_file(file, &receiver->keyring, err);
	if (variable && *variable && keyring_read_words(str_c(variable), &receiver->keyring, err))
		return error_wrap(err, RECEIVE_SECRET_VARIABLE);
	return 0;
}

static int receiver_check(void *target, struct error *err)
{
	struct receiver *receiver = container_of(target, struct receiver, settings);
	const struct receive_settings *settings = &receiver->settings;

	if (*settings->path && (*settings->path != '/' || strpbrk(settings->path, "?# ")))
		return error_set(err, ERR_INVALID, "receive.path: \"%.80s\" is no path such as /callback",
				 settings->path);
	if (settings->tolerance % 1000)
		return error_set(err, ERR_INVALID, "receive.tolerance: must be whole seconds");
	return service_http_check(&settings->http, err) ||
			       receiver_parse_sdkappids(settings->sdkappids, &receiver->options, err) ||
			       receiver_read_token(receiver, err) || receiver_read_keys(receiver, err) ||
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

/* They are taken all the same; see keyring.c. */
static void receiver_warn_of_private_keys(const struct keyring *keyring)
{
	char text[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1];

	for (size_t i = 0; i < keyring->count; i++)
		if (keyring->was_private[i] && hw_webhook_key_text(&keyring->keys[i], text, sizeof(text)) > 0)
			log_event(LOG_LEVEL_WARN, "private_key_given", LOG_U64("key", i + 1), LOG_C("public_key", text),
				  LOG_C("action", "give the receiver the public key only: who has read the private one "
						  "can sign"));
}

static int receiver_open(struct receiver *receiver, struct error *err)
{
	struct http_server_options server = service_http_options(&receiver->settings.http);
	struct receive_options *options = &receiver->options;

	options->path = receiver->settings.path;
	options->token = secret_of(buf_str(&receiver->token));
	options->trust = (struct hw_webhook_trust){receiver->keyring.keys, receiver->keyring.count,
						   (int64_t)(receiver->settings.tolerance / 1000)};
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
	receiver_warn_of_private_keys(&receiver->keyring);
	if (receiver_open(receiver, err))
		return -1;
	service_wait_signal();
	service_close_http(&receiver->settings.http, &receiver->server, NULL, NULL);
	return 0;
}

static const struct service receiver_service = {
	.name = "receive",
	.summary = "Runs the App backend, which verifies, records and answers callbacks, until SIGTERM or Ctrl-C",
	.details =
		"Each verified callback is recorded durably, printed on standard output as one JSON line, and "
		"answered.\n"
		"The token comes from receive.token_file or the environment variable " RECEIVE_TOKEN_VARIABLE ",\n"
		"the webhook keys from receive.secret_file or " RECEIVE_SECRET_VARIABLE " (spaces or commas between).\n"
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
	keyring_wipe(&receiver.keyring);
	settings_fini(&settings);
	return exit;
}

const struct cli_group cli_receive_group = {
	.name = "receive",
	.summary = "Runs the App backend: a receiver that verifies, records and answers callbacks",
	.run = receiver_run,
};
