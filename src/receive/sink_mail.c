/* Mail; see sink_mail.h. Events only change the digest, which is the sink's state; the tick sends it when the last mail is
 * long enough ago. So a mail server that was dead gets one mail with the newest, not one per event. */
#include "receive/sink_mail.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "receive/mail_digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MAIL_ADDRESS_BYTES_MAX 254

struct sink_mail {
	struct mail_options options; /* texts owned */
	char *password;		     /* secret */
	char *from;
	char *addresses; /* with NULs between */
	const char *to[SINK_MAIL_TO_MAX];
	size_t to_count;
	int64_t interval_ms;
	enum sink_events events;
	struct mail_digest digest;
};

static bool sink_mail_wants(const void *sink, const struct record_row *row)
{
	return sink_wants(((const struct sink_mail *)sink)->events, row);
}

static size_t sink_mail_deliver(void *sink, const struct record_row *rows, size_t count, const atomic_bool *stop,
				struct error *err)
{
	(void)stop; /* nothing takes long, and nothing fails */
	(void)err;
	for (size_t i = 0; i < count; i++)
		mail_digest_take(&((struct sink_mail *)sink)->digest, &rows[i]);
	return count;
}

/* ---- the message ---- */

/* "Wed, 25 Nov 2026 09:05:37 +0000": not by strftime, whose names follow the locale. */
static void mail_append_date(struct buf *out, int64_t now_ms)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = (time_t)(now_ms / 1000);
	struct tm parts = {0};

	(void)gmtime_r(&now, &parts); /* fails for no year that a clock shows */
	buf_printf(out, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d +0000\r\n", days + 3 * parts.tm_wday, parts.tm_mday,
		   months + 3 * parts.tm_mon, parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

static void mail_append_to(const struct sink_mail *sink, struct buf *out)
{
	for (size_t i = 0; i < sink->to_count; i++)
		buf_printf(out, "%s%s", i ? ",\r\n " : "To: ", sink->to[i]);
	buf_append_c(out, "\r\n");
}

static void mail_build(const struct sink_mail *sink, int64_t now_ms, struct buf *out)
{
	const char *domain = strchr(sink->from, '@');
	struct buf text;

	buf_init(&text, DIGEST_TEXT_BYTES_MAX);
	mail_append_date(out, now_ms);
	buf_printf(out, "From: Highwater <%s>\r\n", sink->from);
	mail_append_to(sink, out);
	mail_digest_subject(&sink->digest, &text);
	mail_append_header(out, "Subject", buf_str(&text));
	buf_printf(out, "Message-ID: <%016" PRIx64 "%016" PRIx64 "%s>\r\n", random_u64(), random_u64(), domain);
	buf_append_c(out, "Auto-Submitted: auto-generated\r\n"); /* RFC 3834: no vacation message, please */
	buf_reset(&text);
	mail_digest_text(&sink->digest, &text);
	mail_append_text(out, buf_str(&text));
	buf_fini(&text);
}

static int64_t sink_mail_tick(void *context, const atomic_bool *stop, struct error *err)
{
	struct sink_mail *sink = context;
	int64_t now_ms = clock_wall_ms();
	int64_t since_ms = now_ms - sink->digest.sent_ms;
	struct buf message;
	int result;

	if (mail_digest_is_empty(&sink->digest))
		return SINK_TICK_NEVER;
	if (since_ms >= 0 && since_ms < sink->interval_ms) /* a clock that stepped back does not hold a mail */
		return sink->interval_ms - since_ms;
	buf_init(&message, DIGEST_TEXT_BYTES_MAX * 2);
	mail_build(sink, now_ms, &message);
	result = mail_send(&sink->options, sink->from, sink->to, sink->to_count, buf_str(&message), stop, err);
	buf_fini(&message);
	if (result)
		return -1;
	mail_digest_clear(&sink->digest, now_ms);
	return SINK_TICK_NEVER;
}

static void sink_mail_save(const void *sink, struct buf *out)
{
	mail_digest_save(&((const struct sink_mail *)sink)->digest, out);
}

static int sink_mail_restore(void *sink, struct str state, struct error *err)
{
	return mail_digest_restore(&((struct sink_mail *)sink)->digest, state, err);
}

/* ---- life ---- */

static void sink_mail_close(void *context)
{
	struct sink_mail *sink = context;

	mail_digest_fini(&sink->digest);
	if (sink->password)
		mem_wipe(sink->password, strlen(sink->password));
	mem_free(sink->password);
	mem_free((char *)(uintptr_t)sink->options.url); /* ours, as the next two */
	mem_free((char *)(uintptr_t)sink->options.ca_file);
	mem_free((char *)(uintptr_t)sink->options.user);
	mem_free(sink->from);
	mem_free(sink->addresses);
	mem_free(sink);
}

static const struct sink_ops sink_mail_ops = {.kind = SINK_MAIL,
					      .wants = sink_mail_wants,
					      .deliver = sink_mail_deliver,
					      .tick = sink_mail_tick,
					      .save = sink_mail_save,
					      .restore = sink_mail_restore,
					      .close = sink_mail_close};

/* A bare address, of the characters that need no quotes: nothing in it can end a header or a command. */
static bool mail_is_address(struct str text)
{
	ptrdiff_t at = str_find_char(text, '@');

	if (text.len > MAIL_ADDRESS_BYTES_MAX || at < 1 || (size_t)at + 1 >= text.len ||
	    str_find_char(str_slice(text, (size_t)at + 1, text.len), '@') >= 0)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || strchr("<>(),;:\\\"[]", text.ptr[i]))
			return false;
	return true;
}

