#pragma once
/* What the files of the PostgreSQL store share. */
#include "postgres/postgres.h"
#include "store/callback_row.h"
#include "store/store_ops.h"

/* Makes the schema, or brings it forward; nodes may do it at once. Errors ERR_INVALID (newer than this program), ERR_IO. */
MUST_CHECK int postgres_migrate(const char *conninfo, uint64_t answer_timeout_ms, struct error *err);

#define POSTGRES_NAME(name, column) column ", "
#define POSTGRES_NAME_OF_APPS(name, column) "a." column ", "
#define POSTGRES_NAME_OF_STATE(name, column) "s." column ", "

/* In the order of enum app_config_column, and of app_state_column: what postgres_read_config and postgres_read_state
 * take. */
#define POSTGRES_CONFIG_LIST APP_CONFIG_COLUMNS(POSTGRES_NAME_OF_APPS) "a.sdkappid"
#define POSTGRES_STATE_LIST APP_STATE_COLUMNS(POSTGRES_NAME_OF_STATE) "s.sdkappid"
/* The row borrows from the result and from `text`, which is initialised here and to be ended with app_row_text_fini. */
void postgres_read_config(const PGresult *result, int row, int first_column, struct app_row *out,
			  struct app_row_text *text);
void postgres_read_state(const PGresult *result, int row, int first_column, struct app_row *out);

/* ---- the write side's statements (postgres_write.c) ---- */

#define POSTGRES_OWNER_LOCK "pg_try_advisory_lock(1213486160, hashtext(current_schema()))"

