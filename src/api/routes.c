/* The routes: which path is which command, who may call it, and which rate counts it; see request.h.
 *
 * Calls of the vendor's that belong to media, gifts, messages and other things this backend has no notion of are known
 * by pattern, so that a caller is told so and does not look for a mistake in the path. */
#include "api/request.h"

#include <fnmatch.h>

#define ROUTES_PATH_BYTES_MAX 256 /* of calls that are not supported */

static const struct api_route api_routes[] = {
	{"/v4/live_engine_http_srv/create_room", API_ADMIN, api_room_create, 0, RATE_API},
	{"/v4/live_engine_http_srv/destroy_room", API_ADMIN, api_room_destroy, 0, RATE_API},
	{"/v4/live_engine_http_srv/update_room_info", API_ADMIN, api_room_update, 0, RATE_API},
	{"/v4/live_engine_http_srv/get_room_info", API_ADMIN, api_room_get, 0, RATE_API},
	{"/v4/live_engine_http_srv/get_room_list", API_ADMIN, api_room_list, 0, RATE_LIST},
	{"/v4/live_engine_http_srv/get_room_statistic", API_ADMIN, api_room_statistic, 0, RATE_SLOW},
	{"/v4/live_engine_http_srv/get_room_stats", API_ADMIN, api_room_statistic, 0, RATE_SLOW},
	{"/v4/live_engine_http_srv/set_room_metadata", API_ADMIN, api_metadata_set, 0, RATE_API},
	{"/v4/live_engine_http_srv/get_room_metadata", API_ADMIN, api_metadata_get, 0, RATE_API},
	{"/v4/live_engine_http_srv/del_room_metadata", API_ADMIN, api_metadata_delete, 0, RATE_API},
	{"/v4/live_engine_http_srv/change_room_owner", API_ADMIN, api_room_change_owner, 0, RATE_API},
	{"/v4/live_engine_http_srv/modify_admin", API_ADMIN, api_admins_modify, 0, RATE_API},
	{"/v4/live_engine_http_srv/get_admin_list", API_ADMIN, api_admins_get, 0, RATE_API},
	{"/v4/live_engine_http_srv/add_robot", API_ADMIN, api_robots_change, COMMAND_MEMBERS_ADD, RATE_SLOW},
	{"/v4/live_engine_http_srv/del_robot", API_ADMIN, api_robots_change, COMMAND_MEMBERS_REMOVE, RATE_SLOW},
	{"/v4/live_engine_http_srv/get_robot", API_ADMIN, api_robots_get, 0, RATE_SLOW},
	{"/v4/live_engine_http_srv/mute_member", API_ADMIN, api_member_mute, 0, RATE_API},
	{"/v4/live_engine_http_srv/get_muted_member_list", API_ADMIN, api_muted_get, 0, RATE_API},
	{"/v4/live_engine_http_srv/ban_member", API_ADMIN, api_member_ban, 0, RATE_API},
	{"/v4/live_engine_http_srv/unban_member", API_ADMIN, api_member_unban, 0, RATE_API},
	{"/v4/live_engine_http_srv/get_banned_member_list", API_ADMIN, api_banned_get, 0, RATE_API},
	{"/v4/live_client/create_room", API_CLIENT, api_room_create, 0, RATE_CLIENT},
	{"/v4/live_client/destroy_room", API_CLIENT, api_room_destroy, 0, RATE_CLIENT},
	{"/v4/live_client/update_room_info", API_CLIENT, api_room_update, 0, RATE_CLIENT},
	{"/v4/live_client/get_room_info", API_CLIENT, api_room_get, 0, RATE_CLIENT},
	{"/v4/live_client/get_room_list", API_CLIENT, api_room_list, 0, RATE_CLIENT},
	{"/v4/live_client/get_room_statistic", API_CLIENT, api_room_statistic, 0, RATE_CLIENT},
	{"/v4/live_client/get_room_stats", API_CLIENT, api_room_statistic, 0, RATE_CLIENT},
	{"/v4/live_client/set_room_metadata", API_CLIENT, api_metadata_set, 0, RATE_CLIENT},
	{"/v4/live_client/get_room_metadata", API_CLIENT, api_metadata_get, 0, RATE_CLIENT},
	{"/v4/live_client/del_room_metadata", API_CLIENT, api_metadata_delete, 0, RATE_CLIENT},
	{"/v4/live_config/set_callback", API_ADMIN, api_callback_set, COMMAND_CALLBACK_SET, RATE_API},
	{"/v4/live_config/update_callback", API_ADMIN, api_callback_set, COMMAND_CALLBACK_UPDATE, RATE_API},
	{"/v4/live_config/get_callback", API_ADMIN, api_callback_get, 0, RATE_API},
	{"/v4/live_config/delete_callback", API_ADMIN, api_callback_delete, 0, RATE_API},
	{"/v4/live_config/set_callback_token", API_ADMIN, api_token_set, 0, RATE_API},
	{"/v4/live_config/get_callback_token", API_ADMIN, api_token_get, 0, RATE_API},
	{"/v4/im_open_login_svc/account_import", API_ADMIN, api_account_import, 0, RATE_API},
	{"/v4/im_open_login_svc/multiaccount_import", API_ADMIN, api_account_import_many, 0, RATE_API},
	{"/v4/profile/portrait_get", API_ADMIN, api_profile_get, 0, RATE_API},
	{"/v4/profile/portrait_set", API_ADMIN, api_profile_set, 0, RATE_API},
	{"/manage/v1/session_open", API_SIGN_IN, api_manage_session_open, 0, RATE_NONE},
	{"/manage/v1/session_show", API_MANAGE_SHOW, api_manage_session_show, 0, RATE_NONE},
	{"/manage/v1/session_close", API_MANAGE, api_manage_session_close, 0, RATE_NONE},
	{"/manage/v1/app_create", API_MANAGE, api_manage_app_create, 0, RATE_NONE},
	{"/manage/v1/app_show", API_MANAGE, api_manage_app_show, 0, RATE_NONE},
	{"/manage/v1/app_list", API_MANAGE, api_manage_app_list, 0, RATE_NONE},
	{"/manage/v1/app_overview", API_MANAGE, api_manage_app_overview, 0, RATE_NONE},
	{"/manage/v1/app_set", API_MANAGE, api_manage_app_set, 0, RATE_NONE},
	{"/manage/v1/app_delete", API_MANAGE, api_manage_app_delete, 0, RATE_NONE},
	{"/manage/v1/app_key_rotate", API_MANAGE, api_manage_key_rotate, 0, RATE_NONE},
	{"/manage/v1/app_key_revoke", API_MANAGE, api_manage_key_revoke, 0, RATE_NONE},
	{"/manage/v1/app_secret_rotate", API_MANAGE, api_manage_secret_rotate, 0, RATE_NONE},
	{"/manage/v1/app_secret_revoke", API_MANAGE, api_manage_secret_revoke, 0, RATE_NONE},
	{"/manage/v1/app_certificate_set", API_MANAGE, api_manage_certificate_set, 0, RATE_NONE},
	{"/manage/v1/app_certificate_delete", API_MANAGE, api_manage_certificate_delete, 0, RATE_NONE},
	{"/manage/v1/app_history", API_MANAGE, api_manage_app_history, 0, RATE_NONE},
	{"/manage/v1/audit_list", API_MANAGE, api_manage_audit_list, 0, RATE_NONE},
	{"/manage/v1/callback_set", API_MANAGE, api_manage_callback_set, 0, RATE_NONE},
	{"/manage/v1/callback_clear", API_MANAGE, api_manage_callback_clear, 0, RATE_NONE},
	{"/manage/v1/callback_list", API_MANAGE, api_manage_callback_list, 0, RATE_NONE},
	{"/manage/v1/callback_show", API_MANAGE, api_manage_callback_show, 0, RATE_NONE},
	{"/manage/v1/callback_replay", API_MANAGE, api_manage_callback_replay, 0, RATE_NONE},
	{"/manage/v1/callback_pause", API_MANAGE, api_manage_callback_pause, 0, RATE_NONE},
	{"/manage/v1/callback_resume", API_MANAGE, api_manage_callback_resume, 0, RATE_NONE},
	{"/manage/v1/callback_test", API_MANAGE, api_manage_callback_test, 0, RATE_NONE},
	{"/manage/v1/room_list", API_MANAGE, api_manage_room_list, 0, RATE_NONE},
	{"/manage/v1/room_show", API_MANAGE, api_manage_room_show, 0, RATE_NONE},
	{"/manage/v1/room_creators", API_MANAGE, api_manage_room_creators, 0, RATE_NONE},
	{"/manage/v1/room_create", API_MANAGE, api_manage_room_create, 0, RATE_NONE},
	{"/manage/v1/room_destroy", API_MANAGE, api_manage_room_destroy, 0, RATE_NONE},
	{"/manage/v1/server_show", API_MANAGE, api_manage_server_show, 0, RATE_NONE},
	{"/manage/v1/events", API_MANAGE_STREAM, api_manage_events, 0, RATE_NONE},
	{"/healthz", API_OPEN, api_health, 0, RATE_NONE},
};

