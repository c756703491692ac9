#pragma once
/* The record: an SQLite file with each event that was received, once, and what belongs to it: the places up to which
 * sinks have read, the gaps in each app's sequence, since when an app is silent.
 *
 * One process has the record open for writing (a lock file beside it); others may read it, and may add notes
 * (record_note_add), also while nobody has it open. Times are milliseconds since 1970. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#include <highwater/receiver.h>

/* What a row is: number in the file, word in exports and for commands. All but the first are made here, not received:
 * their command is "Highwater." and the word. */
#define RECORD_KINDS(X)                                                                                                \
	X(RECORD_CALLBACK, "Callback")	      /* a verified callback */                                                \
	X(RECORD_SILENT, "CallbacksSilent")   /* no callback of the app came for the set time */                       \
	X(RECORD_RESUMED, "CallbacksResumed") /* after that, one came */                                               \
	X(RECORD_RESOLVED, "AlertResolved")   /* an operator says that the app's alert is over */

enum record_kind {
#define RECORD_KIND_ENUM(name, word) name,
	RECORD_KINDS(RECORD_KIND_ENUM)
#undef RECORD_KIND_ENUM
		RECORD_KIND_COUNT
};
/* The word. Static. */
const char *record_kind_word(enum record_kind kind);

struct record_row {
	int64_t id; /* 1, 2, 3, ... in the order of recording; numbers may be left out */
	enum record_kind kind;
	int64_t receive_ms;
	uint32_t sdkappid;
	struct str command;   /* the word in the URL, which equals the packet's */
	struct str client_ip; /* "" when the URL had none */
	struct str platform;  /* word of <highwater/platform.h> */
	struct str peer;
	bool is_signed;
	enum hw_webhook_kind webhook_kind;
	struct str webhook_id; /* "" when there is none, or none that is printable ASCII of at most 256 bytes */
	int64_t attempt;       /* -1 when the header is absent or no number, as the next three */
	int64_t sequence;
	int64_t threshold;
	int64_t replay;
	bool is_test;
	struct str body; /* as it came; of a note an object with CallbackCommand, EventTime and what it tells */
	uint64_t times;	 /* how often it came, 1 for once */
	int64_t last_ms; /* when it came last */
};

/* A number of the body of a note; 0 when it is not there. */
int64_t record_body_number(struct str body, const char *key);

/* When what an event tells was so: by the sender's clock, but not after it came, since a clock that was ahead for a while
 * would make all that comes later look old. */
static inline int64_t record_event_ms(const struct record_row *row, int64_t event_time_ms)
{
	return event_time_ms < row->receive_ms ? event_time_ms : row->receive_ms;
}

/* Appends the row as a JSON object on one line, without its end. The fields are in docs/receive.md. What a terminal would
 * obey is escaped, which makes up to six bytes of one. */
void record_append_json(const struct record_row *row, struct buf *out);
#define RECORD_LINE_BYTES_MAX (6 * HW_PACKET_BYTES_MAX + 4096)
/* Appends the names of the CSV columns; a row. RFC 4180, each with CR LF. */
void record_append_csv_head(struct buf *out);
void record_append_csv(const struct record_row *row, struct buf *out);

struct record_gap {
	uint32_t sdkappid;
	int64_t first, last; /* missing, both included */
	int64_t since_ms;    /* when a number behind it came */
};

/* ---- the writer: one thread ---- */

struct record;

/* Opens or makes the file (mode 0600) and locks it. Errors ERR_BUSY (another process has it), ERR_INVALID (not a record
 * of ours, or of a newer version), ERR_IO, ERR_FULL, ERR_INTERNAL (damaged). */
MUST_CHECK int record_open(const char *path, struct record **record_out, struct error *err);
/* Looks at a file that is there, and changes nothing. Errors ERR_INVALID, ERR_IO, as above. */
MUST_CHECK int record_inspect(const char *path, struct error *err);
/* Accepts NULL. */
void record_close(struct record **record);

/* One transaction: begin, any number of the calls below, commit. When any of them fails the whole must be abandoned:
 * nothing of it is in the file, and the next begin may succeed; only ERR_INTERNAL (a sync failed, the file is damaged)
 * means that what is on disk is not known, and the process must end. `steady_ms` is the time of a clock that does not
 * step, from which silence is measured. Errors ERR_FULL, ERR_BUSY, ERR_IO, ERR_INTERNAL. */
MUST_CHECK int record_begin(struct record *record, int64_t steady_ms, struct error *err);
/* Returns when all of it is on disk. When it fails the transaction is over, too. */
MUST_CHECK int record_commit(struct record *record, struct error *err);
void record_abandon(struct record *record);

/* Adds an event unless one of its key is there; then counts that it came again, and takes a higher replay number. `key`
 * is the event's. Sets row->id, times and last_ms; `is_new_out` tells. An app that was silent gets the note
 * RECORD_RESUMED. */
MUST_CHECK int record_add(struct record *record, const char key[HW_EVENT_KEY_BYTES + 1], struct record_row *row,
			  bool *is_new_out, struct error *err);
/* Keeps how far a sink is: it is done with all rows up to `id`. `state` is the sink's own. */
#define RECORD_STATE_BYTES_MAX (1024 * 1024)
MUST_CHECK int record_mark(struct record *record, const char *sink, int64_t id, struct str state, struct error *err);
/* Makes an app known, so that its silence is counted from now on when nothing ever came. */
MUST_CHECK int record_meet(struct record *record, uint32_t sdkappid, int64_t now_ms, struct error *err);
/* Notes RECORD_SILENT when no callback of the app, which was met, came for `silence_ms` and that was not noted yet. */
MUST_CHECK int record_check_silence(struct record *record, uint32_t sdkappid, uint64_t silence_ms, int64_t now_ms,
				    struct error *err);

