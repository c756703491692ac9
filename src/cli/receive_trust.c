/* Apps, tokens and keys of `highwater receive`; see receive_trust.h.
 *
 * Tokens and keys come from files or from the environment, never from the command line, which everybody on the machine
 * can read. Those of receive.sdkappids are shared by all of them; apps that must not share have theirs in
 * receive.apps_file. */
#include "cli/receive_trust.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/files.h"
#include "receive/apps.h"
#include "receive/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRUST_FILE_BYTES_MAX (1024 * 1024)

/* ---- shared by receive.sdkappids ---- */

static int trust_add_app(struct receive_trust *trust, struct str text, struct error *err)
{
	char reason[128];
	uint64_t sdkappid;

	if (str_to_u64(text, HW_SDKAPPID_MAX, &sdkappid) || sdkappid == 0)
		return error_set(err, ERR_INVALID, "receive.sdkappids: \"%.*s\" is no SDKAppID, a number from 1 to %u",
				 STR_ARG(str_slice(text, 0, 40)), HW_SDKAPPID_MAX);
	if (hw_receiver_add_app(trust->receiver, (uint32_t)sdkappid, reason, sizeof(reason)))
		return error_set(err, ERR_INVALID, "receive.sdkappids: %s", reason);
	for (size_t i = 0; i < trust->sdkappid_count; i++)
		if (trust->sdkappids[i] == sdkappid)
			return 0; /* named twice */
	trust->sdkappids[trust->sdkappid_count++] = (uint32_t)sdkappid;
	return 0;
}

static int trust_add_apps(struct receive_trust *trust, const char *text, struct error *err)
{
	struct str rest = str_c(text);
	struct str item;
	bool more = rest.len > 0;

	while (more) {
		more = str_cut(&rest, ',', &item);
		if (trust_add_app(trust, item, err))
			return -1;
	}
	return 0;
}

static int trust_read_token(const char *file, struct buf *token, struct error *err)
{
	const char *variable = getenv(RECEIVE_TOKEN_VARIABLE);

	if (*file && variable && *variable)
		return error_set(err, ERR_INVALID,
				 "the token is given twice: by receive.token_file and by " RECEIVE_TOKEN_VARIABLE);
	if (*file && files_read_secret(file, HW_TOKEN_BYTES_MAX, token, err))
		return error_wrap(err, "receive.token_file");
	if (variable && *variable)
		buf_append_c(token, variable);
	if (!buf_ok(token) || token->len > HW_TOKEN_BYTES_MAX)
		return error_set(err, ERR_INVALID, RECEIVE_TOKEN_VARIABLE ": more than %d bytes", HW_TOKEN_BYTES_MAX);
	if (!str_is_printable_ascii(buf_str(token)))
		return error_set(err, ERR_INVALID, RECEIVE_TOKEN_VARIABLE ": must be one line of printable ASCII");
	return 0;
}

static int trust_add_token(struct receive_trust *trust, const char *file, struct error *err)
{
	char reason[128];
	struct buf token;
	int result;

	buf_init(&token, HW_TOKEN_BYTES_MAX + 1024);
	result = trust_read_token(file, &token, err);
	for (size_t i = 0; i < trust->sdkappid_count && token.len && result == 0; i++)
		if (hw_receiver_add_token(trust->receiver, trust->sdkappids[i], token.ptr, token.len, reason,
					  sizeof(reason)))
			result = error_set(err, ERR_INVALID, "receive.token_file: %s", reason);
	files_wipe(&token);
	return result;
}

/* Reads the whole file, which `text` has room for. */
static int trust_read_file(const char *path, char text[TRUST_FILE_BYTES_MAX + 1], size_t *len_out, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t got;

	if (fd < 0)
		return error_set_errno(err, errno, "reading %s", path);
	do {
		got = read(fd, text + len, TRUST_FILE_BYTES_MAX + 1 - len);
		if (got > 0)
			len += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0)
		(void)error_set_errno(err, errno, "reading %s", path);
	(void)close(fd); /* only read from */
	if (got < 0)
		return -1;
	if (len > TRUST_FILE_BYTES_MAX)
		return error_set(err, ERR_INVALID, "%s holds more than %d bytes", path, TRUST_FILE_BYTES_MAX);
	*len_out = len;
	return 0;
}

/* Reads a file of secrets and gives its text to `read`. */
static int trust_with_file(const char *setting, const char *path,
			   int (*read_text)(struct str text, void *context, struct error *err), void *context,
			   struct error *err)
{
	char *text = mem_zalloc(TRUST_FILE_BYTES_MAX + 1); /* of one size: growing would leave copies */
	size_t len = 0;
	int result = files_check_private(path, err) || trust_read_file(path, text, &len, err) ? -1 : 0;

	if (result == 0 && read_text((struct str){text, len}, context, err))
		result = error_wrap(err, "%s", path);
	mem_wipe(text, TRUST_FILE_BYTES_MAX + 1);
	mem_free(text);
	return result ? error_wrap(err, "%s", setting) : 0;
}

static int trust_read_lines(struct str text, void *keyring, struct error *err)
{
	return keyring_read_lines(text, keyring, err);
}

