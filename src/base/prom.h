#pragma once
/* Writes metrics in the text format 0.0.4 of Prometheus into a buffer. Pure. Threads: any, one per buffer.
 *
 * A family is begun once, then its samples follow. Names and labels are the caller's: letters, digits and underscores.
 * Source: the "Exposition formats" page of the Prometheus documentation. */
#include "base/buf.h"

#define PROM_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* `type`: "counter", "gauge" or "histogram". `help` is one line. */
void prom_family(struct buf *out, const char *name, const char *type, const char *help);

/* A label's value; any text. */
struct prom_label {
	const char *name;
	struct str value;
};

/* Samples of integers are exact up to the 2^53 that Prometheus itself can hold. */
void prom_u64(struct buf *out, const char *name, const struct prom_label *labels, size_t count, uint64_t value);
void prom_i64(struct buf *out, const char *name, const struct prom_label *labels, size_t count, int64_t value);
/* `thousandths` of the unit, such as milliseconds of seconds; `millionths`. Written as a decimal fraction, whatever the
 * locale. */
void prom_thousandths(struct buf *out, const char *name, const struct prom_label *labels, size_t count,
		      int64_t thousandths);
void prom_millionths(struct buf *out, const char *name, const struct prom_label *labels, size_t count,
		     uint64_t millionths);

/* A family of one sample without labels. */
void prom_gauge(struct buf *out, const char *name, const char *help, uint64_t value);
void prom_counter(struct buf *out, const char *name, const char *help, uint64_t value);
/* A sample with one label whose value is a word. */
void prom_word(struct buf *out, const char *name, const char *label, const char *word, uint64_t value);

/* A histogram of durations: `bounds_us` rises; `buckets` has one more, each for itself (not cumulative); `sum_us` of all
 * observations. Written in seconds. */
struct prom_histogram {
	const int64_t *bounds_us;
	const uint64_t *buckets;
	size_t bound_count;
	uint64_t sum_us;
};
void prom_histogram(struct buf *out, const char *name, const struct prom_histogram *histogram);
/* A histogram of counts, such as sizes: bounds and sum are plain numbers, whatever their names say. */
void prom_histogram_counts(struct buf *out, const char *name, const struct prom_histogram *histogram);
/* Which bucket an observation belongs to: the first whose bound it does not exceed, or `bound_count`. */
size_t prom_bucket(const int64_t *bounds, size_t bound_count, int64_t value);
