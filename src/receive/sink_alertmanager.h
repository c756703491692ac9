#pragma once
/* The sink that tells a Prometheus Alertmanager (API version 2) which alerts fire; see firing.h for what it says. */
#include "receive/sink.h"

struct sink_alertmanager_options {
	const char *url;     /* without /api/v2/alerts */
	const char *ca_file; /* "" for the system's */
	uint64_t quiet_ms;   /* an alert ends when none of its app and threshold came for so long */
	uint64_t timeout_ms;
};

/* Errors ERR_INVALID, ERR_IO, with the setting's name. */
MUST_CHECK int sink_alertmanager_open(const struct sink_alertmanager_options *options, struct sink *sink_out,
				      struct error *err);
