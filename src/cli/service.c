/* Long-running programs; see service.h. */
#include "cli/service.h"
#include "base/clock.h"
#include "cli/files.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SERVICE_TICKS_PER_PERIOD 4 /* of the watchdog: it wants two at least */
#define SERVICE_TEXT_BYTES_MAX (64 * 1024)

/* ---- settings ---- */

enum service_todo { SERVICE_START, SERVICE_CHECK, SERVICE_DUMP, SERVICE_HELP };

static void service_help(const struct service *service, struct buf *out)
{
	buf_printf(out, "usage: highwater %s [--config FILE] [SETTING]...\n\n%s.\n%s\n", service->name,
		   service->summary, service->details);
	buf_append_c(
		out,
		"A setting named a.b_c is the flag --a-b-c, the environment variable HIGHWATER_A_B_C, or the line\n"
		"\"a.b_c = VALUE\" of the file. A flag is stronger than the environment, the environment than the "
		"file.\n\nOptions:\n"
		"  --config FILE\n      Read settings from this file. Environment HIGHWATER_CONFIG.\n"
		"  --check\n      Check the settings and what a start would meet, change nothing, and exit.\n"
		"  --dump\n      Print what is in effect as a settings file, each value with its source, and exit.\n"
		"  --help\n      This text.\n\nSettings:\n");
	settings_help(service->rows, service->row_count, out);
}

static int service_take_option(int argc, char **argv, int *index, const char **config, enum service_todo *todo,
			       struct error *err)
{
	const char *word = argv[*index];

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		*todo = SERVICE_HELP;
	} else if (strcmp(word, "--check") == 0) {
		*todo = SERVICE_CHECK;
	} else if (strcmp(word, "--dump") == 0) {
		*todo = SERVICE_DUMP;
	} else if (strncmp(word, "--config=", 9) == 0 && word[9]) {
		*config = word + 9;
	} else if (strcmp(word, "--config") == 0 && *index + 1 < argc) {
		*config = argv[++*index];
	} else if (strncmp(word, "--config", 8) == 0 && (word[8] == '\0' || word[8] == '=')) {
		return error_set(err, ERR_INVALID, "--config needs a value: --config FILE");
	} else {
		struct str name = str_c(word);
		ptrdiff_t equals = str_find_char(name, '='); /* what follows may be a secret put in the wrong place */

		return error_set(err, ERR_INVALID, "unknown %s %.*s", word[0] == '-' ? "option" : "argument",
				 STR_ARG(str_slice(name, 0, equals < 0 ? 60 : (size_t)equals)));
	}
	++*index;
	return 0;
}

static int service_read_line(struct settings *settings, int argc, char **argv, const char **config,
			     enum service_todo *todo, struct error *err)
{
	for (int i = 1; i < argc && *todo != SERVICE_HELP;) {
		int taken = settings_take_flag(settings, argc, argv, &i, err);

		if (taken < 0 || (taken == 0 && service_take_option(argc, argv, &i, config, todo, err)))
			return -1;
	}
	return 0;
}

static int service_read_sources(struct settings *settings, const char *config, struct error *err)
{
	if (!config)
		config = getenv("HIGHWATER_CONFIG");
	if (config && *config && settings_read_file(settings, config, err))
		return -1;
	return settings_read_environment(settings, err);
}

int service_fail(const struct service *service, const struct error *err)
{
	(void)fprintf(stderr, "highwater %s: %s\n", service->name, err->text); /* nobody else to tell */
	if (err->class != ERR_INVALID)
		return CLI_IO;
	(void)fprintf(stderr, "`highwater %s --help` lists all settings.\n", service->name);
	return CLI_USAGE;
}

static void service_dump(const struct service *service, const struct settings *settings, struct buf *out)
{
	buf_printf(out,
		   "# Settings of highwater %s %s as in effect here. A start with --config and this file has the "
		   "same.\n\n",
		   service->name, HW_VERSION);
	settings_dump(settings, out);
}

static void service_print(const struct service *service, const struct settings *settings, enum service_todo todo)
{
	struct buf text;

	buf_init(&text, SERVICE_TEXT_BYTES_MAX);
	if (todo == SERVICE_HELP)
		service_help(service, &text);
	else
		service_dump(service, settings, &text);
	assert(buf_ok(&text));
	(void)fputs(buf_c(&text), stdout); /* standard output is all there is */
	buf_fini(&text);
}

