/* The interface's functions: each calls the kind of store at hand. */
#include "store/store_ops.h"

const char *callback_state_word(enum callback_state state)
{
	static const char *const words[] = {
		[CALLBACK_PENDING] = "pending", [CALLBACK_DELIVERED] = "delivered", [CALLBACK_FAILED] = "failed"};

	return words[state];
}

int store_load(struct store *store, struct live_set *set, struct error *err)
{
	return store->ops->load(store, set, err);
}

int store_commit(struct store *store, struct live_set *set, struct error *err)
{
	return store->ops->commit(store, set, err);
}

void store_abandon(struct store *store)
{
	store->ops->abandon(store);
}

void store_tidy(struct store *store)
{
	store->ops->tidy(store);
}

uint64_t store_id(const struct store *store)
{
	return store->id;
}

struct secret store_secret(const struct store *store)
{
	return secret_of((struct str){(const char *)store->secret, sizeof(store->secret)});
}

void store_close(struct store **store)
{
	if (*store)
		(*store)->ops->close(*store);
	*store = NULL;
}

int store_reader_open(struct store *store, struct store_reader **reader_out, struct error *err)
{
	return store->ops->reader_open(store, reader_out, err);
}

void store_reader_close(struct store_reader **reader)
{
	if (*reader)
		(*reader)->ops->close(*reader);
	*reader = NULL;
}

int store_app_each(struct store_reader *reader, void (*each)(void *context, const struct store_app *app), void *context,
		   struct error *err)
{
	return reader->ops->app_each(reader, each, context, err);
}

int store_app_get(struct store_reader *reader, uint32_t sdkappid, struct store_app *app_out, struct error *err)
{
	return reader->ops->app_get(reader, sdkappid, app_out, err);
}

int store_room_get(struct store_reader *reader, struct arena *arena, uint32_t number, struct str room_id,
		   struct store_room *room_out, struct error *err)
{
	return reader->ops->room_get(reader, arena, number, room_id, room_out, err);
}

int store_room_list(struct store_reader *reader, struct arena *arena, uint32_t number, int64_t before_id,
		    bool visible_only, size_t limit, struct store_room *rooms_out, size_t *count_out, struct error *err)
{
	return reader->ops->room_list(reader, arena, number, before_id, visible_only, limit, rooms_out, count_out, err);
}

int store_room_items(struct store_reader *reader, struct arena *arena, int64_t room, enum item_kind kind, size_t limit,
		     struct store_item *items_out, size_t *count_out, struct error *err)
{
	return reader->ops->room_items(reader, arena, room, kind, limit, items_out, count_out, err);
}

int store_account_get(struct store_reader *reader, struct arena *arena, uint32_t number, struct str name,
		      struct store_account *account_out, struct error *err)
{
	return reader->ops->account_get(reader, arena, number, name, account_out, err);
}

int store_room_count(struct store_reader *reader, uint32_t number, uint64_t *count_out, struct error *err)
{
	return reader->ops->room_count(reader, number, count_out, err);
}

int store_pending_each(struct store_reader *reader, void (*each)(void *context, uint32_t sdkappid, int64_t due_ms),
		       void *context, struct error *err)
{
	return reader->ops->pending_each(reader, each, context, err);
}

int store_callback_pending(struct store_reader *reader, struct arena *arena, uint32_t sdkappid, size_t limit,
			   struct store_callback *callbacks_out, size_t *count_out, struct error *err)
{
	return reader->ops->callback_pending(reader, arena, sdkappid, limit, callbacks_out, count_out, err);
}

int store_callback_list(struct store_reader *reader, struct arena *arena, uint32_t number, int64_t before_id,
			size_t limit, struct store_callback *callbacks_out, size_t *count_out, struct error *err)
{
	return reader->ops->callback_list(reader, arena, number, before_id, limit, callbacks_out, count_out, err);
}
