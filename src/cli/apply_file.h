#pragma once
/* The file of `highwater apply`: apps as they shall be. Read and checked as a whole before anything is done with it; an
 * error names the place in the JSON, such as `Apps[3].Thresholds[1]`. docs/apply.schema.json says the same for editors.
 * Threads: the main thread. */
#include "base/buf.h"
#include "base/json.h"

#define APPLY_FILE_BYTES_MAX (16 * 1024 * 1024)
#define APPLY_VERSION 1

/* What can be compared with the server, in the order in which it is shown. The fields have the names and values that
 * app_show gives. */
enum apply_field {
	APPLY_MAX_ROOM_COUNT,
	APPLY_ALERT_MODE,
	APPLY_THRESHOLDS,
	APPLY_REARM_MARGIN,
	APPLY_STEP_PERCENT,
	APPLY_ADMINS,
	APPLY_CALLBACK_OVERWRITE,
	APPLY_ACCOUNTS_REQUIRED,
	APPLY_CALLBACK_URL, /* this and those below are set by callback_set, those above by app_set */
	APPLY_CALLBACK_COMMANDS,
	APPLY_TOKEN_ENABLE,
	APPLY_FIELD_COUNT
};
/* "MaxRoomCount". Static. */
const char *apply_field_name(enum apply_field field);

struct apply_app {
	uint32_t sdkappid;
	size_t index;			   /* in Apps */
	json_t *wanted[APPLY_FIELD_COUNT]; /* owned; NULL: stays as it is */
	struct buf token;		   /* secret; empty: stays as it is */
	struct buf key;			   /* secret, for a new app; empty: the server makes one */
};

struct apply_file {
	struct apply_app *apps;
	size_t count;
};

/* Reads a file, or standard input for "-". Files that it names are looked for from its folder on. `out` is to be freed in
 * any case. Errors ERR_INVALID, ERR_IO. */
MUST_CHECK int apply_file_read(const char *path, struct apply_file *out, struct error *err);
/* The same for its text. */
MUST_CHECK int apply_file_parse(struct str text, const char *path, struct apply_file *out, struct error *err);
/* Overwrites the secrets. */
void apply_file_free(struct apply_file *file);
