#pragma once
/* Where the world is kept: one interface of load and commit for the writer, and read-only views for everybody else.
 *
 * A store decides nothing. It loads what a batch touches, and writes the difference in one durable transaction; the
 * rules are in live/. One thread uses the write side. Each reader belongs to one thread at a time and sees committed
 * data only; what a commit wrote is seen by every read that starts after the commit has returned. */
#include "live/set.h"

struct store;
struct store_reader;

struct store_app {
	struct app_config config;
	struct app_state state;
};

/* The little of an app by which some are chosen out of many. */
struct store_app_line {
	uint32_t sdkappid;
	uint32_t room_count_max;
	uint8_t threshold_lowest; /* percent */
	enum app_pause pause;
	uint64_t room_count;
	uint64_t callback_pending;
	uint32_t failures; /* its endpoint's */
};

struct store_room {
	int64_t id;
	struct str room_id;
	struct str owner;
	int64_t create_ms;
	bool visible;
	struct str info;
};

struct store_item {
	struct str name;
	struct str value;
	int64_t until_s; /* 0 for never; it may be over */
};

struct store_account {
	struct str nick;
	struct str face_url;
	int64_t create_ms;
};

struct store_callback {
	int64_t id;
	uint32_t sdkappid;
	enum hw_callback command;
	uint8_t threshold;
	enum hw_platform platform;
	struct str client_ip;
	struct str body;
	int64_t event_ms;
	enum callback_state state;
	uint32_t attempts;
	int64_t due_ms; /* waiting: when the next attempt is due, on the clock of deadlines; 0 at once, never tried */
	int64_t attempt_ms; /* wall clock, when the last attempt ended; 0 for none */
	int32_t http_status;
	struct str error;
	int64_t base_ms;	/* wall clock: its schedule started then, with the event or the last replay */
	uint32_t base_attempts; /* attempts made before that */
	uint32_t replays;
	struct str log; /* see hook/log.h; empty in lists */
};

/* What a list of callbacks is to hold. */
struct store_callback_filter {
	int64_t after_id;  /* ids above this, and */
	int64_t before_id; /* below this; app_id_make gives those of an app */
	unsigned states;   /* bit per enum callback_state */
	int64_t since_ms;  /* event_ms at least this, and */
	int64_t until_ms;  /* at most this */
};

/* A waiting callback that has a time. */
struct store_due {
	int64_t id;
	int64_t due_ms;
};

/* A row of the audit log; see live/audit.h. */
struct store_audit {
	int64_t id; /* rises with every row, never used twice */
	uint32_t sdkappid;
	int64_t time_ms; /* wall clock */
	struct str actor;
	struct str client_ip;
	struct str action;
	struct str detail;
};

/* An app's rooms at the end of a minute in which their count changed; see live/sample.h. */
struct store_sample {
	int64_t minute_ms; /* wall clock, when the minute began */
	uint64_t room_count;
	uint64_t room_count_highest; /* in that minute */
	uint32_t room_count_max;
};

/* Final callbacks whose event and last attempt are older than this may be removed; 0: never. Wall clock. */
struct store_retention {
	int64_t delivered_before_ms; /* superseded ones too */
	int64_t failed_before_ms;
	/* When it is now. Events later than that were made while the clock was wrong: they keep nothing else from being
	 * removed. 0: there are none. */
	int64_t now_ms;
};

/* ---- the write side: one thread ---- */

/* Fills the set: which apps and rooms exist, their configuration and state. Opens the transaction that commit or
 * abandon ends. On -1 nothing is open. Errors ERR_IO, ERR_BUSY. */
MUST_CHECK int store_load(struct store *store, struct live_set *set, struct error *err);
#define STORE_AUDIT_DROP_MAX 8 /* ids, from the oldest row's on, that each new row looks at */
/* Writes the difference; returns 0 only when it is on disk. With an audit row those of the oldest go that are older than
 * set->audit_before_ms; with a sample those of its app that are older than set->sample_before_ms, but for the last of
 * them, which tells the count from then on. On -1 nothing was stored and the store goes on, except with ERR_INTERNAL:
 * then it is not known what was stored (a sync failed, the file is damaged), and the process must end so that the next
 * start recovers. Errors ERR_FULL, ERR_IO, ERR_INTERNAL. */
MUST_CHECK int store_commit(struct store *store, struct live_set *set, struct error *err);
/* Ends the transaction without a change. */
void store_abandon(struct store *store);
/* Housekeeping that may wait: the writer calls it after the replies have left. */
void store_tidy(struct store *store);
/* Makes waiting callbacks that are due later than `latest_ms` due then: an earlier run may have had a clock that was
 * ahead, or longer waits. Cost grows with the number of apps and of such callbacks; for the start, before any batch. Durable when
 * it returns 0; -1 with an error as store_commit's. */
