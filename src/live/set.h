#pragma once
/* The part of the world that one batch of commands touches.
 *
 * The engine names what the commands touch (live_set_touch), a store loads it, live_step changes it, the store writes
 * the difference. `before` fields are what the store loaded; the others are what shall be. All memory is the arena's.
 * Threads: one at a time. */
#include "base/arena.h"
#include "base/random.h"
#include "live/command.h"

struct live_app {
	uint32_t sdkappid;
	bool exists_before;
	bool exists;
	uint32_t number_before;		 /* when it existed */
	const struct app_config *config; /* when it exists; owned by the store until the batch ends, or by the arena */
	struct app_state state;
	bool config_changed;
	bool state_changed;
	bool pending_cancelled; /* the app was deleted: its waiting callbacks end as failed */
	struct live_app *hash_next;
};

struct live_room {
	struct live_app *app;
	struct str room_id;
	bool exists_before;
	bool exists;
	int64_t id_before; /* when it existed */
	int64_t id;	   /* when it exists; names its row */
	char owner[HW_IDENTIFIER_BYTES_MAX + 1];
	int64_t create_ms; /* the fields from here on are set for new rooms only: the step does not need old ones */
	bool visible;
	struct str info;
	struct live_room *hash_next;
};

/* A callback to store with the batch. */
struct live_callback {
	int64_t id;
	uint32_t sdkappid;
	enum hw_callback command;
	uint8_t threshold; /* percent */
	enum hw_platform platform;
	struct str client_ip;
	struct str body;
	int64_t event_ms; /* wall clock */
	int64_t due_ms;	  /* of the first attempt, on the clock of deadlines: a step of the other one changes nothing */
};

struct live_set {
	struct arena *arena;
	struct hash_key hash_key;
	struct live_app **apps; /* in order of first touch */
	size_t app_count;
	struct live_room **rooms;
	size_t room_count;
	struct live_app **app_buckets;
	struct live_room **room_buckets;
	size_t bucket_mask;
	struct live_callback *callbacks; /* new ones, in order */
	size_t callback_count;
	const struct delivery_result **marks; /* in order; borrowed from the commands */
	size_t mark_count;
	size_t capacity;	  /* of each of the arrays: the number of commands */
	uint32_t app_number_next; /* loaded when needs_app_number */
	bool needs_app_number;
	bool app_number_used;
};

/* Room for the touches of `command_count` commands. */
void live_set_init(struct live_set *set, struct arena *arena, struct hash_key key, size_t command_count);
/* Adds what the command touches. */
void live_set_touch(struct live_set *set, const struct command *command);
/* NULL when it was not touched. */
struct live_app *live_set_app(const struct live_set *set, uint32_t sdkappid);
struct live_room *live_set_room(const struct live_set *set, uint32_t sdkappid, struct str room_id);

/* Rules for stores, so that each writes the same difference. */
bool live_app_is_new(const struct live_app *app);  /* insert config and state */
bool live_app_is_gone(const struct live_app *app); /* delete the row of number_before */
/* For an app with pending_cancelled: its waiting callbacks with an id below this end as failed. */
int64_t live_app_cancel_below(const struct live_app *app);
bool live_room_is_new(const struct live_room *room);  /* insert under id */
bool live_room_is_gone(const struct live_room *room); /* delete id_before */
