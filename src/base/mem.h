#pragma once
/* Heap memory that is there or ends the process.
 *
 * Out of memory is not an error a caller can mend, so it ends the process here and nowhere else. The price is a duty:
 * every size that a peer chooses must meet its own limit before it gets here.
 * Threads: any. */
#include "base/compiler.h"
#include <stddef.h>

/* Returns `size` zeroed bytes, never NULL; the caller frees with mem_free. */
void *mem_zalloc(size_t size);

/* Like realloc; never NULL for size > 0. New bytes are not zeroed. */
void *mem_realloc(void *ptr, size_t size);

/* Copies `len` bytes and adds a NUL. */
char *mem_dup(const void *bytes, size_t len);

/* Frees; NULL is accepted. */
void mem_free(void *ptr);

/* Overwrites `len` bytes in a way the compiler keeps, for keys and tokens. */
void mem_wipe(void *ptr, size_t len);
