/* Chunked bump allocation; see arena.h. */
#include "base/arena.h"
#include "base/mem.h"

#include <assert.h>
#include <stdalign.h>
#include <string.h>

struct arena_chunk {
	struct arena_chunk *next;
	size_t used;
	size_t size;
	alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *arena, size_t chunk_bytes)
{
	assert(chunk_bytes >= 256);
	*arena = (struct arena){.chunk_bytes = chunk_bytes};
}

static void arena_free_chunks(struct arena_chunk *chunk)
{
	while (chunk) {
		struct arena_chunk *next = chunk->next;

		mem_free(chunk);
		chunk = next;
	}
}

void arena_fini(struct arena *arena)
{
	arena_free_chunks(arena->chunks);
	arena->chunks = NULL;
}

void arena_reset(struct arena *arena)
{
	struct arena_chunk *keep = arena->chunks;

	if (!keep)
		return;
	arena_free_chunks(keep->next);
	keep->next = NULL;
	keep->used = 0;
	if (keep->size > arena->chunk_bytes) { /* one large request must not hold its memory for ever */
		mem_free(keep);
		arena->chunks = NULL;
	}
}

void *arena_alloc(struct arena *arena, size_t size)
{
	const size_t align = alignof(max_align_t);
	size_t need = (size + align - 1) & ~(align - 1);
	struct arena_chunk *chunk = arena->chunks;
	void *ptr;

	assert(need >= size);
	if (!chunk || need > chunk->size - chunk->used) {
		size_t bytes = need > arena->chunk_bytes ? need : arena->chunk_bytes;

		chunk = mem_realloc(NULL, sizeof(*chunk) + bytes);
		*chunk = (struct arena_chunk){.next = arena->chunks, .size = bytes};
		arena->chunks = chunk;
	}
	ptr = chunk->bytes + chunk->used;
	chunk->used += need;
	return memset(ptr, 0, need);
}

struct str arena_dup(struct arena *arena, struct str s)
{
	char *copy = arena_alloc(arena, s.len + 1);

	if (s.len)
		memcpy(copy, s.ptr, s.len);
	return (struct str){copy, s.len};
}

void *arena_array(struct arena *arena, size_t count, size_t element_size)
{
	size_t bytes;
	bool overflow = __builtin_mul_overflow(count, element_size, &bytes);

	assert(!overflow);
	return arena_alloc(arena, bytes);
}
