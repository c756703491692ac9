/* The table of alerts that fire; see firing.h. */
#include "receive/firing.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include <highwater/callback.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FIRING_THRESHOLD_DEFAULT 70    /* the vendor's, whose callback does not say */
#define FIRING_SILENCE_LEASE_MS 600000 /* until when silence is said to fire, each time anew */

void firing_init(struct firing_table *table, int64_t quiet_ms)
{
	*table = (struct firing_table){.quiet_ms = quiet_ms};
}

void firing_fini(struct firing_table *table)
{
	mem_free(table->list);
	*table = (struct firing_table){0};
}

/* ---- taking events in ---- */

static void firing_remove(struct firing_table *table, size_t index)
{
	table->count--;
	memmove(&table->list[index], &table->list[index + 1], (table->count - index) * sizeof(table->list[0]));
}

/* Makes room for one more of the app: the oldest goes when there are too many. */
static void firing_make_room(struct firing_table *table, uint32_t sdkappid)
{
	size_t of_app = 0;
	size_t first = 0;

	for (size_t i = table->count; i-- > 0;) {
		if (table->list[i].sdkappid != sdkappid)
			continue;
		of_app++;
		first = i;
	}
	if (of_app >= FIRING_APP_MAX)
		firing_remove(table, first);
	else if (table->count == FIRING_MAX)
		firing_remove(table, 0);
	if (table->count == table->capacity) {
		table->capacity = table->capacity ? table->capacity * 2 : 16;
		table->list = mem_realloc(table->list, table->capacity * sizeof(table->list[0]));
	}
}

static void firing_end(struct firing *firing, int64_t now_ms)
{
	firing->has_ended = true;
	firing->is_news = true;
	firing->end_ms = now_ms;
}

static void firing_add(struct firing_table *table, const struct firing *firing)
{
	firing_make_room(table, firing->sdkappid);
	table->list[table->count++] = *firing;
}

static void firing_take_alert(struct firing_table *table, const struct record_row *row, const struct hw_alert *alert)
{
	const struct firing made = {
		.sdkappid = row->sdkappid,
		.is_test = row->is_test,
		.threshold = row->threshold >= 0 ? row->threshold : FIRING_THRESHOLD_DEFAULT,
		.start_count = (int64_t)alert->room_count,
		.count_max = (int64_t)alert->room_count_max,
		.count = (int64_t)alert->room_count,
		.start_ms = record_event_ms(row, alert->event_time_ms),
		.last_ms = record_event_ms(row, alert->event_time_ms),
		.end_ms = row->receive_ms + table->quiet_ms,
		.is_news = true,
	};

	for (size_t i = 0; i < table->count; i++) {
		struct firing *firing = &table->list[i];

		if (firing->sdkappid != made.sdkappid || firing->is_silence || firing->threshold != made.threshold ||
		    firing->is_test != made.is_test || firing->has_ended)
			continue;
		if (firing->count_max != made.count_max) {
			firing_end(firing, row->receive_ms); /* a new maximum is a new alert */
			break;
		}
		/* callbacks may arrive in another order; and a clock may have been ahead */
		if (firing->last_ms <= made.last_ms || firing->last_ms > row->receive_ms) {
			firing->count = made.count;
			firing->last_ms = made.last_ms;
		}
		if (firing->end_ms < made.end_ms)
			firing->end_ms = made.end_ms;
		firing->is_news = true;
		return;
	}
	firing_add(table, &made);
}

static void firing_take_silence(struct firing_table *table, const struct record_row *row)
{
	const struct firing made = {.sdkappid = row->sdkappid,
				    .is_silence = true,
				    .start_ms = row->receive_ms,
				    .last_ms = row->receive_ms,
				    .end_ms = INT64_MAX,
				    .is_news = true};

	for (size_t i = 0; i < table->count; i++)
		if (table->list[i].sdkappid == row->sdkappid && table->list[i].is_silence && !table->list[i].has_ended)
			return;
	firing_add(table, &made);
}

/* Ends what fires of the app: silence, or rooms of this threshold, 0 for any. */
static void firing_end_all(struct firing_table *table, uint32_t sdkappid, bool is_silence, int64_t threshold,
			   int64_t now_ms)
{
	for (size_t i = 0; i < table->count; i++) {
		struct firing *firing = &table->list[i];

		if (firing->sdkappid == sdkappid && firing->is_silence == is_silence && !firing->has_ended &&
		    (is_silence || threshold == 0 || firing->threshold == threshold))
			firing_end(firing, now_ms);
	}
}

