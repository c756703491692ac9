#pragma once
/* Random numbers: the kernel's for secrets and ids, a seeded generator for jitter and tests. */
#include <stddef.h>
#include <stdint.h>

/* Fills from the kernel's generator; ends the process if it has none to give. Threads: any. */
void random_bytes(void *out, size_t len);
uint64_t random_u64(void);

/* Seeded generator (splitmix64): the same seed gives the same numbers for ever. One thread per state. */
struct prng {
	uint64_t state;
};
uint64_t prng_next(struct prng *prng);
/* Uniform enough in 0 .. bound-1; bound > 0. */
uint64_t prng_below(struct prng *prng, uint64_t bound);

/* SipHash-1-3 of the bytes with a 128-bit key: for hash tables whose keys a peer chooses. */
struct hash_key {
	uint64_t k0;
	uint64_t k1;
};
uint64_t hash_bytes(struct hash_key key, const void *bytes, size_t len);
/* The general form, `c` rounds per word and `d` at the end; the tests check 2-4 against the published vectors. */
uint64_t hash_sip(struct hash_key key, const void *bytes, size_t len, int c, int d);
struct hash_key hash_key_random(void);