static const struct api_route routes_not_supported = {"not supported", API_ADMIN, api_not_supported, 0, RATE_API};

/* The pattern (fnmatch) of paths after "/v4/", and what they belong to. */
static const struct {
	const char *pattern;
	const char *topic;
} routes_unsupported[] = {
	{"live_engine_http_srv/send_*", "messages"},
	{"live_engine_http_srv/*gift*", "gifts"},
	{"live_engine_http_srv/*like*", "likes"},
	{"live_engine_http_srv/*follow*", "followers"},
	{"live_engine_http_srv/*battle*", "battles"},
	{"live_engine_http_srv/*connection*", "connections between rooms"},
	{"live_engine_http_srv/*mcu*", "mixing of streams"},
	{"live_engine_http_srv/*seat*", "seats"},
	{"live_engine_http_srv/get_member_list", "members who are in a room: nobody enters rooms here"},
	{"live_engine_http_srv/kick_*", "members who are in a room: nobody enters rooms here"},
	{"room_engine_http_mic/*", "seats"},
	{"room_engine_http_srv/*", "Conference rooms"},
	{"room_config/*", "Conference rooms"},
	{"call_config/*", "calls"},
	{"group_open_*/*", "messages and groups"},
	{"openim*/*", "messages"},
	{"all_member_push/*", "messages"},
	{"sns/*", "friends"},
};

