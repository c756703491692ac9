/* What the next mail will tell; see mail_digest.h. */
#include "receive/mail_digest.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

#define DIGEST_FIELDS 12

void mail_digest_init(struct mail_digest *digest)
{
	*digest = (struct mail_digest){0};
}

void mail_digest_fini(struct mail_digest *digest)
{
	mem_free(digest->list);
	*digest = (struct mail_digest){0};
}

/* ---- taking events in ---- */

static struct digest_app *digest_add(struct mail_digest *digest)
{
	if (digest->count == digest->capacity) {
		digest->capacity = digest->capacity ? digest->capacity * 2 : 16;
		digest->list = mem_realloc(digest->list, digest->capacity * sizeof(digest->list[0]));
	}
	return &digest->list[digest->count++];
}

/* NULL when there is no place. */
static struct digest_app *digest_find(struct mail_digest *digest, uint32_t sdkappid)
{
	struct digest_app *app;

	for (size_t i = 0; i < digest->count; i++)
		if (digest->list[i].sdkappid == sdkappid)
			return &digest->list[i];
	if (digest->count == DIGEST_APPS_MAX)
		return NULL;
	app = digest_add(digest);
	*app = (struct digest_app){.sdkappid = sdkappid, .threshold = -1, .silent_s = -1, .resumed_s = -1};
	return app;
}

static void digest_take_callback(struct digest_app *app, const struct record_row *row)
{
	struct hw_alert alert;
	int64_t event_ms;

	if (!str_eq(row->command, str_c(hw_callback_word(HW_CALLBACK_THRESHOLD))) ||
	    hw_alert_parse(row->body.ptr, row->body.len, &alert, NULL, 0)) {
		app->others++;
		return;
	}
	if (row->is_test) {
		app->tests++;
		return;
	}
	event_ms = record_event_ms(row, alert.event_time_ms);
	if (app->alerts++ == 0)
		app->first_ms = event_ms;
	/* callbacks may arrive in another order; and a clock may have been ahead */
	if (event_ms < app->alert_ms && app->alert_ms <= row->receive_ms)
		return;
	app->count = (int64_t)alert.room_count;
	app->count_max = (int64_t)alert.room_count_max;
	app->threshold = row->threshold;
	app->alert_ms = event_ms;
	app->is_resolved = false;
}

void mail_digest_take(struct mail_digest *digest, const struct record_row *row)
{
	struct digest_app *app = digest_find(digest, row->sdkappid);

	if (!app) {
		digest->left_out++;
		return;
	}
	switch (row->kind) {
	case RECORD_CALLBACK:
		digest_take_callback(app, row);
		break;
	case RECORD_SILENT:
		app->silent_s = record_body_number(row->body, "SilentSeconds");
		app->resumed_s = -1;
		break;
	case RECORD_RESUMED:
		app->resumed_s = record_body_number(row->body, "SilentSeconds");
		app->silent_s = -1;
		break;
	case RECORD_RESOLVED:
		app->is_resolved = true;
		break;
	case RECORD_KIND_COUNT:
		break;
	}
}

bool mail_digest_is_empty(const struct mail_digest *digest)
{
	return digest->count == 0;
}

void mail_digest_clear(struct mail_digest *digest, int64_t now_ms)
{
	digest->count = 0;
	digest->left_out = 0;
	digest->sent_ms = now_ms;
}

/* ---- telling it ---- */

static int64_t digest_percent(const struct digest_app *app)
{
	return app->count_max > 0 && app->count < INT64_MAX / 100 ? app->count * 100 / app->count_max : 100;
}

/* The one thing to say of an app in a subject. */
static void digest_append_short(const struct digest_app *app, struct buf *out)
{
	if (app->alerts)
		buf_printf(out, "app %" PRIu32 " has %" PRId64 " of %" PRId64 " rooms", app->sdkappid, app->count,
			   app->count_max);
	else if (app->silent_s >= 0)
		buf_printf(out, "no callback of app %" PRIu32 " comes", app->sdkappid);
	else if (app->resumed_s >= 0)
		buf_printf(out, "callbacks of app %" PRIu32 " come again", app->sdkappid);
	else if (app->is_resolved)
		buf_printf(out, "the alert of app %" PRIu32 " is over", app->sdkappid);
	else if (app->tests)
		buf_printf(out, "test alert of app %" PRIu32, app->sdkappid);
	else
		buf_printf(out, "callbacks of app %" PRIu32, app->sdkappid);
}

void mail_digest_subject(const struct mail_digest *digest, struct buf *out)
{
	const struct digest_app *first = &digest->list[0];

	for (size_t i = 0; i < digest->count; i++) /* the most urgent one: alerts before silence before the rest */
		if ((digest->list[i].alerts && !first->alerts) ||
		    (digest->list[i].silent_s >= 0 && !first->alerts && first->silent_s < 0))
			first = &digest->list[i];
	buf_append_c(out, "[Highwater] ");
	digest_append_short(first, out);
	if (digest->count > 1)
		buf_printf(out, ", and %zu other app%s", digest->count - 1, digest->count > 2 ? "s" : "");
}