/* The notes that the last transaction made; valid until the next begin. */
struct record_note {
	int64_t id;
	enum record_kind kind;
	uint32_t sdkappid;
	int64_t time_ms;
	int64_t number; /* for how many seconds it was silent; of RECORD_RESOLVED the threshold, 0 for all */
};
const struct record_note *record_notes(const struct record *record, size_t *count_out);
/* The row of a note; what it points to is in the arena. */
void record_note_row(const struct record_note *note, struct arena *arena, struct record_row *row_out);

/* Gaps that are older than `before_ms` and were not given here before: fills at most `limit`, in a transaction of its
 * own. Errors as record_commit's. */
MUST_CHECK int record_tell_gaps(struct record *record, int64_t before_ms, size_t limit, struct record_gap *gaps_out,
				size_t *count_out, struct error *err);

/* Removes rows received before `before_ms`, the oldest first, at most RECORD_PRUNE_ROWS_MAX, never behind `keep_id`, in a
 * transaction of its own. Returns 1 when there may be more, 0, or -1 with an error as record_commit's. */
#define RECORD_PRUNE_ROWS_MAX 500
MUST_CHECK int record_prune(struct record *record, int64_t before_ms, int64_t keep_id, size_t *removed_out,
			    struct error *err);

/* ---- for other processes: opens, does, closes ---- */

/* Adds RECORD_RESOLVED for the app; threshold 0 for all. Also while a receiver runs, which passes it on within a second
 * or two. Errors as record_open's; ERR_INVALID when there is no such file. */
MUST_CHECK int record_note_add(const char *path, uint32_t sdkappid, unsigned threshold, int64_t now_ms,
			       struct error *err);
/* Lets the gaps of an app, 0 for all, not count any more; `removed_out` is how many numbers were missing. */
MUST_CHECK int record_gaps_clear(const char *path, uint32_t sdkappid, uint64_t *removed_out, struct error *err);

/* ---- readers: any thread, one at a time each ---- */

struct record_reader;

/* Of a file that exists; does not lock it. Errors as record_open's, and ERR_INVALID when there is none. */
MUST_CHECK int record_reader_open(const char *path, struct record_reader **reader_out, struct error *err);
void record_reader_close(struct record_reader **reader);

struct record_filter {
	uint32_t sdkappid;  /* 0: all */
	struct str command; /* empty: all */
	int64_t after_id;   /* rows with a greater id */
	int64_t before_id;  /* rows with a smaller id; 0: no bound */
	int64_t since_ms;   /* received from then on; 0: no bound, as the next */
	int64_t until_ms;
	bool newest_first;
};
/* Fills at most `limit` rows; what they point to is in the arena. Rows of at most about 4 MiB together come at once, at
 * least one when there is any: go on from the last id until the count is 0. */
MUST_CHECK int record_read(struct record_reader *reader, struct arena *arena, const struct record_filter *filter,
			   size_t limit, struct record_row *rows_out, size_t *count_out, struct error *err);
/* By number, or by webhook-id of any app (the newest). Returns 1, 0 when there is none, -1. */
MUST_CHECK int record_read_id(struct record_reader *reader, struct arena *arena, int64_t id, struct record_row *row_out,
			      struct error *err);
MUST_CHECK int record_read_webhook_id(struct record_reader *reader, struct arena *arena, struct str webhook_id,
				      struct record_row *row_out, struct error *err);
/* The greatest id there ever was; 0 for none. */
MUST_CHECK int record_read_last(struct record_reader *reader, int64_t *id_out, struct error *err);

/* How far a sink is. Returns 1, 0 when it was never marked, -1. `state_out` is in the arena. */
MUST_CHECK int record_read_mark(struct record_reader *reader, struct arena *arena, const char *sink, int64_t *id_out,
				struct str *state_out, struct error *err);

/* What is known of an app. 0 rather than -1 for unknown times. */
struct record_app {
	uint32_t sdkappid;
	int64_t first_ms;   /* when it was met, or served here, first */
	int64_t last_ms;    /* its last callback; 0 for none */
	uint64_t callbacks; /* recorded, ever */
	int64_t sequence;   /* greatest; -1 for none */
	uint64_t missing;   /* numbers below it that never came */
	uint64_t resets;    /* how often the sender began to count anew */
	bool is_silent;	    /* RECORD_SILENT was noted since the last callback */
	bool has_alert;	    /* an alert came; the next four are the newest's */
	uint64_t room_count;
	uint64_t room_count_max;
	int64_t threshold; /* -1 when its header was absent */
	int64_t alert_ms;  /* its EventTime */
};
MUST_CHECK int record_read_apps(struct record_reader *reader, struct arena *arena, struct record_app **apps_out,
				size_t *count_out, struct error *err);

/* Sorted by app and number; at most RECORD_GAPS_MAX of each app are kept, the newest. */
#define RECORD_GAPS_MAX 1000
MUST_CHECK int record_read_gaps(struct record_reader *reader, struct arena *arena, uint32_t sdkappid,
				struct record_gap **gaps_out, size_t *count_out, struct error *err);