/* The topic of a call that is not supported, or NULL. */
static const char *routes_topic(struct str path)
{
	struct str prefix = STR("/v4/");
	char text[ROUTES_PATH_BYTES_MAX];

	if (!str_starts_with(path, prefix) || !str_copy(text, sizeof(text), str_slice(path, prefix.len, path.len)))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(routes_unsupported); i++)
		if (fnmatch(routes_unsupported[i].pattern, text, FNM_PATHNAME | FNM_NOESCAPE) == 0)
			return routes_unsupported[i].topic;
	return NULL;
}

const struct api_route *api_find_route(struct str path)
{
	for (size_t i = 0; i < ARRAY_LEN(api_routes); i++)
		if (str_eq(path, str_c(api_routes[i].path)))
			return &api_routes[i];
	return routes_topic(path) ? &routes_not_supported : NULL;
}

/* Two names of one command share a number. */
size_t api_route_index(const struct api_route *route)
{
	size_t i = 0;

	while (i < ARRAY_LEN(api_routes) &&
	       (api_routes[i].handle != route->handle || api_routes[i].command != route->command ||
		api_routes[i].access != route->access))
		i++;
	return i;
}

size_t api_route_place(const struct api_route *route)
{
	if (!route)
		return ARRAY_LEN(api_routes) + 1;
	return route == &routes_not_supported ? ARRAY_LEN(api_routes) : (size_t)(route - api_routes);
}

const struct api_route *api_route_at(size_t place)
{
	if (place > ARRAY_LEN(api_routes))
		return NULL;
	return place == ARRAY_LEN(api_routes) ? &routes_not_supported : &api_routes[place];
}

size_t api_route_count(void)
{
	return ARRAY_LEN(api_routes) + 1;
}

void api_not_supported(struct api_request *request)
{
	struct str path = http_call_path(request->call);
	struct str name = path;

	for (size_t i = 0; i < path.len; i++)
		if (path.ptr[i] == '/')
			name = str_slice(path, i + 1, path.len);
	if (name.len > 80 || !str_is_printable_ascii(name))
		name = STR("this call");
	api_refuse_with(request, HW_NOT_SUPPORTED, "%.*s is not supported: %s", STR_ARG(name), routes_topic(path));
}
