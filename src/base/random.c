/* Random numbers and keyed hashing; see random.h. SipHash is by Aumasson and Bernstein (2012); written from the paper.
 */
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void random_bytes(void *out, size_t len)
{
	char *at = out;

	while (len) {
		ssize_t got = getrandom(at, len, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			(void)fprintf(stderr, "level=fatal event=no_random errno=%d\n", errno);
			abort();
		}
		at += got;
		len -= (size_t)got;
	}
}

uint64_t random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return value;
}

uint64_t prng_next(struct prng *prng)
{
	uint64_t z = prng->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t prng_below(struct prng *prng, uint64_t bound)
{
	return prng_next(prng) % bound;
}

struct hash_key hash_key_random(void)
{
	return (struct hash_key){random_u64(), random_u64()};
}

static uint64_t hash_rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void hash_rounds(uint64_t v[4], int count)
{
	for (int i = 0; i < count; i++) {
		v[0] += v[1];
		v[1] = hash_rotate(v[1], 13) ^ v[0];
		v[0] = hash_rotate(v[0], 32);
		v[2] += v[3];
		v[3] = hash_rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = hash_rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = hash_rotate(v[1], 17) ^ v[2];
		v[2] = hash_rotate(v[2], 32);
	}
}

uint64_t hash_sip(struct hash_key key, const void *bytes, size_t len, int c, int d)
{
	const unsigned char *in = bytes;
	uint64_t v[4] = {key.k0 ^ 0x736f6d6570736575u, key.k1 ^ 0x646f72616e646f6du, key.k0 ^ 0x6c7967656e657261u,
			 key.k1 ^ 0x7465646279746573u};
	uint64_t word;
	uint64_t last = (uint64_t)len << 56;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, in + i, 8); /* little-endian machines only, as Debian's x86-64 and arm64 are */
		v[3] ^= word;
		hash_rounds(v, c);
		v[0] ^= word;
	}
	for (size_t shift = 0; i < len; i++, shift += 8)
		last |= (uint64_t)in[i] << shift;
	v[3] ^= last;
	hash_rounds(v, c);
	v[0] ^= last;
	v[2] ^= 0xff;
	hash_rounds(v, d);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(struct hash_key key, const void *bytes, size_t len)
{
	return hash_sip(key, bytes, len, 1, 3);
}
