/* The interface's functions: each calls the kind of store at hand. And the rules that all kinds follow. */
#include "store/store_ops.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

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

int store_prune(struct store *store, const struct store_retention *retention, int64_t *cursor, size_t *removed_out,
		struct error *err)
{
	assert(*cursor >= 0);
	return store->ops->prune(store, retention, cursor, removed_out, err);
}

int store_clip_due(struct store *store, int64_t latest_ms, struct error *err)
{
	assert(latest_ms > 0);
	return store->ops->clip_due(store, latest_ms, err);
}

int store_probe(struct store *store, struct error *err)
{
	return store->ops->probe(store, err);
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

int store_app_line_each(struct store_reader *reader, void (*each)(void *context, const struct store_app_line *line),
			void *context, struct error *err)
{
	return reader->ops->app_line_each(reader, each, context, err);
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

int store_room_list_oldest(struct store_reader *reader, struct arena *arena, uint32_t number, int64_t after_id,
			   size_t limit, struct store_room *rooms_out, size_t *count_out, struct error *err)
{
	return reader->ops->room_list_oldest(reader, arena, number, after_id, limit, rooms_out, count_out, err);
}

int store_room_list_named(struct store_reader *reader, struct arena *arena, uint32_t number, struct str prefix,
			  struct str after, size_t limit, struct store_room *rooms_out, size_t *count_out,
			  struct error *err)
{
	assert(prefix.len <= HW_ROOM_ID_BYTES_MAX);
	return reader->ops->room_list_named(reader, arena, number, prefix, after, limit, rooms_out, count_out, err);
}

int store_room_owner_each(struct store_reader *reader, uint32_t number, size_t limit,
			  void (*each)(void *context, struct str owner), void *context, struct error *err)
{
	return reader->ops->room_owner_each(reader, number, limit, each, context, err);
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

int store_waiting_each(struct store_reader *reader, void (*each)(void *context, uint32_t sdkappid, uint32_t failures),
		       void *context, struct error *err)
{
	return reader->ops->waiting_each(reader, each, context, err);
}

int store_waiting_count(struct store_reader *reader, uint32_t sdkappid, uint64_t *count_out, struct error *err)
{
	return reader->ops->waiting_count(reader, sdkappid, count_out, err);
}

int store_waiting_oldest(struct store_reader *reader, uint32_t sdkappid, int64_t *event_ms_out, struct error *err)
{
	return reader->ops->waiting_oldest(reader, sdkappid, event_ms_out, err);
}

int store_callback_next(struct store_reader *reader, struct arena *arena, uint32_t sdkappid, int64_t after_id,
			struct store_callback *callback_out, struct error *err)
{
	return reader->ops->callback_next(reader, arena, sdkappid, after_id, callback_out, err);
}

int store_callback_due(struct store_reader *reader, uint32_t sdkappid, size_t limit, struct store_due *due_out,
		       size_t *count_out, struct error *err)
{
	return reader->ops->callback_due(reader, sdkappid, limit, due_out, count_out, err);
}

int store_callback_get(struct store_reader *reader, struct arena *arena, int64_t id,
		       struct store_callback *callback_out, struct error *err)
{
	return reader->ops->callback_get(reader, arena, id, callback_out, err);
}

int store_alert_newest(struct store_reader *reader, uint32_t sdkappid, uint8_t threshold, int64_t *id_out,
		       struct error *err)
{
	assert(threshold > 0);
	return reader->ops->alert_newest(reader, sdkappid, threshold, id_out, err);
}

int store_callback_list(struct store_reader *reader, struct arena *arena, const struct store_callback_filter *filter,
			size_t limit, struct store_callback *callbacks_out, size_t *count_out, int64_t *next_out,
			struct error *err)
{
	return reader->ops->callback_list(reader, arena, filter, limit, callbacks_out, count_out, next_out, err);
}

int store_audit_list(struct store_reader *reader, struct arena *arena, uint32_t sdkappid, int64_t before_id,
		     size_t limit, struct store_audit *audits_out, size_t *count_out, struct error *err)
{
	return reader->ops->audit_list(reader, arena, sdkappid, before_id, limit, audits_out, count_out, err);
}

int store_sample_list(struct store_reader *reader, uint32_t number, int64_t since_ms, size_t limit,
		      struct store_sample *samples_out, size_t *count_out, struct error *err)
{
	return reader->ops->sample_list(reader, number, since_ms, limit, samples_out, count_out, err);
}

int store_sample_at(struct store_reader *reader, uint32_t number, int64_t time_ms, struct store_sample *sample_out,
		    struct error *err)
{
	return reader->ops->sample_at(reader, number, time_ms, sample_out, err);
}

int store_certificate_get(struct store_reader *reader, struct arena *arena, uint32_t sdkappid, struct str *chain_out,
			  struct str *key_out, struct error *err)
{
	return reader->ops->certificate_get(reader, arena, sdkappid, chain_out, key_out, err);
}

/* ---- rules for stores ---- */

bool store_filter_passes(const struct store_callback_filter *filter, enum callback_state state, int64_t event_ms)
{
	return (filter->states >> state & 1) && event_ms >= filter->since_ms && event_ms <= filter->until_ms;
}

bool store_filter_is_of_ended(const struct store_callback_filter *filter)
{
	return (filter->states & ~(1u << CALLBACK_FAILED | 1u << CALLBACK_SUPERSEDED)) == 0;
}

enum store_prune_verdict store_prune_judge(const struct store_retention *retention, enum callback_state state,
					   int64_t event_ms, int64_t attempt_ms)
{
	int64_t limit_ms = state == CALLBACK_FAILED ? retention->failed_before_ms : retention->delivered_before_ms;

	if (retention->now_ms && event_ms > retention->now_ms)
		return PRUNE_KEEP;
	/* later ones of the app are of later events, so they are too young as well; an attempt may be of any time */
	if (event_ms >= retention->delivered_before_ms && event_ms >= retention->failed_before_ms)
		return PRUNE_NEXT_APP;
	if (state != CALLBACK_DELIVERED && state != CALLBACK_SUPERSEDED && state != CALLBACK_FAILED)
		return PRUNE_KEEP;
	return event_ms < limit_ms && attempt_ms < limit_ms ? PRUNE_REMOVE : PRUNE_KEEP;
}

int64_t store_prune_next_app(int64_t id)
{
	return id | ((INT64_C(1) << APP_ID_SEQUENCE_BITS) - 1);
}

bool store_is_postgres(const char *place)
{
	return strncmp(place, "postgresql://", 13) == 0 || strncmp(place, "postgres://", 11) == 0;
}

int store_read_secret(const char *hex, unsigned char out[STORE_SECRET_BYTES])
{
	for (size_t i = 0; i < STORE_SECRET_BYTES; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &out[i]) != 1) /* ends at the NUL: a short text is no secret */
			return -1;
	return 0;
}
