/* The schema of the PostgreSQL store and its history.
 *
 * Several nodes may start at once, so a step runs under an advisory lock of the whole database: one node does it, the
 * others wait and find it done. Each step is one transaction with the note that it was done. A step, once released, is
 * never edited: a change is a new step.
 *
 * Every key leads with the app's number, which stands for one life of an SDKAppID (it is above the sequence in ids, see
 * live/app.h): so the tables can be spread over machines by it, and one app's rows stay together. Text compares by
 * bytes (COLLATE "C"), as everywhere in this program. */
#include "store/postgres_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define POSTGRES_MIGRATION_LOCK "4923604915527418450" /* any number that no other program takes */

static const char *const postgres_steps[] = {
	/* 1: the first. app_state is apart from apps because it is written in every batch: half of each page is left free,
	 * so that a new version of a row fits beside the old one and no index need change. */
	"CREATE SEQUENCE config_version;"
	"CREATE TABLE nodes (id bigint PRIMARY KEY, batch bigint NOT NULL, time_ms bigint NOT NULL)"
	" WITH (fillfactor = 50);"
	"CREATE TABLE apps (sdkappid bigint PRIMARY KEY, number bigint NOT NULL UNIQUE, create_ms bigint NOT NULL,"
	" room_count_max bigint NOT NULL, alert_mode text NOT NULL, thresholds text NOT NULL,"
	" rearm_margin bigint NOT NULL, step_percent bigint NOT NULL, keys bytea NOT NULL, key_id_next bigint NOT NULL,"
	" admins text NOT NULL, callback_set bigint NOT NULL, callback_url text NOT NULL,"
	" callback_commands bigint NOT NULL, callback_overwrite bigint NOT NULL, token_set bigint NOT NULL,"
	" token_enabled bigint NOT NULL, token bytea NOT NULL, accounts_required bigint NOT NULL, secrets bytea NOT "
	"NULL,"
	" secret_id_next bigint NOT NULL, signers bytea NOT NULL, signer_id_next bigint NOT NULL,"
	" certificate_set bigint NOT NULL, pause bigint NOT NULL, pause_ms bigint NOT NULL);"
	"CREATE TABLE app_state (number bigint PRIMARY KEY, sdkappid bigint NOT NULL, version bigint NOT NULL,"
	" room_count bigint NOT NULL, room_sequence bigint NOT NULL, callback_sequence bigint NOT NULL,"
	" callback_pending bigint NOT NULL, alert_level bigint NOT NULL, failures bigint NOT NULL,"
	" failing_ms bigint NOT NULL, delivered_ms bigint NOT NULL, minute_ms bigint NOT NULL,"
	" minute_highest bigint NOT NULL) WITH (fillfactor = 50);"
	"CREATE TABLE rooms (number bigint NOT NULL, id bigint NOT NULL, room_id text COLLATE \"C\" NOT NULL,"
	" owner text NOT NULL, create_ms bigint NOT NULL, visible bigint NOT NULL, info text NOT NULL,"
	" PRIMARY KEY (number, id));"
	"CREATE UNIQUE INDEX rooms_by_name ON rooms (number, room_id);"
	"CREATE INDEX rooms_visible ON rooms (number, id) WHERE visible = 1;"
	"CREATE TABLE room_items (number bigint NOT NULL, room bigint NOT NULL, kind bigint NOT NULL,"
	" name text COLLATE \"C\" NOT NULL, value text NOT NULL, until_s bigint NOT NULL,"
	" PRIMARY KEY (number, room, kind, name));"
	"CREATE TABLE accounts (number bigint NOT NULL, name text COLLATE \"C\" NOT NULL, nick text NOT NULL,"
	" face_url text NOT NULL, create_ms bigint NOT NULL, PRIMARY KEY (number, name));"
	"CREATE TABLE callbacks (number bigint NOT NULL, id bigint NOT NULL, sdkappid bigint NOT NULL,"
	" command bigint NOT NULL, threshold bigint NOT NULL, platform bigint NOT NULL, client_ip text NOT NULL,"
	" body text NOT NULL, event_ms bigint NOT NULL, state bigint NOT NULL, attempts bigint NOT NULL,"
	" due_ms bigint NOT NULL, attempt_ms bigint NOT NULL, http_status bigint NOT NULL, error text NOT NULL,"
	" base_ms bigint NOT NULL, base_attempts bigint NOT NULL, replays bigint NOT NULL, log text NOT NULL,"
	" PRIMARY KEY (number, id));"
	"CREATE INDEX callbacks_waiting ON callbacks (sdkappid, due_ms, id) WHERE state = 0;"
	"CREATE INDEX callbacks_oldest ON callbacks (event_ms) WHERE state = 0;"
	"CREATE INDEX callbacks_alerts ON callbacks (sdkappid, threshold, id) WHERE threshold != 0;"
	"CREATE INDEX callbacks_ended ON callbacks (number, id) WHERE state >= 2;"
	"CREATE TABLE certificates (sdkappid bigint PRIMARY KEY, chain text NOT NULL, key text NOT NULL);"
	"CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sdkappid bigint NOT NULL,"
	" time_ms bigint NOT NULL, actor text NOT NULL, client_ip text NOT NULL, action text NOT NULL,"
	" detail text NOT NULL);"
	"CREATE INDEX audit_of_app ON audit (sdkappid, id);"
	"CREATE TABLE samples (number bigint NOT NULL, minute_ms bigint NOT NULL, room_count bigint NOT NULL,"
	" room_count_highest bigint NOT NULL, room_count_max bigint NOT NULL, PRIMARY KEY (number, minute_ms));",
};

