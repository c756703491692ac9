/* The sinks of `highwater receive`; see receive_sinks.h. */
#include "cli/receive_sinks.h"
#include "base/mem.h"
#include "cli/files.h"
#include "cli/service.h"
#include "receive/sink_alertmanager.h"
#include "receive/sink_command.h"
#include "receive/sink_mail.h"
#include "receive/sink_post.h"

#include <string.h>

#define SINKS_TOKEN_BYTES_MAX 256

static int sinks_parse_events(const char *setting, const char *word, enum sink_events *out, struct error *err)
{
	if (strcmp(word, "all") == 0)
		*out = SINK_EVENTS_ALL;
	else if (strcmp(word, "alerts") == 0)
		*out = SINK_EVENTS_ALERTS;
	else
		return error_set(err, ERR_INVALID, "%s: \"%s\" is none of all and alerts", setting, word);
	return 0;
}

static int sinks_parse_tls(const char *word, enum mail_tls *out, struct error *err)
{
	if (strcmp(word, "required") == 0)
		*out = MAIL_TLS_REQUIRED;
	else if (strcmp(word, "off") == 0)
		*out = MAIL_TLS_OFF;
	else
		return error_set(err, ERR_INVALID, "receive.mail_tls: \"%s\" is none of required and off", word);
	return 0;
}

