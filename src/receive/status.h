#pragma once
/* What `highwater receive` tells about itself, over HTTP: /metrics, /healthz, /readyz. A server of its own, since callbacks
 * come from elsewhere than the operator. */
#include "receive/receive.h"

struct status;

struct status_options {
	struct receive *receive;       /* borrowed until the close, as the next */
	struct http_server *callbacks; /* the server that takes them */
	const char *record_path;
};

/* Opens a reader of the record. Errors as record_reader_open's. */
MUST_CHECK int status_open(const struct status_options *options, struct status **status_out, struct error *err);
/* After its HTTP server is closed, and before what it borrows. Accepts NULL. */
void status_close(struct status **status);

/* For struct http_server_options; `context` is the struct status. */
void status_handle(void *context, struct http_call *call);
void status_refuse(void *context, enum http_refusal why, struct buf *body_out);
