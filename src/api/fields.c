/* Fields of the body: getters that answer the request themselves when a value is missing or wrong; see request.h. */
#include "api/request.h"

#include <inttypes.h>

int api_take_str(struct api_request *request, const json_t *object, const char *key, size_t bytes_min, size_t bytes_max,
		 struct str *out)
{
	struct str value;
	enum json_found found = json_field_str(object, key, &value);

	if (found == JSON_ABSENT)
		return 0;
	if (found == JSON_WRONG || value.len < bytes_min || value.len > bytes_max) {
		api_refuse_with(request, HW_BAD_PARAMETER, "%s must be a string of %zu to %zu bytes", key, bytes_min,
				bytes_max);
		return -1;
	}
	if (!api_is_plain_text(value)) {
		api_refuse_with(request, HW_BAD_PARAMETER, "%s must not hold control characters", key);
		return -1;
	}
	*out = value;
	return 1;
}

int api_need_str(struct api_request *request, const json_t *object, const char *key, size_t bytes_min, size_t bytes_max,
		 struct str *out)
{
	int found = api_take_str(request, object, key, bytes_min, bytes_max, out);

	if (found == 0)
		api_refuse_with(request, HW_BAD_PARAMETER, "%s is required", key);
	return found == 1 ? 0 : -1;
}

int api_take_u64(struct api_request *request, const json_t *object, const char *key, uint64_t min, uint64_t max,
		 uint64_t *out)
{
	int64_t value;
	enum json_found found = json_field_i64(object, key, (int64_t)min, (int64_t)max, &value);

	if (found == JSON_WRONG) {
		api_refuse_with(request, HW_BAD_PARAMETER, "%s must be an integer from %llu to %llu", key,
				(unsigned long long)min, (unsigned long long)max);
		return -1;
	}
	if (found == JSON_ABSENT)
		return 0;
	*out = (uint64_t)value;
	return 1;
}

int api_need_u64(struct api_request *request, const json_t *object, const char *key, uint64_t min, uint64_t max,
		 uint64_t *out)
{
	int found = api_take_u64(request, object, key, min, max, out);

	if (found == 0)
		api_refuse_with(request, HW_BAD_PARAMETER, "%s is required", key);
	return found == 1 ? 0 : -1;
}

int api_take_bool(struct api_request *request, const json_t *object, const char *key, bool *out)
{
	enum json_found found = json_field_bool(object, key, out);

	if (found == JSON_WRONG) {
		api_refuse_with(request, HW_BAD_PARAMETER, "%s must be true or false", key);
		return -1;
	}
	return found == JSON_FOUND;
}

bool api_is_plain_text(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
			return false;
	return true;
}

int api_need_room_id(struct api_request *request, const json_t *object, struct str *out)
{
	if (api_need_str(request, object, "RoomId", 1, HW_ROOM_ID_BYTES_MAX, out))
		return -1;
	if (!str_is_printable_ascii(*out)) {
		api_refuse_with(request, HW_BAD_PARAMETER, "RoomId must be printable ASCII");
		return -1;
	}
	return 0;
}

/* ---- names ---- */

int api_check_account(struct api_request *request, const char *key, struct str account)
{
	if (app_identifier_ok(account))
		return 0;
	api_refuse_with(request, HW_BAD_PARAMETER, "%s must be 1 to %d bytes of printable ASCII without space", key,
			HW_IDENTIFIER_BYTES_MAX);
	return -1;
}

bool api_has_name(const struct str *names, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(names[i], name))
			return true;
	return false;
}

int api_need_names(struct api_request *request, const struct api_names_rule *rule, const struct str **names_out,
		   size_t *count_out)
{
	json_t *list;
	struct str *names;
	size_t count = 0;

	if (json_field_array(request->body, rule->key, &list) != JSON_FOUND || json_array_size(list) < 1 ||
	    json_array_size(list) > rule->count_max) {
		api_refuse_with(request, HW_BAD_PARAMETER, "%s is required, an array of 1 to %zu strings", rule->key,
				rule->count_max);
		return -1;
	}
	names = arena_array(request->arena, json_array_size(list), sizeof(*names));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		struct str name = json_is_string(item) ? json_str(item) : (struct str){0};

		if (rule->accounts && api_check_account(request, rule->key, name))
			return -1;
		if (!json_is_string(item)) {
			api_refuse_with(request, HW_BAD_PARAMETER, "%s must be an array of strings", rule->key);
			return -1;
		}
		if (!api_has_name(names, count, name))
			names[count++] = name;
	}
	*names_out = names;
	*count_out = count;
	return 0;
}