/* Each takes arrays, a row's values at the same place in each, so that a batch of any size is the same few statements. */
#define POSTGRES_WRITE_STATEMENTS(X)                                                                                   \
	X(PG_BEGIN, "BEGIN ISOLATION LEVEL READ COMMITTED")                                                            \
	X(PG_COMMIT, "COMMIT")                                                                                         \
	X(PG_ROLLBACK, "ROLLBACK")                                                                                     \
	X(PG_APPS_LOCK, /* in the order of numbers on every node, so that no two wait for each other */                \
	  "SELECT s.number, s.version, " POSTGRES_STATE_LIST " FROM app_state s WHERE s.number IN "                    \
	  "(SELECT a.number FROM apps a WHERE a.sdkappid = ANY($1::bigint[])) ORDER BY s.number FOR UPDATE OF s")      \
	X(PG_APPS_WAIT, /* for whoever is creating them */                                                             \
	  "SELECT pg_advisory_xact_lock((7230::bigint << 32) | w.k) FROM (SELECT unnest($1::bigint[]) AS k ORDER BY "  \
	  "1) AS w")                                                                                                   \
	X(PG_CONFIGS_READ, "SELECT s.version, " POSTGRES_CONFIG_LIST " FROM apps a JOIN app_state s "                  \
			   "ON s.number = a.number WHERE a.sdkappid = ANY($1::bigint[])")                              \
	X(PG_NODE_WRITE, /* with every batch: tells later whether it was stored */                                     \
	  "INSERT INTO nodes (id, batch, time_ms) VALUES ($1::bigint, $2::bigint, "                                    \
	  "(extract(epoch FROM now()) * 1000)::bigint) "                                                               \
	  "ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, time_ms = excluded.time_ms")                         \
	X(PG_NODE_READ, /* waits for a session of ours that has not ended yet */                                       \
	  "SELECT batch FROM nodes WHERE id = $1::bigint FOR UPDATE")                                                  \
	X(PG_OWNER_LOCK, /* of one schema, as long as the session lasts; and what names the session */                 \
	  "SELECT " POSTGRES_OWNER_LOCK "::int, a.pid, "                                                               \
	  "(extract(epoch FROM a.backend_start) * 1000000)::bigint FROM pg_stat_activity a "                           \
	  "WHERE a.pid = pg_backend_pid()")                                                                            \
	X(PG_OWNER_WRITE,                                                                                              \
	  "INSERT INTO meta VALUES ('owner', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value")              \
	X(PG_OWNER_READ, "SELECT value::bigint FROM meta WHERE key = 'owner'")                                         \
	X(PG_OWNER_END, /* a session of ours; waits until it has ended */                                              \
	  "SELECT pg_terminate_backend(a.pid, 1000) FROM pg_stat_activity a WHERE a.pid = $1::bigint AND "             \
	  "(extract(epoch FROM a.backend_start) * 1000000)::bigint = $2::bigint")                                      \
	X(PG_NUMBER_LOCK, "SELECT value::bigint FROM meta WHERE key = 'app_number_next' FOR UPDATE")                   \
	X(PG_NUMBER_SET, "UPDATE meta SET value = $1 WHERE key = 'app_number_next'")                                   \
	X(PG_ROOMS_FIND,                                                                                               \
	  "SELECT t.i, r.id, r.owner, r.create_ms, r.visible, r.info FROM "                                            \
	  "unnest($1::bigint[], $2::bigint[], $3::text[]) AS t (i, sdkappid, room_id) "                                \
	  "JOIN apps a ON a.sdkappid = t.sdkappid JOIN rooms r ON r.number = a.number AND r.room_id = t.room_id")      \
	X(PG_ITEMS_FIND,                                                                                               \
	  "SELECT t.i, k.kind, k.name, k.value, k.until_s FROM "                                                       \
	  "unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) AS t (i, sdkappid, room_id, kinds) "           \
	  "JOIN apps a ON a.sdkappid = t.sdkappid JOIN rooms r ON r.number = a.number AND r.room_id = t.room_id "      \
	  "JOIN room_items k ON k.number = r.number AND k.room = r.id AND t.kinds >> k.kind::int & 1 = 1 "             \
	  "ORDER BY t.i, k.kind, k.name")                                                                              \
	X(PG_ACCOUNTS_FIND,                                                                                            \
	  "SELECT t.i, c.nick, c.face_url, c.create_ms FROM "                                                          \
	  "unnest($1::bigint[], $2::bigint[], $3::text[]) AS t (i, sdkappid, name) "                                   \
	  "JOIN apps a ON a.sdkappid = t.sdkappid JOIN accounts c ON c.number = a.number AND c.name = t.name")         \
	X(PG_CALLBACKS_FIND, "SELECT t.i, c.state FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) "              \
			     "AS t (i, number, id) JOIN callbacks c ON c.number = t.number AND c.id = t.id")           \
	X(PG_ROOMS_DELETE, "DELETE FROM rooms r USING unnest($1::bigint[], $2::bigint[]) AS t (number, id) "           \
			   "WHERE r.number = t.number AND r.id = t.id")                                                \
	X(PG_ROOM_ITEMS_DELETE, "DELETE FROM room_items k USING unnest($1::bigint[], $2::bigint[]) AS t (number, id) " \
				"WHERE k.number = t.number AND k.room = t.id")                                         \
	X(PG_ROOMS_INSERT, "INSERT INTO rooms (number, id, room_id, owner, create_ms, visible, info) SELECT * FROM "   \
			   "unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], "   \
			   "$7::text[])")                                                                              \
	X(PG_ROOMS_UPDATE, "UPDATE rooms r SET owner = t.owner, visible = t.visible, info = t.info FROM "              \
			   "unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::text[]) "                 \
			   "AS t (number, id, owner, visible, info) WHERE r.number = t.number AND r.id = t.id")        \
	X(PG_ITEMS_DELETE,                                                                                             \
	  "DELETE FROM room_items k USING unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) "               \
	  "AS t (number, room, kind, name) "                                                                           \
	  "WHERE k.number = t.number AND k.room = t.room AND k.kind = t.kind AND k.name = t.name")                     \
	X(PG_ITEMS_WRITE,                                                                                              \
	  "INSERT INTO room_items (number, room, kind, name, value, until_s) SELECT * FROM "                           \
	  "unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[]) "                    \
	  "ON CONFLICT (number, room, kind, name) DO UPDATE SET value = excluded.value, until_s = excluded.until_s")   \
	X(PG_ACCOUNTS_WRITE,                                                                                           \
	  "INSERT INTO accounts (number, name, nick, face_url, create_ms) SELECT * FROM "                              \
	  "unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[]) ON CONFLICT (number, name) "         \
	  "DO UPDATE SET nick = excluded.nick, face_url = excluded.face_url, create_ms = excluded.create_ms")          \
	X(PG_CALLBACKS_INSERT,                                                                                         \
	  "INSERT INTO callbacks (number, id, sdkappid, command, threshold, platform, client_ip, body, event_ms, "     \
	  "base_ms, state, attempts, due_ms, attempt_ms, http_status, error, base_attempts, replays, log) "            \
	  "SELECT t.*, t.event_ms, 0, 0, 0, 0, 0, '', 0, 0, '' FROM "                                                  \
	  "unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], "    \
	  "$8::text[], $9::bigint[]) "                                                                                 \
	  "AS t (number, id, sdkappid, command, threshold, platform, client_ip, body, event_ms)")                      \
	X(PG_CALLBACKS_MARK,                                                                                           \
	  "UPDATE callbacks c SET state = t.state, attempts = t.attempts, due_ms = t.due_ms, "                         \
	  "attempt_ms = t.attempt_ms, http_status = t.http_status, error = t.error, "                                  \
	  "log = CASE t.has_log WHEN 1 THEN t.log ELSE c.log END FROM "                                                \
	  "unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], "  \
	  "$8::text[], $9::bigint[], $10::text[]) "                                                                    \
	  "AS t (number, id, state, attempts, due_ms, attempt_ms, http_status, error, has_log, log) "                  \
	  "WHERE c.number = t.number AND c.id = t.id AND c.state = 0")                                                 \
	X(PG_CALLBACKS_REPLAY,                                                                                         \
	  "UPDATE callbacks c SET state = 0, due_ms = t.due_ms, base_ms = t.base_ms, base_attempts = attempts, "       \
	  "replays = replays + 1 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) "                 \
	  "AS t (number, id, due_ms, base_ms) WHERE c.number = t.number AND c.id = t.id AND c.state != 0")             \
	X(PG_CALLBACKS_CANCEL, "UPDATE callbacks c SET state = 2, error = 'app deleted' "                              \
			       "FROM unnest($1::bigint[], $2::bigint[]) AS t (sdkappid, below) "                       \
			       "WHERE c.sdkappid = t.sdkappid AND c.id < t.below AND c.state = 0")                     \
	X(PG_APPS_DELETE, "DELETE FROM apps WHERE sdkappid = ANY($1::bigint[])")                                       \
	X(PG_STATES_DELETE, "DELETE FROM app_state WHERE number = ANY($1::bigint[])")                                  \
	X(PG_ACCOUNTS_DELETE, "DELETE FROM accounts WHERE number = ANY($1::bigint[])")                                 \
	X(PG_SAMPLES_DELETE, "DELETE FROM samples WHERE number = ANY($1::bigint[])")                                   \
	X(PG_CERTIFICATES_DELETE, "DELETE FROM certificates WHERE sdkappid = ANY($1::bigint[])")                       \
	X(PG_CERTIFICATES_WRITE, "INSERT INTO certificates (sdkappid, chain, key) SELECT * FROM unnest($1::bigint[], " \
				 "$2::text[], $3::text[]) "                                                            \
				 "ON CONFLICT (sdkappid) DO UPDATE SET chain = excluded.chain, key = excluded.key")    \
	X(PG_CONFIGS_WRITE,                                                                                            \
	  "INSERT INTO apps (" APP_CONFIG_COLUMNS(                                                                     \
		  POSTGRES_NAME) "sdkappid) SELECT * FROM "                                                            \
				 "unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], "           \
				 "$6::bigint[], $7::bigint[], "                                                        \
				 "$8::bytea[], $9::bigint[], $10::text[], $11::bigint[], $12::text[], $13::bigint[], " \
				 "$14::bigint[], "                                                                     \
				 "$15::bigint[], $16::bigint[], $17::bytea[], $18::bigint[], $19::bytea[], "           \
				 "$20::bigint[], $21::bytea[], "                                                       \
				 "$22::bigint[], $23::bigint[], $24::bigint[], $25::bigint[], $26::bigint[])")         \
	X(PG_STATES_WRITE,                                                                                             \
	  "INSERT INTO app_state (number, version, " APP_STATE_COLUMNS(                                                \
		  POSTGRES_NAME) "sdkappid) "                                                                          \
				 "SELECT t.number, CASE t.changed WHEN 1 THEN nextval('config_version') ELSE "         \
				 "t.version END, t.a, t.b, t.c, "                                                      \
				 "t.d, t.e, t.f, t.g, t.h, t.k, t.l, t.sdkappid FROM "                                 \
				 "unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], "       \
				 "$6::bigint[], $7::bigint[], "                                                        \
				 "$8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], "           \
				 "$13::bigint[], $14::bigint[]) "                                                      \
				 "AS t (number, changed, version, a, b, c, d, e, f, g, h, k, l, sdkappid) "            \
				 "ON CONFLICT (number) DO UPDATE SET version = excluded.version, room_count = "        \
				 "excluded.room_count, "                                                               \
				 "room_sequence = excluded.room_sequence, callback_sequence = "                        \
				 "excluded.callback_sequence, "                                                        \
				 "callback_pending = excluded.callback_pending, alert_level = excluded.alert_level, "  \
				 "failures = excluded.failures, failing_ms = excluded.failing_ms, delivered_ms = "     \
				 "excluded.delivered_ms, "                                                             \
				 "minute_ms = excluded.minute_ms, minute_highest = excluded.minute_highest "           \
				 "RETURNING sdkappid, version")                                                        \
	X(PG_AUDITS_INSERT, "INSERT INTO audit (sdkappid, time_ms, actor, client_ip, action, detail) SELECT * FROM "   \
			    "unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[])")      \
	X(PG_AUDITS_DROP,                                                                                              \
	  "DELETE FROM audit WHERE id < (SELECT min(id) FROM audit) + $1::bigint AND time_ms < $2::bigint")            \
	X(PG_SAMPLES_WRITE,                                                                                            \
	  "INSERT INTO samples (number, minute_ms, room_count, room_count_highest, room_count_max) "                   \
	  "SELECT DISTINCT ON (t.number, t.minute_ms) t.number, t.minute_ms, t.a, t.b, t.c FROM "                      \
	  "unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) "                              \
	  "WITH ORDINALITY AS t (number, minute_ms, a, b, c, i) ORDER BY t.number, t.minute_ms, t.i DESC "             \
	  "ON CONFLICT (number, minute_ms) DO UPDATE SET room_count = excluded.room_count, "                           \
	  "room_count_highest = excluded.room_count_highest, room_count_max = excluded.room_count_max")                \
	X(PG_SAMPLES_DROP,                                                                                             \
	  "DELETE FROM samples d WHERE d.number = ANY($1::bigint[]) AND d.minute_ms < "                                \
	  "(SELECT max(m.minute_ms) FROM samples m WHERE m.number = d.number AND m.minute_ms < $2::bigint)")           \
	X(PG_PROBE, "INSERT INTO meta VALUES ('probe', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value")    \
	X(PG_PRUNE_LOOK,                                                                                               \
	  "SELECT id, state, event_ms, attempt_ms FROM callbacks WHERE (number, id) > ($1::bigint, $2::bigint) "       \
	  "ORDER BY number, id LIMIT $3::bigint")                                                                      \
	X(PG_PRUNE_DELETE, "DELETE FROM callbacks c USING unnest($1::bigint[], $2::bigint[]) AS t (number, id) "       \
			   "WHERE c.number = t.number AND c.id = t.id AND c.state != 0")                               \
	X(PG_CALLBACKS_CLIP, "UPDATE callbacks SET due_ms = $1::bigint WHERE state = 0 AND due_ms > $1::bigint AND "   \
			     "sdkappid IN (SELECT a.sdkappid FROM apps a)")

