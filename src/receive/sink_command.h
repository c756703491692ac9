#pragma once
/* The sink that runs a program for each event, without a shell: the packet on standard input, facts about it in the
 * environment. Done with is what the program ended with exit code 0 for. */
#include "receive/sink.h"

struct sink_command_options {
	const char *path; /* absolute */
	uint64_t timeout_ms;
	enum sink_events events;
};

/* Errors ERR_INVALID: no absolute path of a file that can be run. */
MUST_CHECK int sink_command_open(const struct sink_command_options *options, struct sink *sink_out, struct error *err);
