/* The demonstration's output; see demo_show.h. Standard output is all there is, so results of printing are discarded.
 */
#include "cli/demo_show.h"
#include "cli/remote.h"

#include <highwater/callback.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEMO_SHOW_BAR_CHARS 20

static bool demo_show_colour(void)
{
	static int colour = -1;
	const char *terminal;

	if (colour < 0) {
		terminal = getenv("TERM");
		colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && terminal && strcmp(terminal, "dumb") != 0;
	}
	return colour;
}

void demo_show(enum demo_style style, const char *format, ...)
{
	static const char *const codes[] = {"", "\033[1m", "\033[2m", "\033[32m", "\033[1;31m", "\033[1;33m"};
	bool colour = style != DEMO_PLAIN && demo_show_colour();
	va_list args;

	if (colour)
		(void)fputs(codes[style], stdout);
	va_start(args, format);
	(void)vprintf(format, args);
	va_end(args);
	if (colour)
		(void)fputs("\033[0m", stdout);
	(void)fflush(stdout);
}

void demo_show_title(const char *title)
{
	demo_show(DEMO_PLAIN, "\n");
	demo_show(DEMO_BOLD, "%s", title);
	demo_show(DEMO_PLAIN, "\n\n");
}

void demo_show_fact(const char *name, const char *format, ...)
{
	va_list args;

	(void)printf("  %-14s", name);
	va_start(args, format);
	(void)vprintf(format, args);
	va_end(args);
	(void)putchar('\n');
	(void)fflush(stdout);
}

void demo_show_room_header(void)
{
	demo_show(DEMO_DIM, "  %2s  %-14s  %-9s  %-8s  %s\n", "#", "created by", "platform", "room",
		  "rooms of the app");
}

void demo_show_room(const struct demo_room *room, unsigned count, unsigned max)
{
	unsigned filled = count * DEMO_SHOW_BAR_CHARS / max;
	bool reached = count * 100 >= max * 70;

	demo_show(DEMO_PLAIN, "  %2u  %-14s  %-9s  %-8s  %2u of %u  [", count, room->operator_account, room->platform,
		  room->room_id, count, max);
	demo_show(reached ? DEMO_ALERT : DEMO_GOOD, "%.*s", (int)filled, "####################");
	demo_show(DEMO_PLAIN, "%.*s] %3u %%", (int)(DEMO_SHOW_BAR_CHARS - filled), "....................",
		  count * 100 / max);
	demo_show(reached ? DEMO_ALERT : DEMO_PLAIN, "%s\n", reached ? "  <- alert" : "");
}

/* ---- the alert ---- */

static void demo_show_field(const char *group, const char *name, const char *value, const char *remark)
{
	demo_show(DEMO_DIM, "    %-8s", group);
	demo_show(DEMO_PLAIN, " %-20s %s", name, value);
	demo_show(DEMO_GOOD, "%s%s\n", *remark ? "  " : "", remark);
}

static void demo_show_count(const char *group, const char *name, const json_t *line, const char *key)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, remote_number(line, key)); /* fits */
	demo_show_field(group, name, text, "");
}

static void demo_show_body(const json_t *body)
{
	char *text = json_dumps(body, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	char *rest = text;
	const char *group = "body";

	for (char *one = strtok_r(text, "\n", &rest); one; one = strtok_r(NULL, "\n", &rest)) {
		demo_show(DEMO_DIM, "    %-8s", group);
		demo_show(DEMO_PLAIN, " %s\n", one);
		group = "";
	}
	free(text); /* jansson's own */
}

static int64_t demo_show_delay_ms(const json_t *line)
{
	return remote_number(line, "ReceivedTime") - remote_number(json_object_get(line, "Body"), "EventTime");
}

void demo_show_alert(const json_t *line)
{
	bool is_signed = json_is_true(json_object_get(line, "Signed"));
	const char *signature = remote_text(line, "Signature");
	char sdkappid[24];

	(void)snprintf(sdkappid, sizeof(sdkappid), "%" PRId64, remote_number(line, "SdkAppid")); /* fits */
	demo_show(DEMO_ALERT, "\n  ALERT");
	demo_show(DEMO_PLAIN,
		  "  received, verified and recorded by the App backend, %" PRId64 " ms after the creation\n\n",
		  demo_show_delay_ms(line));
	demo_show_field("query", "SdkAppid", sdkappid, "its own");
	demo_show_field("", "CallbackCommand", remote_text(line, "CallbackCommand"), "");
	demo_show_field("", "ClientIP", remote_text(line, "ClientIP"), "");
	demo_show_field("", "OptPlatform", remote_text(line, "OptPlatform"), "");
	demo_show_field("", "Sign, RequestTime", is_signed ? "given" : "none",
			is_signed ? "made with the token, less than a minute ago" : "");
	demo_show_field("headers", "webhook-id", remote_text(line, "WebhookId"), "");
	demo_show_field("", "webhook-signature", *signature ? signature : "none",
			*signature ? "made with the app's secret, over this body" : "");
	demo_show_count("", "Highwater-Attempt", line, "Attempt");
	demo_show_count("", "Highwater-Sequence", line, "Sequence");
	demo_show_count("", "Highwater-Threshold", line, "Threshold");
	demo_show_body(json_object_get(line, "Body"));
	demo_show(DEMO_DIM, "    %-8s", "reply");
	demo_show(DEMO_PLAIN, " 200 %s\n", HW_REPLY_OK);
}

void demo_show_alert_short(const json_t *line)
{
	const json_t *body = json_object_get(line, "Body");

	demo_show(DEMO_ALERT, "  ALERT");
	demo_show(DEMO_PLAIN,
		  "  %" PRId64 " of %" PRId64 " rooms, by %s, %s, attempt %" PRId64 ", sequence %" PRId64
		  ", %s, after %" PRId64 " ms\n",
		  remote_number(body, "CurRoomCount"), remote_number(body, "MaxRoomCount"),
		  remote_text(body, "Operator_Account"), remote_text(line, "OptPlatform"),
		  remote_number(line, "Attempt"), remote_number(line, "Sequence"),
		  json_is_true(json_object_get(line, "Signed")) ? "signed" : "unsigned", demo_show_delay_ms(line));
}

void demo_show_check(bool good, const char *text)
{
	demo_show(good ? DEMO_GOOD : DEMO_BAD, "  %s", good ? "ok" : "NO");
	demo_show(DEMO_PLAIN, "  %s\n", text);
}
