/* What a copy between kinds of stores moves: every table of theirs. */
#include "store/app_row.h"
#include "store/copy_internal.h"

#define COPY_NAME(name, column) column ", "
#define COPY_NAME_OF_STATE(name, column) "s." column ", "

const struct copy_table copy_tables[COPY_TABLE_COUNT] = {
	{
		"apps",
		"nnnttnnbntntnnnnbnbnbnnnnn",
		"SELECT " APP_CONFIG_COLUMNS(COPY_NAME) "sdkappid FROM apps",
		"INSERT INTO apps (" APP_CONFIG_COLUMNS(COPY_NAME) "sdkappid) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
								   "?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, "
								   "?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)",
		"SELECT " APP_CONFIG_COLUMNS(COPY_NAME) "sdkappid FROM apps ORDER BY sdkappid",
		"INSERT INTO apps (" APP_CONFIG_COLUMNS(
			COPY_NAME) "sdkappid) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], "
				   "$4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bigint[], "
				   "$10::text[], $11::bigint[], $12::text[], $13::bigint[], $14::bigint[], "
				   "$15::bigint[], $16::bigint[], $17::bytea[], $18::bigint[], $19::bytea[], "
				   "$20::bigint[], $21::bytea[], $22::bigint[], $23::bigint[], $24::bigint[], "
				   "$25::bigint[], $26::bigint[])",
	},
	{
		"app_state",
		"nnnnnnnnnnnn",
		"SELECT a.number, " APP_STATE_COLUMNS(COPY_NAME_OF_STATE) "s.sdkappid FROM app_state s JOIN apps a ON "
									  "a.sdkappid = s.sdkappid",
		"INSERT INTO app_state (" APP_STATE_COLUMNS(
			COPY_NAME) "sdkappid) VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
		"SELECT number, " APP_STATE_COLUMNS(COPY_NAME) "sdkappid FROM app_state ORDER BY number",
		"INSERT INTO app_state (number, " APP_STATE_COLUMNS(
			COPY_NAME) "sdkappid, version) SELECT t.*, nextval('config_version') FROM unnest($1::bigint[], "
				   "$2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], "
				   "$7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], "
				   "$12::bigint[]) AS t",
	},
	{
		"rooms",
		"nnttnnt",
		"SELECT number, id, room_id, owner, create_ms, visible, info FROM rooms",
		"INSERT INTO rooms (number, id, room_id, owner, create_ms, visible, info) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
		"SELECT number, id, room_id, owner, create_ms, visible, info FROM rooms ORDER BY number, id",
		"INSERT INTO rooms (number, id, room_id, owner, create_ms, visible, info) SELECT * FROM "
		"unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[])",
	},
	{
		"room_items",
		"nnnttn",
		"SELECT room >> 40, room, kind, name, value, until_s FROM room_items",
		"INSERT INTO room_items (room, kind, name, value, until_s) VALUES (?2, ?3, ?4, ?5, ?6)",
		"SELECT number, room, kind, name, value, until_s FROM room_items ORDER BY number, room, kind, name",
		"INSERT INTO room_items (number, room, kind, name, value, until_s) SELECT * FROM "
		"unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[])",
	},
	{
		"accounts",
		"ntttn",
		"SELECT number, name, nick, face_url, create_ms FROM accounts",
		"INSERT INTO accounts (number, name, nick, face_url, create_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
		"SELECT number, name, nick, face_url, create_ms FROM accounts ORDER BY number, name",
		"INSERT INTO accounts (number, name, nick, face_url, create_ms) SELECT * FROM "
		"unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[])",
	},
	{
		"callbacks",
		"nnnnnnttnnnnnntnnnt",
		"SELECT id >> 40, id, sdkappid, command, threshold, platform, client_ip, body, event_ms, state, "
		"attempts, due_ms, attempt_ms, http_status, error, ifnull(base_ms, event_ms), base_attempts, replays, "
		"log FROM callbacks",
		"INSERT INTO callbacks (id, sdkappid, command, threshold, platform, client_ip, body, event_ms, state, "
		"attempts, due_ms, attempt_ms, http_status, error, base_ms, base_attempts, replays, log) VALUES (?2, "
		"?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
		"SELECT number, id, sdkappid, command, threshold, platform, client_ip, body, event_ms, state, "
		"attempts, due_ms, attempt_ms, http_status, error, base_ms, base_attempts, replays, log FROM callbacks "
		"ORDER BY number, id",
		"INSERT INTO callbacks (number, id, sdkappid, command, threshold, platform, client_ip, body, event_ms, "
		"state, attempts, due_ms, attempt_ms, http_status, error, base_ms, base_attempts, replays, log) "
		"SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], "
		"$6::bigint[], $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], "
		"$13::bigint[], $14::bigint[], $15::text[], $16::bigint[], $17::bigint[], $18::bigint[], $19::text[])",
	},
	{
		"certificates",
		"ntt",
		"SELECT sdkappid, chain, key FROM certificates",
		"INSERT INTO certificates (sdkappid, chain, key) VALUES (?1, ?2, ?3)",
		"SELECT sdkappid, chain, key FROM certificates ORDER BY sdkappid",
		"INSERT INTO certificates (sdkappid, chain, key) SELECT * FROM unnest($1::bigint[], $2::text[], "
		"$3::text[])",
	},
	{
		"audit",
		"nnntttt",
		"SELECT id, sdkappid, time_ms, actor, client_ip, action, detail FROM audit",
		"INSERT INTO audit (id, sdkappid, time_ms, actor, client_ip, action, detail) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
		"SELECT id, sdkappid, time_ms, actor, client_ip, action, detail FROM audit ORDER BY id",
		"INSERT INTO audit (id, sdkappid, time_ms, actor, client_ip, action, detail) OVERRIDING SYSTEM VALUE "
		"SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], "
		"$7::text[])",
	},
	{
		"samples",
		"nnnnn",
		"SELECT number, minute_ms, room_count, room_count_highest, room_count_max FROM samples",
		"INSERT INTO samples (number, minute_ms, room_count, room_count_highest, room_count_max) "
		"VALUES (?1, ?2, ?3, ?4, ?5)",
		"SELECT number, minute_ms, room_count, room_count_highest, room_count_max FROM samples "
		"ORDER BY number, minute_ms",
		"INSERT INTO samples (number, minute_ms, room_count, room_count_highest, room_count_max) "
		"SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])",
	},
};
