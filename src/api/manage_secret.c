/* The management API's calls for what belongs to an app and is secret: keys of UserSigs, secrets that sign callbacks,
 * and the client certificate. A secret that is made here is shown once, in the answer; private keys never are. */
#include "api/manage.h"
#include "base/clock.h"
#include "base/mem.h"
#include "live/key.h"

#include <highwater/webhook.h>

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define MANAGE_OVERLAP_DEFAULT_S 86400
#define MANAGE_OVERLAP_MAX_S 31536000 /* a year */

/* "Overlap" of the body, in seconds, as milliseconds; -1 when the request was answered. */
static int manage_take_overlap(struct api_request *request, int64_t *out_ms)
{
	uint64_t overlap_s = MANAGE_OVERLAP_DEFAULT_S;

	if (api_take_u64(request, request->body, "Overlap", 0, MANAGE_OVERLAP_MAX_S, &overlap_s) < 0)
		return -1;
	*out_ms = (int64_t)overlap_s * 1000;
	return 0;
}

/* ---- keys of UserSigs ---- */

static void manage_key_rotated(struct mail *mail)
{
	struct api_request *request = api_request_of_job(mail);
	const struct command *command = &request->job.command;

	if (command->code == HW_OK) {
		buf_printf(&request->response, "{\"KeyId\":%" PRIu32 ",\"Key\":", command->key_id);
		buf_append_json_string(&request->response, command->u.key_rotate.key);
		buf_append_char(&request->response, '}');
	}
	api_answer(request, command->code, command->text);
}

void api_manage_key_rotate(struct api_request *request)
{
	struct command *command = &request->job.command;
	uint32_t sdkappid;
	int found;

	if (manage_need_sdkappid(request, &sdkappid))
		return;
	found = api_take_str(request, request->body, "Key", APP_KEY_BYTES_MIN, HW_USERSIG_KEY_BYTES_MAX,
			     &command->u.key_rotate.key);
	if (found < 0 || manage_take_overlap(request, &command->u.key_rotate.overlap_ms))
		return;
	if (!found)
		command->u.key_rotate.key = manage_make_key(request->arena);
	api_submit(request, COMMAND_KEY_ROTATE, sdkappid, manage_key_rotated);
}

void api_manage_key_revoke(struct api_request *request)
{
	uint32_t sdkappid;
	uint64_t key_id;

	if (manage_need_sdkappid(request, &sdkappid) ||
	    api_need_u64(request, request->body, "KeyId", 1, APP_KEY_ID_MAX, &key_id))
		return;
	request->job.command.u.key_revoke.key_id = (uint32_t)key_id;
	api_submit(request, COMMAND_KEY_REVOKE, sdkappid, api_command_done);
}

/* ---- secrets of callbacks ---- */

static const char *secret_kind_word(bool private_key)
{
	return private_key ? "v1a" : "v1";
}

/* The text of a key, in the arena; wipes the key. */
static struct str secret_text(struct arena *arena, struct hw_webhook_key *key)
{
	char text[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1];
	int len = hw_webhook_key_text(key, text, sizeof(text));
	struct str kept;

	assert(len > 0); /* sized for it, and a key that is one */
	kept = arena_dup(arena, (struct str){text, (size_t)len});
	mem_wipe(text, sizeof(text));
	hw_webhook_key_wipe(key);
	return kept;
}

struct str manage_make_secret(struct arena *arena, bool private_key)
{
	unsigned char random[MANAGE_SECRET_BYTES];
	struct hw_webhook_key key;
	int made;

	random_bytes(random, sizeof(random));
	made = hw_webhook_key_make(private_key ? HW_WEBHOOK_PRIVATE : HW_WEBHOOK_SECRET, random, sizeof(random), &key);
	mem_wipe(random, sizeof(random));
	assert(made == 0); /* of the right length */
	return secret_text(arena, &key);
}

/* The public key of a stored private one, as a JSON string. */
static void secret_append_public(struct buf *out, struct str text)
{
	char public_text[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1] = "";
	struct hw_webhook_key key = {.kind = HW_WEBHOOK_NONE};
	struct hw_webhook_key public_key = {.kind = HW_WEBHOOK_NONE};

	if (hw_webhook_key_parse(text.ptr, text.len, &key, NULL, 0) || hw_webhook_key_public(&key, &public_key) ||
	    hw_webhook_key_text(&public_key, public_text, sizeof(public_text)) < 0)
		public_text[0] = '\0'; /* a file that was tampered with */
	hw_webhook_key_wipe(&key);
	buf_append_json_string(out, str_c(public_text));
}

/* `,"Secret":"whsec_..."` or `,"PublicKey":"whpk_..."`. */
static void secret_append_shown(struct buf *out, bool private_key, struct str text)
{
	buf_append_c(out, private_key ? ",\"PublicKey\":" : ",\"Secret\":");
	if (private_key)
		secret_append_public(out, text);
	else
		buf_append_json_string(out, text);
}

static void secret_append_list(struct buf *out, const struct app_keys *keys, bool private_key, bool reveal)
{
	for (unsigned i = 0; i < keys->count; i++) {
		const struct app_key_entry *key = &keys->list[i];

		buf_printf(out,
			   "{\"Kind\":\"%s\",\"SecretId\":%" PRIu32 ",\"CreateTime\":%" PRId64
			   ",\"ExpireTime\":%" PRId64,
			   secret_kind_word(private_key), key->id, key->create_ms, key->expire_ms);
		if (private_key || reveal)
			secret_append_shown(out, private_key, secret_reveal(app_key_at(keys, i)));
		buf_append_char(out, '}');
		if (i + 1 < keys->count)
			buf_append_char(out, ',');
	}
}

