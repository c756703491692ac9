#pragma once
/* The sink that passes each event on by HTTP POST: the record's JSON object, and with a key the headers of Standard
 * Webhooks over it. Done with is what was answered by a status 2xx. */
#include "base/secret.h"
#include "receive/sink.h"

struct sink_post_options {
	const char *url;
	const char *ca_file;	    /* "" for the system's */
	struct secret bearer;	    /* for Authorization: Bearer; empty for none; copied */
	struct hw_webhook_key *key; /* NULL for none; copied */
	uint64_t timeout_ms;
	enum sink_events events;
};

/* Errors ERR_INVALID, ERR_IO, with the setting's name. */
MUST_CHECK int sink_post_open(const struct sink_post_options *options, struct sink *sink_out, struct error *err);
