/* Reading and checking the file of `highwater apply`; see apply_file.h.
 *
 * What the server would refuse is refused here already, so that a file with a mistake in it changes nothing: otherwise the
 * apps before the mistake would be changed and the others not. */
#include "cli/apply_file.h"
#include "base/mem.h"
#include "cli/files.h"
#include "live/app.h"

#include <highwater/callback.h>

#include <stdlib.h>
#include <string.h>

#define APPLY_PATH_BYTES_MAX 4096
#define APPLY_WHERE_BYTES_MAX 256

/* ---- values ---- */

/* Appends to `where` the place of an element, when that is what is wrong. */
typedef int apply_check(const json_t *value, struct buf *where, struct error *err);

static int apply_check_range(const json_t *value, int64_t min, int64_t max, struct buf *where, struct error *err)
{
	if (json_is_integer(value) && json_integer_value(value) >= min && json_integer_value(value) <= max)
		return 0;
	return error_set(err, ERR_INVALID, "%s: must be a whole number from %lld to %lld", buf_c(where), (long long)min,
			 (long long)max);
}

static int apply_check_max(const json_t *value, struct buf *where, struct error *err)
{
	return apply_check_range(value, 0, APP_ROOM_COUNT_MAX_LIMIT, where, err);
}

static int apply_check_margin(const json_t *value, struct buf *where, struct error *err)
{
	return apply_check_range(value, 0, 50, where, err);
}

static int apply_check_step(const json_t *value, struct buf *where, struct error *err)
{
	return apply_check_range(value, 1, 50, where, err);
}

static int apply_check_bool(const json_t *value, struct buf *where, struct error *err)
{
	return json_is_boolean(value) ? 0 : error_set(err, ERR_INVALID, "%s: must be true or false", buf_c(where));
}

static int apply_check_mode(const json_t *value, struct buf *where, struct error *err)
{
	enum alert_mode mode;

	if (json_is_string(value) && alert_mode_parse(json_str(value), &mode) == 0)
		return 0;
	return error_set(err, ERR_INVALID, "%s: must be \"every\", \"edge\" or \"step\"", buf_c(where));
}

static int apply_check_count(const json_t *value, size_t min, size_t max, const char *of, struct buf *where,
			     struct error *err)
{
	if (json_is_array(value) && json_array_size(value) >= min && json_array_size(value) <= max)
		return 0;
	return error_set(err, ERR_INVALID, "%s: must be an array of %zu to %zu %s", buf_c(where), min, max, of);
}

static int apply_check_thresholds(const json_t *value, struct buf *where, struct error *err)
{
	json_int_t before = 0;

	if (apply_check_count(value, 1, APP_THRESHOLD_COUNT_MAX, "percentages", where, err))
		return -1;
	for (size_t i = 0; i < json_array_size(value); i++) {
		const json_t *item = json_array_get(value, i);

		if (json_is_integer(item) && json_integer_value(item) > before && json_integer_value(item) <= 100) {
			before = json_integer_value(item);
			continue;
		}
		buf_printf(where, "[%zu]", i);
		return error_set(err, ERR_INVALID,
				 "%s: must be a percentage from 1 to 100 that is above the one before", buf_c(where));
	}
	return 0;
}

static int apply_check_admins(const json_t *value, struct buf *where, struct error *err)
{
	if (apply_check_count(value, 0, APP_ADMIN_COUNT_MAX, "names", where, err))
		return -1;
	for (size_t i = 0; i < json_array_size(value); i++) {
		const json_t *item = json_array_get(value, i);
		bool good = json_is_string(item) && app_identifier_ok(json_str(item));

		for (size_t k = 0; k < i && good; k++)
			good = !json_equal(item, json_array_get(value, k));
		if (good)
			continue;
		buf_printf(where, "[%zu]", i);
		return error_set(err, ERR_INVALID,
				 "%s: must be a name of 1 to %d bytes of printable ASCII without space, named once",
				 buf_c(where), HW_IDENTIFIER_BYTES_MAX);
	}
	return 0;
}

static int apply_check_url(const json_t *value, struct buf *where, struct error *err)
{
	const char *wrong;

	if (!json_is_string(value))
		return error_set(err, ERR_INVALID, "%s: must be a URL, or \"\" for none", buf_c(where));
	wrong = json_string_length(value) ? hw_callback_url_check(json_string_value(value), json_string_length(value))
					  : NULL;
	return wrong ? error_set(err, ERR_INVALID, "%s: %s", buf_c(where), wrong) : 0;
}

