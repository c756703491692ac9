/* The management API's look at the backend itself: what runs, since when, with which settings and where each of them
 * came from. Nothing that is or may be a secret is shown, see SETTING_HIDDEN. */
#include "api/manage.h"
#include "base/clock.h"

#include <inttypes.h>

#define SERVER_VALUE_BYTES_MAX 8192 /* of a setting; the longest text one may have is shorter */

/* Sums over all apps. */
struct server_sums {
	uint64_t apps;
	uint64_t rooms;
	uint64_t callback_pending;
};

static void server_add(void *context, const struct store_app_line *line)
{
	struct server_sums *sums = context;

	sums->apps++;
	sums->rooms += line->room_count;
	sums->callback_pending += line->callback_pending;
}

/* JSON is UTF-8, and names of files and what stands in the environment need not be. */
static void server_append_text(struct buf *out, struct str text)
{
	buf_append_json_string(out, str_is_utf8(text) ? text : STR("(not UTF-8)"));
}

static void server_append_settings(struct buf *out, const struct settings *settings)
{
	struct buf value;

	buf_init(&value, SERVER_VALUE_BYTES_MAX);
	buf_append_char(out, '[');
	for (size_t i = 0; i < settings->count; i++) {
		buf_reset(&value);
		settings_append_value(settings, i, &value);
		buf_append_c(out, i ? ",{\"Name\":" : "{\"Name\":");
		buf_append_json_string(out, str_c(settings->rows[i].name));
		buf_append_c(out, ",\"Value\":");
		server_append_text(out, buf_str(&value));
		buf_printf(out, ",\"Source\":\"%s\",\"Default\":", settings_source_word(settings, i));
		buf_append_json_string(out, str_c(settings->rows[i].fallback));
		buf_append_c(out, ",\"Meaning\":");
		buf_append_json_string(out, str_c(settings->rows[i].help));
		buf_append_char(out, '}');
	}
	buf_append_char(out, ']');
	buf_fini(&value);
}

static void server_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	const struct api_about *about = &request->api->about;
	struct server_sums sums = {0};
	struct buf *out = &request->response;
	struct error err;

	if (store_app_line_each(reader, server_add, &sums, &err)) {
		api_read_failed(request, &err);
		return;
	}
	buf_printf(out, "{\"Version\":\"" HW_VERSION "\",\"StartTime\":%" PRId64 ",\"Now\":%" PRId64 ",\"Store\":",
		   request->api->start_ms, clock_wall_ms());
	buf_append_json_string(out, str_c(about->store));
	buf_append_c(out, ",\"DataDir\":");
	server_append_text(out, str_c(about->data_dir));
	buf_printf(out,
		   ",\"Apps\":%" PRIu64 ",\"Rooms\":%" PRIu64 ",\"CallbackPending\":%" PRIu64 ",\"Sessions\":%" PRIu64
		   ",\"Settings\":",
		   sums.apps, sums.rooms, sums.callback_pending,
		   sessions_count(request->api->sessions, clock_mono_ms()));
	server_append_settings(out, about->settings);
	buf_append_char(out, '}');
}

void api_manage_server_show(struct api_request *request)
{
	api_submit_read(request, server_read);
}