enum postgres_write_statement {
#define POSTGRES_ENUM(name, sql) name,
	POSTGRES_WRITE_STATEMENTS(POSTGRES_ENUM)
#undef POSTGRES_ENUM
		PG_WRITE_COUNT
};

extern const char *const postgres_write_sql[PG_WRITE_COUNT];

/* An app's configuration as this process last read or wrote it. */
struct postgres_app {
	uint32_t sdkappid;
	int64_t version; /* of app_state: equal, and so is the configuration */
	struct app_config config;
};

struct postgres_store {
	struct store base;
	struct store_postgres_options options;
	char *conninfo;
	struct pg *pg;
	struct pg_params params; /* of the statement being sent */
	void *apps;		 /* tree of struct postgres_app by sdkappid: a cache */
	bool is_owner;		 /* has noted itself as the owner, once */
	bool forgets;		 /* the next batch begins with an empty cache: sets borrow from it until then */
	bool in_batch;		 /* loaded, and neither committed nor abandoned */
	int64_t session_pid;	 /* at the server: of the session that holds the lock, or held it last; 0: none yet */
	int64_t session_us;	 /* when that session began, by the server's clock */
	int64_t node;		 /* random, of this process */
	int64_t batch;		 /* the last one that was sent; names it to the server after a lost connection */
};

