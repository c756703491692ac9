#pragma once
/* What `highwater trigger` and `highwater check` share: reading the line into a caller, and sending. Threads: the main
 * thread. */
#include "cli/caller.h"
#include "cli/options.h"
#include "hook/verdict.h"

#include <jansson.h>

#define TRIER_APP_DEFAULT 1400000001
#define TRIER_TIMEOUT_MS 10000

/* The options that both take. */
#define TRIER_OPTIONS                                                                                                  \
	(OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_TOKEN_FILE) | OPTION_BIT(OPTION_SECRET_FILE) |                     \
	 OPTION_BIT(OPTION_CA_FILE) | OPTION_BIT(OPTION_CERT_FILE) | OPTION_BIT(OPTION_KEY_FILE) |                     \
	 OPTION_BIT(OPTION_JSON))

struct trier {
	struct caller caller; /* what the line says */
	struct buf token;     /* secret, as the next three */
	struct hw_webhook_key key;
	struct buf client_cert;
	struct buf client_key;
	struct http_client *client;
};

/* What came of a request: copies. */
struct trier_result {
	enum http_outcome outcome;
	int status;
	int64_t duration_us;
	bool reused; /* a kept connection was used */
	char text[256];
	char address[64];
	char tls[80];
	struct buf body;
	struct verdict verdict; /* the backend's */
};

/* Reads the line, and the files it names, and opens the client. `trier` is to be closed in any case. Returns CLI_DONE or
 * the exit code after telling what is wrong. */
MUST_CHECK int trier_open(const struct cli_line *line, struct trier *trier);
void trier_close(struct trier *trier);

/* Reads the key of --secret-file, if it is given, to sign with. Returns CLI_DONE or the exit code, and `out` is to be
 * wiped in any case. */
MUST_CHECK int trier_read_key(const struct cli_line *line, struct hw_webhook_key *out);
/* Reads --cert-file and --key-file, which belong together, if they are given, into buffers for a secret. */
MUST_CHECK int trier_read_client_cert(const struct cli_line *line, struct buf *cert_out, struct buf *key_out);
#define TRIER_PEM_BYTES_MAX (64 * 1024) /* of either; the buffers must have room for 1 KiB more */

/* Sends a request and waits. `out` is to be freed. */
void trier_send(struct trier *trier, const struct caller_request *request, unsigned drip_ms, struct trier_result *out);
void trier_result_free(struct trier_result *result);

/* Prints a JSON object, indented, and releases it; NULL is out of memory. */
void trier_print_json(json_t *whole);
