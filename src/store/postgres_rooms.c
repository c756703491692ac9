/* Reads of rooms, what they keep, and accounts in the PostgreSQL store. */
#include "store/postgres_internal.h"

static struct store_room postgres_take_room(const PGresult *result, int row, struct arena *arena)
{
	return (struct store_room){
		.id = pg_i64(result, row, 0, 0),
		.room_id = arena_dup(arena, pg_str(result, row, 1)),
		.owner = arena_dup(arena, pg_str(result, row, 2)),
		.create_ms = pg_i64(result, row, 3, 0),
		.visible = pg_i64(result, row, 4, 0) != 0,
		.info = arena_dup(arena, pg_str(result, row, 5)),
	};
}

int postgres_room_get(struct store_reader *base, struct arena *arena, uint32_t number, struct str room_id,
		      struct store_room *room_out, struct error *err)
{
	PGresult *result;
	int found;

	if (postgres_query(base, PG_ROOM_GET, 1, (const int64_t[]){number}, 1, &room_id, &result, err))
		return -1;
	found = PQntuples(result) > 0;
	if (found)
		*room_out = postgres_take_room(result, 0, arena);
	PQclear(result);
	return found;
}

/* Ends a query for rooms. */
static int postgres_take_rooms(PGresult *result, struct arena *arena, struct store_room *rooms_out, size_t *count_out)
{
	*count_out = (size_t)PQntuples(result);
	for (int row = 0; row < PQntuples(result); row++)
		rooms_out[row] = postgres_take_room(result, row, arena);
	PQclear(result);
	return 0;
}

int postgres_room_list(struct store_reader *base, struct arena *arena, uint32_t number, int64_t before_id,
		       bool visible_only, size_t limit, struct store_room *rooms_out, size_t *count_out,
		       struct error *err)
{
	const int64_t numbers[] = {number, before_id, (int64_t)limit};
	PGresult *result;

	if (postgres_query(base, visible_only ? PG_ROOM_LIST_VISIBLE : PG_ROOM_LIST, ARRAY_LEN(numbers), numbers, 0,
			   NULL, &result, err))
		return -1;
	return postgres_take_rooms(result, arena, rooms_out, count_out);
}

int postgres_room_list_oldest(struct store_reader *base, struct arena *arena, uint32_t number, int64_t after_id,
			      size_t limit, struct store_room *rooms_out, size_t *count_out, struct error *err)
{
	const int64_t numbers[] = {number, after_id, (int64_t)limit};
	PGresult *result;

	if (postgres_query(base, PG_ROOM_LIST_OLDEST, ARRAY_LEN(numbers), numbers, 0, NULL, &result, err))
		return -1;
	return postgres_take_rooms(result, arena, rooms_out, count_out);
}

int postgres_room_list_named(struct store_reader *base, struct arena *arena, uint32_t number, struct str prefix,
			     struct str after, size_t limit, struct store_room *rooms_out, size_t *count_out,
			     struct error *err)
{
	const int64_t numbers[] = {number, (int64_t)limit};
	const struct str texts[] = {prefix, after};
	PGresult *result;

	if (postgres_query(base, PG_ROOM_LIST_NAMED, ARRAY_LEN(numbers), numbers, ARRAY_LEN(texts), texts, &result,
			   err))
		return -1;
	return postgres_take_rooms(result, arena, rooms_out, count_out);
}

int postgres_room_owner_each(struct store_reader *base, uint32_t number, size_t limit,
			     void (*each)(void *context, struct str owner), void *context, struct error *err)
{
	PGresult *result;

	if (postgres_query(base, PG_ROOM_OWNERS, 2, (const int64_t[]){number, (int64_t)limit}, 0, NULL, &result, err))
		return -1;
	for (int row = 0; row < PQntuples(result); row++)
		each(context, pg_str(result, row, 0));
	PQclear(result);
	return 0;
}

int postgres_room_items(struct store_reader *base, struct arena *arena, int64_t room, enum item_kind kind, size_t limit,
			struct store_item *items_out, size_t *count_out, struct error *err)
{
	PGresult *result;

	if (postgres_query(base, PG_ROOM_ITEMS, 4,
			   (const int64_t[]){app_id_number(room), room, (int64_t)kind, (int64_t)limit}, 0, NULL,
			   &result, err))
		return -1;
	*count_out = (size_t)PQntuples(result);
	for (int row = 0; row < PQntuples(result); row++)
		items_out[row] = (struct store_item){.name = arena_dup(arena, pg_str(result, row, 0)),
						     .value = arena_dup(arena, pg_str(result, row, 1)),
						     .until_s = pg_i64(result, row, 2, 0)};
	PQclear(result);
	return 0;
}

int postgres_account_get(struct store_reader *base, struct arena *arena, uint32_t number, struct str name,
			 struct store_account *account_out, struct error *err)
{
	PGresult *result;
	int found;

	if (postgres_query(base, PG_ACCOUNT_GET, 1, (const int64_t[]){number}, 1, &name, &result, err))
		return -1;
	found = PQntuples(result) > 0;
	if (found)
		*account_out = (struct store_account){.nick = arena_dup(arena, pg_str(result, 0, 0)),
						      .face_url = arena_dup(arena, pg_str(result, 0, 1)),
						      .create_ms = pg_i64(result, 0, 2, 0)};
	PQclear(result);
	return found;
}