/* Settings that do nothing without another one. */
static int sinks_check_pairs(const struct receive_sinks_settings *settings, struct error *err)
{
	const struct {
		const char *set;
		const char *name;
		const char *needed;
		const char *needed_name;
	} pairs[] = {
		{settings->post_token_file, "receive.post_token_file", settings->post_url, "receive.post_url"},
		{settings->post_secret_file, "receive.post_secret_file", settings->post_url, "receive.post_url"},
		{settings->mail_url, "receive.mail_url", settings->mail_from, "receive.mail_from"},
		{settings->mail_url, "receive.mail_url", settings->mail_to, "receive.mail_to"},
		{settings->mail_from, "receive.mail_from", settings->mail_url, "receive.mail_url"},
		{settings->mail_to, "receive.mail_to", settings->mail_url, "receive.mail_url"},
		{settings->mail_user, "receive.mail_user", settings->mail_password_file, "receive.mail_password_file"},
		{settings->mail_password_file, "receive.mail_password_file", settings->mail_user, "receive.mail_user"},
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (*pairs[i].set && !*pairs[i].needed)
			return error_set(err, ERR_INVALID, "%s needs %s", pairs[i].name, pairs[i].needed_name);
	return 0;
}

static void sinks_close_all(struct sink *sinks, size_t count)
{
	while (count-- > 0)
		sinks[count].ops->close(sinks[count].sink);
}

int receive_sinks_check(const struct receive_sinks_settings *settings, struct error *err)
{
	struct sink sinks[SINK_KIND_COUNT];
	enum mail_tls tls = MAIL_TLS_REQUIRED;
	enum sink_events events;
	size_t count;

	if (sinks_parse_events("receive.command_events", settings->command_events, &events, err) ||
	    sinks_parse_events("receive.post_events", settings->post_events, &events, err) ||
	    sinks_parse_events("receive.mail_events", settings->mail_events, &events, err) ||
	    sinks_parse_tls(settings->mail_tls, &tls, err) || sinks_check_pairs(settings, err))
		return -1;
	if (tls == MAIL_TLS_OFF && strncmp(settings->mail_url, "smtps:", 6) == 0)
		return error_set(err, ERR_INVALID,
				 "receive.mail_tls: is off, but receive.mail_url begins with smtps://");
	if (tls == MAIL_TLS_OFF && *settings->mail_user)
		return error_set(err, ERR_INVALID,
				 "receive.mail_tls: must be required when there is receive.mail_user, whose password "
				 "would travel readable");
	if (service_file_check("receive.sink_ca_file", settings->ca_file, err) ||
	    receive_sinks_open(settings, sinks, &count, err))
		return -1;
	sinks_close_all(sinks, count); /* they can be opened */
	return 0;
}

/* ---- each ---- */

static int sinks_open_alertmanager(const struct receive_sinks_settings *settings, struct sink *out, struct error *err)
{
	const struct sink_alertmanager_options options = {settings->alertmanager_url, settings->ca_file,
							  settings->alertmanager_quiet, settings->timeout};

	return sink_alertmanager_open(&options, out, err);
}

static int sinks_open_command(const struct receive_sinks_settings *settings, struct sink *out, struct error *err)
{
	struct sink_command_options options = {.path = settings->command, .timeout_ms = settings->command_timeout};

	return sinks_parse_events("receive.command_events", settings->command_events, &options.events, err) ||
			       sink_command_open(&options, out, err)
		       ? -1
		       : 0;
}

/* A secret that nobody else may read, as those of receive_trust.c. `out` is to be wiped in any case. */
static int sinks_read_secret(const char *setting, const char *path, size_t bytes_max, struct buf *out,
			     struct error *err)
{
	if (files_check_private(path, err) || files_read_secret(path, bytes_max, out, err))
		return error_wrap(err, "%s", setting);
	return 0;
}

static int sinks_read_key(const char *path, struct hw_webhook_key *out, struct error *err)
{
	struct buf text;
	char reason[128];
	int result = -1;

	buf_init(&text, HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 64);
	if (sinks_read_secret("receive.post_secret_file", path, HW_WEBHOOK_KEY_TEXT_BYTES_MAX, &text, err))
		result = -1;
	else if (hw_webhook_key_parse(text.ptr, text.len, out, reason, sizeof(reason)))
		(void)error_set(err, ERR_INVALID, "receive.post_secret_file: %s",
				reason); /* result says -1, as below */
	else if (out->kind == HW_WEBHOOK_PUBLIC)
		(void)error_set(err, ERR_INVALID, "receive.post_secret_file: a public key cannot sign");
	else
		result = 0;
	files_wipe(&text);
	return result;
}

static int sinks_open_post(const struct receive_sinks_settings *settings, struct sink *out, struct error *err)
{
	struct sink_post_options options = {
		.url = settings->post_url, .ca_file = settings->ca_file, .timeout_ms = settings->timeout};
	struct hw_webhook_key key = {.kind = HW_WEBHOOK_NONE};
	struct buf token;
	int result = sinks_parse_events("receive.post_events", settings->post_events, &options.events, err);

	buf_init(&token, SINKS_TOKEN_BYTES_MAX + 64);
	if (result == 0 && *settings->post_token_file)
		result = sinks_read_secret("receive.post_token_file", settings->post_token_file, SINKS_TOKEN_BYTES_MAX,
					   &token, err);
	if (result == 0 && *settings->post_secret_file)
		result = sinks_read_key(settings->post_secret_file, &key, err);
	options.bearer = secret_of(buf_str(&token));
	options.key = key.kind == HW_WEBHOOK_NONE ? NULL : &key;
	if (result == 0)
		result = sink_post_open(&options, out, err);
	files_wipe(&token);
	hw_webhook_key_wipe(&key);
	return result;
}

static int sinks_open_mail(const struct receive_sinks_settings *settings, struct sink *out, struct error *err)
{
	struct sink_mail_options options = {.mail = {.url = settings->mail_url,
						     .ca_file = settings->ca_file,
						     .user = settings->mail_user,
						     .timeout_ms = settings->timeout},
					    .from = settings->mail_from,
					    .to = settings->mail_to,
					    .interval_ms = settings->mail_interval};
	struct buf password;
	int result = 0;

	buf_init(&password, MAIL_PASSWORD_BYTES_MAX + 64);
	if (sinks_parse_events("receive.mail_events", settings->mail_events, &options.events, err) ||
	    sinks_parse_tls(settings->mail_tls, &options.mail.tls, err))
		result = -1;
	if (result == 0 && *settings->mail_password_file)
		result = sinks_read_secret("receive.mail_password_file", settings->mail_password_file,
					   MAIL_PASSWORD_BYTES_MAX, &password, err);
	options.mail.password = secret_of(buf_str(&password));
	if (result == 0)
		result = sink_mail_open(&options, out, err);
	files_wipe(&password);
	return result;
}

int receive_sinks_open(const struct receive_sinks_settings *settings, struct sink out[SINK_KIND_COUNT],
		       size_t *count_out, struct error *err)
{
	const struct {
		const char *set;
		int (*open)(const struct receive_sinks_settings *settings, struct sink *out, struct error *err);
	} kinds[] = {
		{settings->alertmanager_url, sinks_open_alertmanager},
		{settings->command, sinks_open_command},
		{settings->post_url, sinks_open_post},
		{settings->mail_url, sinks_open_mail},
	};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!*kinds[i].set)
			continue;
		if (kinds[i].open(settings, &out[count], err)) {
			sinks_close_all(out, count);
			return -1;
		}
		count++;
	}
	*count_out = count;
	return 0;
}
