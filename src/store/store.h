#pragma once
/* Where the world is kept: one interface of load and commit for the writer, and read-only views for everybody else.
 *
 * A store decides nothing. It loads what a batch touches, and writes the difference in one durable transaction; the
 * rules are in live/. One thread uses the write side. Each reader belongs to one thread at a time and sees committed
 * data only; what a commit wrote is seen by every read that starts after the commit has returned. */
#include "live/set.h"

struct store;
struct store_reader;

enum callback_state {
	CALLBACK_PENDING,   /* due at due_ms */
	CALLBACK_DELIVERED, /* final */
	CALLBACK_FAILED,    /* final: retries used up, or the app was deleted */
};
/* "pending", "delivered", "failed". Static. */
const char *callback_state_word(enum callback_state state);

struct store_app {
	struct app_config config;
	struct app_state state;
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
	int64_t due_ms;	    /* pending: when the next attempt is due */
	int64_t attempt_ms; /* when the last attempt ended; 0 for none */
	int32_t http_status;
	struct str error;
};

/* ---- the write side: one thread ---- */

/* Fills the set: which apps and rooms exist, their configuration and state. Opens the transaction that commit or
 * abandon ends. On -1 nothing is open. Errors ERR_IO, ERR_BUSY. */
MUST_CHECK int store_load(struct store *store, struct live_set *set, struct error *err);
/* Writes the difference; returns 0 only when it is on disk. On -1 nothing was stored and the store goes on, except with
 * ERR_INTERNAL: then it is not known what was stored (a sync failed, the file is damaged), and the process must end so
 * that the next start recovers. Errors ERR_FULL, ERR_IO, ERR_INTERNAL. */
MUST_CHECK int store_commit(struct store *store, struct live_set *set, struct error *err);
/* Ends the transaction without a change. */
void store_abandon(struct store *store);
/* Housekeeping that may wait: the writer calls it after the replies have left. */
void store_tidy(struct store *store);
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
/* The items of this kind that the room with this id keeps, by name, those that are over too, at most `limit`
 * (item_count_max is always enough). */
MUST_CHECK int store_room_items(struct store_reader *reader, struct arena *arena, int64_t room, enum item_kind kind,
				size_t limit, struct store_item *items_out, size_t *count_out, struct error *err);
/* Returns 1 with the account (text in the arena), 0 when there is none, -1. `number` is the app's. */
MUST_CHECK int store_account_get(struct store_reader *reader, struct arena *arena, uint32_t number, struct str name,
				 struct store_account *account_out, struct error *err);
/* Counts the rows, for checks against the counter. Cost grows with the number of rooms. */
MUST_CHECK int store_room_count(struct store_reader *reader, uint32_t number, uint64_t *count_out, struct error *err);
/* Calls `each` for every app with pending callbacks, with the earliest time one is due. */
MUST_CHECK int store_pending_each(struct store_reader *reader,
				  void (*each)(void *context, uint32_t sdkappid, int64_t due_ms), void *context,
				  struct error *err);
/* Pending callbacks of one app, the first due first, at most `limit`, due or not. */
MUST_CHECK int store_callback_pending(struct store_reader *reader, struct arena *arena, uint32_t sdkappid, size_t limit,
				      struct store_callback *callbacks_out, size_t *count_out, struct error *err);
/* Callbacks of any state with an id below `before_id`, newest first, at most `limit`. */
MUST_CHECK int store_callback_list(struct store_reader *reader, struct arena *arena, uint32_t number, int64_t before_id,
				   size_t limit, struct store_callback *callbacks_out, size_t *count_out,
				   struct error *err);

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