static int apply_check_commands(const json_t *value, struct buf *where, struct error *err)
{
	if (apply_check_count(value, 0, HW_CALLBACK_COUNT, "callback commands", where, err))
		return -1;
	for (size_t i = 0; i < json_array_size(value); i++) {
		const json_t *item = json_array_get(value, i);
		enum hw_callback command;
		bool good = json_is_string(item) &&
			    hw_callback_parse(json_string_value(item), json_string_length(item), &command) == 0;

		for (size_t k = 0; k < i && good; k++)
			good = !json_equal(item, json_array_get(value, k));
		if (good)
			continue;
		buf_printf(where, "[%zu]", i);
		return error_set(err, ERR_INVALID,
				 "%s: must be a callback command such as "
				 "\"Live.CallbackAfterCreateRoomReachingThreshold\", named once",
				 buf_c(where));
	}
	return 0;
}

static int apply_check_text(const json_t *value, struct buf *where, struct error *err)
{
	if (json_is_string(value) && json_string_length(value) && json_string_length(value) < APPLY_PATH_BYTES_MAX / 2)
		return 0;
	return error_set(err, ERR_INVALID, "%s: must be a text that is not empty", buf_c(where));
}

static int apply_check_any_text(const json_t *value, struct buf *where, struct error *err)
{
	return json_is_string(value) ? 0 : error_set(err, ERR_INVALID, "%s: must be a text", buf_c(where));
}

static const struct apply_row {
	const char *name;
	apply_check *check;
} apply_rows[APPLY_FIELD_COUNT] = {
	[APPLY_MAX_ROOM_COUNT] = {"MaxRoomCount", apply_check_max},
	[APPLY_ALERT_MODE] = {"AlertMode", apply_check_mode},
	[APPLY_THRESHOLDS] = {"Thresholds", apply_check_thresholds},
	[APPLY_REARM_MARGIN] = {"RearmMargin", apply_check_margin},
	[APPLY_STEP_PERCENT] = {"StepPercent", apply_check_step},
	[APPLY_ADMINS] = {"Admins", apply_check_admins},
	[APPLY_CALLBACK_OVERWRITE] = {"CallbackOverwrite", apply_check_bool},
	[APPLY_ACCOUNTS_REQUIRED] = {"AccountsRequired", apply_check_bool},
	[APPLY_CALLBACK_URL] = {"CallbackUrl", apply_check_url},
	[APPLY_CALLBACK_COMMANDS] = {"CallbackCommandList", apply_check_commands},
	[APPLY_TOKEN_ENABLE] = {"IsTokenEnable", apply_check_bool},
};

/* Fields of the file only. */
static const struct apply_row apply_own_rows[] = {
	{"TokenFile", apply_check_text},   {"TokenVariable", apply_check_text}, {"KeyFile", apply_check_text},
	{"KeyVariable", apply_check_text}, {"Comment", apply_check_any_text},
};

const char *apply_field_name(enum apply_field field)
{
	return apply_rows[field].name;
}

/* ---- secrets ---- */

static int apply_read_variable(const char *name, size_t bytes_max, struct buf *out, struct buf *where,
			       struct error *err)
{
	const char *text = getenv(name);

	if (!text || !*text)
		return error_set(err, ERR_INVALID, "%s: the environment variable %.80s is not set", buf_c(where), name);
	if (strlen(text) > bytes_max || !str_is_printable_ascii(str_c(text)))
		return error_set(err, ERR_INVALID,
				 "%s: the environment variable %.80s must hold printable ASCII, at most %zu bytes",
				 buf_c(where), name, bytes_max);
	buf_append_c(out, text);
	return 0;
}

/* A file beside the one that names it. */
static int apply_read_beside(const char *name, const char *beside, size_t bytes_max, struct buf *out, struct buf *where,
			     struct error *err)
{
	const char *slash = strrchr(beside, '/');
	struct buf path;
	int result;

	if (strcmp(name, "-") == 0)
		return error_set(err, ERR_INVALID, "%s: standard input cannot be used here", buf_c(where));
	buf_init(&path, 2 * APPLY_PATH_BYTES_MAX);
	if (*name != '/' && slash)
		buf_append(&path, beside, (size_t)(slash - beside) + 1);
	buf_append_c(&path, name);
	if (!buf_ok(&path))
		result = error_set(err, ERR_INVALID, "%s: the path is too long", buf_c(where));
	else if (files_read_secret(buf_c(&path), bytes_max, out, err))
		result = error_wrap(err, "%s", buf_c(where));
	else
		result = 0;
	buf_fini(&path);
	return result;
}

/* From the file or the variable that the item names; nothing when it names none. */
static int apply_read_secret(const json_t *item, const char *kind, const char *beside, size_t bytes_max,
			     struct buf *out, struct buf *where, struct error *err)
{
	char file_name[32];
	char variable_name[32];
	const json_t *file;
	const json_t *variable;