/* Connects when there is no connection, and then sees that no other process writes these tables (postgres.c). */
MUST_CHECK int postgres_connect(struct postgres_store *store, struct error *err);
/* The cache of configurations: what it has, or NULL; take in; drop (postgres_load.c). */
struct postgres_app *postgres_cached(struct postgres_store *store, uint32_t sdkappid);
void postgres_remember(struct postgres_store *store, const struct app_config *config, int64_t version);
void postgres_forget(struct postgres_store *store, uint32_t sdkappid);
void postgres_forget_all(struct postgres_store *store);

/* Loads everything into the set; a transaction is open when it returns 0 (postgres_load.c). */
MUST_CHECK int postgres_load_set(struct postgres_store *store, struct live_set *set, struct error *err);
/* Sends the whole difference, for the trip that is being put together: PG_STATES_WRITE comes first when this returns true;
 * false: no state is written. */
bool postgres_send_set(struct postgres_store *store, const struct live_set *set);

/* ---- readers (postgres_reader.c, of callbacks postgres_callbacks.c) ---- */

#define POSTGRES_ROOM_SELECT "SELECT id, room_id, owner, create_ms, visible, info FROM rooms "
#define POSTGRES_CALLBACK_SELECT                                                                                       \
	"SELECT id, sdkappid, command, threshold, platform, client_ip, body, event_ms, state, attempts, due_ms, "      \
	"attempt_ms, http_status, error, base_ms, base_attempts, replays, log FROM callbacks "