/* --check: what was found on standard output, what is wrong on standard error. */
static int service_look(const struct service *service, void *target)
{
	struct look look;

	look_init(&look, service->name);
	look_environment(&look, service->rows, service->row_count, service->variables);
	service->look(target, &look);
	if (look.problem_count == 0)
		(void)puts("The settings are fine."); /* as above */
	return look.problem_count == 0 ? CLI_DONE : look.first_class == ERR_INVALID ? CLI_USAGE : CLI_IO;
}

bool service_configure(const struct service *service, int argc, char **argv, void *target, struct settings *settings,
		       int *exit_out)
{
	enum service_todo todo = SERVICE_START;
	const char *config = NULL;
	struct error err;
	bool failed;

	settings_init(settings, service->rows, service->row_count, target);
	failed = service_read_line(settings, argc, argv, &config, &todo, &err) ||
		 (todo != SERVICE_HELP && service_read_sources(settings, config, &err)) ||
		 ((todo == SERVICE_START || todo == SERVICE_CHECK) && service->check(target, &err));
	*exit_out = CLI_DONE;
	if (failed)
		*exit_out = service_fail(service, &err);
	else if (todo == SERVICE_CHECK)
		*exit_out = service_look(service, target);
	else if (todo != SERVICE_START)
		service_print(service, settings, todo);
	return !failed && todo == SERVICE_START;
}

int service_read(const struct service *service, int argc, char **argv, void *target, struct settings *settings,
		 struct error *err)
{
	enum service_todo todo = SERVICE_START;
	const char *config = NULL;

	settings_init(settings, service->rows, service->row_count, target);
	return service_read_line(settings, argc, argv, &config, &todo, err) ||
			       service_read_sources(settings, config, err) || service->check(target, err)
		       ? -1
		       : 0;
}

void service_http_look(const struct service_http *http, struct look *look)
{
	if (!systemd_is_listen(http->listen))
		look_address(look, "http.listen", http->listen);
	look_certificate(look, "http.cert_file", http->cert_file, http->key_file);
	look_place(look, "http.port_file", http->port_file);
}

void service_status_look(const struct service_status *status, struct look *look)
{
	if (*status->listen && !systemd_is_listen(status->listen))
		look_address(look, "status.listen", status->listen);
	look_place(look, "status.port_file", status->port_file);
}

int service_file_check(const char *setting, const char *path, struct error *err)
{
	if (*path && files_check_readable(path, err))
		return error_wrap(err, "%s", setting);
	return 0;
}

static bool service_is_listen_address(const char *listen)
{
	const char *colon = strrchr(listen, ':');
	bool bracketed = listen[0] == '[';
	char host[64] = "";
	unsigned char bytes[16];
	uint64_t port;

	if (systemd_is_listen(listen))
		return true;
	if (!colon || str_to_u64(str_c(colon + 1), 65535, &port) || (bracketed && colon[-1] != ']'))
		return false;
	if (!str_copy(host, sizeof(host), (struct str){listen + bracketed, (size_t)(colon - listen) - 2 * bracketed}))
		return false;
	return inet_pton(bracketed ? AF_INET6 : AF_INET, host, bytes) == 1;
}

int service_http_check(const struct service_http *http, struct error *err)
{
	if (!service_is_listen_address(http->listen))
		return error_set(
			err, ERR_INVALID,
			"http.listen: \"%.80s\" is no address with a port, such as 127.0.0.1:8080 or [::1]:8080, "
			"nor systemd",
			http->listen);
	if (*http->cert_file && !*http->key_file)
		return error_set(err, ERR_INVALID,
				 "http.cert_file is set without http.key_file: HTTPS needs both, plain HTTP neither");
	if (*http->key_file && !*http->cert_file)
		return error_set(err, ERR_INVALID,
				 "http.key_file is set without http.cert_file: HTTPS needs both, plain HTTP neither");
	return service_file_check("http.cert_file", http->cert_file, err) ||
			       service_file_check("http.key_file", http->key_file, err)
		       ? -1
		       : 0;
}

int service_status_check(const struct service_status *status, struct error *err)
{
	if (*status->listen && !service_is_listen_address(status->listen))
		return error_set(
			err, ERR_INVALID,
			"status.listen: \"%.80s\" is no address with a port, such as 127.0.0.1:8083, nor systemd",
			status->listen);
	return 0;
}

int service_log_check(const struct service_log *log, struct service_log_choice *out, struct error *err)
{
	if (log_level_parse(str_c(log->level), &out->level))
		return error_set(err, ERR_INVALID, "log.level: \"%s\" is none of debug, info, warn, error and off",
				 log->level);
	if (log_format_parse(str_c(log->format), &out->format))
		return error_set(err, ERR_INVALID, "log.format: \"%s\" is neither logfmt nor json", log->format);
	return 0;
}

