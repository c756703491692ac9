#pragma once
/* The apps' configurations in memory, for threads that must not wait for a store: request threads check signatures with
 * them, delivery takes URL and token from them at each attempt. The writer publishes a change after its commit and
 * before its reply, so whoever was told of a change finds it here. Threads: any. */
#include "live/app.h"

struct directory;

struct directory_entry {
	struct app_config config;
	uint64_t generation; /* rises with every publication in this process; names this version for caches */
};

struct directory *directory_new(void);
/* Every entry must have been released. Accepts NULL. */
void directory_free(struct directory **directory);

/* The app's current configuration, or NULL. It stays as it is until released, also when a newer one is published. */
const struct directory_entry *directory_acquire(struct directory *directory, uint32_t sdkappid);
void directory_release(const struct directory_entry *entry); /* accepts NULL */

/* Replaces the app's entry with a copy of `config`. Threads: the writer. */
void directory_publish(struct directory *directory, const struct app_config *config);
void directory_remove(struct directory *directory, uint32_t sdkappid);

/* SDKAppIDs above `after`, rising, at most `limit`. Returns how many. */
size_t directory_list(struct directory *directory, uint32_t after, uint32_t *sdkappids_out, size_t limit);
