/* `highwater app`, what is secret of an app: keys of UserSigs, secrets that sign callbacks, the client certificate.
 *
 * All come from files or standard input, never from the line, which others on the machine can read. */
#include "cli/app.h"
#include "cli/files.h"

#include <highwater/webhook.h>

#include <inttypes.h>
#include <string.h>

#define APPS_PEM_BYTES_MAX (16 * 1024)	     /* of a chain and of a key, as the server takes them */
#define APPS_PEM_BODY_BYTES_MAX (128 * 1024) /* both, with every byte escaped */

/* ---- keys ---- */

int apps_append_key(const struct cli_line *line, struct buf *body)
{
	struct buf key;
	int exit;

	if (!options_get(line, OPTION_KEY_FILE)->set)
		return CLI_DONE;
	buf_init(&key, HW_USERSIG_KEY_BYTES_MAX + 1024);
	exit = options_read_secret(line, OPTION_KEY_FILE, HW_USERSIG_KEY_BYTES_MAX, &key);
	if (exit == CLI_DONE) {
		buf_append_c(body, ",\"Key\":");
		buf_append_json_string(body, buf_str(&key));
	}
	files_wipe(&key);
	return exit;
}

/* What rotations send, but for its end; the caller wipes `body`. */
static int apps_begin_rotation(const struct cli_line *line, uint32_t *sdkappid_out, struct buf *body)
{
	uint64_t overlap_ms = options_get(line, OPTION_OVERLAP)->number;
	int exit = apps_sdkappid(line, sdkappid_out);

	if (exit != CLI_DONE)
		return exit;
	if (overlap_ms % 1000)
		return cli_fail(line, CLI_USAGE, "--overlap: must be whole seconds");
	buf_init(body, APPS_BODY_BYTES_MAX);
	buf_printf(body, "{\"SdkAppid\":%" PRIu32 ",\"Overlap\":%" PRIu64, *sdkappid_out, overlap_ms / 1000);
	return CLI_DONE;
}

/* What becomes of the others. */
static void apps_append_others(const struct cli_line *line, const char *what, struct buf *out)
{
	uint64_t overlap_ms = options_get(line, OPTION_OVERLAP)->number;
	int pad = (int)strlen("secrets  ") - (int)strlen(what);

	if (overlap_ms)
		buf_printf(out, "  other %s%*sexpire in %" PRIu64 " s at the latest\n", what, pad, "",
			   overlap_ms / 1000);
	else
		buf_printf(out, "  other %s%*swere removed\n", what, pad, "");
}

static void apps_print_rotated(const struct cli_line *line, uint32_t sdkappid, const json_t *response)
{
	struct buf text;

	if (remote_print_json(line, response))
		return;
	buf_init(&text, 1024);
	buf_printf(&text, "added key %" PRId64 " to app %" PRIu32 "\n  key           %s\n",
		   remote_number(response, "KeyId"), sdkappid, remote_text(response, "Key"));
	apps_append_others(line, "keys", &text);
	(void)fputs(buf_c(&text), stdout); /* standard output is all there is */
	files_wipe(&text);		   /* the key is in it */
	apps_print_advice(sdkappid);
}

int apps_rotate_key(const struct cli_line *line)
{
	struct remote_answer answer;
	uint32_t sdkappid;
	struct buf body;
	int exit = apps_begin_rotation(line, &sdkappid, &body);

	if (exit != CLI_DONE)
		return exit;
	exit = apps_append_key(line, &body);
	buf_append_char(&body, '}');
	if (exit == CLI_DONE)
		exit = remote_run_manage(line, "app_key_rotate", &body, &answer);
	files_wipe(&body);
	if (exit != CLI_DONE)
		return exit;
	apps_print_rotated(line, sdkappid, answer.response);
	remote_answer_free(&answer);
	return CLI_DONE;
}

int apps_revoke_key(const struct cli_line *line)
{
	uint32_t sdkappid;
	uint64_t key_id;
	struct buf body;
	char done[64];
	const char *word;
	int exit;

	if (line->argument_count == 0)
		return cli_fail(line, CLI_USAGE, "which key? `highwater app show` lists them with their ids");
	if (line->argument_count == 1 && !options_get(line, OPTION_APP)->set)
		return cli_fail(line, CLI_USAGE, "give the app and the key: highwater app revoke-key SDKAPPID KEY-ID");
	exit = apps_sdkappid_before(line, 1, &sdkappid);
	if (exit != CLI_DONE)
		return exit;
	word = line->arguments[line->argument_count - 1];
	if (str_to_u64(str_c(word), INT64_MAX, &key_id) || key_id == 0)
		return cli_fail(line, CLI_USAGE, "\"%.40s\" is no id of a key, a number from 1", word);
	buf_init(&body, APPS_BODY_BYTES_MAX);
	buf_printf(&body, "{\"SdkAppid\":%" PRIu32 ",\"KeyId\":%" PRIu64 "}", sdkappid, key_id);
	(void)snprintf(done, sizeof(done), "revoked key %" PRIu64 " of app %" PRIu32, key_id,
		       sdkappid); /* sized for it */
	exit = apps_run_plain(line, "app_key_revoke", &body, done);
	buf_fini(&body);
	return exit;
}

/* ---- secrets of callbacks ---- */

/* `"Kind":"v1"` from --kind. */
static int apps_append_kind(const struct cli_line *line, struct buf *body)
{
	const char *kind = options_get(line, OPTION_KIND)->text;

	if (strcmp(kind, "v1") && strcmp(kind, "v1a"))
		return cli_fail(line, CLI_USAGE, "--kind: must be v1 or v1a");
	buf_printf(body, ",\"Kind\":\"%s\"", kind);
	return CLI_DONE;
}