#define POSTGRES_AUDIT_SELECT "SELECT id, sdkappid, time_ms, actor, client_ip, action, detail FROM audit "
#define POSTGRES_APP_SELECT                                                                                            \
	"SELECT " POSTGRES_CONFIG_LIST ", " POSTGRES_STATE_LIST                                                        \
	" FROM apps a LEFT JOIN app_state s ON s.number = a.number "

#define POSTGRES_READ_STATEMENTS(X)                                                                                       \
	X(PG_APP_EACH, POSTGRES_APP_SELECT "ORDER BY a.sdkappid")                                                         \
	X(PG_APP_LINE_EACH, /* thresholds begin with the lowest */                                                        \
	  "SELECT a.sdkappid, a.room_count_max, split_part(a.thresholds, ',', 1)::bigint, a.pause, s.room_count, "        \
	  "s.callback_pending, s.failures FROM apps a LEFT JOIN app_state s ON s.number = a.number "                      \
	  "ORDER BY a.sdkappid")                                                                                          \
	X(PG_APP_GET, POSTGRES_APP_SELECT "WHERE a.sdkappid = $1::bigint")                                                \
	X(PG_ROOM_GET, POSTGRES_ROOM_SELECT "WHERE number = $1::bigint AND room_id = $2::text")                           \
	X(PG_ROOM_LIST,                                                                                                   \
	  POSTGRES_ROOM_SELECT "WHERE number = $1::bigint AND id < $2::bigint ORDER BY id DESC LIMIT $3::bigint")         \
	X(PG_ROOM_LIST_VISIBLE, POSTGRES_ROOM_SELECT "WHERE number = $1::bigint AND id < $2::bigint AND visible = 1 "     \
						     "ORDER BY id DESC LIMIT $3::bigint")                                 \
	X(PG_ROOM_LIST_OLDEST,                                                                                            \
	  POSTGRES_ROOM_SELECT "WHERE number = $1::bigint AND id > $2::bigint ORDER BY id LIMIT $3::bigint")              \
	X(PG_ROOM_LIST_NAMED, /* DEL is above all that a RoomId has */                                                    \
	  POSTGRES_ROOM_SELECT "WHERE number = $1::bigint AND room_id >= $3::text AND room_id > $4::text AND "            \
			       "room_id < $3::text || chr(127) ORDER BY room_id LIMIT $2::bigint")                        \
	X(PG_ROOM_OWNERS, "SELECT owner FROM rooms WHERE number = $1::bigint ORDER BY id DESC LIMIT $2::bigint")          \
	X(PG_ROOM_ITEMS,                                                                                                  \
	  "SELECT name, value, until_s FROM room_items WHERE number = $1::bigint AND room = $2::bigint "                  \
	  "AND kind = $3::bigint ORDER BY name LIMIT $4::bigint")                                                         \
	X(PG_ROOM_COUNT, "SELECT count(*) FROM rooms WHERE number = $1::bigint")                                          \
	X(PG_ACCOUNT_GET,                                                                                                 \
	  "SELECT nick, face_url, create_ms FROM accounts WHERE number = $1::bigint AND name = $2::text")                 \
	X(PG_AUDIT_LIST, POSTGRES_AUDIT_SELECT "WHERE id < $1::bigint ORDER BY id DESC LIMIT $2::bigint")                 \
	X(PG_AUDIT_LIST_OF_APP,                                                                                           \
	  POSTGRES_AUDIT_SELECT "WHERE id < $1::bigint AND sdkappid = $3::bigint ORDER BY id DESC LIMIT $2::bigint")      \
	X(PG_SAMPLE_LIST,                                                                                                 \
	  "SELECT minute_ms, room_count, room_count_highest, room_count_max FROM samples "                                \
	  "WHERE number = $1::bigint AND minute_ms >= coalesce((SELECT max(minute_ms) FROM samples "                      \
	  "WHERE number = $1::bigint AND minute_ms <= $2::bigint), $2::bigint) ORDER BY minute_ms LIMIT $3::bigint")      \
	X(PG_SAMPLE_AT, "SELECT minute_ms, room_count, room_count_highest, room_count_max FROM samples "                  \
			"WHERE number = $1::bigint AND minute_ms <= $2::bigint ORDER BY minute_ms DESC LIMIT 1")          \
	X(PG_CERTIFICATE_GET, "SELECT chain, key FROM certificates WHERE sdkappid = $1::bigint")                          \
	X(PG_WAITING_EACH, /* from one app's first to the next app's first, whatever lies between */                      \
	  "WITH RECURSIVE w (sdkappid) AS ((SELECT min(sdkappid) FROM callbacks WHERE state = 0) UNION ALL "              \
	  "SELECT (SELECT min(c.sdkappid) FROM callbacks c WHERE c.state = 0 AND c.sdkappid > w.sdkappid) "               \
	  "FROM w WHERE w.sdkappid IS NOT NULL) "                                                                         \
	  "SELECT w.sdkappid, coalesce(s.failures, 0) FROM w LEFT JOIN apps a ON a.sdkappid = w.sdkappid "                \
	  "LEFT JOIN app_state s ON s.number = a.number WHERE w.sdkappid IS NOT NULL ORDER BY w.sdkappid")                \
	X(PG_WAITING_COUNT, "SELECT count(*) FROM callbacks WHERE state = 0 AND sdkappid = $1::bigint")                   \
	X(PG_WAITING_OLDEST, "SELECT event_ms FROM callbacks WHERE state = 0 ORDER BY event_ms LIMIT 1")                  \
	X(PG_WAITING_OLDEST_OF, /* ids rise with events */                                                                \
	  "SELECT min(w.event_ms) FROM ((SELECT event_ms FROM callbacks WHERE state = 0 AND sdkappid = $1::bigint "       \
	  "AND due_ms = 0 ORDER BY id LIMIT 1) UNION ALL (SELECT event_ms FROM callbacks WHERE state = 0 AND "            \
	  "sdkappid = $1::bigint AND due_ms > 0 ORDER BY due_ms, id LIMIT $2::bigint)) AS w")                             \
	X(PG_CALLBACK_NEXT, POSTGRES_CALLBACK_SELECT "WHERE state = 0 AND sdkappid = $1::bigint AND due_ms = 0 "          \
						     "AND id > $2::bigint ORDER BY id LIMIT 1")                           \
	X(PG_CALLBACK_DUE,                                                                                                \
	  "SELECT id, due_ms FROM callbacks WHERE state = 0 AND sdkappid = $1::bigint AND due_ms > 0 "                    \
	  "ORDER BY due_ms, id LIMIT $2::bigint")                                                                         \
	X(PG_CALLBACK_GET, POSTGRES_CALLBACK_SELECT "WHERE number = $1::bigint AND id = $2::bigint")                      \
	X(PG_ALERT_NEWEST,                                                                                                \
	  "SELECT id FROM callbacks WHERE sdkappid = $1::bigint AND threshold = $2::bigint AND threshold != 0 "           \
	  "ORDER BY id DESC LIMIT 1")                                                                                     \
	X(PG_CALLBACK_LIST, /* of the rows looked at, the page that passes; what comes with each tells how far it went */ \
	  "SELECT id, state, event_ms FROM callbacks WHERE (number, id) > ($1::bigint, $2::bigint) "                      \
	  "AND (number, id) < ($3::bigint, $4::bigint) ORDER BY number DESC, id DESC LIMIT $5::bigint")                   \
	X(PG_CALLBACK_LIST_ENDED,                                                                                         \
	  "SELECT id, state, event_ms FROM callbacks WHERE state >= 2 AND (number, id) > ($1::bigint, $2::bigint) "       \
	  "AND (number, id) < ($3::bigint, $4::bigint) ORDER BY number DESC, id DESC LIMIT $5::bigint")                   \
	X(PG_CALLBACKS_GET, POSTGRES_CALLBACK_SELECT                                                                      \
	  "WHERE number = ANY($1::bigint[]) AND id = ANY($2::bigint[]) ORDER BY number DESC, id DESC")

