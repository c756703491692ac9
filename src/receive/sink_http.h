#pragma once
/* One HTTP request of a sink, waited for: with connections kept, a time limit, and an end when the process ends. */
#include "base/error.h"
#include "http/client.h"

#include <stdatomic.h>

struct sink_http;

struct sink_http_options {
	const char *name;    /* of the setting, for texts; static */
	const char *url;     /* http or https; copied */
	const char *ca_file; /* as of struct http_client_options */
	uint64_t timeout_ms; /* of the whole exchange */
};

/* Errors ERR_INVALID (the URL, the CA file), with the setting's name. */
MUST_CHECK int sink_http_open(const struct sink_http_options *options, struct sink_http **http_out, struct error *err);
/* Accepts NULL. */
void sink_http_close(struct sink_http **http);

/* POSTs to the URL with `path` behind it. Returns 0 when the answer's status is 2xx, else -1 with err, which tells the
 * outcome and the beginning of the answer in printable ASCII, and nothing of the URL but its host. */
MUST_CHECK int sink_http_post(struct sink_http *http, const char *path, const char *const *headers, size_t header_count,
			      struct str body, const atomic_bool *stop, struct error *err);
