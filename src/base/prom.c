/* Metrics as text; see prom.h. */
#include "base/prom.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void prom_family(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s ", name);
	for (const char *at = help; *at; at++) {
		if (*at == '\\')
			buf_append_c(out, "\\\\");
		else if (*at == '\n')
			buf_append_c(out, "\\n");
		else
			buf_append_char(out, *at);
	}
	buf_printf(out, "\n# TYPE %s %s\n", name, type);
}

static void prom_append_label(struct buf *out, const struct prom_label *label)
{
	buf_append_c(out, label->name);
	buf_append_c(out, "=\"");
	for (size_t i = 0; i < label->value.len; i++) {
		char c = label->value.ptr[i];

		if (c == '\\' || c == '"')
			buf_append_char(out, '\\');
		if (c == '\n')
			buf_append_c(out, "\\n");
		else
			buf_append_char(out, c);
	}
	buf_append_char(out, '"');
}

/* The sample up to its value. */
static void prom_begin(struct buf *out, const char *name, const struct prom_label *labels, size_t count)
{
	buf_append_c(out, name);
	for (size_t i = 0; i < count; i++) {
		buf_append_char(out, i ? ',' : '{');
		prom_append_label(out, &labels[i]);
	}
	buf_append_c(out, count ? "} " : " ");
}

void prom_u64(struct buf *out, const char *name, const struct prom_label *labels, size_t count, uint64_t value)
{
	prom_begin(out, name, labels, count);
	buf_printf(out, "%" PRIu64 "\n", value);
}

void prom_i64(struct buf *out, const char *name, const struct prom_label *labels, size_t count, int64_t value)
{
	prom_begin(out, name, labels, count);
	buf_printf(out, "%" PRId64 "\n", value);
}

void prom_thousandths(struct buf *out, const char *name, const struct prom_label *labels, size_t count,
		      int64_t thousandths)
{
	uint64_t size = thousandths < 0 ? -(uint64_t)thousandths : (uint64_t)thousandths;

	prom_begin(out, name, labels, count);
	buf_printf(out, "%s%" PRIu64 ".%03" PRIu64 "\n", thousandths < 0 ? "-" : "", size / 1000, size % 1000);
}

void prom_millionths(struct buf *out, const char *name, const struct prom_label *labels, size_t count,
		     uint64_t millionths)
{
	prom_begin(out, name, labels, count);
	buf_printf(out, "%" PRIu64 ".%06" PRIu64 "\n", millionths / 1000000, millionths % 1000000);
}

void prom_gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
	prom_family(out, name, "gauge", help);
	prom_u64(out, name, NULL, 0, value);
}

void prom_counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
	prom_family(out, name, "counter", help);
	prom_u64(out, name, NULL, 0, value);
}

void prom_word(struct buf *out, const char *name, const char *label, const char *word, uint64_t value)
{
	const struct prom_label one = {label, str_c(word)};

	prom_u64(out, name, &one, 1, value);
}

/* ---- histograms ---- */

size_t prom_bucket(const int64_t *bounds, size_t bound_count, int64_t value)
{
	size_t bucket = 0;

	while (bucket < bound_count && value > bounds[bucket])
		bucket++;
	return bucket;
}

/* Buckets, sum and count; in seconds when `is_time`. */
static void prom_write_buckets(struct buf *out, const char *name, const struct prom_histogram *histogram, bool is_time)
{
	char part[128];
	uint64_t total = 0;

	(void)snprintf(part, sizeof(part), "%s_bucket", name); /* fits: names are short, as below */
	for (size_t i = 0; i <= histogram->bound_count; i++) {
		char bound[32] = "+Inf";
		struct prom_label le = {"le", STR("")};

		if (i < histogram->bound_count && is_time)
			(void)snprintf(bound, sizeof(bound), "%" PRId64 ".%06" PRId64,
				       histogram->bounds_us[i] / 1000000, histogram->bounds_us[i] % 1000000);
		else if (i < histogram->bound_count)
			(void)snprintf(bound, sizeof(bound), "%" PRId64, histogram->bounds_us[i]);
		le.value = str_c(bound);
		total += histogram->buckets[i];
		prom_u64(out, part, &le, 1, total);
	}
	(void)snprintf(part, sizeof(part), "%s_sum", name);
	if (is_time)
		prom_millionths(out, part, NULL, 0, histogram->sum_us);
	else
		prom_u64(out, part, NULL, 0, histogram->sum_us);
	(void)snprintf(part, sizeof(part), "%s_count", name);
	prom_u64(out, part, NULL, 0, total);
}

void prom_histogram(struct buf *out, const char *name, const struct prom_histogram *histogram)
{
	prom_write_buckets(out, name, histogram, true);
}

void prom_histogram_counts(struct buf *out, const char *name, const struct prom_histogram *histogram)
{
	prom_write_buckets(out, name, histogram, false);
}