enum postgres_read_statement {
#define POSTGRES_ENUM(name, sql) name,
	POSTGRES_READ_STATEMENTS(POSTGRES_ENUM)
#undef POSTGRES_ENUM
		PG_READ_COUNT
};

struct postgres_reader {
	struct store_reader base;
	struct pg *pg;
	struct pg_params params;
};

MUST_CHECK int postgres_reader_open(const struct store_postgres_options *options, struct store_reader **reader_out,
				    struct error *err);
/* Runs one statement with these numbers as its first parameters and the texts after them. A connection that was lost is
 * made anew, once. The result is to be freed with PQclear. */
MUST_CHECK int postgres_query(struct store_reader *base, enum postgres_read_statement which, size_t number_count,
			      const int64_t *numbers, size_t text_count, const struct str *texts, PGresult **result_out,
			      struct error *err);

/* postgres_history.c */
int postgres_audit_list(struct store_reader *base, struct arena *arena, uint32_t sdkappid, int64_t before_id,
			size_t limit, struct store_audit *audits_out, size_t *count_out, struct error *err);
int postgres_sample_list(struct store_reader *base, uint32_t number, int64_t since_ms, size_t limit,
			 struct store_sample *samples_out, size_t *count_out, struct error *err);
int postgres_sample_at(struct store_reader *base, uint32_t number, int64_t time_ms, struct store_sample *sample_out,
		       struct error *err);