static int trust_read_keys(const char *file, struct keyring *keyring, struct error *err)
{
	const char *variable = getenv(RECEIVE_SECRET_VARIABLE);

	if (*file && variable && *variable)
		return error_set(
			err, ERR_INVALID,
			"the webhook keys are given twice: by receive.secret_file and by " RECEIVE_SECRET_VARIABLE);
	if (*file)
		return trust_with_file("receive.secret_file", file, trust_read_lines, keyring, err);
	if (variable && *variable && keyring_read_words(str_c(variable), keyring, err))
		return error_wrap(err, RECEIVE_SECRET_VARIABLE);
	return 0;
}

static int trust_add_key(struct receive_trust *trust, const struct keyring *keyring, size_t index, struct error *err)
{
	char text[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1];
	int len = hw_webhook_key_text(&keyring->keys[index], text, sizeof(text));
	char reason[128];
	int result = 0;

	if (len < 0)
		return error_set(err, ERR_INTERNAL, "a webhook key cannot be written");
	if (keyring->was_private[index]) /* it is taken all the same; see keyring.c */
		memcpy(trust->given_private[trust->given_private_count++], text, sizeof(text));
	for (size_t i = 0; i < trust->sdkappid_count && result == 0; i++)
		if (hw_receiver_add_key(trust->receiver, trust->sdkappids[i], text, (size_t)len, reason,
					sizeof(reason)))
			result = error_set(err, ERR_INVALID, "receive.secret_file: %s", reason);
	mem_wipe(text, sizeof(text));
	return result;
}

static int trust_add_keys(struct receive_trust *trust, const char *file, struct error *err)
{
	struct keyring keyring = {0};
	int result = trust_read_keys(file, &keyring, err);

	for (size_t i = 0; i < keyring.count && result == 0; i++)
		result = trust_add_key(trust, &keyring, i, err);
	keyring_wipe(&keyring);
	return result;
}

/* ---- apps of their own ---- */

static int trust_read_apps(struct str text, void *context, struct error *err)
{
	struct receive_trust *trust = context;
	uint32_t own[HW_RECEIVER_APPS_MAX];
	size_t count;

	if (apps_read(text, trust->receiver, own, &count, err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < trust->sdkappid_count; k++)
			if (trust->sdkappids[k] == own[i])
				return error_set(err, ERR_INVALID, "app %u is in receive.sdkappids too: name it once",
						 own[i]);
	}
	if (trust->sdkappid_count + count > HW_RECEIVER_APPS_MAX)
		return error_set(err, ERR_INVALID, "more than %d apps", HW_RECEIVER_APPS_MAX);
	memcpy(trust->sdkappids + trust->sdkappid_count, own, count * sizeof(own[0]));
	trust->sdkappid_count += count;
	return 0;
}

/* ---- all of it ---- */

static int trust_set_limits(const struct receive_trust_settings *settings, struct receive_trust *out, struct error *err)
{
	char reason[128];

	if (*settings->path && (*settings->path != '/' || strpbrk(settings->path, "?# ")))
		return error_set(err, ERR_INVALID, "receive.path: \"%.80s\" is no path such as /callback",
				 settings->path);
	if (settings->tolerance % 1000)
		return error_set(err, ERR_INVALID, "receive.tolerance: must be whole seconds");
	if (hw_receiver_set_path(out->receiver, settings->path, reason, sizeof(reason)))
		return error_set(err, ERR_INVALID, "receive.path: %s", reason);
	if (hw_receiver_set_tolerance(out->receiver, HW_SIGN_TOLERANCE_S, (int64_t)(settings->tolerance / 1000), reason,
				      sizeof(reason)))
		return error_set(err, ERR_INVALID, "receive.tolerance: %s", reason);
	return 0;
}

int receive_trust_open(const struct receive_trust_settings *settings, struct receive_trust *out, struct error *err)
{
	*out = (struct receive_trust){.receiver = hw_receiver_new()};
	if (trust_set_limits(settings, out, err) || trust_add_apps(out, settings->sdkappids, err) ||
	    trust_add_token(out, settings->token_file, err) || trust_add_keys(out, settings->secret_file, err))
		return -1;
	if (*settings->apps_file &&
	    trust_with_file("receive.apps_file", settings->apps_file, trust_read_apps, out, err))
		return -1;
	if (out->sdkappid_count == 0)
		return error_set(err, ERR_INVALID,
				 "receive.sdkappids is required: the SDKAppIDs whose callbacks are yours, such as "
				 "--receive-sdkappids 1400000001; or receive.apps_file");
	return 0;
}

void receive_trust_warn(const struct receive_trust *trust)
{
	for (size_t i = 0; i < trust->given_private_count; i++)
		log_event(LOG_LEVEL_WARN, "private_key_given", LOG_C("public_key", trust->given_private[i]),
			  LOG_C("action", "give the receiver the public key only: who has read the private one can "
					  "sign"));
}

void receive_trust_close(struct receive_trust *trust)
{
	hw_receiver_free(trust->receiver);
	trust->receiver = NULL;
}
