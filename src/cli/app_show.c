/* An app as lines for people: `highwater app show` and `app create`. */
#include "base/clock.h"
#include "cli/app.h"
#include "cli/files.h"

#include <inttypes.h>
#include <string.h>

void apps_append_joined(const json_t *app, const char *key, struct buf *out)
{
	const json_t *list = json_object_get(app, key);

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);

		buf_append_c(out, i ? ", " : "");
		if (json_is_integer(item))
			buf_append_i64(out, json_integer_value(item));
		else
			buf_append_str(out, json_str(item));
	}
}

/* "every creation at 70 % or above" */
static void apps_append_policy(const json_t *app, struct buf *out)
{
	const char *mode = remote_text(app, "AlertMode");

	if (strcmp(mode, "every") == 0)
		buf_append_c(out, "at every creation that leaves the count at or above ");
	else
		buf_append_c(out, "once when the count reaches ");
	apps_append_joined(app, "Thresholds", out);
	buf_append_c(out, " %");
	if (strcmp(mode, "step") == 0)
		buf_printf(out, ", then each further %" PRId64 " points", remote_number(app, "StepPercent"));
	if (strcmp(mode, "every"))
		buf_printf(out, ", again after it fell %" PRId64 " points below", remote_number(app, "RearmMargin"));
	buf_printf(out, " (mode %s)", mode);
}

/* ---- keys and secrets ---- */

/* "2, made 2026-11-25T00:09:19.626Z, expires ..." */
static void apps_append_life(const json_t *key, const char *id, struct buf *out)
{
	int64_t expire_ms = remote_number(key, "ExpireTime");
	char made[CLOCK_TEXT_BYTES];
	char ends[CLOCK_TEXT_BYTES];

	clock_format(remote_number(key, "CreateTime"), made);
	clock_format(expire_ms, ends);
	buf_printf(out, "%" PRId64 ", made %s", remote_number(key, id), made);
	if (expire_ms)
		buf_printf(out, ", %s %s", expire_ms < clock_wall_ms() ? "expired" : "expires", ends);
}

/* One line per key, the newest first; with its bytes where they are told, but for the newest, whose line follows. */
static void apps_append_keys(const json_t *keys, struct buf *out)
{
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *key = json_array_get(keys, i);

		buf_printf(out, "  %-12s  ", i ? "" : "keys");
		apps_append_life(key, "KeyId", out);
		if (i && *remote_text(key, "Key"))
			buf_printf(out, ": %s", remote_text(key, "Key"));
		buf_append_char(out, '\n');
	}
	if (json_array_size(keys) == 0)
		buf_append_c(out, "  keys          none: every UserSig is refused\n");
}

/* The same of what callbacks are signed with. */
static void apps_append_secrets(const json_t *secrets, struct buf *out)
{
	const char *newest = "";

	for (size_t i = 0; i < json_array_size(secrets); i++) {
		const json_t *secret = json_array_get(secrets, i);
		const char *shown = remote_text(secret, "Secret");

		buf_printf(out, "  %-12s  %s ", i ? "" : "secrets", remote_text(secret, "Kind"));
		apps_append_life(secret, "SecretId", out);
		if (!*shown)
			shown = remote_text(secret, "PublicKey");
		else if (!*newest)
			newest = shown;
		if (*shown && shown != newest)
			buf_printf(out, ": %s", shown);
		buf_append_char(out, '\n');
	}
	if (json_array_size(secrets) == 0)
		buf_append_c(out, "  secrets       none: callbacks have no webhook-signature\n");
	if (*newest)
		buf_printf(out, "  secret        %s\n", newest);
}

static void apps_append_certificate(const json_t *certificate, struct buf *out)
{
	char ends[CLOCK_TEXT_BYTES];

	if (!json_is_object(certificate)) {
		buf_append_c(out, "  certificate   none\n");
		return;
	}
	clock_format(remote_number(certificate, "NotAfter"), ends);
	buf_printf(out, "  certificate   %s, by %s, %s %s\n", remote_text(certificate, "Subject"),
		   remote_text(certificate, "Issuer"),
		   remote_number(certificate, "NotAfter") < clock_wall_ms() ? "expired" : "expires", ends);
}

/* ---- callbacks ---- */

