/* What `highwater trigger` and `highwater check` share; see trier.h. */
#include "cli/trier.h"
#include "base/json.h"
#include "cli/files.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define TRIER_REPLY_BYTES_MAX (256 * 1024)
#define TRIER_BACKEND_REPLY_BYTES_MAX (16 * 1024) /* callback.reply_max */

int trier_read_key(const struct cli_line *line, struct hw_webhook_key *out)
{
	char reason[160] = "";
	struct buf text;
	int exit;

	if (!options_get(line, OPTION_SECRET_FILE)->set)
		return CLI_DONE;
	buf_init(&text, HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1024);
	exit = options_read_secret(line, OPTION_SECRET_FILE, HW_WEBHOOK_KEY_TEXT_BYTES_MAX, &text);
	if (exit == CLI_DONE && hw_webhook_key_parse(buf_c(&text), text.len, out, reason, sizeof(reason)))
		exit = cli_fail(line, CLI_USAGE, "--secret-file: %s", reason);
	else if (exit == CLI_DONE && out->kind == HW_WEBHOOK_PUBLIC)
		exit = cli_fail(line, CLI_USAGE,
				"--secret-file: a public key (whpk_) cannot sign; whsec_ or whsk_ is needed");
	files_wipe(&text);
	return exit;
}

int trier_read_client_cert(const struct cli_line *line, struct buf *cert_out, struct buf *key_out)
{
	int exit;

	if (options_get(line, OPTION_CERT_FILE)->set != options_get(line, OPTION_KEY_FILE)->set)
		return cli_fail(line, CLI_USAGE, "--cert-file and --key-file belong together");
	if (!options_get(line, OPTION_CERT_FILE)->set)
		return CLI_DONE;
	exit = options_read_text(line, OPTION_CERT_FILE, TRIER_PEM_BYTES_MAX, cert_out);
	return exit == CLI_DONE ? options_read_text(line, OPTION_KEY_FILE, TRIER_PEM_BYTES_MAX, key_out) : exit;
}

static int trier_read_line(const struct cli_line *line, struct trier *trier)
{
	const struct option_value *app = options_get(line, OPTION_APP);
	int exit = CLI_DONE;

	trier->caller = (struct caller){
		.url = line->arguments[0],
		.sdkappid = app->set ? (uint32_t)app->number : TRIER_APP_DEFAULT,
		.client_ip = "127.0.0.1",
		.platform = HW_PLATFORM_RESTAPI,
		.operator_account = "administrator",
		.room_id = "room-1",
		.room_count = 400,
		.room_count_max = 500,
		.threshold = 70,
	};
	trier->caller.foreign_sdkappid =
		trier->caller.sdkappid == HW_SDKAPPID_MAX ? trier->caller.sdkappid - 1 : trier->caller.sdkappid + 1;
	if (options_get(line, OPTION_TOKEN_FILE)->set)
		exit = options_read_secret(line, OPTION_TOKEN_FILE, HW_TOKEN_BYTES_MAX, &trier->token);
	trier->caller.token = secret_of(buf_str(&trier->token));
	if (exit == CLI_DONE)
		exit = trier_read_key(line, &trier->key);
	if (exit == CLI_DONE && trier->key.kind != HW_WEBHOOK_NONE)
		trier->caller.key = &trier->key;
	return exit == CLI_DONE ? trier_read_client_cert(line, &trier->client_cert, &trier->client_key) : exit;
}

int trier_open(const struct cli_line *line, struct trier *trier)
{
	const struct http_client_options options = {.ca_file = options_get(line, OPTION_CA_FILE)->text,
						    .connect_timeout_ms = TRIER_TIMEOUT_MS,
						    .total_timeout_ms = TRIER_TIMEOUT_MS,
						    .reply_bytes_max = TRIER_REPLY_BYTES_MAX,
						    .in_flight_max = 16};
	struct error err;
	int exit;

	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail; a receiver may hang up */
	*trier = (struct trier){.client = NULL};
	buf_init(&trier->token, HW_TOKEN_BYTES_MAX + 1024);
	buf_init(&trier->client_cert, TRIER_PEM_BYTES_MAX + 1024);
	buf_init(&trier->client_key, TRIER_PEM_BYTES_MAX + 1024);
	exit = trier_read_line(line, trier);
	if (exit == CLI_DONE && http_client_open(&options, &trier->client, &err))
		exit = cli_fail(line, CLI_IO, "--ca-file: %s", err.text);
	return exit;
}

void trier_close(struct trier *trier)
{
	http_client_close(&trier->client);
	files_wipe(&trier->token);
	files_wipe(&trier->client_cert);
	files_wipe(&trier->client_key);
	hw_webhook_key_wipe(&trier->key);
}

/* ---- sending ---- */

struct trier_wait {
	bool done;
	struct trier_result *out;
};

static void trier_done(void *context, const struct http_result *result)
{
	static const struct verdict_policy policy = {VERDICT_RETRY, VERDICT_RETRY}; /* the backend's defaults */
	struct trier_wait *wait = context;
	struct trier_result *out = wait->out;

	wait->done = true;
	out->outcome = result->outcome;
	out->status = result->status;
	out->duration_us = result->duration_us;
	out->reused = result->connect_us == 0 && result->outcome == HTTP_OUTCOME_REPLIED;
	/* all of them are cut when they are longer */
	(void)str_copy(out->text, sizeof(out->text), str_c(result->text));
	(void)str_copy(out->address, sizeof(out->address), str_c(result->address));
	(void)str_copy(out->tls, sizeof(out->tls), str_c(result->tls));
	buf_append_str(&out->body, result->body);
	verdict_judge(&policy, result, &out->verdict);
	if (out->verdict.delivered && result->body.len > TRIER_BACKEND_REPLY_BYTES_MAX) {
		out->verdict.delivered = false;
		(void)snprintf(out->verdict.reason, sizeof(out->verdict.reason),
			       "the reply has %zu bytes, more than the 16 KiB that the backend reads",
			       result->body.len); /* fits */
	}
}

void trier_send(struct trier *trier, const struct caller_request *request, unsigned drip_ms, struct trier_result *out)
{
	struct trier_wait wait = {.out = out};
	struct http_request http = request->http;

	*out = (struct trier_result){.status = 0};
	buf_init(&out->body, TRIER_REPLY_BYTES_MAX);
	http.client_cert = buf_str(&trier->client_cert);
	http.client_key = buf_str(&trier->client_key);
	http.drip_ms = drip_ms;
	http_client_submit(trier->client, &http, trier_done, &wait);
	while (!wait.done) /* bounded by the request's own time limit */
		http_client_poll(trier->client, 1000);
}

void trier_result_free(struct trier_result *result)
{
	buf_fini(&result->body);
}

void trier_print_json(json_t *whole)
{
	struct buf safe;
	char *text;

	assert(whole);
	text = json_dumps(whole, JSON_INDENT(2));
	assert(text);
	buf_init(&safe, 6 * strlen(text));
	buf_append_c(&safe, text);
	json_escape_unsafe(&safe, 0);
	(void)puts(buf_c(&safe)); /* standard output is all there is */
	buf_fini(&safe);
	free(text); /* jansson's own */
	json_decref(whole);
}
