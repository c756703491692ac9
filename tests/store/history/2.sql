-- A store as a program with two schema steps left it; see test_sqlite.c. Never edit it.
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('store_id', '0123456789abcdef'), ('app_number_next', '3'),
  ('secret', '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff');
CREATE TABLE apps (sdkappid INTEGER PRIMARY KEY, number INTEGER NOT NULL UNIQUE, create_ms INTEGER NOT NULL, room_count_max INTEGER NOT NULL, alert_mode TEXT NOT NULL, thresholds TEXT NOT NULL, rearm_margin INTEGER NOT NULL, step_percent INTEGER NOT NULL, keys TEXT NOT NULL, admins TEXT NOT NULL, callback_set INTEGER NOT NULL, callback_url TEXT NOT NULL, callback_commands INTEGER NOT NULL, callback_overwrite INTEGER NOT NULL, token_set INTEGER NOT NULL, token_enabled INTEGER NOT NULL, token TEXT NOT NULL, key_id_next INTEGER NOT NULL DEFAULT 2, accounts_required INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE app_state (sdkappid INTEGER PRIMARY KEY, room_count INTEGER NOT NULL, room_sequence INTEGER NOT NULL, callback_sequence INTEGER NOT NULL, callback_pending INTEGER NOT NULL, alert_level INTEGER NOT NULL) STRICT;
CREATE TABLE rooms (id INTEGER PRIMARY KEY, number INTEGER NOT NULL, room_id TEXT NOT NULL, owner TEXT NOT NULL, create_ms INTEGER NOT NULL, visible INTEGER NOT NULL, info TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX rooms_by_name ON rooms (number, room_id);
CREATE TABLE callbacks (id INTEGER PRIMARY KEY, sdkappid INTEGER NOT NULL, command INTEGER NOT NULL, threshold INTEGER NOT NULL, platform INTEGER NOT NULL, client_ip TEXT NOT NULL, body TEXT NOT NULL, event_ms INTEGER NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL, due_ms INTEGER NOT NULL, attempt_ms INTEGER NOT NULL, http_status INTEGER NOT NULL, error TEXT NOT NULL) STRICT;
CREATE INDEX callbacks_pending ON callbacks (sdkappid, due_ms) WHERE state = 0;
CREATE TABLE room_items (room INTEGER NOT NULL, kind INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, until_s INTEGER NOT NULL, PRIMARY KEY (room, kind, name)) STRICT, WITHOUT ROWID;
CREATE TABLE accounts (number INTEGER NOT NULL, name TEXT NOT NULL, nick TEXT NOT NULL, face_url TEXT NOT NULL, create_ms INTEGER NOT NULL, PRIMARY KEY (number, name)) STRICT, WITHOUT ROWID;
CREATE INDEX rooms_visible ON rooms (id) WHERE visible = 1;
INSERT INTO apps VALUES (1400000001, 2, 1000, 3, 'edge', '70,90', 5, 10, '1 1000 0 kkkkkkkk', 'administrator', 1, 'http://127.0.0.1/', 32, 0, 1, 1, 'token', 2, 0);
INSERT INTO app_state VALUES (1400000001, 3, 3, 1, 1, 90);
INSERT INTO rooms VALUES (2199023255553, 2, 'r0', 'alice', 1000, 1, '{"Notice":""}');
INSERT INTO rooms VALUES (2199023255554, 2, 'r1', 'alice', 1000, 1, '{"Notice":""}');
INSERT INTO rooms VALUES (2199023255555, 2, 'r2', 'alice', 1000, 1, '{"Notice":""}');
INSERT INTO room_items VALUES (2199023255553, 0, 'key', 'value', 0);
INSERT INTO accounts VALUES (2, 'alice', '', '', 1000);
INSERT INTO callbacks VALUES (2199023255553, 1400000001, 5, 90, 2, '203.0.113.9', '{"CallbackCommand":"Live.CallbackAfterCreateRoomReachingThreshold","Operator_Account":"alice","EventTime":1000,"CurRoomCount":3,"MaxRoomCount":3}', 1000, 0, 2, 5000, 4000, 503, 'HTTP status 503');
PRAGMA application_id = 0x48575452;
PRAGMA user_version = 2;
COMMIT;
