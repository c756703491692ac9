#pragma once
/* Between the parts of `highwater doctor`: what is to be checked, and the list of what was found. Threads: the main
 * thread. */
#include "base/buf.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "http/guard.h"

#include <highwater/webhook.h>
#include <jansson.h>

/* Defaults of the server's settings, against which times and sizes are held. */
#define DOCTOR_CONNECT_TIMEOUT_MS 2000	   /* callback.connect_timeout */
#define DOCTOR_TOTAL_TIMEOUT_MS 5000	   /* callback.total_timeout */
#define DOCTOR_REPLY_BYTES_MAX (16 * 1024) /* callback.reply_max */
#define DOCTOR_PATIENCE_MS 10000	   /* the doctor waits longer, to be able to say how long it took */

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_WARNING, /* callbacks arrive, but not for ever or not always */
	DOCTOR_PROBLEM, /* they do not */
};

struct doctor {
	const char *url;
	const char *ca_file; /* "" for the system's */
	uint32_t sdkappid;
	struct secret token;	   /* empty for none */
	struct hw_webhook_key key; /* none unless with_key */
	bool with_key;
	struct str client_cert; /* PEM; empty for none, as the next */
	struct str client_key;
	struct guard guard;
	bool json;	  /* else each finding is printed at once */
	json_t *findings; /* of all levels, in order; owned */
	unsigned warnings;
	unsigned problems;
	bool sent; /* the test callback went out */
};

/* Notes a finding. `advice` is what to do about it, NULL for nothing. What is not printable ASCII becomes '?'. */
void doctor_find(struct doctor *doctor, enum doctor_level level, const char *check, const char *advice,
		 const char *format, ...) PRINTF_LIKE(5, 6);

/* URL, name, addresses, connections and certificates. Returns true when a callback can be sent. On a failure of this
 * machine -1 with err (ERR_INVALID: the CA file). */
MUST_CHECK int doctor_reach(struct doctor *doctor, bool *reached_out, struct error *err);
/* Sends the test callback and judges what becomes of it. */
MUST_CHECK int doctor_call(struct doctor *doctor, struct error *err);