/* "failing since ..., 2 attempts in a row, last delivered ..." */
static void apps_append_endpoint(const json_t *endpoint, struct buf *out)
{
	bool gone = strcmp(remote_text(endpoint, "PauseReason"), "gone") == 0;
	int64_t failures = remote_number(endpoint, "Failures");
	int64_t delivered_ms = remote_number(endpoint, "LastDelivered");
	char time[CLOCK_TEXT_BYTES];

	buf_printf(out, "  endpoint      %s", remote_text(endpoint, "State"));
	if (remote_number(endpoint, "PauseTime")) {
		clock_format(remote_number(endpoint, "PauseTime"), time);
		buf_printf(out, " since %s, %s", time, gone ? "it answered 410" : "by an operator");
	}
	if (failures) {
		clock_format(remote_number(endpoint, "FailingSince"), time);
		buf_printf(out, ", %" PRId64 " failed %s in a row since %s", failures,
			   failures == 1 ? "attempt" : "attempts", time);
	}
	clock_format(delivered_ms, time);
	if (delivered_ms)
		buf_printf(out, ", last delivered %s\n", time);
	else
		buf_append_c(out, ", nothing delivered yet\n");
}

static const char *apps_signed(const json_t *app)
{
	bool token = json_is_true(json_object_get(app, "IsTokenEnable"));
	bool secrets = json_array_size(json_object_get(app, "Secrets")) > 0;

	if (token)
		return secrets ? "yes, with the callback token and the secrets" : "yes, with the callback token";
	return secrets ? "yes, with the secrets" : "no";
}

static void apps_append_callbacks(const json_t *app, struct buf *out)
{
	buf_printf(out, "  callback      %s\n",
		   *remote_text(app, "CallbackUrl") ? remote_text(app, "CallbackUrl") : "none");
	if (json_array_size(json_object_get(app, "CallbackCommandList"))) {
		buf_append_c(out, "  switched on   ");
		apps_append_joined(app, "CallbackCommandList", out);
		buf_append_char(out, '\n');
	}
	buf_printf(out,
		   "  signed        %s\n  set_callback  %s\n  callbacks     %" PRId64 " made, %" PRId64 " waiting\n",
		   apps_signed(app),
		   json_is_true(json_object_get(app, "CallbackOverwrite")) ? "replaces an existing configuration"
									   : "refuses when one exists",
		   remote_number(app, "CallbackSequence"), remote_number(app, "CallbackPending"));
	apps_append_endpoint(json_object_get(app, "Endpoint"), out);
}

/* ---- the whole ---- */

static void apps_append_one(const json_t *app, struct buf *out)
{
	int64_t count = remote_number(app, "RoomCount");
	int64_t max = remote_number(app, "MaxRoomCount");

	buf_printf(out, "  rooms         %" PRId64 " of %" PRId64, count, max);
	if (max)
		buf_printf(out, " (%" PRId64 " %%)", count * 100 / max);
	buf_append_c(out, "\n  alert         ");
	apps_append_policy(app, out);
	buf_append_c(out, "\n  admins        ");
	apps_append_joined(app, "Admins", out);
	buf_append_char(out, '\n');
	apps_append_callbacks(app, out);
	buf_printf(out, "  accounts      %s\n",
		   json_is_true(json_object_get(app, "AccountsRequired")) ? "must have been imported"
									  : "are made when they are first named");
	apps_append_certificate(json_object_get(app, "Certificate"), out);
	apps_append_secrets(json_object_get(app, "Secrets"), out);
	apps_append_keys(json_object_get(app, "Keys"), out);
	if (*remote_text(app, "Key"))
		buf_printf(out, "  key           %s\n", remote_text(app, "Key"));
}

void apps_print(const struct cli_line *line, const char *title, const json_t *app)
{
	struct buf text;

	if (remote_print_json(line, app))
		return;
	buf_init(&text, 1024 * 1024);
	buf_printf(&text, "%s %" PRId64 "\n", title, remote_number(app, "SdkAppid"));
	apps_append_one(app, &text);
	(void)fputs(buf_c(&text), stdout); /* standard output is all there is */
	files_wipe(&text);		   /* key and secret may be in it */
}

void apps_print_advice(uint32_t sdkappid)
{
	(void)printf("Keep the key secret: with it UserSigs of this app are made. `highwater app show %" PRIu32
		     " --reveal-key` shows it again.\n",
		     sdkappid); /* standard output is all there is */
}