MUST_CHECK int store_clip_due(struct store *store, int64_t latest_ms, struct error *err);
#define STORE_PRUNE_ROWS_MAX 500
/* Removes final callbacks that nobody keeps any more, in a transaction of its own, between two batches. Looks at no
 * more than STORE_PRUNE_ROWS_MAX rows, from `cursor` on, which it moves; a round begins and ends at 0. It goes app by
 * app from the oldest callback, up to the first that is younger than both limits. `removed_out` is how many went.
 * Returns 1 when the round goes on, 0 at its end, or -1 with an error as store_commit's and the cursor as it was. */
MUST_CHECK int store_prune(struct store *store, const struct store_retention *retention, int64_t *cursor,
			   size_t *removed_out, struct error *err);
/* Writes something small, durably, and nothing that matters: can the store be written? Between two batches. Returns 0, or -1
 * with an error as store_commit's. */
MUST_CHECK int store_probe(struct store *store, struct error *err);
/* Random, made once per store: with a callback's id it names an event for ever. */
uint64_t store_id(const struct store *store);
#define STORE_SECRET_BYTES 32
/* Random, made once per store, to sign with what is handed out and shall come back unchanged. Lives as long as the
 * store. */
struct secret store_secret(const struct store *store);
/* All readers must be closed. Accepts NULL. */
void store_close(struct store **store);

/* ---- readers: any thread, one at a time each ---- */

MUST_CHECK int store_reader_open(struct store *store, struct store_reader **reader_out, struct error *err);
void store_reader_close(struct store_reader **reader);

/* Calls `each` for every app, by SDKAppID; the value is valid during the call. */
MUST_CHECK int store_app_each(struct store_reader *reader, void (*each)(void *context, const struct store_app *app),
			      void *context, struct error *err);
/* The same with little of each app: some microseconds an app. */
MUST_CHECK int store_app_line_each(struct store_reader *reader,
				   void (*each)(void *context, const struct store_app_line *line), void *context,
				   struct error *err);
/* Returns 1 with the app, 0 when there is none, -1. */
MUST_CHECK int store_app_get(struct store_reader *reader, uint32_t sdkappid, struct store_app *app_out,
			     struct error *err);
/* Returns 1 with the room (text in the arena), 0 when there is none, -1. `number` is the app's. */
MUST_CHECK int store_room_get(struct store_reader *reader, struct arena *arena, uint32_t number, struct str room_id,
			      struct store_room *room_out, struct error *err);
/* Rooms with an id below `before_id` (INT64_MAX for the first page), newest first, at most `limit`. */
MUST_CHECK int store_room_list(struct store_reader *reader, struct arena *arena, uint32_t number, int64_t before_id,
			       bool visible_only, size_t limit, struct store_room *rooms_out, size_t *count_out,
			       struct error *err);
/* Rooms with an id above `after_id` (0 for the first page), oldest first, at most `limit`. */
MUST_CHECK int store_room_list_oldest(struct store_reader *reader, struct arena *arena, uint32_t number,
				      int64_t after_id, size_t limit, struct store_room *rooms_out, size_t *count_out,
				      struct error *err);
/* Rooms whose RoomId begins with `prefix` (printable ASCII, at most HW_ROOM_ID_BYTES_MAX) and is above `after` ("" for
 * the first page), by RoomId, at most `limit`. */
MUST_CHECK int store_room_list_named(struct store_reader *reader, struct arena *arena, uint32_t number,
				     struct str prefix, struct str after, size_t limit, struct store_room *rooms_out,
				     size_t *count_out, struct error *err);
/* Calls `each` with the owners of the newest rooms, newest first, at most `limit`; the text is valid during the call. */
MUST_CHECK int store_room_owner_each(struct store_reader *reader, uint32_t number, size_t limit,
				     void (*each)(void *context, struct str owner), void *context, struct error *err);
/* The items of this kind that the room with this id keeps, by name, those that are over too, at most `limit`
 * (item_count_max is always enough). */
MUST_CHECK int store_room_items(struct store_reader *reader, struct arena *arena, int64_t room, enum item_kind kind,
				size_t limit, struct store_item *items_out, size_t *count_out, struct error *err);
/* Returns 1 with the account (text in the arena), 0 when there is none, -1. `number` is the app's. */
MUST_CHECK int store_account_get(struct store_reader *reader, struct arena *arena, uint32_t number, struct str name,
				 struct store_account *account_out, struct error *err);
