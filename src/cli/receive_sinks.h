#pragma once
/* The sinks of `highwater receive`: their settings, and how they are opened. Threads: the main thread. */
#include "base/error.h"
#include "base/settings.h"
#include "receive/sink.h"

#include <stddef.h>

struct receive_sinks_settings {
	char *alertmanager_url;
	uint64_t alertmanager_quiet;
	char *command;
	uint64_t command_timeout;
	char *command_events;
	char *post_url;
	char *post_token_file;
	char *post_secret_file;
	char *post_events;
	char *mail_url;
	char *mail_tls;
	char *mail_from;
	char *mail_to;
	char *mail_user;
	char *mail_password_file;
	uint64_t mail_interval;
	char *mail_events;
	char *ca_file;
	uint64_t timeout;
	uint64_t retry_longest;
};

#define RECEIVE_SINK_TEXT(target, name, field, fallback, max, help)                                                    \
	{                                                                                                              \
		name, SETTING_TEXT, offsetof(struct target, sinks.field), fallback, 0, max, help, false                \
	}
#define RECEIVE_SINK_TIME(target, name, field, fallback, min, max, help)                                               \
	{                                                                                                              \
		name, SETTING_DURATION, offsetof(struct target, sinks.field), fallback, min, max, help, false          \
	}
/* Rows of the settings table for a `struct receive_sinks_settings sinks` in `target`. */
#define RECEIVE_SINK_ROWS(target)                                                                                      \
	RECEIVE_SINK_TEXT(target, "receive.alertmanager_url", alertmanager_url, "", 1024,                              \
			  "URL of a Prometheus Alertmanager, such as http://127.0.0.1:9093, that gets alerts."),       \
		RECEIVE_SINK_TIME(target, "receive.alertmanager_quiet", alertmanager_quiet, "15m", 1000,               \
				  UINT64_C(30) * 86400 * 1000,                                                         \
				  "An alert is resolved when none of its app and threshold came for so long."),        \
		RECEIVE_SINK_TEXT(target, "receive.command", command, "", 4000,                                        \
				  "Absolute path of a program that is run for each event, the packet on its standard " \
				  "input."),                                                                           \
		RECEIVE_SINK_TIME(target, "receive.command_timeout", command_timeout, "30s", 100, 3600 * 1000,         \
				  "The program is killed after so long, and run again later."),                        \
		RECEIVE_SINK_TEXT(target, "receive.command_events", command_events, "all", 6,                          \
				  "Events that the program is run for: all, or alerts (and notes of silence)."),       \
		{"receive.post_url",                                                                                   \
		 SETTING_HIDDEN,                                                                                       \
		 offsetof(struct target, sinks.post_url),                                                              \
		 "",                                                                                                   \
		 0,                                                                                                    \
		 1024,                                                                                                 \
		 "URL that gets each event by HTTP POST, as the record has it.",                                       \
		 false},                                                                                               \
		RECEIVE_SINK_TEXT(target, "receive.post_token_file", post_token_file, "", 4000,                        \
				  "File with a token for the header Authorization: Bearer of those requests."),        \
		RECEIVE_SINK_TEXT(target, "receive.post_secret_file", post_secret_file, "", 4000,                      \
				  "File with a key, whsec_... or whsk_..., that signs them as Standard Webhooks do."), \
		RECEIVE_SINK_TEXT(target, "receive.post_events", post_events, "all", 6,                                \
				  "Events that are posted: all, or alerts (and notes of silence)."),                   \
		RECEIVE_SINK_TEXT(target, "receive.mail_url", mail_url, "", 1024,                                      \
				  "Mail server, smtp://host:587 or smtps://host:465."),                                \
		RECEIVE_SINK_TEXT(target, "receive.mail_tls", mail_tls, "required", 8,                                 \
				  "required, or off for a server on this machine that has no TLS."),                   \
		RECEIVE_SINK_TEXT(target, "receive.mail_from", mail_from, "", 254, "Address that mails are from."),    \
		RECEIVE_SINK_TEXT(target, "receive.mail_to", mail_to, "", 4000,                                        \
				  "Addresses that mails go to, with commas between."),                                 \
		RECEIVE_SINK_TEXT(target, "receive.mail_user", mail_user, "", 254,                                     \
				  "User that logs in at the mail server."),                                            \
		RECEIVE_SINK_TEXT(target, "receive.mail_password_file", mail_password_file, "", 4000,                  \
				  "File with that user's password."),                                                  \
		RECEIVE_SINK_TIME(target, "receive.mail_interval", mail_interval, "5m", 0, 86400 * 1000,               \
				  "At most one mail per so long; it tells the newest of each app."),                   \
		RECEIVE_SINK_TEXT(target, "receive.mail_events", mail_events, "alerts", 6,                             \
				  "Events that mails tell of: alerts (and notes of silence), or all."),                \
		RECEIVE_SINK_TEXT(target, "receive.sink_ca_file", ca_file, "", 4000,                                   \
				  "PEM file with the certificates that sinks trust instead of the system's."),         \
		RECEIVE_SINK_TIME(target, "receive.sink_timeout", timeout, "10s", 100, 600 * 1000,                     \
				  "Longest time of one request, or mail, of a sink."),                                 \
		RECEIVE_SINK_TIME(target, "receive.sink_retry_longest", retry_longest, "1m", 1000, 3600 * 1000,        \
				  "Longest wait until a sink that failed is tried again.")

/* Looks for what is wrong, the files that are named included. Errors ERR_INVALID, ERR_IO, with the setting's name. */
MUST_CHECK int receive_sinks_check(const struct receive_sinks_settings *settings, struct error *err);
/* Opens those that are set. On -1 none is open. Errors as above. */
MUST_CHECK int receive_sinks_open(const struct receive_sinks_settings *settings, struct sink out[SINK_KIND_COUNT],
				  size_t *count_out, struct error *err);