static void digest_append_time(struct buf *out, int64_t time_ms)
{
	char text[CLOCK_TEXT_BYTES];

	clock_format(time_ms, text);
	buf_append_c(out, text);
}

static void digest_append_app(const struct digest_app *app, struct buf *out)
{
	buf_printf(out, "App %" PRIu32 "\n", app->sdkappid);
	if (app->alerts) {
		buf_printf(out, "  %" PRId64 " of %" PRId64 " rooms (%" PRId64 " %%)", app->count, app->count_max,
			   digest_percent(app));
		if (app->threshold >= 0)
			buf_printf(out, ", at or above the threshold of %" PRId64 " %%", app->threshold);
		buf_append_c(out, ", at ");
		digest_append_time(out, app->alert_ms);
		if (app->alerts > 1) {
			buf_printf(out, "; %" PRId64 " alerts since ", app->alerts);
			digest_append_time(out, app->first_ms);
		}
		buf_append_c(out, "\n  At the maximum, creations are refused.\n");
	}
	if (app->is_resolved)
		buf_append_c(out, "  An operator says that the alert is over.\n");
	if (app->silent_s >= 0)
		buf_printf(out,
			   "  No callback has come for %" PRId64 " s: its backend, or the way from it, may be dead.\n",
			   app->silent_s);
	if (app->resumed_s >= 0)
		buf_printf(out, "  Callbacks come again, after %" PRId64 " s without any.\n", app->resumed_s);
	if (app->tests)
		buf_printf(out, "  %" PRId64 " test alert%s: no threshold was reached.\n", app->tests,
			   app->tests == 1 ? "" : "s");
	if (app->others)
		buf_printf(out, "  %" PRId64 " other callback%s.\n", app->others, app->others == 1 ? "" : "s");
}

void mail_digest_text(const struct mail_digest *digest, struct buf *out)
{
	for (size_t i = 0; i < digest->count; i++) {
		if (i)
			buf_append_char(out, '\n');
		digest_append_app(&digest->list[i], out);
	}
	if (digest->left_out)
		buf_printf(out, "\n%" PRId64 " events of further apps found no place here.\n", digest->left_out);
	buf_append_c(out, "\nhighwater receive, which has recorded all of them: highwater record list\n");
}

/* ---- over a restart ---- */

void mail_digest_save(const struct mail_digest *digest, struct buf *out)
{
	buf_printf(out, "{\"Sent\":%" PRId64 ",\"LeftOut\":%" PRId64 ",\"List\":[", digest->sent_ms, digest->left_out);
	for (size_t i = 0; i < digest->count; i++) {
		const struct digest_app *app = &digest->list[i];

		buf_printf(out,
			   "%s[%" PRIu32 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
			   ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%d]",
			   i ? "," : "", app->sdkappid, app->alerts, app->count, app->count_max, app->threshold,
			   app->alert_ms, app->first_ms, app->tests, app->others, app->silent_s, app->resumed_s,
			   app->is_resolved);
	}
	buf_append_c(out, "]}");
}

static int digest_restore_one(struct mail_digest *digest, const json_t *entry)
{
	int64_t numbers[DIGEST_FIELDS];

	if (digest->count == DIGEST_APPS_MAX || json_array_i64(entry, numbers, DIGEST_FIELDS))
		return -1;
	if (numbers[0] < 1 || numbers[0] > UINT32_MAX)
		return -1;
	*digest_add(digest) = (struct digest_app){.sdkappid = (uint32_t)numbers[0],
						  .alerts = numbers[1],
						  .count = numbers[2],
						  .count_max = numbers[3],
						  .threshold = numbers[4],
						  .alert_ms = numbers[5],
						  .first_ms = numbers[6],
						  .tests = numbers[7],
						  .others = numbers[8],
						  .silent_s = numbers[9],
						  .resumed_s = numbers[10],
						  .is_resolved = numbers[11] != 0};
	return 0;
}

int mail_digest_restore(struct mail_digest *digest, struct str text, struct error *err)
{
	json_t *root = NULL;
	json_t *list = NULL;
	int result = 0;

	if (text.len == 0)
		return 0;
	if (json_read(text, &root, err))
		return -1;
	if (!json_is_object(root) || json_field_array(root, "List", &list) != JSON_FOUND ||
	    json_field_i64(root, "Sent", 0, INT64_MAX, &digest->sent_ms) != JSON_FOUND ||
	    json_field_i64(root, "LeftOut", 0, INT64_MAX, &digest->left_out) != JSON_FOUND)
		result = -1;
	for (size_t i = 0; result == 0 && i < json_array_size(list); i++)
		result = digest_restore_one(digest, json_array_get(list, i));
	json_decref(root);
	return result ? error_set(err, ERR_INVALID, "it is no digest") : 0;
}