	(void)snprintf(file_name, sizeof(file_name), "%sFile", kind); /* fits, as the next */
	(void)snprintf(variable_name, sizeof(variable_name), "%sVariable", kind);
	file = json_object_get(item, file_name);
	variable = json_object_get(item, variable_name);
	buf_init(out, bytes_max + 1024);
	if (file && variable)
		return error_set(err, ERR_INVALID, "%s: %s and %s exclude each other", buf_c(where), file_name,
				 variable_name);
	if (!file && !variable)
		return 0;
	buf_printf(where, ".%s", file ? file_name : variable_name);
	return file ? apply_read_beside(json_string_value(file), beside, bytes_max, out, where, err)
		    : apply_read_variable(json_string_value(variable), bytes_max, out, where, err);
}

/* ---- apps ---- */

static const struct apply_row *apply_find_row(const char *name)
{
	for (size_t i = 0; i < APPLY_FIELD_COUNT; i++)
		if (strcmp(apply_rows[i].name, name) == 0)
			return &apply_rows[i];
	for (size_t i = 0; i < ARRAY_LEN(apply_own_rows); i++)
		if (strcmp(apply_own_rows[i].name, name) == 0)
			return &apply_own_rows[i];
	return NULL;
}

static void apply_start_where(size_t index, struct buf *where)
{
	buf_reset(where);
	buf_printf(where, "Apps[%zu]", index);
}

/* Every field of the item: is it known, and of the right kind? */
static int apply_check_fields(json_t *item, size_t index, struct buf *where, struct error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(item, name, value)
	{
		const struct apply_row *row = apply_find_row(name);

		apply_start_where(index, where);
		if (!row && strcmp(name, "SdkAppid") == 0)
			continue;
		if (!row)
			return error_set(err, ERR_INVALID, "%s: there is no field \"%.60s\"", buf_c(where), name);
		buf_printf(where, ".%s", name);
		if (row->check(value, where, err))
			return -1;
	}
	apply_start_where(index, where);
	return 0;
}

/* The order in which the server gives them, so that the two can be compared. */
static json_t *apply_sorted_commands(const json_t *list)
{
	json_t *sorted = json_array();

	for (int command = 0; command < HW_CALLBACK_COUNT; command++)
		for (size_t i = 0; i < json_array_size(list); i++)
			if (strcmp(json_string_value(json_array_get(list, i)),
				   hw_callback_word((enum hw_callback)command)) == 0)
				(void)json_array_append(sorted, json_array_get(list, i)); /* memory ends the process */
	return sorted;
}

/* What is about callbacks belongs together: the server takes it as a whole. */
static int apply_check_callback(const json_t *item, const struct buf *where, struct error *err)
{
	static const char *const needing[] = {"CallbackCommandList", "IsTokenEnable", "TokenFile", "TokenVariable"};
	const json_t *url = json_object_get(item, "CallbackUrl");
	bool has_url = url && json_string_length(url);

	for (size_t i = 0; i < ARRAY_LEN(needing); i++)
		if (!has_url && json_object_get(item, needing[i]))
			return error_set(err, ERR_INVALID, "%s.%s: needs a CallbackUrl", buf_c(where), needing[i]);
	if (has_url && !json_object_get(item, "CallbackCommandList"))
		return error_set(err, ERR_INVALID, "%s: CallbackUrl needs a CallbackCommandList", buf_c(where));
	return 0;
}

static void apply_take_wanted(const json_t *item, struct apply_app *app)
{
	for (size_t i = 0; i < APPLY_FIELD_COUNT; i++)
		app->wanted[i] = json_incref(json_object_get(item, apply_rows[i].name));
	if (app->wanted[APPLY_CALLBACK_COMMANDS]) {
		json_t *sorted = apply_sorted_commands(app->wanted[APPLY_CALLBACK_COMMANDS]);

		json_decref(app->wanted[APPLY_CALLBACK_COMMANDS]);
		app->wanted[APPLY_CALLBACK_COMMANDS] = sorted;
	}
}

