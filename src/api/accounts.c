/* Accounts: the users that an app's server makes known, one or up to a hundred at a time (vendor documents 34953 and
 * 34954). Importing again changes what is given and nothing else. */
#include "api/request.h"

#include <string.h>

#define ACCOUNTS_FAILED_BYTES_MAX 64 /* of a name that is none, as it is shown */

/* Returns HW_OK or the code to answer; `out` is filled. The older name of UserID is read too. */
static int accounts_take(const json_t *json, struct account *out)
{
	const struct {
		const char *key;
		struct str *to;
	} profile[] = {{"Nick", &out->nick}, {"FaceUrl", &out->face_url}};

	*out = (struct account){0};
	if (json_field_str(json, "UserID", &out->name) != JSON_FOUND &&
	    json_field_str(json, "Identifier", &out->name) != JSON_FOUND)
		return HW_ACCOUNT_BAD;
	if (!app_identifier_ok(out->name))
		return HW_ACCOUNT_BAD;
	for (size_t i = 0; i < ARRAY_LEN(profile); i++) {
		enum json_found found = json_field_str(json, profile[i].key, profile[i].to);

		if (found == JSON_WRONG || (found == JSON_FOUND && !api_is_plain_text(*profile[i].to)))
			return HW_ACCOUNT_BAD;
		if (found == JSON_FOUND && profile[i].to->len > ACCOUNT_PROFILE_BYTES_MAX)
			return HW_PROFILE_TOO_LONG;
	}
	return HW_OK;
}

void api_submit_accounts(struct api_request *request, const struct account *accounts, size_t count)
{
	struct command *command = &request->job.command;

	command->u.account_import.accounts = accounts;
	command->u.account_import.count = count;
	api_submit(request, COMMAND_ACCOUNT_IMPORT, request->app->config.sdkappid, api_command_done);
}

void api_account_import(struct api_request *request)
{
	struct account *account = arena_new(request->arena, struct account);
	int code = accounts_take(request->body, account);

	if (code == HW_ACCOUNT_BAD) {
		api_refuse_with(request, code,
				"UserID is required, 1 to %d bytes of printable ASCII without space; Nick and FaceUrl "
				"are strings without control characters",
				HW_IDENTIFIER_BYTES_MAX);
		return;
	}
	if (code != HW_OK) {
		api_refuse_with(request, code, "Nick and FaceUrl have at most %d bytes", ACCOUNT_PROFILE_BYTES_MAX);
		return;
	}
	api_submit_accounts(request, account, 1);
}

/* Of two with one name the later wins. */
static void accounts_put(struct account *list, size_t *count, struct account one)
{
	for (size_t i = 0; i < *count; i++) {
		if (str_eq(list[i].name, one.name)) {
			list[i] = one;
			return;
		}
	}
	list[(*count)++] = one;
}

static void accounts_append_failed(struct api_request *request, const json_t *item, struct str name)
{
	struct buf *failed = &request->beside;
	struct str sent = json_is_string(item) ? json_str(item) : name;
	struct str shown = str_slice(sent, 0, ACCOUNTS_FAILED_BYTES_MAX);

	if (failed->len)
		buf_append_char(failed, ',');
	else
		buf_append_c(failed, ",\"FailAccounts\":[");
	while (shown.len < sent.len && (sent.ptr[shown.len] & 0xc0) == 0x80)
		shown.len--; /* whole characters */
	buf_append_json_string(failed, shown);
}

/* An element is an object as account_import takes it or, in the older form, the name alone. */
static int accounts_take_element(const json_t *item, struct account *out)
{
	if (!json_is_string(item))
		return json_is_object(item) ? accounts_take(item, out) : HW_ACCOUNT_BAD;
	*out = (struct account){.name = json_str(item)};
	return app_identifier_ok(out->name) ? HW_OK : HW_ACCOUNT_BAD;
}

void api_account_import_many(struct api_request *request)
{
	struct account *list = arena_array(request->arena, ACCOUNT_IMPORT_COUNT_MAX, sizeof(*list));
	size_t count = 0;
	json_t *array;

	if ((json_field_array(request->body, "AccountList", &array) != JSON_FOUND &&
	     json_field_array(request->body, "Accounts", &array) != JSON_FOUND) ||
	    json_array_size(array) < 1 || json_array_size(array) > ACCOUNT_IMPORT_COUNT_MAX) {
		api_refuse_with(request, HW_ACCOUNT_BAD, "AccountList is required, an array of 1 to %d accounts",
				ACCOUNT_IMPORT_COUNT_MAX);
		return;
	}
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *item = json_array_get(array, i);
		struct account one = {0};

		if (accounts_take_element(item, &one) == HW_OK)
			accounts_put(list, &count, one);
		else
			accounts_append_failed(request, item, one.name);
	}
	buf_append_c(&request->beside, request->beside.len ? "]" : ",\"FailAccounts\":[]");
	api_submit_accounts(request, list, count);
}
