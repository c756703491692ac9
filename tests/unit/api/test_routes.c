/* Which path is which call: every path with who may call it and what counts it, the vendor's calls that are not supported,
 * and what is almost a path. */
#include "api/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SERVER "/v4/live_engine_http_srv/"
#define CLIENT API_CLIENT_PREFIX
#define CONFIG "/v4/live_config/"
#define LOGIN "/v4/im_open_login_svc/"
#define MANAGE "/manage/v1/"

/* Written anew here, so that a change of the table in the program shows. */
static const struct {
	const char *path;
	enum api_access access;
	enum rate_class rate;
} routes[] = {
	{SERVER "create_room", API_ADMIN, RATE_API},
	{SERVER "destroy_room", API_ADMIN, RATE_API},
	{SERVER "update_room_info", API_ADMIN, RATE_API},
	{SERVER "get_room_info", API_ADMIN, RATE_API},
	{SERVER "get_room_list", API_ADMIN, RATE_LIST},
	{SERVER "get_room_stats", API_ADMIN, RATE_SLOW},
	{SERVER "get_room_statistic", API_ADMIN, RATE_SLOW},
	{SERVER "set_room_metadata", API_ADMIN, RATE_API},
	{SERVER "get_room_metadata", API_ADMIN, RATE_API},
	{SERVER "del_room_metadata", API_ADMIN, RATE_API},
	{SERVER "mute_member", API_ADMIN, RATE_API},
	{SERVER "get_muted_member_list", API_ADMIN, RATE_API},
	{SERVER "ban_member", API_ADMIN, RATE_API},
	{SERVER "unban_member", API_ADMIN, RATE_API},
	{SERVER "get_banned_member_list", API_ADMIN, RATE_API},
	{SERVER "modify_admin", API_ADMIN, RATE_API},
	{SERVER "get_admin_list", API_ADMIN, RATE_API},
	{SERVER "change_room_owner", API_ADMIN, RATE_API},
	{SERVER "add_robot", API_ADMIN, RATE_SLOW},
	{SERVER "del_robot", API_ADMIN, RATE_SLOW},
	{SERVER "get_robot", API_ADMIN, RATE_SLOW},
	{CLIENT "create_room", API_CLIENT, RATE_CLIENT},
	{CLIENT "destroy_room", API_CLIENT, RATE_CLIENT},
	{CLIENT "update_room_info", API_CLIENT, RATE_CLIENT},
	{CLIENT "get_room_info", API_CLIENT, RATE_CLIENT},
	{CLIENT "get_room_list", API_CLIENT, RATE_CLIENT},
	{CLIENT "get_room_statistic", API_CLIENT, RATE_CLIENT},
	{CLIENT "get_room_stats", API_CLIENT, RATE_CLIENT},
	{CLIENT "set_room_metadata", API_CLIENT, RATE_CLIENT},
	{CLIENT "get_room_metadata", API_CLIENT, RATE_CLIENT},
	{CLIENT "del_room_metadata", API_CLIENT, RATE_CLIENT},
	{CONFIG "set_callback", API_ADMIN, RATE_API},
	{CONFIG "update_callback", API_ADMIN, RATE_API},
	{CONFIG "get_callback", API_ADMIN, RATE_API},
	{CONFIG "delete_callback", API_ADMIN, RATE_API},
	{CONFIG "set_callback_token", API_ADMIN, RATE_API},
	{CONFIG "get_callback_token", API_ADMIN, RATE_API},
	{LOGIN "account_import", API_ADMIN, RATE_API},
	{LOGIN "multiaccount_import", API_ADMIN, RATE_API},
	{MANAGE "app_create", API_MANAGE, RATE_NONE},
	{MANAGE "app_show", API_MANAGE, RATE_NONE},
	{MANAGE "app_list", API_MANAGE, RATE_NONE},
	{MANAGE "app_set", API_MANAGE, RATE_NONE},
	{MANAGE "app_delete", API_MANAGE, RATE_NONE},
	{MANAGE "app_key_rotate", API_MANAGE, RATE_NONE},
	{MANAGE "app_key_revoke", API_MANAGE, RATE_NONE},
	{MANAGE "app_secret_rotate", API_MANAGE, RATE_NONE},
	{MANAGE "app_secret_revoke", API_MANAGE, RATE_NONE},
	{MANAGE "app_certificate_set", API_MANAGE, RATE_NONE},
	{MANAGE "app_certificate_delete", API_MANAGE, RATE_NONE},
	{MANAGE "callback_list", API_MANAGE, RATE_NONE},
	{MANAGE "callback_show", API_MANAGE, RATE_NONE},
	{MANAGE "callback_replay", API_MANAGE, RATE_NONE},
	{MANAGE "callback_pause", API_MANAGE, RATE_NONE},
	{MANAGE "callback_resume", API_MANAGE, RATE_NONE},
	{MANAGE "callback_test", API_MANAGE, RATE_NONE},
	{MANAGE "events", API_MANAGE_STREAM, RATE_NONE},
	{"/healthz", API_OPEN, RATE_NONE},
};

