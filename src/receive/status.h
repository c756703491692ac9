#pragma once
/* What `highwater receive` tells about itself on its status page (status/page.h). */
#include "receive/receive.h"

struct status;

struct status_options {
	struct receive *receive;       /* borrowed until the close, as the next */
	struct http_server *callbacks; /* the server that takes them */
	const char *record_path;
};

/* Opens a reader of the record. Errors as record_reader_open's. */
MUST_CHECK int status_open(const struct status_options *options, struct status **status_out, struct error *err);
/* After the page is closed, and before what it borrows. Accepts NULL. */
void status_close(struct status **status);

/* For struct status_page; `context` is the struct status. */
void status_write_metrics(void *context, struct buf *out);
void status_write_trouble(void *context, struct buf *out);