/* postgres_rooms.c */
int postgres_room_get(struct store_reader *base, struct arena *arena, uint32_t number, struct str room_id,
		      struct store_room *room_out, struct error *err);
int postgres_room_list(struct store_reader *base, struct arena *arena, uint32_t number, int64_t before_id,
		       bool visible_only, size_t limit, struct store_room *rooms_out, size_t *count_out,
		       struct error *err);
int postgres_room_list_oldest(struct store_reader *base, struct arena *arena, uint32_t number, int64_t after_id,
			      size_t limit, struct store_room *rooms_out, size_t *count_out, struct error *err);
int postgres_room_list_named(struct store_reader *base, struct arena *arena, uint32_t number, struct str prefix,
			     struct str after, size_t limit, struct store_room *rooms_out, size_t *count_out,
			     struct error *err);
int postgres_room_owner_each(struct store_reader *base, uint32_t number, size_t limit,
			     void (*each)(void *context, struct str owner), void *context, struct error *err);
int postgres_room_items(struct store_reader *base, struct arena *arena, int64_t room, enum item_kind kind, size_t limit,
			struct store_item *items_out, size_t *count_out, struct error *err);
int postgres_account_get(struct store_reader *base, struct arena *arena, uint32_t number, struct str name,
			 struct store_account *account_out, struct error *err);

/* postgres_callbacks.c */
int postgres_waiting_each(struct store_reader *base, void (*each)(void *context, uint32_t sdkappid, uint32_t failures),
			  void *context, struct error *err);
int postgres_waiting_oldest(struct store_reader *base, uint32_t sdkappid, int64_t *event_ms_out, struct error *err);
int postgres_callback_next(struct store_reader *base, struct arena *arena, uint32_t sdkappid, int64_t after_id,
			   struct store_callback *callback_out, struct error *err);
int postgres_callback_due(struct store_reader *base, uint32_t sdkappid, size_t limit, struct store_due *due_out,
			  size_t *count_out, struct error *err);
int postgres_callback_get(struct store_reader *base, struct arena *arena, int64_t id,
			  struct store_callback *callback_out, struct error *err);
int postgres_alert_newest(struct store_reader *base, uint32_t sdkappid, uint8_t threshold, int64_t *id_out,
			  struct error *err);
int postgres_callback_list(struct store_reader *base, struct arena *arena, const struct store_callback_filter *filter,
			   size_t limit, struct store_callback *callbacks_out, size_t *count_out, int64_t *next_out,
			   struct error *err);