int service_http_options(struct service_http *http, struct http_server_options *out, struct error *err)
{
	const struct systemd_wanted wanted = {http->listen, "http", true};
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t threads = http->threads;
	int listen_fd = 0;

	if (systemd_is_listen(http->listen)) {
		if (systemd_listen_fd(&wanted, &listen_fd, http->address, err))
			return error_wrap(err, "http.listen");
	} else {
		(void)str_copy(http->address, sizeof(http->address), str_c(http->listen)); /* fits: it was checked */
	}
	if (threads == 0)
		threads = processors < 1 ? 1 : processors > 64 ? 64 : (uint64_t)processors;
	*out = (struct http_server_options){
		.listen = http->listen,
		.listen_fd = listen_fd,
		.cert_file = http->cert_file,
		.key_file = http->key_file,
		.thread_count = (unsigned)threads,
		.body_bytes_max = http->body_max,
		.header_bytes_max = http->header_max,
		.connection_count_max = http->connections_max,
		.request_timeout_ms = http->request_timeout,
		.idle_timeout_ms = http->idle_timeout,
	};
	return 0;
}

/* ---- signals ---- */

static void service_stop_signals(sigset_t *out)
{
	sigemptyset(out);
	sigaddset(out, SIGTERM);
	sigaddset(out, SIGINT);
}

void service_prepare(const struct service_log_choice *log)
{
	struct rlimit limit;
	sigset_t signals;
	int rc;

	log_setup(STDERR_FILENO, log->level);
	log_set_format(log->format);
	(void)prctl(PR_SET_NAME, "highwater"); /* a child of the demonstration runs as "exe" else; cannot fail */
	service_stop_signals(&signals);
	sigaddset(&signals, SIGHUP);
	rc = pthread_sigmask(SIG_BLOCK, &signals, NULL);
	assert(rc == 0);
	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail for a signal that exists, nor below */
	(void)signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a disk that is full: an error, not an end */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit))
			log_event(LOG_LEVEL_WARN, "descriptor_limit_not_raised", LOG_C("error", strerror(errno)));
	}
}

/* Tells the service manager that we live, when all threads went round within half of its patience. */
static void service_tell_alive(const struct service_watch *watch, uint64_t period_ms, struct log_limit *limit)
{
	int64_t now_ms = clock_mono_ms();
	int64_t behind_ms = watch->round_ms ? now_ms - watch->round_ms(watch->context) : 0;
	uint64_t patience_ms = watch->patience_ms > period_ms / 2 ? watch->patience_ms : period_ms / 2;
	uint64_t held_back;

	if (behind_ms <= (int64_t)patience_ms)
		systemd_alive();
	else if (log_limit_pass(limit, now_ms, &held_back))
		log_event(LOG_LEVEL_ERROR, "thread_stalls", LOG_I64("behind_ms", behind_ms),
			  LOG_U64("held_back", held_back),
			  LOG_C("action", "the service manager is not told that the program lives"));
	if (watch->ping)
		watch->ping(watch->context);
}

/* Waits for one of the signals, and tells the service manager meanwhile that we live, when it wants to know. */
static int service_next_signal(const struct service_watch *watch, const sigset_t *signals)
{
	uint64_t period_ms = systemd_watchdog_ms();
	uint64_t tick_ms = period_ms / SERVICE_TICKS_PER_PERIOD + 1; /* not 0 */
	const struct timespec tick = {(time_t)(tick_ms / 1000), (long)(tick_ms % 1000 * 1000000)};
	struct log_limit limit = {.interval_ms = 1000};
	int number;

	do {
		if (period_ms)
			service_tell_alive(watch, period_ms, &limit);
		number = period_ms ? sigtimedwait(signals, NULL, &tick) : sigwaitinfo(signals, NULL);
	} while (number < 0); /* the tick, or a debugger */
	return number;
}

void service_wait_signal(const struct service_watch *watch)
{
	sigset_t signals;
	int number;
	int rc;

	service_stop_signals(&signals);
	sigaddset(&signals, SIGHUP);
	while ((number = service_next_signal(watch, &signals)) == SIGHUP && watch->reload)
		watch->reload(watch->context);
	systemd_stopping();
	service_stop_signals(&signals);
	(void)signal(SIGTERM, SIG_DFL); /* cannot fail, as below */
	(void)signal(SIGINT, SIG_DFL);
	rc = pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	assert(rc == 0);
	log_event(LOG_LEVEL_INFO, "stopping", LOG_C("signal", strsignal(number)));
}

