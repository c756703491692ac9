/* The schema of the SQLite store and its history; see base/sqlite.h. */
#include "store/sqlite_internal.h"

#define SQLITE_APPLICATION_ID 0x48575452 /* "HWTR" */

static const char *const sqlite_steps[] = {
	/* 1: the first. Rooms and callbacks are keyed by ids that rise (see live/app.h), so their tables grow at one
	 * end per app; the only random index is the one that finds a room by name. app_state is apart from apps because
	 * it is written in every batch and is small. */
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"INSERT INTO meta VALUES ('store_id', lower(hex(randomblob(8)))), ('app_number_next', '1');"
	"CREATE TABLE apps (sdkappid INTEGER PRIMARY KEY, number INTEGER NOT NULL UNIQUE, create_ms INTEGER NOT NULL,"
	" room_count_max INTEGER NOT NULL, alert_mode TEXT NOT NULL, thresholds TEXT NOT NULL,"
	" rearm_margin INTEGER NOT NULL, step_percent INTEGER NOT NULL, key TEXT NOT NULL, admins TEXT NOT NULL,"
	" callback_set INTEGER NOT NULL, callback_url TEXT NOT NULL, callback_commands INTEGER NOT NULL,"
	" callback_overwrite INTEGER NOT NULL, token_set INTEGER NOT NULL, token_enabled INTEGER NOT NULL,"
	" token TEXT NOT NULL) STRICT;"
	"CREATE TABLE app_state (sdkappid INTEGER PRIMARY KEY, room_count INTEGER NOT NULL,"
	" room_sequence INTEGER NOT NULL, callback_sequence INTEGER NOT NULL, callback_pending INTEGER NOT NULL,"
	" alert_level INTEGER NOT NULL) STRICT;"
	"CREATE TABLE rooms (id INTEGER PRIMARY KEY, number INTEGER NOT NULL, room_id TEXT NOT NULL,"
	" owner TEXT NOT NULL, create_ms INTEGER NOT NULL, visible INTEGER NOT NULL, info TEXT NOT NULL) STRICT;"
	"CREATE UNIQUE INDEX rooms_by_name ON rooms (number, room_id);"
	"CREATE TABLE callbacks (id INTEGER PRIMARY KEY, sdkappid INTEGER NOT NULL, command INTEGER NOT NULL,"
	" threshold INTEGER NOT NULL, platform INTEGER NOT NULL, client_ip TEXT NOT NULL, body TEXT NOT NULL,"
	" event_ms INTEGER NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL, due_ms INTEGER NOT NULL,"
	" attempt_ms INTEGER NOT NULL, http_status INTEGER NOT NULL, error TEXT NOT NULL) STRICT;"
	"CREATE INDEX callbacks_pending ON callbacks (sdkappid, due_ms) WHERE state = 0;",
	/* 2: what rooms keep (kind: enum item_kind), accounts, a secret of the store; lists of visible rooms need not step
	 * over hidden ones; a room's info has a Notice; owners are accounts. Several keys per app, a line each, see
	 * sqlite_read_key: the one there was is the first and has no end. */
	"CREATE TABLE room_items (room INTEGER NOT NULL, kind INTEGER NOT NULL, name TEXT NOT NULL,"
	" value TEXT NOT NULL, until_s INTEGER NOT NULL, PRIMARY KEY (room, kind, name)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE accounts (number INTEGER NOT NULL, name TEXT NOT NULL, nick TEXT NOT NULL,"
	" face_url TEXT NOT NULL, create_ms INTEGER NOT NULL, PRIMARY KEY (number, name)) STRICT, WITHOUT ROWID;"
	"INSERT OR IGNORE INTO accounts SELECT number, owner, '', '', create_ms FROM rooms;"
	"INSERT INTO meta VALUES ('secret', lower(hex(randomblob(32))));"
	"CREATE INDEX rooms_visible ON rooms (id) WHERE visible = 1;"
	"UPDATE rooms SET info = CASE info WHEN '{}' THEN '{' ELSE substr(info, 1, length(info) - 1) || ',' END"
	" || '\"Notice\":\"\"}';"
	"ALTER TABLE apps RENAME COLUMN key TO keys;"
	"UPDATE apps SET keys = '1 ' || max(create_ms, 0) || ' 0 ' || keys;"
	"ALTER TABLE apps ADD COLUMN key_id_next INTEGER NOT NULL DEFAULT 2;"
	"ALTER TABLE apps ADD COLUMN accounts_required INTEGER NOT NULL DEFAULT 0;",
	/* 3: what callbacks are signed with (text as of keys), whether they are paused, client certificates; what is
	 * known of an app's endpoint; replays and the log of attempts. base_ms is NULL until the first replay, so that
	 * no row need be written anew here: the schedule then starts with the event. A waiting row that was never tried
	 * has no due time. The indexes find an app's newest alert, and what did not arrive among all that did. */
	"ALTER TABLE apps ADD COLUMN secrets TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE apps ADD COLUMN secret_id_next INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE apps ADD COLUMN signers TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE apps ADD COLUMN signer_id_next INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE apps ADD COLUMN certificate_set INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE apps ADD COLUMN pause INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE apps ADD COLUMN pause_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE app_state ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE app_state ADD COLUMN failing_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE app_state ADD COLUMN delivered_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE callbacks ADD COLUMN base_ms INTEGER;"
	"ALTER TABLE callbacks ADD COLUMN base_attempts INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE callbacks ADD COLUMN replays INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE callbacks ADD COLUMN log TEXT NOT NULL DEFAULT '';"
	"UPDATE callbacks SET due_ms = 0 WHERE state = 0 AND attempts = 0;"
	"CREATE INDEX callbacks_alerts ON callbacks (sdkappid, threshold) WHERE threshold != 0;"
	"CREATE INDEX callbacks_ended ON callbacks (id) WHERE state >= 2;"
	"CREATE TABLE certificates (sdkappid INTEGER PRIMARY KEY, chain TEXT NOT NULL, key TEXT NOT NULL) STRICT;",
	/* 4: the audit log, whose ids are never used twice; samples of the room count, and the minute that runs;
	 * an index that finds the oldest event that waits, however many do. */
	"CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, sdkappid INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
	" actor TEXT NOT NULL, client_ip TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL) STRICT;"
	"CREATE INDEX audit_of_app ON audit (sdkappid);"
	"CREATE TABLE samples (number INTEGER NOT NULL, minute_ms INTEGER NOT NULL, room_count INTEGER NOT NULL,"
	" room_count_highest INTEGER NOT NULL, room_count_max INTEGER NOT NULL, PRIMARY KEY (number, minute_ms))"
	" STRICT, WITHOUT ROWID;"
	"ALTER TABLE app_state ADD COLUMN minute_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE app_state ADD COLUMN minute_highest INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX callbacks_oldest ON callbacks (event_ms) WHERE state = 0;",
};

const struct sqlite_schema sqlite_store_schema = {SQLITE_APPLICATION_ID, sqlite_steps, ARRAY_LEN(sqlite_steps)};