void manage_append_secrets(struct buf *out, const struct app_config *config, bool reveal)
{
	buf_append_c(out, "\"Secrets\":[");
	secret_append_list(out, &config->secrets, false, reveal);
	if (config->secrets.count && config->signers.count)
		buf_append_char(out, ',');
	secret_append_list(out, &config->signers, true, reveal);
	buf_append_char(out, ']');
}

static int secret_need_kind(struct api_request *request, bool *private_key_out)
{
	struct str kind = {0};

	if (api_need_str(request, request->body, "Kind", 0, 16, &kind))
		return -1;
	*private_key_out = str_eq(kind, str_c(secret_kind_word(true)));
	if (*private_key_out || str_eq(kind, str_c(secret_kind_word(false))))
		return 0;
	api_answer(request, HW_BAD_PARAMETER, "Kind must be v1 or v1a");
	return -1;
}

/* "Secret" in the one spelling of its key, in the arena. Returns 1, 0 when it is not given, or -1 when answered; no
 * answer repeats anything of it. */
static int secret_take(struct api_request *request, bool private_key, struct str *out)
{
	struct hw_webhook_key key;
	struct str text;
	char reason[128];
	int found = api_take_str(request, request->body, "Secret", 1, HW_WEBHOOK_KEY_TEXT_BYTES_MAX, &text);

	if (found != 1)
		return found;
	if (hw_webhook_key_parse(text.ptr, text.len, &key, reason, sizeof(reason))) {
		api_refuse_with(request, HW_BAD_PARAMETER, "Secret: %s", reason);
		return -1;
	}
	if (key.kind != (private_key ? HW_WEBHOOK_PRIVATE : HW_WEBHOOK_SECRET)) {
		hw_webhook_key_wipe(&key);
		api_refuse_with(request, HW_BAD_PARAMETER, "Secret of kind %s must begin with %s",
				secret_kind_word(private_key), private_key ? "whsk_" : "whsec_");
		return -1;
	}
	*out = secret_text(request->arena, &key);
	return 1;
}

static void manage_secret_rotated(struct mail *mail)
{
	struct api_request *request = api_request_of_job(mail);
	const struct command *command = &request->job.command;

	if (command->code == HW_OK) {
		buf_printf(&request->response, "{\"SecretId\":%" PRIu32, command->key_id);
		secret_append_shown(&request->response, command->u.secret_rotate.private_key,
				    command->u.secret_rotate.text);
		buf_append_char(&request->response, '}');
	}
	api_answer(request, command->code, command->text);
}

void api_manage_secret_rotate(struct api_request *request)
{
	struct command *command = &request->job.command;
	bool *private_key = &command->u.secret_rotate.private_key;
	uint32_t sdkappid;
	int found;

	if (manage_need_sdkappid(request, &sdkappid) || secret_need_kind(request, private_key))
		return;
	found = secret_take(request, *private_key, &command->u.secret_rotate.text);
	if (found < 0 || manage_take_overlap(request, &command->u.secret_rotate.overlap_ms))
		return;
	if (!found)
		command->u.secret_rotate.text = manage_make_secret(request->arena, *private_key);
	api_submit(request, COMMAND_SECRET_ROTATE, sdkappid, manage_secret_rotated);
}

void api_manage_secret_revoke(struct api_request *request)
{
	struct command *command = &request->job.command;
	uint32_t sdkappid;
	uint64_t id;

	if (manage_need_sdkappid(request, &sdkappid) ||
	    secret_need_kind(request, &command->u.secret_revoke.private_key) ||
	    api_need_u64(request, request->body, "SecretId", 1, APP_KEY_ID_MAX, &id))
		return;
	command->u.secret_revoke.id = (uint32_t)id;
	api_submit(request, COMMAND_SECRET_REVOKE, sdkappid, api_command_done);
}

/* ---- client certificate ---- */

/* PEM has line ends, which other text may not have. */
static int certificate_need(struct api_request *request, const char *key, struct str *out)
{
	enum json_found found = json_field_str(request->body, key, out);

	if (found == JSON_ABSENT) {
		api_refuse_with(request, HW_BAD_PARAMETER, "%s is required", key);
		return -1;
	}
	if (found == JSON_WRONG || out->len < 1 || out->len > CERTIFICATE_BYTES_MAX) {
		api_refuse_with(request, HW_BAD_PARAMETER, "%s must be a string of 1 to %d bytes", key,
				CERTIFICATE_BYTES_MAX);
		return -1;
	}
	return 0;
}

void api_manage_certificate_set(struct api_request *request)
{
	struct command *command = &request->job.command;
	struct str *chain = &command->u.certificate.chain;
	struct str *key = &command->u.certificate.key;
	char reason[128];
	uint32_t sdkappid;

	if (manage_need_sdkappid(request, &sdkappid) || certificate_need(request, "Certificate", chain) ||
	    certificate_need(request, "Key", key))
		return;
	if (certificate_check(*chain, *key, clock_wall_ms(), reason, sizeof(reason))) {
		api_answer(request, HW_BAD_PARAMETER, reason);
		return;
	}
	api_submit(request, COMMAND_CERTIFICATE_SET, sdkappid, api_command_done);
}

void api_manage_certificate_delete(struct api_request *request)
{
	uint32_t sdkappid;

	if (manage_need_sdkappid(request, &sdkappid) == 0)
		api_submit(request, COMMAND_CERTIFICATE_DELETE, sdkappid, api_command_done);
}