/* ---- ready and stopped ---- */

/* The listen address with the bound port in it: "http://127.0.0.1:41234". */
static void service_append_address(const struct service_http *http, unsigned port, struct buf *out)
{
	const char *colon = strrchr(http->address, ':');

	buf_append_c(out, *http->cert_file ? "https://" : "http://");
	buf_append(out, http->address, colon ? (size_t)(colon - http->address) : strlen(http->address));
	buf_printf(out, ":%u", port);
}

static bool service_is_loopback(const char *listen)
{
	return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]", 5) == 0;
}

int service_ready(const struct service_http *http, unsigned port, struct error *err)
{
	struct buf text;
	int result = 0;

	buf_init(&text, 512);
	if (*http->port_file) {
		buf_printf(&text, "%u\n", port);
		result = files_write(http->port_file, buf_str(&text), 0644, err);
		if (result)
			(void)error_wrap(err, "http.port_file"); /* result says -1 already */
		buf_reset(&text);
	}
	service_append_address(http, port, &text);
	if (result == 0 && !*http->cert_file && !service_is_loopback(http->address))
		log_event(LOG_LEVEL_WARN, "plain_http", LOG_C("address", buf_c(&text)),
			  LOG_C("advice", "keys and tokens cross the network readable: set http.cert_file and "
					  "http.key_file, or let only a TLS proxy reach this address"));
	if (result == 0 && systemd_listen_count() && !systemd_is_listen(http->listen))
		log_event(LOG_LEVEL_WARN, "sockets_not_used", LOG_I64("count", systemd_listen_count()),
			  LOG_C("advice",
				"set http.listen to systemd to use the sockets that the service manager passes"));
	if (result == 0) {
		struct buf status;

		buf_init(&status, 512);
		buf_printf(&status, "Serving at %s", buf_c(&text));
		systemd_ready(buf_c(&status));
		buf_fini(&status);
	}
	if (result == 0)
		log_event(LOG_LEVEL_INFO, "ready", LOG_C("address", buf_c(&text)), LOG_C("version", HW_VERSION),
			  LOG_I64("pid", getpid()));
	buf_fini(&text);
	return result;
}

/* ---- the operator's page ---- */

static int service_write_status_port(const struct service_status *status, unsigned port, struct error *err)
{
	char text[16];

	if (!*status->port_file)
		return 0;
	(void)snprintf(text, sizeof(text), "%u\n", port); /* fits */
	return files_write(status->port_file, str_c(text), 0644, err) ? error_wrap(err, "status.port_file") : 0;
}

int service_open_status(const struct service_status *status, struct status_page *page, struct http_server **server_out,
			struct error *err)
{
	const struct systemd_wanted wanted = {status->listen, "status", false};
	char address[SYSTEMD_ADDRESS_BYTES];
	int listen_fd = 0;

	if (!*status->listen)
		return 0;
	if (systemd_is_listen(status->listen) && systemd_listen_fd(&wanted, &listen_fd, address, err))
		return error_wrap(err, "status.listen");
	return status_page_open(page, status->listen, listen_fd, server_out, err) ||
			       service_write_status_port(status, http_server_port(*server_out), err)
		       ? -1
		       : 0;
}

void service_stopped_status(const struct service_status *status)
{
	if (*status->port_file)
		(void)unlink(status->port_file); /* one that is left is replaced at the next start */
}

/* ---- stop ---- */

#define SERVICE_ANSWER_POLL_MS 5
#define SERVICE_ANSWER_WAIT_MS 5000

void service_close_http(const struct service_http *http, struct http_server **server, void (*finish)(void *context),
			void *context)
{
	const struct timespec pause = {.tv_nsec = SERVICE_ANSWER_POLL_MS * 1000000L};
	struct http_server_stats stats;

	http_server_drain(*server, http->drain_timeout);
	if (finish)
		finish(context);
	/* When the drain ran into its limit, answers may still be on their way from the keepers to the loops. */
	for (int waited_ms = 0; waited_ms < SERVICE_ANSWER_WAIT_MS; waited_ms += SERVICE_ANSWER_POLL_MS) {
		http_server_stats(*server, &stats);
		if (stats.calls_open == 0)
			break;
		(void)nanosleep(&pause, NULL); /* waking early only means looking early */
	}
	http_server_close(server);
}

void service_stopped(const struct service_http *http)
{
	if (*http->port_file)
		(void)unlink(http->port_file); /* a file that is left behind is replaced at the next start */
	log_event(LOG_LEVEL_INFO, "stopped", LOG_I64("pid", getpid()));
}
