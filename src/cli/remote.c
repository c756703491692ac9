/* Calls to a running server; see remote.h. */
#include "cli/remote.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "cli/files.h"
#include "http/client.h"

#include <highwater/code.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REMOTE_TOKEN_BYTES_MAX 256
#define REMOTE_REPLY_BYTES_MAX (8 * 1024 * 1024)
#define REMOTE_URL_BYTES_MAX 8192
#define REMOTE_SERVER "--server or HIGHWATER_SERVER: "
#define REMOTE_SIG_EXPIRE_S 600 /* of a UserSig made for one call */
#define REMOTE_BUSY_PAUSE_MS 100
#define REMOTE_BUSY_TRIES 50 /* five seconds, then the refusal is shown */

/* ---- one exchange ---- */

static int remote_fetch(const struct remote *remote, const struct http_request *request, struct buf *reply,
			struct error *err)
{
	const struct http_client_options options = {
		.ca_file = remote->ca_file,
		.connect_timeout_ms = 5000,
		.total_timeout_ms = 30000,
		.reply_bytes_max = REMOTE_REPLY_BYTES_MAX,
		.in_flight_max = 1,
	};
	struct error detail;
	int status;

	if (http_fetch(&options, request, &status, reply, &detail))
		return error_set(err, detail.class,
				 "no answer from %s: %.200s. Is `highwater serve` running there? "
				 "--server names another address%s",
				 remote->server, detail.text,
				 strncmp(remote->server, "https:", 6) ? "" : ", --ca-file the certificates to trust");
	if (status != 200)
		return error_set(err, ERR_IO,
				 "%s answered HTTP status %d: is that address the one of `highwater serve`?",
				 remote->server, status);
	return 0;
}

static int remote_read_answer(const struct remote *remote, struct str text, struct remote_answer *out,
			      struct error *err)
{
	json_t *root = NULL;
	struct error detail;
	struct str info = {0};
	json_t *response;
	int64_t code;

	if (json_read(text, &root, &detail) || !json_is_object(root) ||
	    json_field_i64(root, "ErrorCode", 0, INT32_MAX, &code) != JSON_FOUND ||
	    json_field_str(root, "ErrorInfo", &info) != JSON_FOUND) {
		json_decref(root);
		return error_set(err, ERR_IO, "what %s answered is no reply of Highwater: is another program there?",
				 remote->server);
	}
	out->code = (int)code;
	(void)str_copy(out->text, sizeof(out->text), info); /* a text too long is cut */
	out->response =
		json_field_object(root, "Response", &response) == JSON_FOUND ? json_incref(response) : json_object();
	json_decref(root);
	return 0;
}

static int remote_post(const struct remote *remote, const char *url, const char *authorization, struct str body,
		       struct remote_answer *out, struct error *err)
{
	const char *headers[] = {"Content-Type: application/json", authorization};
	const struct http_request request = {
		.method = "POST", .url = url, .headers = headers, .header_count = authorization ? 2 : 1, .body = body};
	struct buf reply;
	int result;

	buf_init(&reply, REMOTE_REPLY_BYTES_MAX);
	result = remote_fetch(remote, &request, &reply, err) || remote_read_answer(remote, buf_str(&reply), out, err);
	files_wipe(&reply); /* it may hold a key */
	return result ? -1 : 0;
}

/* ---- the two kinds of calls ---- */

int remote_manage(const struct remote *remote, const char *command, struct str body, struct remote_answer *answer_out,
		  struct error *err)
{
	struct buf token;
	struct buf header;
	struct buf url;
	struct error detail;
	int result;

	buf_init(&token, REMOTE_TOKEN_BYTES_MAX + 1024);
	buf_init(&header, REMOTE_TOKEN_BYTES_MAX + 64);
	buf_init(&url, REMOTE_URL_BYTES_MAX);
	result = files_read_secret(remote->admin_token_file, REMOTE_TOKEN_BYTES_MAX, &token, &detail);
	if (result) {
		(void)error_set(
			err, ERR_IO,
			"the admin token: %.200s. `highwater serve` keeps it as admin-token in its data folder; "
			"--admin-token-file says where",
			detail.text); /* result says -1 already */
	} else {
		buf_printf(&header, "Authorization: Bearer %s", buf_c(&token));
		buf_printf(&url, "%s/manage/v1/%s", remote->server, command);
		result = remote_post(remote, buf_c(&url), buf_c(&header), body, answer_out, err);
	}
	buf_fini(&url);
	files_wipe(&header);
	files_wipe(&token);
	return result;
}