/* Counts the rows, for checks against the counter. Cost grows with the number of rooms. */
MUST_CHECK int store_room_count(struct store_reader *reader, uint32_t number, uint64_t *count_out, struct error *err);
/* Calls `each` for every app with waiting callbacks; `failures` is its endpoint's, 0 when the app was deleted. Cost grows
 * with the number of such apps, not of their callbacks. */
MUST_CHECK int store_waiting_each(struct store_reader *reader,
				  void (*each)(void *context, uint32_t sdkappid, uint32_t failures), void *context,
				  struct error *err);
/* Counts the app's waiting callbacks, for checks against the counter. Cost grows with their number. */
MUST_CHECK int store_waiting_count(struct store_reader *reader, uint32_t sdkappid, uint64_t *count_out,
				   struct error *err);
#define STORE_OLDEST_SCAN_MAX 5000
/* When the event of the app's oldest waiting callback was; with sdkappid 0, of the oldest of all apps. Returns 1, 0 when
 * none waits, -1. Of one app's that have a due_ms it looks at the first STORE_OLDEST_SCAN_MAX that are due; of all apps
 * at one row. */
MUST_CHECK int store_waiting_oldest(struct store_reader *reader, uint32_t sdkappid, int64_t *event_ms_out,
				    struct error *err);
/* The app's first waiting callback with due_ms 0 and an id above `after_id`. Returns 1 with it (text in the arena, log
 * included), 0 when there is none, -1. */
MUST_CHECK int store_callback_next(struct store_reader *reader, struct arena *arena, uint32_t sdkappid,
				   int64_t after_id, struct store_callback *callback_out, struct error *err);
/* The app's waiting callbacks with a due_ms, the first due first, at most `limit`, due or not. */
MUST_CHECK int store_callback_due(struct store_reader *reader, uint32_t sdkappid, size_t limit,
				  struct store_due *due_out, size_t *count_out, struct error *err);
/* Returns 1 with the callback (text in the arena, log included), 0 when there is none, -1. */
MUST_CHECK int store_callback_get(struct store_reader *reader, struct arena *arena, int64_t id,
				  struct store_callback *callback_out, struct error *err);
/* The id of the app's newest alert for this threshold (1 to 100), in whatever state, or 0. */
MUST_CHECK int store_alert_newest(struct store_reader *reader, uint32_t sdkappid, uint8_t threshold, int64_t *id_out,
				  struct error *err);
#define STORE_LIST_SCAN_MAX 10000
/* Callbacks that the filter lets through, by falling id, at most `limit`, without their log. Looks at no more than
 * STORE_LIST_SCAN_MAX rows (those that have failed or were superseded are found without looking at others);
 * `next_out` is the before_id to go on with, or 0 when there are no more. */
MUST_CHECK int store_callback_list(struct store_reader *reader, struct arena *arena,
				   const struct store_callback_filter *filter, size_t limit,
				   struct store_callback *callbacks_out, size_t *count_out, int64_t *next_out,
				   struct error *err);
/* Rows of the audit log with an id below `before_id` (INT64_MAX for the first page), newest first, at most `limit`; of
 * one app, or of all when sdkappid is 0. */
MUST_CHECK int store_audit_list(struct store_reader *reader, struct arena *arena, uint32_t sdkappid, int64_t before_id,
				size_t limit, struct store_audit *audits_out, size_t *count_out, struct error *err);
/* The app's samples of minutes after `since_ms`, and the last one before, which tells the count there; in the order of
 * time, at most `limit`. `number` is the app's. */
MUST_CHECK int store_sample_list(struct store_reader *reader, uint32_t number, int64_t since_ms, size_t limit,
				 struct store_sample *samples_out, size_t *count_out, struct error *err);
/* The app's last sample of a minute that began at `time_ms` or before. Returns 1, 0 when there is none, -1. */
MUST_CHECK int store_sample_at(struct store_reader *reader, uint32_t number, int64_t time_ms,
			       struct store_sample *sample_out, struct error *err);
/* Returns 1 with the app's client certificate and its key (in the arena), 0 when it has none, -1. */
MUST_CHECK int store_certificate_get(struct store_reader *reader, struct arena *arena, uint32_t sdkappid,
				     struct str *chain_out, struct str *key_out, struct error *err);

/* ---- kinds of stores ---- */

/* Everything in memory, nothing survives: for tests and the simulator. Lists cost time in the number of rooms. */
MUST_CHECK int store_memory_open(struct store **store_out, struct error *err);

