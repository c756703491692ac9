#pragma once
/* What the two files of the memory store share. */
#include "store/store_ops.h"

#include <pthread.h>

struct memory_item {
	struct store_item row; /* its text is owned */
	struct memory_item *next;
};

struct memory_room {
	uint32_t number;
	struct store_room row;			    /* its text is owned */
	struct memory_item *items[ITEM_KIND_COUNT]; /* by name */
};

struct memory_account {
	uint32_t number;
	struct str name; /* owned, as the two below */
	struct str nick;
	struct str face_url;
	int64_t create_ms;
};

struct memory_store {
	struct store base;
	pthread_rwlock_t lock;
	void *apps;	 /* struct store_app by sdkappid */
	void *rooms;	 /* struct memory_room by number and room_id */
	void *accounts;	 /* struct memory_account by number and name */
	void *callbacks; /* struct store_callback by id; its text is owned */
	uint32_t app_number_next;
};

/* NULL when there is none. The lock is held, or the caller is the writer. */
struct store_app *memory_app(struct memory_store *store, uint32_t sdkappid);
struct memory_room *memory_room(struct memory_store *store, uint32_t number, struct str room_id);
struct memory_account *memory_account(struct memory_store *store, uint32_t number, struct str name);

int memory_reader_open(struct store *base, struct store_reader **reader_out, struct error *err);
