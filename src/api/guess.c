/* Waits for whoever guesses the admin token; see guess.h. */
#include "api/guess.h"
#include "base/mem.h"
#include "base/random.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <string.h>

#define GUESS_ADDRESS_BYTES_MAX 45
#define GUESS_PREFIX_BYTES 8 /* of an IPv6 address */

struct guess {
	uint64_t hash; /* of the address; 0: free */
	uint64_t count;
	int64_t last_ms;
};

struct guesses {
	uint64_t free_count;
	struct hash_key key;
	pthread_mutex_t lock;
	struct guess places[GUESS_PLACES];
};

struct guesses *guesses_new(uint64_t free_count)
{
	struct guesses *guesses = mem_zalloc(sizeof(*guesses));
	int rc = pthread_mutex_init(&guesses->lock, NULL);

	assert(rc == 0);
	guesses->free_count = free_count;
	guesses->key = hash_key_random();
	return guesses;
}

void guesses_free(struct guesses **guesses)
{
	if (!*guesses)
		return;
	(void)pthread_mutex_destroy(&(*guesses)->lock); /* unlocked */
	mem_free(*guesses);
	*guesses = NULL;
}

/* Never 0. */
static uint64_t guess_hash(const struct guesses *guesses, struct str address)
{
	char text[GUESS_ADDRESS_BYTES_MAX + 1];
	unsigned char six[sizeof(struct in6_addr)];
	uint64_t hash;

	if (str_copy(text, sizeof(text), address) && inet_pton(AF_INET6, text, six) == 1)
		hash = hash_bytes(guesses->key, six, GUESS_PREFIX_BYTES);
	else
		hash = hash_bytes(guesses->key, address.ptr, address.len);
	return hash ? hash : 1;
}

static bool guess_is_over(const struct guess *guess, int64_t now_ms)
{
	return now_ms - guess->last_ms >= GUESS_FORGET_MS;
}

/* The place of the hash, or with `make` one for it; else NULL. The lock is held. */
static struct guess *guess_find(struct guesses *guesses, uint64_t hash, bool make)
{
	struct guess *set = &guesses->places[hash & (GUESS_PLACES - 1) & ~(uint64_t)(GUESS_PLACES_PER_SET - 1)];
	struct guess *oldest = set;

	for (size_t i = 0; i < GUESS_PLACES_PER_SET; i++) {
		if (set[i].hash == hash)
			return &set[i];
		if (oldest->hash && (!set[i].hash || set[i].last_ms < oldest->last_ms))
			oldest = &set[i];
	}
	if (!make)
		return NULL;
	*oldest = (struct guess){.hash = hash};
	return oldest;
}

static int64_t guess_wait_of(const struct guesses *guesses, const struct guess *guess)
{
	uint64_t over;
	int64_t wait_ms = 1000;

	if (guess->count < guesses->free_count)
		return 0;
	for (over = guess->count - guesses->free_count; over > 0 && wait_ms < GUESS_WAIT_MS_MAX; over--)
		wait_ms *= 2;
	return wait_ms < GUESS_WAIT_MS_MAX ? wait_ms : GUESS_WAIT_MS_MAX;
}

int64_t guesses_wait_ms(struct guesses *guesses, struct str address, int64_t now_ms)
{
	const struct guess *guess;
	int64_t left_ms = 0;

	if (!guesses->free_count)
		return 0;
	pthread_mutex_lock(&guesses->lock);
	guess = guess_find(guesses, guess_hash(guesses, address), false);
	if (guess && !guess_is_over(guess, now_ms))
		left_ms = guess->last_ms + guess_wait_of(guesses, guess) - now_ms;
	pthread_mutex_unlock(&guesses->lock);
	return left_ms > 0 ? left_ms : 0;
}

void guesses_wrong(struct guesses *guesses, struct str address, int64_t now_ms)
{
	struct guess *guess;

	if (!guesses->free_count)
		return;
	pthread_mutex_lock(&guesses->lock);
	guess = guess_find(guesses, guess_hash(guesses, address), true);
	if (guess_is_over(guess, now_ms))
		guess->count = 0;
	guess->count++;
	guess->last_ms = now_ms;
	pthread_mutex_unlock(&guesses->lock);
}

void guesses_right(struct guesses *guesses, struct str address)
{
	struct guess *guess;

	if (!guesses->free_count)
		return;
	pthread_mutex_lock(&guesses->lock);
	guess = guess_find(guesses, guess_hash(guesses, address), false);
	if (guess)
		*guess = (struct guess){0};
	pthread_mutex_unlock(&guesses->lock);
}
