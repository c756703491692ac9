/* Reads receive.apps_file; see apps.h. Unknown fields are refused: a misspelt TokenList would leave an app open. */
#include "receive/apps.h"
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

struct apps_reader {
	struct hw_receiver *receiver;
	uint32_t *sdkappids;
	size_t count;
};

static int apps_check_fields(const json_t *object, const char *const *names, size_t name_count, struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		size_t i = 0;

		while (i < name_count && strcmp(key, names[i]) != 0)
			i++;
		if (i == name_count)
			return error_set(err, ERR_INVALID, "unknown field \"%.40s\"", key);
	}
	return 0;
}

typedef int (*apps_add)(struct hw_receiver *receiver, uint32_t sdkappid, const char *text, size_t len, char *reason,
			size_t reason_size);

/* Adds each text of a list. */
static int apps_add_list(struct apps_reader *reader, uint32_t sdkappid, const json_t *app, const char *name,
			 apps_add add, struct error *err)
{
	json_t *list = NULL;
	enum json_found found = json_field_array(app, name, &list);

	if (found == JSON_WRONG)
		return error_set(err, ERR_INVALID, "%s is no array", name);
	for (size_t i = 0; found == JSON_FOUND && i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		struct str text = json_is_string(item) ? json_str(item) : STR("");
		char reason[128];

		if (!json_is_string(item))
			return error_set(err, ERR_INVALID, "%s[%zu] is no text", name, i);
		if (add(reader->receiver, sdkappid, text.ptr, text.len, reason, sizeof(reason)))
			return error_set(err, ERR_INVALID, "%s[%zu]: %s", name, i, reason);
	}
	return 0;
}

static int apps_read_one(struct apps_reader *reader, const json_t *app, struct error *err)
{
	static const char *const names[] = {"SdkAppid", "TokenList", "KeyList"};
	char reason[128];
	int64_t sdkappid;

	if (!json_is_object(app))
		return error_set(err, ERR_INVALID, "it is no object");
	if (apps_check_fields(app, names, ARRAY_LEN(names), err))
		return -1;
	if (json_field_i64(app, "SdkAppid", 1, HW_SDKAPPID_MAX, &sdkappid) != JSON_FOUND)
		return error_set(err, ERR_INVALID, "SdkAppid must be a number from 1 to %u", HW_SDKAPPID_MAX);
	for (size_t i = 0; i < reader->count; i++)
		if (reader->sdkappids[i] == sdkappid)
			return error_set(err, ERR_INVALID, "app %" PRId64 " is there twice", sdkappid);
	if (hw_receiver_add_app(reader->receiver, (uint32_t)sdkappid, reason, sizeof(reason)))
		return error_set(err, ERR_INVALID, "%s", reason);
	reader->sdkappids[reader->count++] = (uint32_t)sdkappid;
	return apps_add_list(reader, (uint32_t)sdkappid, app, "TokenList", hw_receiver_add_token, err) ||
			       apps_add_list(reader, (uint32_t)sdkappid, app, "KeyList", hw_receiver_add_key, err)
		       ? -1
		       : 0;
}

static int apps_read_list(struct apps_reader *reader, const json_t *root, struct error *err)
{
	static const char *const names[] = {"AppList"};
	json_t *list = NULL;

	if (!json_is_object(root) || json_field_array(root, "AppList", &list) != JSON_FOUND)
		return error_set(err, ERR_INVALID, "it must be an object with an array AppList");
	if (apps_check_fields(root, names, ARRAY_LEN(names), err))
		return -1;
	if (json_array_size(list) > HW_RECEIVER_APPS_MAX)
		return error_set(err, ERR_INVALID, "AppList holds more than %d apps", HW_RECEIVER_APPS_MAX);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (apps_read_one(reader, json_array_get(list, i), err))
			return error_wrap(err, "AppList[%zu]", i);
	return 0;
}

int apps_read(struct str text, struct hw_receiver *receiver, uint32_t *sdkappids_out, size_t *count_out,
	      struct error *err)
{
	struct apps_reader reader = {receiver, sdkappids_out, 0};
	json_t *root = NULL;
	char *quoted;
	int result;

	if (json_read(text, &root, err)) {
		quoted = strstr(err->text, " near ");
		if (quoted) /* by what stands there, which may be a secret */
			*quoted = '\0';
		return -1;
	}
	result = apps_read_list(&reader, root, err);
	json_decref(root);
	*count_out = reader.count;
	return result;
}
