/* The two clocks; see clock.h. */
#include "base/clock.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

int64_t clock_wall_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_mono_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000;
}

int64_t clock_steady_ms(void)
{
	static _Atomic int64_t offset_ms; /* wall clock minus monotonic clock; 0: not yet taken */
	int64_t offset = atomic_load(&offset_ms);

	if (!offset) {
		int64_t taken = clock_wall_ms() - clock_mono_ms();

		/* another thread may have been first: then its value stays, and `offset` has it */
		offset = atomic_compare_exchange_strong(&offset_ms, &offset, taken) ? taken : offset;
	}
	return clock_mono_ms() + offset;
}

void clock_format(int64_t wall_ms, char out[CLOCK_TEXT_BYTES])
{
	time_t seconds = (time_t)(wall_ms / 1000);
	int millis = (int)(wall_ms % 1000);
	struct tm parts;
	char date[24];

	if (millis < 0) { /* before 1970 */
		millis += 1000;
		seconds--;
	}
	if (!gmtime_r(&seconds, &parts) || strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts) == 0)
		date[0] = '\0';
	(void)snprintf(out, CLOCK_TEXT_BYTES, "%s.%03dZ", date, millis); /* sized for it */
}

void clock_init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t monotonic;
	int rc = pthread_condattr_init(&monotonic);

	assert(rc == 0);
	rc = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	assert(rc == 0);
	rc = pthread_cond_init(cond, &monotonic);
	assert(rc == 0);
	(void)pthread_condattr_destroy(&monotonic); /* cannot fail on Linux */
}

struct timespec clock_mono_moment(int64_t mono_ms)
{
	return (struct timespec){.tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000};
}
