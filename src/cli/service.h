#pragma once
/* What `serve` and `receive` share as long-running programs: settings from flags, environment and file; the HTTP
 * settings; signals; the port file. Threads: the main thread. */
#include "base/log.h"
#include "base/settings.h"
#include "cli/cli.h"
#include "cli/look.h"
#include "cli/systemd.h"
#include "http/server.h"
#include "status/page.h"

struct service_http {
	char *listen;
	char *port_file;
	char *cert_file;
	char *key_file;
	uint64_t threads; /* 0: one per processor */
	uint64_t body_max;
	uint64_t header_max;
	uint64_t connections_max;
	uint64_t request_timeout;
	uint64_t idle_timeout;
	uint64_t drain_timeout;
	char address[SYSTEMD_ADDRESS_BYTES]; /* no setting: `listen`, or where the passed socket listens */
};

/* Rows of the settings table for a `struct service_http http` in `target`. */
#define SERVICE_HTTP_ROWS(target, listen_default, threads_default, body_default)                                       \
	{"http.listen",                                                                                                \
	 SETTING_TEXT,                                                                                                 \
	 offsetof(struct target, http.listen),                                                                         \
	 listen_default,                                                                                               \
	 1,                                                                                                            \
	 255,                                                                                                          \
	 "Address and port to listen on, such as 127.0.0.1:8080 or [::]:443; port 0 takes a free one; systemd takes "  \
	 "the socket that the service manager passes.",                                                                \
	 false},                                                                                                       \
		{"http.port_file",                                                                                     \
		 SETTING_TEXT,                                                                                         \
		 offsetof(struct target, http.port_file),                                                              \
		 "",                                                                                                   \
		 0,                                                                                                    \
		 4000,                                                                                                 \
		 "File that gets the port's number when everything is ready; removed at a clean stop.",                \
		 false},                                                                                               \
		{"http.cert_file",                                                                                     \
		 SETTING_TEXT,                                                                                         \
		 offsetof(struct target, http.cert_file),                                                              \
		 "",                                                                                                   \
		 0,                                                                                                    \
		 4000,                                                                                                 \
		 "PEM certificate chain; without it plain HTTP is spoken. Needs http.key_file.",                       \
		 true},                                                                                                \
		{"http.key_file",                                                                                      \
		 SETTING_TEXT,                                                                                         \
		 offsetof(struct target, http.key_file),                                                               \
		 "",                                                                                                   \
		 0,                                                                                                    \
		 4000,                                                                                                 \
		 "PEM private key of http.cert_file.",                                                                 \
		 true},                                                                                                \
		{"http.threads",                                                                                       \
		 SETTING_COUNT,                                                                                        \
		 offsetof(struct target, http.threads),                                                                \
		 threads_default,                                                                                      \
		 0,                                                                                                    \
		 64,                                                                                                   \
		 "Threads that serve connections; 0 means one per processor.",                                         \
		 false},                                                                                               \
		{"http.body_max",                                                                                      \
		 SETTING_SIZE,                                                                                         \
		 offsetof(struct target, http.body_max),                                                               \
		 body_default,                                                                                         \
		 1024,                                                                                                 \
		 16 * 1024 * 1024,                                                                                     \
		 "Largest request body.",                                                                              \
		 false},                                                                                               \
		{"http.header_max",                                                                                    \
		 SETTING_SIZE,                                                                                         \
		 offsetof(struct target, http.header_max),                                                             \
		 "16KiB",                                                                                              \
		 1024,                                                                                                 \
		 64 * 1024,                                                                                            \
		 "Largest request line and headers together.",                                                         \
		 false},                                                                                               \
		{"http.connections_max",                                                                               \
		 SETTING_COUNT,                                                                                        \
		 offsetof(struct target, http.connections_max),                                                        \
		 "10000",                                                                                              \
		 1,                                                                                                    \
		 1000000,                                                                                              \
		 "Most connections at a time; further ones wait in the kernel.",                                       \
		 false},                                                                                               \
		{"http.request_timeout",                                                                               \
		 SETTING_DURATION,                                                                                     \
		 offsetof(struct target, http.request_timeout),                                                        \
		 "10s",                                                                                                \
		 100,                                                                                                  \
		 3600 * 1000,                                                                                          \
		 "Longest time from the first byte of a request to its last.",                                         \
		 true},                                                                                                \
		{"http.idle_timeout",                                                                                  \
		 SETTING_DURATION,                                                                                     \
		 offsetof(struct target, http.idle_timeout),                                                           \
		 "60s",                                                                                                \
		 100,                                                                                                  \
		 3600 * 1000,                                                                                          \
		 "How long a connection may be silent between requests, or leave a reply unread.",                     \
		 true},                                                                                                \
	{                                                                                                              \
		"http.drain_timeout", SETTING_DURATION, offsetof(struct target, http.drain_timeout), "10s", 0,         \
			600 * 1000, "How long a stop waits for requests that are under way.", true                     \
	}

/* The part of a settings struct for the log, and what it means. */
struct service_log {
	char *level;
	char *format;
};
struct service_log_choice {
	enum log_level level;
	enum log_format format;
};