struct store_sqlite_options {
	const char *path;	/* of the database file; made when missing, with mode 0600 */
	uint64_t cache_bytes;	/* page cache of the writer */
	uint64_t wal_bytes_max; /* the write-ahead log is emptied on the commit path when it grows past this */
};
/* One file, one process: a lock file beside it refuses a second one. Migrates an older schema forward; refuses a newer
 * one and files of other programs. Errors ERR_BUSY (in use), ERR_INVALID (not ours, newer), ERR_IO, ERR_FULL. */
MUST_CHECK int store_sqlite_open(const struct store_sqlite_options *options, struct store **store_out,
				 struct error *err);

/* Does this name a PostgreSQL database? Everything else is the path of an SQLite file. */
bool store_is_postgres(const char *place);

struct store_postgres_options {
	const char *conninfo;	    /* postgresql://..., or keywords as libpq takes them; may hold a password */
	uint64_t answer_timeout_ms; /* most time the database may take for one batch or read */
};
/* Tables in a PostgreSQL database, in the schema that is current there, made or brought forward when need be. One
 * process at a time. When the connection is lost the store goes on as soon as there is one again; a batch that was being
 * committed then is asked for first. Errors ERR_BUSY (another process has it), ERR_INVALID (cannot be read, newer than
 * this program), ERR_DENIED, ERR_IO. */
MUST_CHECK int store_postgres_open(const struct store_postgres_options *options, struct store **store_out,
				   struct error *err);

/* Looks without changing anything: how many schema steps a start would take; 0: none. Errors as store_postgres_open's. */
MUST_CHECK int store_postgres_inspect(const struct store_postgres_options *options, unsigned *steps_out,
				      struct error *err);

/* ---- the SQLite store's file, beside a server that may be using it (one of this program's schema version) ---- */

/* A reader that sees the moment of its opening, however long it is used; the server's log cannot be emptied meanwhile. No
 * store is opened: close it with store_reader_close. Errors ERR_INVALID (not ours, another schema version), ERR_IO. */
MUST_CHECK int store_sqlite_look(const char *path, struct store_reader **reader_out, struct error *err);
/* Looks without changing anything, also at a file of an older version, and at one that nobody has open: how many schema
 * steps a start would take to bring it forward. Errors ERR_INVALID (not ours, newer), ERR_IO. */
MUST_CHECK int store_sqlite_inspect(const char *path, unsigned *steps_out, struct error *err);
/* Looks at every page. Returns 1 when all is sound, 0 with a sentence in `finding` when not, -1. */
MUST_CHECK int store_sqlite_verify(const char *path, char *finding, size_t size, struct error *err);
/* Copies one moment of the file to `to`, which must not exist: mode 0600, whole or not there, synced. With `new_id` the
 * copy gets a store_id of its own, so that no event of it can be taken for one that the original made later; its
 * waiting callbacks get new ids by that. Errors ERR_INVALID (exists, not ours), ERR_FULL, ERR_IO. */
MUST_CHECK int store_sqlite_copy(const char *path, const char *to, bool new_id, struct error *err);

/* ---- from one store to another ---- */

/* A reader that sees the moment of its opening, however long it is used, beside a server. No store is opened: close it
 * with store_reader_close. Errors ERR_INVALID (not ours, another schema version), ERR_IO. */
MUST_CHECK int store_postgres_look(const struct store_postgres_options *options, struct store_reader **reader_out,
				   struct error *err);

#define STORE_COPY_TABLE_COUNT_MAX 16
#define STORE_COPY_ROW_BYTES_MAX ((size_t)4 << 20)

struct store_copy_options {
	const char *from; /* a PostgreSQL URL, else the path of an SQLite file */
	const char *to;	  /* the same, of a store that has nothing yet; a file must not exist */
	bool dry_run;	  /* reads and counts everything, and looks at `to` without making anything */
	uint64_t answer_timeout_ms;
};

struct store_copy_report {
	size_t table_count;
	struct {
		const char *name; /* static */
		uint64_t rows;
	} tables[STORE_COPY_TABLE_COUNT_MAX];
};

/* Copies everything, the store's id too: the copy continues the life of the original, so only one of the two may go on.
 * Both are locked against servers meanwhile. What was written is read back and compared by counts and hashes before it
 * becomes durable; on -1 `to` has nothing. Errors ERR_BUSY (a server uses one of them), ERR_INVALID (`to` holds something
 * already, `from` is not ours or of another version), ERR_INTERNAL (what was read back differs), ERR_FULL, ERR_IO. */
MUST_CHECK int store_copy(const struct store_copy_options *options, struct store_copy_report *report_out,
			  struct error *err);
