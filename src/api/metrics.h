#pragma once
/* What `highwater serve` tells about itself on its status page (status/page.h).
 *
 * A scrape costs the same however many rooms and callbacks there are: counters are read where they are kept, apps from
 * engine/figures.h, at most `app_count_max` of them, those with the lowest SDKAppIDs; the sums are over all. Of the store it
 * reads one row, at most once a second. */
#include "api/api.h"

struct metrics;

#define METRICS_APPS_MAX 20000

struct metrics_options {
	struct engine *engine; /* borrowed until the close, as the next three */
	struct hook *hook;
	struct api *api;
	struct http_server *server; /* that clients call */
	const char *store_path;	    /* of SQLite's file; copied; its size is told. NULL: there is none */
	size_t app_count_max;	    /* 0 to METRICS_APPS_MAX */
};

/* Opens a reader of the store. Errors as store_reader_open's. */
MUST_CHECK int metrics_open(const struct metrics_options *options, struct metrics **metrics_out, struct error *err);
/* After the page is closed, and before what it borrows. Accepts NULL. */
void metrics_close(struct metrics **metrics);

/* For struct status_page; `context` is the struct metrics. */
void metrics_write(void *context, struct buf *out);
void metrics_write_trouble(void *context, struct buf *out);