void firing_take(struct firing_table *table, const struct record_row *row)
{
	struct hw_alert alert;

	switch (row->kind) {
	case RECORD_CALLBACK:
		if (str_eq(row->command, str_c(hw_callback_word(HW_CALLBACK_THRESHOLD))) &&
		    hw_alert_parse(row->body.ptr, row->body.len, &alert, NULL, 0) == 0)
			firing_take_alert(table, row, &alert);
		break;
	case RECORD_SILENT:
		firing_take_silence(table, row);
		break;
	case RECORD_RESUMED:
		firing_end_all(table, row->sdkappid, true, 0, row->receive_ms);
		break;
	case RECORD_RESOLVED:
		firing_end_all(table, row->sdkappid, false, record_body_number(row->body, "Threshold"),
			       row->receive_ms);
		break;
	case RECORD_KIND_COUNT:
		break;
	}
}

/* ---- saying it ---- */

/* Of one that is said for the first time the quiet time counts from now: what waited for a dead Alertmanager must not be
 * over before it was ever heard. */
static int64_t firing_end_of(const struct firing_table *table, const struct firing *firing, int64_t now_ms)
{
	if (firing->has_ended)
		return firing->end_ms < now_ms ? firing->end_ms : now_ms;
	if (firing->is_silence)
		return now_ms + FIRING_SILENCE_LEASE_MS;
	if (!firing->was_said && firing->end_ms < now_ms + table->quiet_ms)
		return now_ms + table->quiet_ms;
	return firing->end_ms;
}

static bool firing_is_over(const struct firing *firing, int64_t now_ms)
{
	return !firing->has_ended && firing->was_said && firing->end_ms <= now_ms;
}

static bool firing_is_due(const struct firing *firing, int64_t now_ms)
{
	if (firing_is_over(firing, now_ms))
		return false; /* the Alertmanager knows its end */
	return firing->is_news || now_ms - firing->said_ms >= FIRING_SAY_AGAIN_MS || now_ms < firing->said_ms;
}

static void firing_append_time(struct buf *out, const char *key, int64_t time_ms)
{
	char text[CLOCK_TEXT_BYTES];

	clock_format(time_ms, text);
	buf_printf(out, "\"%s\":\"%s\"", key, text);
}

static void firing_append_rooms(const struct firing *firing, struct buf *out)
{
	int64_t percent = firing->count_max > 0 && firing->count < INT64_MAX / 100
				  ? firing->count * 100 / firing->count_max
				  : 100;

	buf_printf(out,
		   "{\"labels\":{\"alertname\":\"LiveRoomsReachingThreshold\",\"app\":\"%" PRIu32
		   "\",\"threshold\":\"%" PRId64 "\",\"current\":\"%" PRId64 "\",\"maximum\":\"%" PRId64 "\"%s},",
		   firing->sdkappid, firing->threshold, firing->start_count, firing->count_max,
		   firing->is_test ? ",\"test\":\"true\"" : "");
	buf_printf(out,
		   "\"annotations\":{\"summary\":\"%sapp %" PRIu32 " has %" PRId64 " of %" PRId64 " rooms (%" PRId64
		   " %%)\",\"description\":\"App %" PRIu32 " has reached %" PRId64 " %% of its maximum of %" PRId64
		   " rooms. At the maximum, creations are refused.\",\"current\":\"%" PRId64 "\",\"maximum\":\"%" PRId64
		   "\",",
		   firing->is_test ? "Test: " : "", firing->sdkappid, firing->count, firing->count_max, percent,
		   firing->sdkappid, firing->threshold, firing->count_max, firing->count, firing->count_max);
	firing_append_time(out, "last_event", firing->last_ms);
	buf_append_char(out, '}');
}

static void firing_append_silence(const struct firing *firing, struct buf *out)
{
	buf_printf(out,
		   "{\"labels\":{\"alertname\":\"LiveCallbacksSilent\",\"app\":\"%" PRIu32
		   "\"},\"annotations\":{\"summary\":\"no callback of app %" PRIu32
		   " comes\",\"description\":\"No callback of app %" PRIu32
		   " has come for the set time: its backend, or the way from it, may be dead.\"}",
		   firing->sdkappid, firing->sdkappid, firing->sdkappid);
}

static void firing_append(const struct firing_table *table, const struct firing *firing, int64_t now_ms,
			  struct buf *out)
{
	int64_t end_ms = firing_end_of(table, firing, now_ms);

	if (firing->is_silence)
		firing_append_silence(firing, out);
	else
		firing_append_rooms(firing, out);
	buf_append_char(out, ',');
	/* an end before the start is refused */
	firing_append_time(out, "startsAt", firing->start_ms < end_ms ? firing->start_ms : end_ms);
	buf_append_char(out, ',');
	firing_append_time(out, "endsAt", end_ms);
	buf_append_char(out, '}');
}