static int mail_read_to(struct sink_mail *sink, const char *list, struct error *err)
{
	struct str rest = str_c(list);
	char *out = mem_zalloc(rest.len + 1);
	bool more = true;

	sink->addresses = out;
	while (more) {
		struct str item;

		more = str_cut(&rest, ',', &item);
		while (item.len && item.ptr[0] == ' ')
			item = str_slice(item, 1, item.len);
		if (!mail_is_address(item))
			return error_set(err, ERR_INVALID,
					 "receive.mail_to: \"%.*s\" is no address such as ops@example.com",
					 STR_ARG(str_slice(item, 0, 60)));
		if (sink->to_count == SINK_MAIL_TO_MAX)
			return error_set(err, ERR_INVALID, "receive.mail_to: more than %d addresses", SINK_MAIL_TO_MAX);
		memcpy(out, item.ptr, item.len);
		sink->to[sink->to_count++] = out;
		out += item.len + 1;
	}
	return 0;
}

static char *mail_dup(const char *text)
{
	return mem_dup(text, strlen(text));
}

int sink_mail_open(const struct sink_mail_options *options, struct sink *sink_out, struct error *err)
{
	struct str password = secret_reveal(options->mail.password);
	const char *wrong = mail_url_check(options->mail.url);
	struct sink_mail *sink;

	if (wrong)
		return error_set(err, ERR_INVALID, "receive.mail_url: %s", wrong);
	if (!mail_is_address(str_c(options->from)))
		return error_set(err, ERR_INVALID, "receive.mail_from: \"%.60s\" is no address such as ops@example.com",
				 options->from);
	sink = mem_zalloc(sizeof(*sink));
	if (mail_read_to(sink, options->to, err)) {
		sink_mail_close(sink);
		return -1;
	}
	mail_digest_init(&sink->digest);
	sink->password = mem_dup(password.ptr, password.len);
	sink->from = mail_dup(options->from);
	sink->interval_ms = (int64_t)options->interval_ms;
	sink->events = options->events;
	sink->options = options->mail;
	sink->options.url = mail_dup(options->mail.url);
	sink->options.ca_file = mail_dup(options->mail.ca_file);
	sink->options.user = mail_dup(options->mail.user);
	sink->options.password = secret_of((struct str){sink->password, password.len});
	*sink_out = (struct sink){&sink_mail_ops, sink};
	return 0;
}