static const struct api_route *find(const char *path)
{
	return api_find_route(str_c(path));
}

static void assert_unknown(const char *path)
{
	const struct api_route *route = find(path);

	if (route)
		fail_msg("\"%s\" is %s", path, route->path);
}

/* ---- calls there are ---- */

static void test_routes_every_path_has_its_access_and_rate(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		const struct api_route *route = find(routes[i].path);

		if (!route || route->access != routes[i].access || route->rate != routes[i].rate)
			fail_msg("%s", routes[i].path);
		assert_string_equal(route->path, routes[i].path);
		assert_true(route->handle != NULL && route->handle != api_not_supported);
	}
}

static void test_routes_every_index_is_in_bounds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		assert_true(api_route_index(find(routes[i].path)) < api_route_count());
	assert_true(api_route_index(find(SERVER "send_text_msg")) < api_route_count());
}

/* Else one call would use up the rate of another. */
static void test_routes_only_two_names_of_one_call_share_an_index(void **state)
{
	(void)state;
	for (size_t a = 0; a < ARRAY_LEN(routes); a++) {
		for (size_t b = 0; b < a; b++) {
			bool same_call = strstr(routes[a].path, "/get_room_stat") &&
					 strstr(routes[b].path, "/get_room_stat") &&
					 routes[a].access == routes[b].access;

			if ((api_route_index(find(routes[a].path)) == api_route_index(find(routes[b].path))) !=
			    same_call)
				fail_msg("%s and %s", routes[a].path, routes[b].path);
		}
	}
}

static void test_routes_not_supported_has_an_index_of_its_own(void **state)
{
	size_t index = api_route_index(find(SERVER "send_text_msg"));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		assert_true(api_route_index(find(routes[i].path)) != index);
	assert_int_equal(api_route_index(find("/v4/openim/sendmsg")), index);
}

static void test_routes_that_change_a_list_name_their_command(void **state)
{
	(void)state;
	assert_int_equal(find(SERVER "add_robot")->command, COMMAND_MEMBERS_ADD);
	assert_int_equal(find(SERVER "del_robot")->command, COMMAND_MEMBERS_REMOVE);
	assert_int_equal(find(CONFIG "set_callback")->command, COMMAND_CALLBACK_SET);
	assert_int_equal(find(CONFIG "update_callback")->command, COMMAND_CALLBACK_UPDATE);
}

/* ---- the vendor's that are not supported ---- */

static void test_routes_not_supported_is_known_for_what_it_is(void **state)
{
	static const char *const rows[] = {
		SERVER "send_text_msg",
		SERVER "send_custom_msg",
		SERVER "send_gift",
		SERVER "get_gift_list",
		SERVER "add_gift_category",
		SERVER "gift",
		SERVER "get_member_list",
		SERVER "kick_member",
		SERVER "kick_user_out",
		SERVER "resume_mcu_task",
		SERVER "create_battle",
		SERVER "end_battle",
		SERVER "request_connection",
		SERVER "cancel_connection_request",
		SERVER "send_like",
		SERVER "get_like_count",
		SERVER "follow_user",
		SERVER "get_followers",
		"/v4/room_engine_http_mic/take_seat",
		"/v4/room_engine_http_mic/get_seat_list",
		"/v4/room_engine_http_srv/create_room",
		"/v4/group_open_http_svc/send_group_msg",
		"/v4/group_open_http_svc/create_group",
		"/v4/openim/sendmsg",
		"/v4/sns/friend_add",
		"/v4/all_member_push/im_push",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct api_route *route = find(rows[i]);

		if (!route || route->handle != api_not_supported)
			fail_msg("%s", rows[i]);
		assert_int_equal(route->access, API_ADMIN);
	}
}

/* A pattern must not swallow a call that there is. */
static void test_routes_patterns_leave_real_calls_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		assert_true(find(routes[i].path)->handle != api_not_supported);
}