/* Drops what the Alertmanager has ended by itself. */
static void firing_forget(struct firing_table *table, int64_t now_ms)
{
	for (size_t i = table->count; i-- > 0;)
		if (firing_is_over(&table->list[i], now_ms))
			firing_remove(table, i);
}

/* No end is further away than the quiet time, unless the clock has stepped back or the setting is new. */
static void firing_settle(struct firing_table *table, int64_t now_ms)
{
	for (size_t i = 0; i < table->count; i++) {
		struct firing *firing = &table->list[i];

		if (firing->is_silence || firing->has_ended || firing->end_ms <= now_ms + table->quiet_ms)
			continue;
		firing->end_ms = now_ms + table->quiet_ms;
		firing->is_news = true;
	}
}

size_t firing_write(struct firing_table *table, int64_t now_ms, struct buf *out)
{
	size_t count = 0;

	firing_settle(table, now_ms);
	firing_forget(table, now_ms);
	for (size_t i = 0; i < table->count && count < FIRING_POST_MAX; i++) {
		if (!firing_is_due(&table->list[i], now_ms))
			continue;
		buf_append_char(out, count ? ',' : '[');
		firing_append(table, &table->list[i], now_ms, out);
		count++;
	}
	if (count)
		buf_append_char(out, ']');
	return count;
}

void firing_said(struct firing_table *table, int64_t now_ms)
{
	size_t count = 0;

	for (size_t i = 0; i < table->count && count < FIRING_POST_MAX;) {
		struct firing *firing = &table->list[i];

		if (!firing_is_due(firing, now_ms)) {
			i++;
			continue;
		}
		count++;
		if (firing->has_ended) {
			firing_remove(table, i);
			continue;
		}
		firing->end_ms = firing->is_silence ? INT64_MAX : firing_end_of(table, firing, now_ms);
		firing->was_said = true;
		firing->is_news = false;
		firing->said_ms = now_ms;
		i++;
	}
}

int64_t firing_wait_ms(const struct firing_table *table, int64_t now_ms)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < table->count; i++) {
		const struct firing *firing = &table->list[i];
		int64_t due_ms = firing->said_ms + FIRING_SAY_AGAIN_MS;

		if (firing_is_due(firing, now_ms) || firing_is_over(firing, now_ms))
			return 0;
		if (firing->end_ms < due_ms)
			due_ms = firing->end_ms;
		if (due_ms - now_ms < least)
			least = due_ms - now_ms;
	}
	return least;
}

/* ---- over a restart ---- */

void firing_save(const struct firing_table *table, struct buf *out)
{
	if (table->count == 0)
		return;
	for (size_t i = 0; i < table->count; i++) {
		const struct firing *firing = &table->list[i];

		buf_printf(out,
			   "%s[%" PRIu32 ",%d,%d,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
			   ",%" PRId64 ",%d,%d,%d]",
			   i ? "," : "[", firing->sdkappid, firing->is_silence, firing->is_test, firing->threshold,
			   firing->start_count, firing->count_max, firing->count, firing->start_ms, firing->last_ms,
			   firing->end_ms, firing->was_said, firing->is_news, firing->has_ended);
	}
	buf_append_char(out, ']');
}

static int firing_restore_one(struct firing_table *table, const json_t *entry)
{
	int64_t numbers[13];

	if (json_array_i64(entry, numbers, ARRAY_LEN(numbers)))
		return -1;
	if (numbers[0] < 1 || numbers[0] > UINT32_MAX)
		return -1;
	firing_add(table, &(struct firing){.sdkappid = (uint32_t)numbers[0],
					   .is_silence = numbers[1] != 0,
					   .is_test = numbers[2] != 0,
					   .threshold = numbers[3],
					   .start_count = numbers[4],
					   .count_max = numbers[5],
					   .count = numbers[6],
					   .start_ms = numbers[7],
					   .last_ms = numbers[8],
					   .end_ms = numbers[9],
					   .was_said = numbers[10] != 0,
					   .is_news = numbers[11] != 0,
					   .has_ended = numbers[12] != 0});
	return 0;
}

int firing_restore(struct firing_table *table, struct str text, struct error *err)
{
	json_t *root = NULL;
	int result = 0;

	if (text.len == 0)
		return 0;
	if (json_read(text, &root, err))
		return -1;
	if (!json_is_array(root))
		result = -1;
	for (size_t i = 0; result == 0 && i < json_array_size(root); i++)
		result = firing_restore_one(table, json_array_get(root, i));
	json_decref(root);
	return result ? error_set(err, ERR_INVALID, "it is no list of alerts") : 0;
}