static int apply_take_app(json_t *item, size_t index, const char *path, struct apply_app *app, struct error *err)
{
	struct buf where;
	int64_t sdkappid = 0;
	int result = -1;

	app->index = index;
	buf_init(&where, APPLY_WHERE_BYTES_MAX);
	apply_start_where(index, &where);
	if (!json_is_object(item))
		(void)error_set(err, ERR_INVALID, "%s: must be an object",
				buf_c(&where)); /* result says -1, as below */
	else if (json_field_i64(item, "SdkAppid", 1, HW_SDKAPPID_MAX, &sdkappid) != JSON_FOUND)
		(void)error_set(err, ERR_INVALID, "%s.SdkAppid: is required, a whole number from 1 to %u",
				buf_c(&where), HW_SDKAPPID_MAX);
	else if (apply_check_fields(item, index, &where, err) == 0 && apply_check_callback(item, &where, err) == 0 &&
		 apply_read_secret(item, "Token", path, HW_TOKEN_BYTES_MAX, &app->token, &where, err) == 0) {
		apply_start_where(index, &where);
		result = apply_read_secret(item, "Key", path, HW_USERSIG_KEY_BYTES_MAX, &app->key, &where, err);
	}
	if (result == 0 && app->key.len && app->key.len < APP_KEY_BYTES_MIN)
		result = error_set(err, ERR_INVALID, "%s: a key has at least %d bytes", buf_c(&where),
				   APP_KEY_BYTES_MIN);
	app->sdkappid = (uint32_t)sdkappid;
	if (result == 0)
		apply_take_wanted(item, app);
	if (result == 0 && app->token.len && !app->wanted[APPLY_TOKEN_ENABLE])
		app->wanted[APPLY_TOKEN_ENABLE] = json_true();
	buf_fini(&where);
	return result;
}

/* ---- the whole ---- */

static int apply_check_root(json_t *root, struct error *err)
{
	const char *name;
	json_t *value;

	if (!json_is_object(root))
		return error_set(err, ERR_INVALID, "must be an object with Version and Apps");
	json_object_foreach(root, name, value)
	{
		bool text = strcmp(name, "$schema") == 0 || strcmp(name, "Comment") == 0;

		if (text && !json_is_string(value))
			return error_set(err, ERR_INVALID, "%s: must be a text", name);
		if (!text && strcmp(name, "Version") && strcmp(name, "Apps"))
			return error_set(err, ERR_INVALID, "there is no field \"%.60s\"", name);
	}
	value = json_object_get(root, "Version");
	if (!json_is_integer(value) || json_integer_value(value) != APPLY_VERSION)
		return error_set(err, ERR_INVALID, "Version: is required, and must be %d", APPLY_VERSION);
	if (!json_is_array(json_object_get(root, "Apps")))
		return error_set(err, ERR_INVALID, "Apps: is required, an array of apps");
	return 0;
}

static int apply_compare_apps(const void *a, const void *b)
{
	const struct apply_app *left = a;
	const struct apply_app *right = b;

	if (left->sdkappid != right->sdkappid)
		return left->sdkappid < right->sdkappid ? -1 : 1;
	return left->index < right->index ? -1 : left->index > right->index;
}

static int apply_take_apps(const json_t *list, const char *path, struct apply_file *out, struct error *err)
{
	out->apps = mem_zalloc((json_array_size(list) + 1) * sizeof(*out->apps));
	for (size_t i = 0; i < json_array_size(list); i++) {
		out->count++;
		if (apply_take_app(json_array_get(list, i), i, path, &out->apps[i], err))
			return -1;
	}
	qsort(out->apps, out->count, sizeof(*out->apps), apply_compare_apps);
	for (size_t i = 1; i < out->count; i++)
		if (out->apps[i].sdkappid == out->apps[i - 1].sdkappid)
			return error_set(err, ERR_INVALID, "Apps[%zu].SdkAppid: %u is in Apps[%zu] already",
					 out->apps[i].index, out->apps[i].sdkappid, out->apps[i - 1].index);
	return 0;
}

int apply_file_parse(struct str text, const char *path, struct apply_file *out, struct error *err)
{
	json_t *root = NULL;
	int result;

	*out = (struct apply_file){0};
	result = json_read(text, &root, err) || apply_check_root(root, err) ||
		 apply_take_apps(json_object_get(root, "Apps"), path, out, err);
	json_decref(root);
	return result ? error_wrap(err, "%s", strcmp(path, "-") ? path : "standard input") : 0;
}

int apply_file_read(const char *path, struct apply_file *out, struct error *err)
{
	struct buf text;
	int result;

	*out = (struct apply_file){0};
	buf_init(&text, APPLY_FILE_BYTES_MAX + 1024);
	result = files_read_text(path, APPLY_FILE_BYTES_MAX, &text, err);
	if (result == 0)
		result = apply_file_parse(buf_str(&text), path, out, err);
	buf_fini(&text);
	return result;
}

void apply_file_free(struct apply_file *file)
{
	for (size_t i = 0; i < file->count; i++) {
		for (size_t k = 0; k < APPLY_FIELD_COUNT; k++)
			json_decref(file->apps[i].wanted[k]);
		files_wipe(&file->apps[i].token);
		files_wipe(&file->apps[i].key);
	}
	mem_free(file->apps);
	*file = (struct apply_file){0};
}
