/* Per-thread state of the API: request ids, and the UserSigs that verified before.
 *
 * A verification costs a microsecond or two, a hit a fraction of it. The cache is a fixed table per loop thread, keyed
 * by a seeded hash of app, identifier and the whole signature, compared in full. An entry holds the generation of the
 * app's configuration under which it verified, so a changed or revoked key makes all of the app's entries useless at
 * once, and it ends when the signature or the key that made it ends. Failures are never cached, so nobody can fill it
 * with rubbish.
 *
 * Every key of the app that has not expired is tried, the newest first. Which one it is matters for one answer only,
 * that of a wrong key; so the first other answer is the answer. */
#include "api/request.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define USERSIG_CACHE_COUNT 4096 /* entries per thread, a power of two; about 350 bytes each when full */

struct usersig_entry {
	uint64_t generation; /* 0: free */
	uint32_t sdkappid;
	char identifier[HW_IDENTIFIER_BYTES_MAX + 1];
	struct str sig; /* owned */
	int64_t end_ms; /* valid while now <= end_ms */
};

struct api_thread {
	struct prng prng;
	uint64_t sequence;
	struct hash_key hash_key;
	struct usersig_entry *entries;
	struct log_limit refusal_limit;
	struct log_limit guess_limit;
	struct tally *tally;
};

struct api_thread *api_threads_new(unsigned count)
{
	struct api_thread *threads = mem_zalloc(count * sizeof(*threads));

	for (unsigned i = 0; i < count; i++) {
		threads[i].prng.state = random_u64();
		threads[i].refusal_limit.interval_ms = 100;
		threads[i].guess_limit.interval_ms = 1000;
		threads[i].tally = tally_new();
		threads[i].hash_key = hash_key_random();
		threads[i].entries = mem_zalloc(USERSIG_CACHE_COUNT * sizeof(*threads[i].entries));
	}
	return threads;
}

struct tally *api_tally(struct api_thread *thread)
{
	return thread->tally;
}

void api_tally_sum(struct api *api, size_t place, uint64_t counts_out[API_RESULT_COUNT])
{
	memset(counts_out, 0, API_RESULT_COUNT * sizeof(counts_out[0]));
	for (unsigned i = 0; i < api->thread_count; i++)
		tally_add(api->threads[i].tally, place, counts_out);
}

struct log_limit *api_guess_limit(struct api_thread *thread)
{
	return &thread->guess_limit;
}

struct log_limit *api_refusal_limit(struct api_thread *thread)
{
	return &thread->refusal_limit;
}

struct api_thread *api_request_thread(struct api_request *request)
{
	return &request->api->threads[http_call_thread(request->call)];
}

static void usersig_entry_clear(struct usersig_entry *entry)
{
	mem_free((void *)(uintptr_t)entry->sig.ptr); /* made by mem_dup */
	*entry = (struct usersig_entry){0};
}

void api_threads_free(struct api_thread **threads, unsigned count)
{
	if (!*threads)
		return;
	for (unsigned i = 0; i < count; i++) {
		for (size_t k = 0; k < USERSIG_CACHE_COUNT; k++)
			usersig_entry_clear(&(*threads)[i].entries[k]);
		tally_free(&(*threads)[i].tally);
		mem_free((*threads)[i].entries);
	}
	mem_free(*threads);
	*threads = NULL;
}

void api_make_request_id(struct api_thread *thread, char out[API_REQUEST_ID_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	uint64_t words[2] = {prng_next(&thread->prng), prng_next(&thread->prng)};

	memcpy(out, "Id-", 3);
	for (unsigned i = 0; i < 32; i++)
		out[3 + i] = digits[words[i / 16] >> (i % 16 * 4) & 15];
	(void)snprintf(out + 35, API_REQUEST_ID_BYTES - 35, "-O-Seq-%llu",
		       (unsigned long long)++thread->sequence); /* sized for it */
}

static struct usersig_entry *usersig_slot(struct api_thread *thread, uint32_t sdkappid, struct str identifier,
					  struct str usersig)
{
	struct hash_key key = {thread->hash_key.k0 ^ sdkappid, thread->hash_key.k1};
	uint64_t hash = hash_bytes(key, usersig.ptr, usersig.len) ^ hash_bytes(key, identifier.ptr, identifier.len) * 3;

	return &thread->entries[hash & (USERSIG_CACHE_COUNT - 1)];
}

static bool usersig_entry_is(const struct usersig_entry *entry, const struct api_request *request, struct str usersig,
			     int64_t now_ms)
{
	return entry->generation == request->app->generation && entry->sdkappid == request->app->config.sdkappid &&
	       now_ms <= entry->end_ms && str_eq(str_c(entry->identifier), request->identifier) &&
	       str_eq_secret(entry->sig, usersig);
}

/* When a signature ends that `key` made. The signature is valid through the whole of its last second. */
static int64_t usersig_end_ms(const struct hw_usersig_facts *facts, const struct app_key_entry *key)
{
	/* both are at least 0, but whoever has the key may have signed any */
	int64_t end_s = facts->expire_s > INT64_MAX - facts->time_s ? INT64_MAX : facts->time_s + facts->expire_s;
	int64_t end_ms = end_s > INT64_MAX / 1000 - 1 ? INT64_MAX : end_s * 1000 + 999;

	return key->expire_ms && key->expire_ms < end_ms ? key->expire_ms : end_ms;
}

/* Tries the keys. Returns an enum hw_code; `end_ms_out` is filled on HW_OK. */
static int usersig_verify(const struct api_request *request, struct str usersig, int64_t now_ms, int64_t *end_ms_out)
{
	const struct app_config *config = &request->app->config;
	int code = HW_SIG_NO_KEY;

	for (unsigned i = 0; i < config->keys.count && (code == HW_SIG_NO_KEY || code == HW_SIG_WRONG_KEY); i++) {
		struct str key = secret_reveal(app_key_at(&config->keys, i));
		struct hw_usersig_facts facts;

		if (app_key_expired(&config->keys.list[i], now_ms))
			continue;
		code = hw_usersig_verify(usersig.ptr, usersig.len, config->sdkappid, request->identifier.ptr, key.ptr,
					 key.len, now_ms / 1000, &facts);
		if (code == HW_OK)
			*end_ms_out = usersig_end_ms(&facts, &config->keys.list[i]);
	}
	return code;
}

int api_verify_usersig(struct api_request *request, struct str usersig)
{
	uint32_t sdkappid = request->app->config.sdkappid;
	struct usersig_entry *entry = usersig_slot(api_request_thread(request), sdkappid, request->identifier, usersig);
	int64_t now_ms = clock_wall_ms();
	int64_t end_ms;
	int code;

	if (usersig_entry_is(entry, request, usersig, now_ms))
		return HW_OK;
	code = usersig_verify(request, usersig, now_ms, &end_ms);
	if (code != HW_OK)
		return code;
	usersig_entry_clear(entry);
	entry->generation = request->app->generation;
	entry->sdkappid = sdkappid;
	(void)str_copy(entry->identifier, sizeof(entry->identifier), request->identifier); /* length checked before */
	entry->sig = (struct str){mem_dup(usersig.ptr, usersig.len), usersig.len};
	entry->end_ms = end_ms;
	return HW_OK;
}
