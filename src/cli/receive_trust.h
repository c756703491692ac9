#pragma once
/* What callbacks must prove to `highwater receive`: its settings about apps, tokens and keys become a struct
 * hw_receiver. Threads: the main thread. */
#include "base/error.h"
#include "base/settings.h"

#include <highwater/receiver.h>
#include <stddef.h>

#define RECEIVE_TOKEN_VARIABLE "HIGHWATER_RECEIVE_TOKEN"
#define RECEIVE_SECRET_VARIABLE "HIGHWATER_RECEIVE_SECRET"

struct receive_trust_settings {
	char *sdkappids;
	char *apps_file;
	char *path;
	char *token_file;
	char *secret_file;
	uint64_t tolerance;
};

#define RECEIVE_TRUST_ROW(target, name, field, fallback, min, max, reloads, help)                                      \
	{                                                                                                              \
		name, SETTING_TEXT, offsetof(struct target, trust.field), fallback, min, max, help, reloads            \
	}
/* Rows of the settings table for a `struct receive_trust_settings trust` in `target`. */
#define RECEIVE_TRUST_ROWS(target)                                                                                     \
	RECEIVE_TRUST_ROW(                                                                                             \
		target, "receive.sdkappids", sdkappids, "", 0, 16384, false,                                           \
		"The SDKAppIDs whose callbacks are yours, with commas between; this or receive.apps_file is "          \
		"required."),                                                                                          \
		RECEIVE_TRUST_ROW(target, "receive.apps_file", apps_file, "", 0, 4000, true,                           \
				  "JSON file with apps that have tokens and keys of their own."),                      \
		RECEIVE_TRUST_ROW(target, "receive.path", path, "", 0, 1024, true,                                     \
				  "Path that the callback URL has, such as /callback; without it any is accepted."),   \
		RECEIVE_TRUST_ROW(target, "receive.token_file", token_file, "", 0, 4000, true,                         \
				  "File with the callback token of receive.sdkappids; then Sign and RequestTime are "  \
				  "required and checked."),                                                            \
		RECEIVE_TRUST_ROW(target, "receive.secret_file", secret_file, "", 0, 4000, true,                       \
				  "File with the keys of webhook signatures of receive.sdkappids, one per line; then " \
				  "a signature is required and checked."),                                             \
	{                                                                                                              \
		"receive.tolerance", SETTING_DURATION, offsetof(struct target, trust.tolerance), "5m", 1000,           \
			3600 * 1000,                                                                                   \
			"How far webhook-timestamp may be from the time here, in whole seconds, when keys are set.",   \
			true                                                                                           \
	}

struct receive_trust {
	struct hw_receiver *receiver;
	uint32_t sdkappids[HW_RECEIVER_APPS_MAX];
	size_t sdkappid_count;
	char given_private[HW_RECEIVER_KEYS_MAX][HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1]; /* the public keys of those */
	size_t given_private_count;
};

/* Reads the settings, the files and the environment variables that they name. `out` is to be closed in any case. Errors ERR_INVALID, ERR_IO, with the setting's name and nothing of a secret. */
MUST_CHECK int receive_trust_open(const struct receive_trust_settings *settings, struct receive_trust *out,
				  struct error *err);
/* Logs which keys were given as private ones, which a receiver should not have. */
void receive_trust_warn(const struct receive_trust *trust);
/* Overwrites the secrets. */
void receive_trust_close(struct receive_trust *trust);
