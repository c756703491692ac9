#pragma once
/* Between the files of the record. */
#include "receive/record.h"
#include "sqlite/sqlite.h"

extern const struct sqlite_schema record_schema;

#define RECORD_ROW_COLUMNS                                                                                             \
	"id, kind, receive_ms, sdkappid, command, client_ip, platform, peer, signed, webhook_kind, webhook_id, "       \
	"attempt, sequence, threshold, replay, test, body, times, last_ms"

/* Opens a file that exists. Errors ERR_INVALID (none there, or not a record of this version), as sqlite_fail's. */
MUST_CHECK int record_connect(const char *path, int flags, sqlite3 **db_out, struct error *err);

/* Binds the numbers to parameters 1, 2, ... */
void record_bind(sqlite3_stmt *statement, size_t count, const int64_t *numbers);

/* Inserts a note's row and sets its id. Returns an SQLite result code. `statement` is RECORD_NOTE_INSERT. */
#define RECORD_NOTE_INSERT                                                                                             \
	"INSERT INTO callbacks (kind, receive_ms, sdkappid, command, body, last_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?2)"
int record_note_insert(sqlite3 *db, sqlite3_stmt *statement, struct record_note *note);

/* ---- sequences (record_sequence.c) ---- */

/* What became of a gap: the column `told`. */
enum record_gap_state {
	RECORD_GAP_NEW,
	RECORD_GAP_TOLD,
	RECORD_GAP_FORGIVEN, /* it does not count any more, but what is missing there may come */
};

/* What is known of an app's sequence: numbers from first to last came, but for the gaps in the table. */
struct record_sequence {
	int64_t first; /* -1 before the first, as the next */
	int64_t last;
	uint64_t resets;
};

#define RECORD_SEQUENCE_STATEMENTS(X)                                                                                  \
	X(GAP_INSERT, "INSERT OR REPLACE INTO gaps (sdkappid, first, last, since_ms, told) VALUES (?1, ?2, ?3, ?4, "   \
		      "?5)")                                                                                           \
	X(GAP_FIND, "SELECT first, last, since_ms, told FROM gaps WHERE sdkappid = ?1 AND first <= ?2 "                \
		    "ORDER BY first DESC LIMIT 1")                                                                     \
	X(GAP_DELETE, "DELETE FROM gaps WHERE sdkappid = ?1 AND first = ?2")                                           \
	X(GAPS_DELETE, "DELETE FROM gaps WHERE sdkappid = ?1")                                                         \
	X(GAPS_TRIM, "DELETE FROM gaps WHERE sdkappid = ?1 AND first <= (SELECT first FROM gaps WHERE sdkappid = ?1 "  \
		     "ORDER BY first DESC LIMIT 1 OFFSET ?2) RETURNING last")

enum record_sequence_statement {
#define RECORD_SEQUENCE_ENUM(name, sql) name,
	RECORD_SEQUENCE_STATEMENTS(RECORD_SEQUENCE_ENUM)
#undef RECORD_SEQUENCE_ENUM
		RECORD_SEQUENCE_STATEMENT_COUNT
};

/* A new event with this number came. A test may be of a tool that makes numbers up: it fills a gap or is the next, but opens
 * no gap and says nothing of where the sender is. Returns an SQLite result code. */
int record_sequence_take(sqlite3_stmt *const statements[RECORD_SEQUENCE_STATEMENT_COUNT],
			 struct record_sequence *sequence, uint32_t sdkappid, int64_t number, bool is_test,
			 int64_t now_ms);

/* ---- the write side (record.c, record_house.c) ---- */

#define RECORD_STATEMENTS(X)                                                                                           \
	X(RECORD_SQL_BEGIN, "BEGIN IMMEDIATE")                                                                         \
	X(RECORD_SQL_COMMIT, "COMMIT")                                                                                 \
	X(RECORD_SQL_FIND, "SELECT id, times, replay FROM callbacks WHERE key = ?1")                                   \
	X(RECORD_SQL_AGAIN, "UPDATE callbacks SET times = ?2, last_ms = ?3, replay = ?4 WHERE id = ?1")                \
	X(RECORD_SQL_INSERT, "INSERT INTO callbacks (key, kind, receive_ms, sdkappid, command, client_ip, platform, "  \
			     "peer, signed, webhook_kind, webhook_id, attempt, sequence, threshold, replay, test, "    \
			     "body, last_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "    \
			     "?15, ?16, ?17, ?3)")                                                                     \
	X(RECORD_SQL_NOTE, RECORD_NOTE_INSERT)                                                                         \
	X(RECORD_SQL_MARK, "INSERT OR REPLACE INTO sinks (name, id, state) VALUES (?2, ?1, ?3)")                       \
	X(RECORD_SQL_APP, "INSERT OR REPLACE INTO apps VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "    \
			  "?13)")                                                                                      \
	X(RECORD_SQL_UNTOLD, "SELECT sdkappid, first, last, since_ms FROM gaps WHERE told = 0 AND since_ms < ?1 "      \
			     "ORDER BY since_ms LIMIT ?2")                                                             \
	X(RECORD_SQL_TOLD, "UPDATE gaps SET told = 1 WHERE sdkappid = ?1 AND first = ?2")                              \
	X(RECORD_SQL_OLD, "SELECT id, receive_ms FROM callbacks WHERE id <= ?1 ORDER BY id LIMIT ?2")                  \
	X(RECORD_SQL_REMOVE, "DELETE FROM callbacks WHERE id <= ?1")

enum record_statement {
#define RECORD_STATEMENT_ENUM(name, sql) name,
	RECORD_STATEMENTS(RECORD_STATEMENT_ENUM)
#undef RECORD_STATEMENT_ENUM
		RECORD_STATEMENT_COUNT
};

/* An app as the file and this transaction have it. */
struct record_known {
	uint32_t sdkappid;
	int64_t first_ms;
	int64_t last_ms;
	int64_t callbacks;
	struct record_sequence sequence;
	bool is_silent;
	bool has_alert;
	int64_t room_count;
	int64_t room_count_max;
	int64_t threshold;
	int64_t alert_ms;
	int64_t heard_ms; /* of the clock that does not step: its last callback, or when it was met or read */
	bool is_dirty;
	struct record_known *next_dirty;
};

struct record {
	char *path;
	int lock_fd;
	sqlite3 *db;
	sqlite3_stmt *statements[RECORD_STATEMENT_COUNT];
	sqlite3_stmt *sequence[RECORD_SEQUENCE_STATEMENT_COUNT];
	bool is_open;		    /* a transaction */
	int64_t steady_ms;	    /* of the transaction */
	void *apps;		    /* tree of struct record_known */
	bool apps_known;	    /* the tree has what the file has */
	struct record_known *dirty; /* to be written at commit */
	struct record_note *notes;  /* of the transaction */
	size_t note_count;
	size_t note_capacity;
};

/* Runs a statement without rows that takes numbers. Returns an SQLite result code. */
int record_run(struct record *record, enum record_statement which, size_t count, const int64_t *numbers);
/* Takes the transaction back and says why; returns -1. */
int record_fail(struct record *record, int rc, const char *doing, struct error *err);