/* ---- what is almost a path ---- */

static void test_routes_unknown_calls_are_unknown(void **state)
{
	static const char *const rows[] = {
		"",
		"/",
		"*",
		"//",
		"/v4",
		"/v4/",
		"/v4/create_room",
		"/v4/live_engine_http_srv",
		SERVER,
		SERVER "room",
		SERVER "*",
		SERVER "get_member_lists",
		SERVER "getmember_list",
		SERVER "sendtext",
		SERVER "send_text_msg/",
		SERVER "x/send_text_msg",
		SERVER "send_/../create_room",
		"/v3/live_engine_http_srv/send_text_msg",
		"/v4/live_engine_http_srv2/send_text_msg",
		"v4/live_engine_http_srv/create_room",
		"/v4//live_engine_http_srv/create_room",
		"/v4/openim",
		"/v4/openim/a/b",
		"/v4/profile",
		"/v4/OpenIM/sendmsg",
		"/x/v4/openim/sendmsg",
		CLIENT "send_text_msg", /* clients have no such service at all */
		CLIENT "change_room_owner",
		CLIENT "modify_admin",
		CLIENT "get_robot",
		CLIENT "mute_member",
		CONFIG "send_text_msg",
		LOGIN "account_check",
		MANAGE "app_keys",
		MANAGE "create_room",
		"/healthz/",
		"/health",
		"/manage/v1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_unknown(rows[i]);
}

/* Of each path there is: one changed character, one more and one less at each place. */
static void test_routes_near_misses_are_unknown(void **state)
{
	static const char *const more[] = {"/", " ", "?", "%", "%00", "#", "x", "//", "/.", "\n", "\xff", "*"};
	char path[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		size_t len = strlen(routes[i].path);

		for (size_t m = 0; m < ARRAY_LEN(more); m++) {
			(void)snprintf(path, sizeof(path), "%s%s", routes[i].path, more[m]); /* fits, as those below */
			assert_unknown(path);
			(void)snprintf(path, sizeof(path), "%s%s", more[m], routes[i].path);
			assert_unknown(path);
		}
		(void)snprintf(path, sizeof(path), "%.*s", (int)len - 1, routes[i].path);
		assert_unknown(path);
		assert_unknown(routes[i].path + 1);
		(void)snprintf(path, sizeof(path), "%%2F%s", routes[i].path + 1);
		assert_unknown(path);
		for (size_t at = 0; at < len; at++) {
			(void)snprintf(path, sizeof(path), "%s", routes[i].path);
			path[at] = (char)(path[at] ^ 0x20); /* the other case, for letters */
			assert_unknown(path);
		}
	}
}

static void test_routes_a_path_with_a_nul_is_unknown(void **state)
{
	(void)state;
	assert_null(api_find_route(STR(SERVER "create_room\0")));
	assert_null(api_find_route(STR("/healthz\0x")));
	assert_null(api_find_route((struct str){0}));
}

/* Patterns look at no more than 255 bytes after the version; what is longer is nobody's call. */
static void test_routes_a_long_path_is_unknown(void **state)
{
	static const struct {
		size_t len;
		bool known;
	} rows[] = {{259, true}, {260, false}, {300, false}, {4000, false}};
	static char path[4000];

	(void)state;
	memset(path, 'a', sizeof(path));
	memcpy(path, "/v4/openim/", 11);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(api_find_route((struct str){path, rows[i].len}) != NULL, rows[i].known);
	memset(path, 'a', sizeof(path));
	assert_null(api_find_route((struct str){path, 300}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes_every_path_has_its_access_and_rate),
		cmocka_unit_test(test_routes_every_index_is_in_bounds),
		cmocka_unit_test(test_routes_only_two_names_of_one_call_share_an_index),
		cmocka_unit_test(test_routes_not_supported_has_an_index_of_its_own),
		cmocka_unit_test(test_routes_that_change_a_list_name_their_command),
		cmocka_unit_test(test_routes_not_supported_is_known_for_what_it_is),
		cmocka_unit_test(test_routes_patterns_leave_real_calls_alone),
		cmocka_unit_test(test_routes_unknown_calls_are_unknown),
		cmocka_unit_test(test_routes_near_misses_are_unknown),
		cmocka_unit_test(test_routes_a_path_with_a_nul_is_unknown),
		cmocka_unit_test(test_routes_a_long_path_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
