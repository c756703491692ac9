#pragma once
/* Between probe.c and probe_tls.c. */
#include "http/probe.h"

/* Waits until the socket is ready or the time is over. */
MUST_CHECK bool probe_wait(int fd, short events, int64_t deadline_ms);
/* The handshake on a connected socket that does not block: fills what probe_result has of TLS. Returns as probe_look. */
MUST_CHECK int probe_secure(const struct probe_target *target, int fd, const struct probe_tls *with,
			    int64_t deadline_ms, struct probe_result *out, struct error *err);
