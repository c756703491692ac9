#pragma once
/* Memory that is freed all at once: a request's, a batch's. Threads: one at a time. */
#include "base/str.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
	size_t chunk_bytes;	    /* size of an ordinary chunk */
};

/* chunk_bytes: how much to take from the heap at a time, at least 256. */
void arena_init(struct arena *arena, size_t chunk_bytes);
void arena_fini(struct arena *arena);
/* Forgets everything handed out; keeps one chunk for the next use. */
void arena_reset(struct arena *arena);

/* `size` zeroed bytes aligned for any type, valid until reset or fini. */
void *arena_alloc(struct arena *arena, size_t size);
/* A copy with a NUL after it. */
struct str arena_dup(struct arena *arena, struct str s);

#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
/* `count` zeroed elements; the product must not overflow (asserted). */
void *arena_array(struct arena *arena, size_t count, size_t element_size);
