#pragma once
/* Which alerts fire, for an Alertmanager: folds events into a table, and writes what is to be said. Pure: no clock, no I/O.
 * Threads: one at a time.
 *
 * An Alertmanager knows an alert by its labels. So while an alert fires its labels stay those of the event that began
 * it, `current` and `maximum` too, and the newest counts travel as annotations; else each creation would be an alert of
 * its own, and each a notification. Another maximum begins a new alert and ends the old one. An alert ends by itself
 * `quiet_ms` after the last event, when an operator says so, or, of silence, when callbacks come again. */
#include "base/buf.h"
#include "base/error.h"
#include "receive/record.h"

#define FIRING_MAX 4096		  /* more alerts at a time push out the oldest */
#define FIRING_APP_MAX 32	  /* of one app: the threshold is a header that nothing vouches for */
#define FIRING_SAY_AGAIN_MS 60000 /* an Alertmanager that was restarted has forgotten everything */
#define FIRING_POST_MAX 256	  /* alerts in one message */

struct firing {
	uint32_t sdkappid;
	bool is_silence; /* else rooms reach a threshold */
	bool is_test;
	int64_t threshold;   /* of rooms, as the next four */
	int64_t start_count; /* labels: of the event that began it */
	int64_t count_max;
	int64_t count; /* the newest */
	int64_t start_ms;
	int64_t last_ms;
	int64_t end_ms;	 /* INT64_MAX: until it is ended */
	bool was_said;	 /* the Alertmanager has it */
	bool is_news;	 /* something changed since it was said */
	bool has_ended;	 /* to be said once more, then forgotten */
	int64_t said_ms; /* when it was said; 0: not by this process */
};

struct firing_table {
	int64_t quiet_ms;
	struct firing *list; /* in the order in which they began */
	size_t count;
	size_t capacity;
};

void firing_init(struct firing_table *table, int64_t quiet_ms);
void firing_fini(struct firing_table *table);

/* Takes an event in. */
void firing_take(struct firing_table *table, const struct record_row *row);

/* Writes the next message for /api/v2/alerts, an array of up to FIRING_POST_MAX alerts that are to be said now. Returns
 * how many are in it; 0 when nothing is to be said. */
size_t firing_write(struct firing_table *table, int64_t now_ms, struct buf *out);
/* The message that was written last was taken: those are said, and what has ended is forgotten. */
void firing_said(struct firing_table *table, int64_t now_ms);
/* In how many milliseconds there is something to say or to forget; SINK_TICK_NEVER when nothing fires. */
int64_t firing_wait_ms(const struct firing_table *table, int64_t now_ms);

/* What must survive a restart, as JSON, and back. Errors ERR_INVALID. */
void firing_save(const struct firing_table *table, struct buf *out);
MUST_CHECK int firing_restore(struct firing_table *table, struct str text, struct error *err);
