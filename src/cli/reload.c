/* Reading settings again; see reload.h.
 *
 * The line is the one of the start and the environment cannot change from outside, so what differs comes from the settings
 * file, or from files that settings name. Those are read anew whether or not a setting differs: a renewed certificate has
 * the name of the old one. */
#include "cli/reload.h"
#include "cli/systemd.h"

#define RELOAD_VALUE_BYTES_MAX (32 * 1024)

/* Logs what differs. Returns how many settings are taken. */
static unsigned reload_tell(const struct settings *now, const struct settings *fresh)
{
	unsigned taken = 0;

	for (size_t i = 0; i < now->count; i++) {
		enum settings_change change = settings_compare(now, fresh, i);
		struct buf value;

		if (change == SETTINGS_SAME)
			continue;
		buf_init(&value, RELOAD_VALUE_BYTES_MAX);
		settings_append_value(fresh, i, &value);
		if (change == SETTINGS_RELOADS)
			log_event(LOG_LEVEL_INFO, "setting_changed", LOG_C("setting", now->rows[i].name),
				  LOG_STR("value", buf_str(&value)));
		else
			log_event(LOG_LEVEL_WARN, "setting_needs_restart", LOG_C("setting", now->rows[i].name),
				  LOG_STR("value", buf_str(&value)));
		taken += change == SETTINGS_RELOADS;
		buf_fini(&value);
	}
	return taken;
}

void reload_run(const struct reload *reload, void *fresh)
{
	struct settings settings;
	struct error err;
	unsigned taken;

	systemd_reloading();
	if (service_read(reload->service, reload->argc, reload->argv, fresh, &settings, &err) ||
	    reload->take(reload->context, fresh, &err)) {
		log_event(LOG_LEVEL_ERROR, "reload_failed", LOG_C("error", err.text),
			  LOG_C("action", "nothing was changed"));
		systemd_ready("The last reload failed and changed nothing, see the log");
	} else {
		taken = reload_tell(reload->now, &settings);
		settings_adopt(reload->now, &settings);
		log_event(LOG_LEVEL_INFO, "reloaded", LOG_U64("settings_changed", taken));
		systemd_ready("Settings and certificates were reloaded");
	}
	settings_fini(&settings);
}

int reload_read_tls(const struct service_http *now, const struct service_http *fresh, struct http_tls **tls_out,
		    struct error *err)
{
	*tls_out = NULL;
	if (!*now->cert_file != !*fresh->cert_file)
		return error_set(err, ERR_INVALID, "http.cert_file: from HTTP to HTTPS or back needs a restart");
	return *fresh->cert_file ? http_tls_open(fresh->cert_file, fresh->key_file, tls_out, err) : 0;
}

void reload_take_http(struct http_server *server, const struct service_http *fresh, struct http_tls **tls)
{
	if (*tls)
		http_server_set_tls(server, tls);
	http_server_set_timeouts(server, fresh->request_timeout, fresh->idle_timeout);
}
