/* Callback configuration: one URL per app, a switch per callback command, and the token (vendor documents 64418 to
 * 64421, 69528, 69529). */
#include "api/request.h"

/* The command list as a set of bits. Returns 0, or -1 when the request was answered. */
static int callbacks_parse_commands(struct api_request *request, uint32_t *commands_out)
{
	uint32_t commands = 0;
	json_t *list;

	if (json_field_array(request->body, "CallbackCommandList", &list) != JSON_FOUND) {
		api_answer(request, HW_BAD_PARAMETER, "CallbackCommandList is required, an array of callback commands");
		return -1;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		struct str word = json_is_string(item) ? json_str(item) : STR("");
		enum hw_callback command;

		if (hw_callback_parse(word.ptr, word.len, &command)) {
			api_refuse_with(request, HW_BAD_PARAMETER,
					"CallbackCommandList: element %zu, \"%.*s\", is not a callback command", i,
					STR_ARG(str_slice(word, 0, 80)));
			return -1;
		}
		commands |= UINT32_C(1) << command;
	}
	*commands_out = commands;
	return 0;
}

int api_need_callback(struct api_request *request, const char *url_key)
{
	struct command *command = &request->job.command;
	const char *fault;

	if (api_need_str(request, request->body, url_key, 1, HW_CALLBACK_URL_BYTES_MAX, &command->u.callback.url))
		return -1;
	fault = hw_callback_url_check(command->u.callback.url.ptr, command->u.callback.url.len);
	if (fault) {
		api_refuse_with(request, HW_BAD_PARAMETER, "%s: %s", url_key, fault);
		return -1;
	}
	return callbacks_parse_commands(request, &command->u.callback.commands);
}

void api_callback_set(struct api_request *request)
{
	if (api_need_callback(request, "Url") == 0)
		api_submit(request, (enum command_type)request->route->command, request->app->config.sdkappid,
			   api_command_done);
}

void api_append_callback_commands(struct buf *out, uint32_t commands)
{
	bool first = true;

	buf_append_char(out, '[');
	for (unsigned i = 0; i < HW_CALLBACK_COUNT; i++) {
		if (!(commands >> i & 1))
			continue;
		if (!first)
			buf_append_char(out, ',');
		buf_append_json_string(out, str_c(hw_callback_word((enum hw_callback)i)));
		first = false;
	}
	buf_append_char(out, ']');
}

void api_callback_get(struct api_request *request)
{
	const struct app_config *config = &request->app->config;

	if (!config->callback_set) {
		api_answer(request, HW_NO_CALLBACK, NULL);
		return;
	}
	buf_append_c(&request->response, "{\"Url\":");
	buf_append_json_string(&request->response, str_c(config->callback_url));
	buf_append_c(&request->response, ",\"CallbackCommandList\":");
	api_append_callback_commands(&request->response, config->callback_commands);
	buf_append_char(&request->response, '}');
	api_answer(request, HW_OK, NULL);
}

void api_callback_delete(struct api_request *request)
{
	api_submit(request, COMMAND_CALLBACK_DELETE, request->app->config.sdkappid, api_command_done);
}

int api_take_token(struct api_request *request, struct token_change *change)
{
	int has_token = api_take_str(request, request->body, "Token", 1, HW_TOKEN_BYTES_MAX, &change->token);
	int has_enabled;

	if (has_token < 0)
		return -1;
	has_enabled = api_take_bool(request, request->body, "IsTokenEnable", &change->enabled);
	if (has_enabled < 0)
		return -1;
	change->has_token = has_token == 1;
	change->has_enabled = has_enabled == 1;
	return 0;
}

void api_token_set(struct api_request *request)
{
	if (api_take_token(request, &request->job.command.u.token) == 0)
		api_submit(request, COMMAND_TOKEN_SET, request->app->config.sdkappid, api_command_done);
}

void api_token_get(struct api_request *request)
{
	const struct app_config *config = &request->app->config;

	if (!config->token_set) {
		api_answer(request, HW_NO_CALLBACK_TOKEN, NULL);
		return;
	}
	/* the one place that gives a token out: to an admin of the app, who set it */
	buf_append_c(&request->response, "{\"Token\":");
	buf_append_json_string(&request->response, secret_reveal(app_token(config)));
	buf_append_c(&request->response,
		     config->token_enabled ? ",\"IsTokenEnable\":true}" : ",\"IsTokenEnable\":false}");
	api_answer(request, HW_OK, NULL);
}
