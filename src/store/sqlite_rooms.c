/* Reads of rooms in the SQLite store: one, pages of them, and what one keeps.
 *
 * There may be millions of rows, so a page comes to its first row by an index and looks at no other: by id for the newest
 * and the oldest, by name for those that begin with some text. */
#include "store/sqlite_internal.h"

#include <string.h>

static struct store_room sqlite_read_room(sqlite3_stmt *statement, struct arena *arena)
{
	return (struct store_room){
		.id = sqlite3_column_int64(statement, 0),
		.room_id = arena_dup(arena, sqlite_column_str(statement, 1)),
		.owner = arena_dup(arena, sqlite_column_str(statement, 2)),
		.create_ms = sqlite3_column_int64(statement, 3),
		.visible = sqlite3_column_int(statement, 4) != 0,
		.info = arena_dup(arena, sqlite_column_str(statement, 5)),
	};
}

int sqlite_room_get(struct store_reader *base, struct arena *arena, uint32_t number, struct str room_id,
		    struct store_room *room_out, struct error *err)
{
	sqlite3_stmt *statement = sqlite_query(base, SQL_ROOM_GET, 1, (const int64_t[]){number});
	int rc;

	sqlite_bind_str(statement, 2, room_id);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*room_out = sqlite_read_room(statement, arena);
	return sqlite_query_end(base, statement, rc, err) ? -1 : rc == SQLITE_ROW;
}

/* Reads the rows of a statement and ends it. */
static int sqlite_read_rooms(struct store_reader *base, sqlite3_stmt *statement, struct arena *arena,
			     struct store_room *rooms_out, size_t *count_out, struct error *err)
{
	size_t count = 0;
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
		rooms_out[count++] = sqlite_read_room(statement, arena);
	if (sqlite_query_end(base, statement, rc, err))
		return -1;
	*count_out = count;
	return 0;
}

/* Bounds of an app's ids, both excluded. */
static int64_t sqlite_id_floor(uint32_t number)
{
	return app_id_make(number, 0);
}

static int64_t sqlite_id_ceiling(uint32_t number, int64_t before_id)
{
	int64_t end = sqlite_id_floor(number) + (INT64_C(1) << APP_ID_SEQUENCE_BITS);

	return before_id < end ? before_id : end;
}

int sqlite_room_list(struct store_reader *base, struct arena *arena, uint32_t number, int64_t before_id,
		     bool visible_only, size_t limit, struct store_room *rooms_out, size_t *count_out,
		     struct error *err)
{
	sqlite3_stmt *statement = sqlite_query(
		base, visible_only ? SQL_ROOM_LIST_VISIBLE : SQL_ROOM_LIST, 3,
		(const int64_t[]){sqlite_id_floor(number), sqlite_id_ceiling(number, before_id), (int64_t)limit});

	return sqlite_read_rooms(base, statement, arena, rooms_out, count_out, err);
}

int sqlite_room_list_oldest(struct store_reader *base, struct arena *arena, uint32_t number, int64_t after_id,
			    size_t limit, struct store_room *rooms_out, size_t *count_out, struct error *err)
{
	int64_t floor = sqlite_id_floor(number);
	sqlite3_stmt *statement = sqlite_query(base, SQL_ROOM_LIST_OLDEST, 3,
					       (const int64_t[]){after_id > floor ? after_id : floor,
								 sqlite_id_ceiling(number, INT64_MAX), (int64_t)limit});

	return sqlite_read_rooms(base, statement, arena, rooms_out, count_out, err);
}

/* Those that begin with the prefix stand together in the index, from the prefix itself up to the prefix with a byte after
 * it that is above all that a RoomId has. */
int sqlite_room_list_named(struct store_reader *base, struct arena *arena, uint32_t number, struct str prefix,
			   struct str after, size_t limit, struct store_room *rooms_out, size_t *count_out,
			   struct error *err)
{
	sqlite3_stmt *statement = sqlite_query(base, SQL_ROOM_LIST_NAMED, 2, (const int64_t[]){number, (int64_t)limit});
	char end[HW_ROOM_ID_BYTES_MAX + 1];

	if (prefix.len)
		memcpy(end, prefix.ptr, prefix.len);
	end[prefix.len] = 0x7f;
	sqlite_bind_str(statement, 3, str_compare(after, prefix) > 0 ? after : prefix);
	sqlite_bind_str(statement, 4, after);
	sqlite_bind_str(statement, 5, (struct str){end, prefix.len + 1});
	return sqlite_read_rooms(base, statement, arena, rooms_out, count_out, err);
}

int sqlite_room_owner_each(struct store_reader *base, uint32_t number, size_t limit,
			   void (*each)(void *context, struct str owner), void *context, struct error *err)
{
	sqlite3_stmt *statement = sqlite_query(
		base, SQL_ROOM_OWNERS, 3,
		(const int64_t[]){sqlite_id_floor(number), sqlite_id_ceiling(number, INT64_MAX), (int64_t)limit});
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
		each(context, sqlite_column_str(statement, 0));
	return sqlite_query_end(base, statement, rc, err);
}

int sqlite_room_items(struct store_reader *base, struct arena *arena, int64_t room, enum item_kind kind, size_t limit,
		      struct store_item *items_out, size_t *count_out, struct error *err)
{
	sqlite3_stmt *statement =
		sqlite_query(base, SQL_ROOM_ITEMS, 3, (const int64_t[]){room, (int64_t)kind, (int64_t)limit});
	size_t count = 0;
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
		items_out[count++] = (struct store_item){.name = arena_dup(arena, sqlite_column_str(statement, 0)),
							 .value = arena_dup(arena, sqlite_column_str(statement, 1)),
							 .until_s = sqlite3_column_int64(statement, 2)};
	if (sqlite_query_end(base, statement, rc, err))
		return -1;
	*count_out = count;
	return 0;
}