static void remote_append_encoded(struct buf *out, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~*";

	for (; *text; text++) {
		if (strchr(plain, *text))
			buf_append_char(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
	}
}

int remote_build_url(const struct remote *remote, const struct remote_sender *sender, const char *path, struct buf *out,
		     struct error *err)
{
	const struct hw_usersig_params params = {
		.sdkappid = sender->sdkappid,
		.identifier = sender->identifier,
		.key = sender->key,
		.key_len = sender->key_len,
		.time_s = clock_wall_ms() / 1000,
		.expire_s = sender->expire_s ? sender->expire_s : REMOTE_SIG_EXPIRE_S,
	};
	char usersig[HW_USERSIG_BYTES_MAX + 1];

	if (hw_usersig_generate(&params, usersig, sizeof(usersig)) < 0)
		return error_set(err, ERR_INVALID,
				 "no UserSig can be made for \"%.60s\": an identifier has 1 to %d bytes of UTF-8",
				 sender->identifier, HW_IDENTIFIER_BYTES_MAX);
	buf_printf(out, "%s%s?sdkappid=%" PRIu32 "&identifier=", remote->server, path, sender->sdkappid);
	remote_append_encoded(out, sender->identifier);
	buf_append_c(out, "&usersig=");
	remote_append_encoded(out, usersig);
	buf_printf(out, "&random=%" PRIu32 "&contenttype=json", (uint32_t)random_u64());
	if (sender->platform) {
		buf_append_c(out, "&platform=");
		remote_append_encoded(out, sender->platform);
	}
	return 0;
}

int remote_send(const struct remote *remote, const struct remote_sender *sender, const char *path, struct str body,
		struct remote_answer *answer_out, struct error *err)
{
	struct buf url;
	int result;

	buf_init(&url, REMOTE_URL_BYTES_MAX);
	result = remote_build_url(remote, sender, path, &url, err);
	if (result == 0)
		result = remote_post(remote, buf_c(&url), NULL, body, answer_out, err);
	files_wipe(&url);
	return result;
}

void remote_answer_free(struct remote_answer *answer)
{
	json_decref(answer->response);
	*answer = (struct remote_answer){0};
}

/* ---- for commands ---- */

int remote_of_line(const struct cli_line *line, struct remote *out)
{
	const char *server = options_get(line, OPTION_SERVER)->text;
	struct str text = str_c(server);

	if (!(str_starts_with(text, STR("http://")) && text.len > 7) &&
	    !(str_starts_with(text, STR("https://")) && text.len > 8))
		return cli_fail(line, CLI_USAGE, REMOTE_SERVER "\"%.80s\" is no address such as http://127.0.0.1:8080",
				server);
	if (text.ptr[text.len - 1] == '/' || !str_is_printable_ascii(text) || strpbrk(server, " ?#"))
		return cli_fail(line, CLI_USAGE,
				REMOTE_SERVER "\"%.80s\" holds more than scheme, host and port, as in "
					      "http://127.0.0.1:8080",
				server);
	if (text.len > 1024)
		return cli_fail(line, CLI_USAGE, REMOTE_SERVER "longer than 1024 bytes");
	*out = (struct remote){
		.server = server,
		.ca_file = options_get(line, OPTION_CA_FILE)->text,
		.admin_token_file = options_get(line, OPTION_ADMIN_TOKEN_FILE)->text,
	};
	return CLI_DONE;
}

/* What helps with a refusal, by its code. */
static const struct {
	int code;
	const char *hint;
} remote_hints[] = {
	{HW_UNKNOWN_SDKAPPID, "`highwater app list` shows those that exist"},
	{HW_NO_CALLBACK, "`highwater callback set` makes one"},
	{HW_NEEDS_ADMIN, "--admin-token-file names the file with the server's admin token"},
	{HW_SIG_WRONG_KEY, "check --key-file"},
	{HW_SIG_NO_KEY, "`highwater app rotate-key` makes one"},
	{HW_NO_ROOM, "`highwater room list` shows the rooms"},
	{HW_API_BUSY, "run it again in a moment"},
	{HW_APP_BUSY, "run it again in a moment"},
};

int remote_tell(const struct cli_line *line, const struct remote_answer *answer)
{
	const char *hint = NULL;

	if (answer->code == HW_OK)
		return CLI_DONE;
	for (size_t i = 0; i < ARRAY_LEN(remote_hints); i++)
		if (remote_hints[i].code == answer->code)
			hint = remote_hints[i].hint;
	return cli_fail(line, CLI_REFUSED, "the server refused (%d): %s%s%s", answer->code, answer->text,
			hint ? "; " : "", hint ? hint : "");
}

static int remote_judge(const struct cli_line *line, int result, struct remote_answer *answer, const struct error *err)
{
	int told;

	if (result)
		return cli_fail(line, err->class == ERR_INVALID ? CLI_USAGE : CLI_IO, "%s", err->text);
	told = remote_tell(line, answer);
	if (told != CLI_DONE)
		remote_answer_free(answer);
	return told;
}

/* What every call needs. Returns CLI_DONE or the exit code. */
static int remote_prepare(const struct cli_line *line, const struct buf *body, struct remote *out)
{
	if (!buf_ok(body))
		return cli_fail(line, CLI_USAGE, "what was given is too long for one request");
	return remote_of_line(line, out);
}

int remote_run_manage(const struct cli_line *line, const char *command, const struct buf *body,
		      struct remote_answer *answer_out)
{
	struct remote remote;
	struct error err;
	int exit = remote_prepare(line, body, &remote);

	if (exit != CLI_DONE)
		return exit;
	return remote_judge(line, remote_manage(&remote, command, buf_str(body), answer_out, &err), answer_out, &err);
}

/* Waits out the server's rates: a call that came too often did nothing, so it may be sent again. */
static int remote_send_patiently(const struct remote *remote, const struct remote_sender *sender, const char *path,
				 struct str body, struct remote_answer *answer_out, struct error *err)
{
	const struct timespec pause = {.tv_nsec = REMOTE_BUSY_PAUSE_MS * 1000000L};
	int result;

	for (unsigned tries = 0;; tries++) {
		result = remote_send(remote, sender, path, body, answer_out, err);
		if (result || tries == REMOTE_BUSY_TRIES ||
		    (answer_out->code != HW_API_BUSY && answer_out->code != HW_APP_BUSY))
			return result;
		remote_answer_free(answer_out);
		(void)nanosleep(&pause, NULL); /* one that is cut short only asks sooner */
	}
}

int remote_run_send(const struct cli_line *line, const struct remote_sender *sender, const char *path,
		    const struct buf *body, struct remote_answer *answer_out)
{
	struct remote remote;
	struct error err;
	int exit = remote_prepare(line, body, &remote);

	if (exit != CLI_DONE)
		return exit;
	return remote_judge(line, remote_send_patiently(&remote, sender, path, buf_str(body), answer_out, &err),
			    answer_out, &err);
}

static int remote_key_from_server(const struct cli_line *line, struct remote_sender *out)
{
	struct remote_answer answer;
	struct str key;
	struct buf body;
	int exit;

	buf_init(&body, 256);
	buf_printf(&body, "{\"SdkAppid\":%" PRIu32 ",\"RevealKey\":true}", out->sdkappid);
	exit = remote_run_manage(line, "app_show", &body, &answer);
	buf_fini(&body);
	if (exit != CLI_DONE)
		return exit;
	if (json_field_str(answer.response, "Key", &key) != JSON_FOUND || key.len > HW_USERSIG_KEY_BYTES_MAX) {
		remote_answer_free(&answer);
		return cli_fail(line, CLI_IO, "the app has no key: `highwater app rotate-key` makes one");
	}
	memcpy(out->key, key.ptr, key.len);
	out->key_len = key.len;
	remote_answer_free(&answer);
	return CLI_DONE;
}

static int remote_key_from_file(const struct cli_line *line, struct remote_sender *out)
{
	struct buf key;
	int exit;

	buf_init(&key, HW_USERSIG_KEY_BYTES_MAX + 1024);
	exit = options_read_secret(line, OPTION_KEY_FILE, HW_USERSIG_KEY_BYTES_MAX, &key);
	if (exit == CLI_DONE) {
		memcpy(out->key, key.ptr, key.len);
		out->key_len = key.len;
	}
	files_wipe(&key);
	return exit;
}

int remote_sender_of_line(const struct cli_line *line, struct remote_sender *out)
{
	const struct option_value *platform = options_get(line, OPTION_PLATFORM);

	*out = (struct remote_sender){
		.sdkappid = (uint32_t)options_get(line, OPTION_APP)->number,
		.identifier = options_get(line, OPTION_AS)->text,
		.platform = platform->set ? platform->text : NULL,
	};
	if (options_get(line, OPTION_KEY_FILE)->set)
		return remote_key_from_file(line, out);
	return remote_key_from_server(line, out);
}

int64_t remote_number(const json_t *object, const char *key)
{
	int64_t value = 0;

	(void)json_field_i64(object, key, INT64_MIN, INT64_MAX, &value); /* stays 0 */
	return value;
}

const char *remote_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

bool remote_print_json(const struct cli_line *line, const json_t *response)
{
	struct buf safe;
	char *text;

	if (!options_get(line, OPTION_JSON)->set)
		return false;
	text = json_dumps(response, JSON_COMPACT | JSON_PRESERVE_ORDER);
	buf_init(&safe, text ? 6 * strlen(text) : 2);
	buf_append_c(&safe, text ? text : "{}");
	json_escape_unsafe(&safe, 0); /* users choose names */
	(void)puts(buf_c(&safe));     /* standard output is all there is */
	buf_fini(&safe);
	free(text); /* jansson's own */
	return true;
}