#define SERVICE_LOG_ROWS(target)                                                                                       \
	{"log.level",                                                                                                  \
	 SETTING_TEXT,                                                                                                 \
	 offsetof(struct target, log.level),                                                                           \
	 "info",                                                                                                       \
	 2,                                                                                                            \
	 5,                                                                                                            \
	 "Which lines are logged: debug, info, warn, error or off.",                                                   \
	 true},                                                                                                        \
	{                                                                                                              \
		"log.format", SETTING_TEXT, offsetof(struct target, log.format), "logfmt", 1, 16,                      \
			"How log lines are written: logfmt (key=value), or json, an object each.", false               \
	}

/* The operator's page. */
struct service_status {
	char *listen;
	char *port_file;
};

#define SERVICE_STATUS_ROWS(target, listen_default)                                                                    \
	{"status.listen",                                                                                              \
	 SETTING_TEXT,                                                                                                 \
	 offsetof(struct target, status.listen),                                                                       \
	 listen_default,                                                                                               \
	 0,                                                                                                            \
	 255,                                                                                                          \
	 "Address and port of /metrics, /healthz and /readyz, for the operator only; empty: none.",                    \
	 false},                                                                                                       \
	{                                                                                                              \
		"status.port_file", SETTING_TEXT, offsetof(struct target, status.port_file), "", 0, 4000,              \
			"File that gets that port's number when everything is ready; removed at a clean stop.", false  \
	}

struct service {
	const char *name; /* "serve" */
	const char *summary;
	const char *details; /* for --help, or "" */
	const struct setting *rows;
	size_t row_count;
	/* Looks at what the table cannot: settings that only make sense together, files. Errors ERR_INVALID, ERR_IO. */
	int (*check)(void *target, struct error *err);
	/* For --check, after `check` was fine: looks at what a start would meet, and changes nothing. */
	void (*look)(void *target, struct look *look);
	/* Environment variables that are read beside the settings, ended by NULL; NULL for none. */
	const char *const *variables;
};

/* Reads the line, the environment and the file into `target` and checks them; does --check, --dump and --help. Returns true when the program shall
 * start; else it has printed what was asked for, or what is wrong, and the exit code is in `exit_out`. The settings are
 * to be freed with settings_fini in both cases. */
MUST_CHECK bool service_configure(const struct service *service, int argc, char **argv, void *target,
				  struct settings *settings, int *exit_out);

/* Reads line, environment and file as service_configure did, and checks them; for a reload. The settings are to be freed in
 * both cases. */
MUST_CHECK int service_read(const struct service *service, int argc, char **argv, void *target,
			    struct settings *settings, struct error *err);

/* For `check`. */
MUST_CHECK int service_http_check(const struct service_http *http, struct error *err);
MUST_CHECK int service_log_check(const struct service_log *log, struct service_log_choice *out, struct error *err);
/* For `look`: the certificate, the address, the place of the port file. */
void service_http_look(const struct service_http *http, struct look *look);
void service_status_look(const struct service_status *status, struct look *look);
MUST_CHECK int service_status_check(const struct service_status *status, struct error *err);
/* Fails, naming the setting, when a file is named and cannot be read. */
MUST_CHECK int service_file_check(const char *setting, const char *path, struct error *err);

/* What the HTTP settings mean for the server; handler, refuse and context are left to the caller. Sets http->address.
 * Errors ERR_INVALID: the socket that shall have been passed was not. */
MUST_CHECK int service_http_options(struct service_http *http, struct http_server_options *out, struct error *err);

/* Before any thread starts: sends the log to standard error, blocks SIGTERM and SIGINT, ignores SIGPIPE, takes as many
 * descriptors as allowed. */
void service_prepare(const struct service_log_choice *log);
/* What the main thread does while it waits. */
struct service_watch {
	void (*reload)(void *context); /* on SIGHUP; NULL: that ends it, as SIGTERM does */
	/* For the service manager's watchdog: asks all threads that matter to go round; and when the one that was longest
	 * without it last did, on clock_mono_ms. NULL for both: that the main thread runs is all that is told. */
	void (*ping)(void *context);
	int64_t (*round_ms)(void *context);
	uint64_t
		patience_ms; /* a thread may be without it for this long, if that is more than half of the watchdog's time */
	void *context;
};
/* Waits for SIGTERM or SIGINT and logs "stopping". From then on a further one ends the process at once. */
void service_wait_signal(const struct service_watch *watch);

/* Tells that everything is ready: the port file, then the log line "ready". */
MUST_CHECK int service_ready(const struct service_http *http, unsigned port, struct error *err);
/* The log line "stopped"; removes the port file. */
void service_stopped(const struct service_http *http);
/* Drains the server, and once more after `finish` (may be NULL) has made the keepers of calls answer; then closes it.
 */
void service_close_http(const struct service_http *http, struct http_server **server, void (*finish)(void *context),
			void *context);
/* The page's listener, when there is to be one, and its port file; `server_out` stays NULL when not. */
MUST_CHECK int service_open_status(const struct service_status *status, struct status_page *page,
				   struct http_server **server_out, struct error *err);
/* Removes the port file. */
void service_stopped_status(const struct service_status *status);
/* Prints what went wrong at the start and returns the exit code. */
int service_fail(const struct service *service, const struct error *err);
