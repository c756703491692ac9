#pragma once
/* The two clocks. Intervals use the monotonic one; what is stored or sent uses the wall clock. Threads: any. */
#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds since 1970-01-01 UTC; may step. */
int64_t clock_wall_ms(void);
/* Nanoseconds since some fixed point; never steps back. */
int64_t clock_mono_ns(void);
int64_t clock_mono_ms(void);
/* Milliseconds since 1970-01-01 UTC as the wall clock had it at the first call in this process, and monotonic from then
 * on: for deadlines that are stored, and compared with each other. */
int64_t clock_steady_ms(void);
/* Writes "2026-01-31T12:00:00.123Z". */
#define CLOCK_TEXT_BYTES 32
void clock_format(int64_t wall_ms, char out[CLOCK_TEXT_BYTES]);

/* A condition whose timed waits are in the time of clock_mono_ms; and such a moment for pthread_cond_timedwait. */
void clock_init_cond(pthread_cond_t *cond);
struct timespec clock_mono_moment(int64_t mono_ms);