static int apps_append_secret(const struct cli_line *line, struct buf *body)
{
	struct buf secret;
	int exit;

	if (!options_get(line, OPTION_SECRET_FILE)->set)
		return CLI_DONE;
	buf_init(&secret, HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1024);
	exit = options_read_secret(line, OPTION_SECRET_FILE, HW_WEBHOOK_KEY_TEXT_BYTES_MAX, &secret);
	if (exit == CLI_DONE) {
		buf_append_c(body, ",\"Secret\":");
		buf_append_json_string(body, buf_str(&secret));
	}
	files_wipe(&secret);
	return exit;
}

static void apps_print_secret(const struct cli_line *line, uint32_t sdkappid, const json_t *response)
{
	bool hidden = *remote_text(response, "PublicKey") != '\0'; /* a private key stays in the server */
	struct buf text;

	if (remote_print_json(line, response))
		return;
	buf_init(&text, 1024);
	buf_printf(&text, "added %s secret %" PRId64 " to app %" PRIu32 "\n", options_get(line, OPTION_KIND)->text,
		   remote_number(response, "SecretId"), sdkappid);
	if (hidden)
		buf_printf(&text, "  public key     %s\n", remote_text(response, "PublicKey"));
	else
		buf_printf(&text, "  secret         %s\n", remote_text(response, "Secret"));
	apps_append_others(line, "secrets", &text);
	if (hidden)
		buf_append_c(&text,
			     "Give the public key to the App backend, which verifies webhook-signature with it.\n");
	else
		buf_printf(&text,
			   "Give it to the App backend, which verifies webhook-signature with it, and to nobody else. "
			   "`highwater app show %" PRIu32 " --reveal-key` shows it again.\n",
			   sdkappid);
	(void)fputs(buf_c(&text), stdout); /* standard output is all there is */
	files_wipe(&text);		   /* the secret is in it */
}

int apps_rotate_secret(const struct cli_line *line)
{
	struct remote_answer answer;
	uint32_t sdkappid;
	struct buf body;
	int exit = apps_begin_rotation(line, &sdkappid, &body);

	if (exit != CLI_DONE)
		return exit;
	exit = apps_append_kind(line, &body);
	if (exit == CLI_DONE)
		exit = apps_append_secret(line, &body);
	buf_append_char(&body, '}');
	if (exit == CLI_DONE)
		exit = remote_run_manage(line, "app_secret_rotate", &body, &answer);
	files_wipe(&body);
	if (exit != CLI_DONE)
		return exit;
	apps_print_secret(line, sdkappid, answer.response);
	remote_answer_free(&answer);
	return CLI_DONE;
}

int apps_revoke_secret(const struct cli_line *line)
{
	uint64_t id = options_get(line, OPTION_ID)->number;
	uint32_t sdkappid;
	struct buf body;
	char done[96];
	int exit = apps_sdkappid(line, &sdkappid);

	if (exit != CLI_DONE)
		return exit;
	buf_init(&body, APPS_BODY_BYTES_MAX);
	buf_printf(&body, "{\"SdkAppid\":%" PRIu32 ",\"SecretId\":%" PRIu64, sdkappid, id);
	exit = apps_append_kind(line, &body);
	buf_append_char(&body, '}');
	(void)snprintf(done, sizeof(done), "revoked %.3s secret %" PRIu64 " of app %" PRIu32,
		       options_get(line, OPTION_KIND)->text, id, sdkappid); /* sized for it */
	if (exit == CLI_DONE)
		exit = apps_run_plain(line, "app_secret_revoke", &body, done);
	buf_fini(&body);
	return exit;
}

/* ---- client certificate ---- */

static int apps_append_pem(const struct cli_line *line, enum option_id id, const char *key, struct buf *body)
{
	struct buf text;
	int exit;

	buf_init(&text, APPS_PEM_BYTES_MAX + 1024);
	exit = options_read_text(line, id, APPS_PEM_BYTES_MAX, &text);
	if (exit == CLI_DONE) {
		buf_printf(body, ",\"%s\":", key);
		buf_append_json_string(body, buf_str(&text));
	}
	files_wipe(&text);
	return exit;
}

int apps_set_certificate(const struct cli_line *line)
{
	uint32_t sdkappid;
	struct buf body;
	char done[96];
	int exit = apps_sdkappid(line, &sdkappid);

	if (exit != CLI_DONE)
		return exit;
	buf_init(&body, APPS_PEM_BODY_BYTES_MAX);
	buf_printf(&body, "{\"SdkAppid\":%" PRIu32, sdkappid);
	exit = apps_append_pem(line, OPTION_CERT_FILE, "Certificate", &body);
	if (exit == CLI_DONE)
		exit = apps_append_pem(line, OPTION_KEY_FILE, "Key", &body);
	buf_append_char(&body, '}');
	(void)snprintf(done, sizeof(done), "callbacks of app %" PRIu32 " show the certificate from now on",
		       sdkappid); /* sized for it */
	if (exit == CLI_DONE)
		exit = apps_run_plain(line, "app_certificate_set", &body, done);
	files_wipe(&body);
	return exit;
}

int apps_delete_certificate(const struct cli_line *line)
{
	uint32_t sdkappid;
	struct buf body;
	char done[96];
	int exit = apps_sdkappid(line, &sdkappid);

	if (exit != CLI_DONE)
		return exit;
	buf_init(&body, APPS_BODY_BYTES_MAX);
	buf_printf(&body, "{\"SdkAppid\":%" PRIu32 "}", sdkappid);
	(void)snprintf(done, sizeof(done), "callbacks of app %" PRIu32 " show no certificate any more",
		       sdkappid); /* sized for it */
	exit = apps_run_plain(line, "app_certificate_delete", &body, done);
	buf_fini(&body);
	return exit;
}
