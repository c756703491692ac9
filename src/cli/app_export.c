/* `highwater app export`: what `highwater apply` would make of the apps that are there. */
#include "cli/app.h"
#include "cli/apply_file.h"

#include <stdlib.h>
#include <string.h>

/* Without a URL there is nothing to say of switches and tokens. */
static bool export_has(const json_t *app, enum apply_field field)
{
	return field <= APPLY_CALLBACK_URL || *remote_text(app, apply_field_name(APPLY_CALLBACK_URL));
}

static json_t *export_app(const json_t *app)
{
	json_t *item = json_object();

	/* memory ends the process, as everywhere here */
	(void)json_object_set(item, "SdkAppid", json_object_get(app, "SdkAppid"));
	for (unsigned i = 0; i < APPLY_FIELD_COUNT; i++) {
		enum apply_field field = (enum apply_field)i;

		if (export_has(app, field))
			(void)json_object_set(item, apply_field_name(field),
					      json_object_get(app, apply_field_name(field)));
	}
	return item;
}

static int export_fetch(const struct cli_line *line, json_t **apps_out)
{
	struct remote_answer answer;
	uint32_t sdkappid;
	struct buf body;
	int exit;

	if (line->argument_count == 0 && !options_get(line, OPTION_APP)->set)
		return apps_fetch_all(line, apps_out);
	exit = apps_sdkappid(line, &sdkappid);
	if (exit != CLI_DONE)
		return exit;
	buf_init(&body, APPS_BODY_BYTES_MAX);
	buf_printf(&body, "{\"SdkAppid\":%u}", sdkappid);
	exit = remote_run_manage(line, "app_show", &body, &answer);
	buf_fini(&body);
	if (exit != CLI_DONE)
		return exit;
	*apps_out = json_pack("[O]", answer.response);
	remote_answer_free(&answer);
	return CLI_DONE;
}

int apps_export(const struct cli_line *line)
{
	json_t *apps;
	json_t *list;
	json_t *whole;
	char *text;
	int exit = export_fetch(line, &apps);

	if (exit != CLI_DONE)
		return exit;
	list = json_array();
	for (size_t i = 0; i < json_array_size(apps); i++)
		(void)json_array_append_new(list, export_app(json_array_get(apps, i)));
	whole = json_pack("{s:i,s:o}", "Version", APPLY_VERSION, "Apps", list);
	text = json_dumps(whole, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	(void)puts(text); /* standard output is all there is */
	free(text);	  /* jansson's own */
	json_decref(whole);
	json_decref(apps);
	return CLI_DONE;
}
