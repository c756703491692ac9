#pragma once
/* What a kind of store implements; see store.h for the meaning of each. */
#include "store/store.h"

struct store_ops {
	int (*load)(struct store *store, struct live_set *set, struct error *err);
	int (*commit)(struct store *store, struct live_set *set, struct error *err);
	void (*abandon)(struct store *store);
	void (*tidy)(struct store *store);
	void (*close)(struct store *store);
	int (*reader_open)(struct store *store, struct store_reader **reader_out, struct error *err);
};

struct store_reader_ops {
	void (*close)(struct store_reader *reader);
	int (*app_each)(struct store_reader *reader, void (*each)(void *context, const struct store_app *app),
			void *context, struct error *err);
	int (*app_get)(struct store_reader *reader, uint32_t sdkappid, struct store_app *app_out, struct error *err);
	int (*room_get)(struct store_reader *reader, struct arena *arena, uint32_t number, struct str room_id,
			struct store_room *room_out, struct error *err);
	int (*room_list)(struct store_reader *reader, struct arena *arena, uint32_t number, int64_t before_id,
			 bool visible_only, size_t limit, struct store_room *rooms_out, size_t *count_out,
			 struct error *err);
	int (*room_items)(struct store_reader *reader, struct arena *arena, int64_t room, enum item_kind kind,
			  size_t limit, struct store_item *items_out, size_t *count_out, struct error *err);
	int (*account_get)(struct store_reader *reader, struct arena *arena, uint32_t number, struct str name,
			   struct store_account *account_out, struct error *err);
	int (*room_count)(struct store_reader *reader, uint32_t number, uint64_t *count_out, struct error *err);
	int (*pending_each)(struct store_reader *reader, void (*each)(void *context, uint32_t sdkappid, int64_t due_ms),
			    void *context, struct error *err);
	int (*callback_pending)(struct store_reader *reader, struct arena *arena, uint32_t sdkappid, size_t limit,
				struct store_callback *callbacks_out, size_t *count_out, struct error *err);
	int (*callback_list)(struct store_reader *reader, struct arena *arena, uint32_t number, int64_t before_id,
			     size_t limit, struct store_callback *callbacks_out, size_t *count_out, struct error *err);
};

struct store {
	const struct store_ops *ops;
	uint64_t id;
	unsigned char secret[STORE_SECRET_BYTES];
};

struct store_reader {
	const struct store_reader_ops *ops;
};
