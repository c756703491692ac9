/* How many answers of which kind, by path; see request.h.
 *
 * Each loop thread counts for itself, so counting takes neither a lock nor a locked instruction; who sums sees each count
 * whole, if a moment late. The table is as large as the routes are many: no peer makes it grow. */
#include "api/request.h"
#include "base/mem.h"

#include <assert.h>
#include <stdatomic.h>

struct tally {
	size_t places;
	_Atomic uint64_t counts[][API_RESULT_COUNT]; /* of each path */
};

const char *api_result_word(enum api_result result)
{
	static const char *const words[] = {
#define API_RESULT_WORD(name, word) word,
		API_RESULTS(API_RESULT_WORD)
#undef API_RESULT_WORD
	};

	return words[result];
}

enum api_result api_result_of(int code)
{
	static const struct {
		int code;
		enum api_result result;
	} rows[] = {
		{HW_OK, RESULT_OK},
		{HW_NO_USERSIG, RESULT_DENIED},
		{HW_NEEDS_ADMIN, RESULT_DENIED},
		{HW_SIG_EXPIRED, RESULT_DENIED},
		{HW_SIG_ILLEGAL, RESULT_DENIED},
		{HW_SIG_WRONG_KEY, RESULT_DENIED},
		{HW_SIG_WRONG_IDENTIFIER, RESULT_DENIED},
		{HW_SIG_WRONG_SDKAPPID, RESULT_DENIED},
		{HW_SIG_NO_KEY, RESULT_DENIED},
		{HW_NO_PERMISSION, RESULT_DENIED},
		{HW_NO_RESOURCE, RESULT_UNKNOWN},
		{HW_NOT_SUPPORTED, RESULT_UNKNOWN},
		{HW_UNKNOWN_SDKAPPID, RESULT_UNKNOWN},
		{HW_ACCOUNT_UNKNOWN, RESULT_UNKNOWN},
		{HW_NO_ROOM, RESULT_UNKNOWN},
		{HW_NO_CALLBACK, RESULT_UNKNOWN},
		{HW_NO_CALLBACK_TOKEN, RESULT_UNKNOWN},
		{HW_NO_METADATA, RESULT_UNKNOWN},
		{HW_ROOM_EXISTS, RESULT_CONFLICT},
		{HW_ROOM_EXISTS_OWNED, RESULT_CONFLICT},
		{HW_ROOM_TOO_SOON, RESULT_CONFLICT},
		{HW_CALLBACK_EXISTS, RESULT_CONFLICT},
		{HW_QUOTA_FULL, RESULT_FULL},
		{HW_API_BUSY, RESULT_BUSY},
		{HW_APP_BUSY, RESULT_BUSY},
		{HW_TIMED_OUT, RESULT_BUSY},
		{HW_INTERNAL, RESULT_FAILED},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].code == code)
			return rows[i].result;
	return RESULT_BAD;
}

struct tally *tally_new(void)
{
	size_t places = api_route_count() + 1;
	struct tally *tally = mem_zalloc(sizeof(*tally) + places * sizeof(tally->counts[0]));

	tally->places = places;
	return tally;
}

void tally_free(struct tally **tally)
{
	mem_free(*tally);
	*tally = NULL;
}

void tally_count(struct tally *tally, const struct api_route *route, int code)
{
	size_t place = api_route_place(route);
	_Atomic uint64_t *count = &tally->counts[place][api_result_of(code)];

	assert(place < tally->places);
	/* there is one writer: reading and writing need not be one step */
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1, memory_order_relaxed);
}

void tally_add(const struct tally *tally, size_t place, uint64_t counts[API_RESULT_COUNT])
{
	for (size_t i = 0; i < API_RESULT_COUNT; i++)
		counts[i] += atomic_load_explicit(&tally->counts[place][i], memory_order_relaxed);
}
