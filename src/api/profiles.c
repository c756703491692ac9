/* Profiles: nick and picture of accounts, as the vendor's profile service gives and takes them (documents 34916 and
 * 34917). Of its fields only these two are kept; others cannot be set, and are left out of what is asked for. */
#include "api/request.h"

#define PROFILES_GET_COUNT_MAX 100 /* vendor document 34917 */
#define PROFILES_TAG_COUNT_MAX 100
#define PROFILES_NO_ACCOUNT 40003 /* of one account, vendor document 34917 */
#define PROFILES_NICK "Tag_Profile_IM_Nick"
#define PROFILES_IMAGE "Tag_Profile_IM_Image"

/* ---- get ---- */

static bool profiles_asks_for(const struct api_request *request, struct str tag)
{
	return api_has_name(request->look.tags, request->look.tag_count, tag);
}

static void profiles_append_tag(struct buf *out, const char *tag, struct str value)
{
	if (out->ptr[out->len - 1] == '}')
		buf_append_char(out, ',');
	buf_append_c(out, "{\"Tag\":");
	buf_append_json_string(out, str_c(tag));
	buf_append_c(out, ",\"Value\":");
	buf_append_json_string(out, value);
	buf_append_char(out, '}');
}

static void profiles_append(struct api_request *request, struct str name, const struct store_account *account)
{
	struct buf *out = &request->beside;

	buf_append_c(out, "{\"To_Account\":");
	buf_append_json_string(out, name);
	buf_append_c(out, ",\"ProfileItem\":[");
	if (account && profiles_asks_for(request, STR(PROFILES_NICK)))
		profiles_append_tag(out, PROFILES_NICK, account->nick);
	if (account && profiles_asks_for(request, STR(PROFILES_IMAGE)))
		profiles_append_tag(out, PROFILES_IMAGE, account->face_url);
	if (account)
		buf_append_c(out, "],\"ResultCode\":0,\"ResultInfo\":\"\"}");
	else
		buf_printf(out, "],\"ResultCode\":%d,\"ResultInfo\":\"no such account\"}", PROFILES_NO_ACCOUNT);
}

static void profiles_append_failed(struct api_request *request, const bool *failed)
{
	bool first = true;

	for (size_t i = 0; i < request->look.name_count; i++) {
		if (!failed[i])
			continue;
		buf_append_c(&request->beside, first ? ",\"Fail_Account\":[" : ",");
		buf_append_json_string(&request->beside, request->look.names[i]);
		first = false;
	}
	if (!first)
		buf_append_char(&request->beside, ']');
}

static void profiles_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	bool failed[PROFILES_GET_COUNT_MAX] = {false};
	struct store_account account;
	struct error err;

	buf_append_c(&request->beside, ",\"UserProfileItem\":[");
	for (size_t i = 0; i < request->look.name_count; i++) {
		struct str name = request->look.names[i];
		int found =
			store_account_get(reader, request->arena, request->app->config.number, name, &account, &err);

		if (found < 0) {
			api_read_failed(request, &err);
			return;
		}
		failed[i] = found == 0;
		if (i)
			buf_append_char(&request->beside, ',');
		profiles_append(request, name, found ? &account : NULL);
	}
	buf_append_char(&request->beside, ']');
	profiles_append_failed(request, failed);
}

void api_profile_get(struct api_request *request)
{
	static const struct api_names_rule names = {
		.key = "To_Account", .count_max = PROFILES_GET_COUNT_MAX, .accounts = true};
	static const struct api_names_rule tags = {.key = "TagList", .count_max = PROFILES_TAG_COUNT_MAX};

	if (api_need_names(request, &names, &request->look.names, &request->look.name_count) == 0 &&
	    api_need_names(request, &tags, &request->look.tags, &request->look.tag_count) == 0)
		api_submit_read(request, profiles_read);
}

/* ---- set ---- */

/* Takes one field. Returns 0, or -1 when the request was answered. */
static int profiles_take_item(struct api_request *request, const json_t *item, struct account *account)
{
	struct str tag;
	struct str value;

	if (!json_is_object(item) || json_field_str(item, "Tag", &tag) != JSON_FOUND) {
		api_answer(request, HW_BAD_PARAMETER, "ProfileItem: each element must be an object with Tag and Value");
		return -1;
	}
	if (!str_eq(tag, STR(PROFILES_NICK)) && !str_eq(tag, STR(PROFILES_IMAGE))) {
		api_answer(request, HW_NOT_SUPPORTED,
			   "ProfileItem: only " PROFILES_NICK " and " PROFILES_IMAGE " are supported");
		return -1;
	}
	if (json_field_str(item, "Value", &value) != JSON_FOUND || !api_is_plain_text(value)) {
		api_answer(request, HW_BAD_PARAMETER, "ProfileItem: Value must be a string without control characters");
		return -1;
	}
	if (value.len > ACCOUNT_PROFILE_BYTES_MAX) {
		api_refuse_with(request, HW_PROFILE_TOO_LONG, "ProfileItem: Value has more than %d bytes",
				ACCOUNT_PROFILE_BYTES_MAX);
		return -1;
	}
	*(str_eq(tag, STR(PROFILES_NICK)) ? &account->nick : &account->face_url) = value;
	return 0;
}

void api_profile_set(struct api_request *request)
{
	struct account *account = arena_new(request->arena, struct account);
	json_t *items;

	if (api_need_str(request, request->body, "From_Account", 1, HW_IDENTIFIER_BYTES_MAX, &account->name) ||
	    api_check_account(request, "From_Account", account->name))
		return;
	if (json_field_array(request->body, "ProfileItem", &items) != JSON_FOUND || json_array_size(items) < 1) {
		api_answer(request, HW_BAD_PARAMETER,
			   "ProfileItem is required, an array of objects with Tag and Value");
		return;
	}
	for (size_t i = 0; i < json_array_size(items); i++)
		if (profiles_take_item(request, json_array_get(items, i), account))
			return;
	api_submit_accounts(request, account, 1);
}
