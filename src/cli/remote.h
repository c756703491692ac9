#pragma once
/* Calls to a running server, as a tool makes them: one request, waited for. The management API is called with the admin
 * token, the app's API with a UserSig made here from the app's key. Threads: the main thread. */
#include "base/json.h"
#include "base/secret.h"
#include "cli/options.h"

#include <highwater/platform.h>
#include <highwater/usersig.h>

/* Options of every command that talks to a server. */
#define REMOTE_OPTIONS                                                                                                 \
	(OPTION_BIT(OPTION_SERVER) | OPTION_BIT(OPTION_CA_FILE) | OPTION_BIT(OPTION_ADMIN_TOKEN_FILE) |                \
	 OPTION_BIT(OPTION_JSON))

struct remote {
	const char *server;	      /* "http://127.0.0.1:8080" */
	const char *ca_file;	      /* "" for the system's */
	const char *admin_token_file; /* read at each call that needs it */
};

/* Who speaks for an app. */
struct remote_sender {
	uint32_t sdkappid;
	const char *identifier;
	const char *platform; /* of a client; NULL leaves it out */
	char key[HW_USERSIG_KEY_BYTES_MAX + 1];
	size_t key_len;
	int64_t expire_s; /* of the UserSig; 0 for a few minutes */
};

struct remote_answer {
	int code;	  /* enum hw_code; HW_OK when it was done */
	char text[384];	  /* ErrorInfo */
	json_t *response; /* "Response"; an empty object when there is none. Owned. */
};

/* Each returns 0 when the server answered, whatever it said; the caller frees the answer. On -1 there was no answer
 * that can be understood, and the text says what to do. `body` is a JSON object. */
MUST_CHECK int remote_manage(const struct remote *remote, const char *command, struct str body,
			     struct remote_answer *answer_out, struct error *err);
MUST_CHECK int remote_send(const struct remote *remote, const struct remote_sender *sender, const char *path,
			   struct str body, struct remote_answer *answer_out, struct error *err);
void remote_answer_free(struct remote_answer *answer);

/* The URL with which the sender calls `path` (32 random bits and a fresh UserSig in it). */
MUST_CHECK int remote_build_url(const struct remote *remote, const struct remote_sender *sender, const char *path,
				struct buf *out, struct error *err);

/* ---- for commands: these print what went wrong and return an exit code ---- */

/* Takes the options of REMOTE_OPTIONS. */
MUST_CHECK int remote_of_line(const struct cli_line *line, struct remote *out);
/* Takes --app, --as and the key: from --key-file, else from the server. The caller wipes the sender. */
MUST_CHECK int remote_sender_of_line(const struct cli_line *line, struct remote_sender *out);
/* Judges an answer: CLI_DONE when the server did it, else the exit code after telling why. */
MUST_CHECK int remote_tell(const struct cli_line *line, const struct remote_answer *answer);
/* The two calls with their judgement; on CLI_DONE the caller frees the answer. A body that overflowed is told as too
 * long. */
MUST_CHECK int remote_run_manage(const struct cli_line *line, const char *command, const struct buf *body,
				 struct remote_answer *answer_out);
MUST_CHECK int remote_run_send(const struct cli_line *line, const struct remote_sender *sender, const char *path,
			       const struct buf *body, struct remote_answer *answer_out);

/* Fields for printing: 0 and "" when they are absent or of another type. */
int64_t remote_number(const json_t *object, const char *key);
const char *remote_text(const json_t *object, const char *key);

/* With --json prints the response and returns true. */
bool remote_print_json(const struct cli_line *line, const json_t *response);