/* Made under the lock; 128 random bits come from two of the server's UUIDs. */
static const char postgres_meta_sql[] =
	"SELECT pg_advisory_lock(" POSTGRES_MIGRATION_LOCK ");"
	"CREATE TABLE IF NOT EXISTS meta (key text PRIMARY KEY, value text NOT NULL);"
	"INSERT INTO meta VALUES ('schema_version', '0'), ('app_number_next', '1'),"
	" ('store_id', substr(replace(gen_random_uuid()::text, '-', ''), 17)),"
	" ('secret', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''))"
	" ON CONFLICT (key) DO NOTHING";

static int postgres_read_version(struct pg *pg, int64_t *version_out, struct error *err)
{
	PGresult *result;

	pg_send_sql(pg, "SELECT value::bigint FROM meta WHERE key = 'schema_version'");
	if (pg_trip(pg, &result, 1, err))
		return -1;
	*version_out = PQntuples(result) == 1 ? pg_i64(result, 0, 0, -1) : -1;
	PQclear(result);
	return 0;
}

static int postgres_judge_version(int64_t version, struct error *err)
{
	if (version >= 0 && version <= (int64_t)ARRAY_LEN(postgres_steps))
		return 0;
	return error_set(err, ERR_INVALID,
			 "its schema version %lld is newer than this program's %zu: use a newer highwater",
			 (long long)version, ARRAY_LEN(postgres_steps));
}

static int postgres_step(struct pg *pg, size_t step, struct error *err)
{
	char note[96];

	(void)snprintf(note, sizeof(note), "UPDATE meta SET value = '%zu' WHERE key = 'schema_version'",
		       step + 1); /* fits */
	if (pg_execute(pg, "BEGIN", err) || pg_execute(pg, postgres_steps[step], err) || pg_execute(pg, note, err) ||
	    pg_execute(pg, "COMMIT", err))
		return error_wrap(err, "schema step %zu", step + 1); /* the connection's end undoes what was begun */
	return 0;
}

static int postgres_migrate_on(struct pg *pg, struct error *err)
{
	int64_t version;

	if (pg_connect(pg, err) || pg_execute(pg, postgres_meta_sql, err) || postgres_read_version(pg, &version, err))
		return -1;
	if (postgres_judge_version(version, err))
		return -1;
	for (size_t i = (size_t)version; i < ARRAY_LEN(postgres_steps); i++)
		if (postgres_step(pg, i, err))
			return -1;
	return 0;
}

/* A database without our tables has step 0. */
static int postgres_look_on(struct pg *pg, int64_t *version_out, struct error *err)
{
	PGresult *result;
	bool there;
	bool schema;
	bool allowed;

	if (pg_connect(pg, err))
		return -1;
	pg_send_sql(pg, "SELECT to_regclass('meta') IS NOT NULL, current_schema() IS NOT NULL, "
			"has_schema_privilege(current_schema(), 'CREATE')");
	if (pg_trip(pg, &result, 1, err))
		return -1;
	there = str_eq(pg_str(result, 0, 0), STR("t"));
	schema = str_eq(pg_str(result, 0, 1), STR("t"));
	allowed = str_eq(pg_str(result, 0, 2), STR("t"));
	PQclear(result);
	*version_out = 0;
	if (there && postgres_read_version(pg, version_out, err))
		return -1;
	if (*version_out == (int64_t)ARRAY_LEN(postgres_steps) || allowed)
		return 0;
	return schema ? error_set(err, ERR_DENIED, "the role may not make tables in the current schema")
		      : error_set(err, ERR_INVALID, "no schema of its search_path is there");
}

int store_postgres_inspect(const struct store_postgres_options *options, unsigned *steps_out, struct error *err)
{
	const struct pg_options pg_options = {.conninfo = options->conninfo,
					      .connect_timeout_ms = options->answer_timeout_ms,
					      .answer_timeout_ms = options->answer_timeout_ms};
	struct pg *pg;
	int64_t version;
	int result;

	if (pg_open(&pg_options, &pg, err))
		return -1;
	result = postgres_look_on(pg, &version, err) || postgres_judge_version(version, err) ? -1 : 0;
	pg_close(&pg);
	if (result == 0)
		*steps_out = (unsigned)((int64_t)ARRAY_LEN(postgres_steps) - version);
	return result;
}

int postgres_migrate(const char *conninfo, uint64_t answer_timeout_ms, struct error *err)
{
	const struct pg_options options = {
		.conninfo = conninfo, .connect_timeout_ms = answer_timeout_ms, .answer_timeout_ms = answer_timeout_ms};
	struct pg *pg;
	int result;

	if (pg_open(&options, &pg, err))
		return -1;
	result = postgres_migrate_on(pg, err);
	pg_close(&pg); /* and with the session its lock */
	return result;
}
