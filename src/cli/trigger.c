/* `highwater trigger URL`: sends a callback as the backend would, or with a fault on purpose, and shows the exchange and
 * what the backend would make of it. */
#include "base/clock.h"
#include "cli/files.h"
#include "cli/record_words.h"
#include "cli/trier.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define TRIGGER_SHOWN_BYTES 2000 /* of a body, for people */
#define TRIGGER_HIDDEN_BYTES 8	 /* shown of a signature */
#define TRIGGER_DRIP_MS 20
#define TRIGGER_SLOW "slow" /* a fault of the sending, not of the callback */

struct trigger {
	const struct cli_line *line;
	struct trier trier;
	struct buf body;
	char command[64]; /* of that, when the line names none */
	bool slow;
	unsigned times;
	json_t *exchanges; /* owned; NULL unless --json */
	bool as_it_must;   /* so far */
	char verdict[320]; /* of the last exchange, in words */
};

/* ---- the line ---- */

/* "90s", "-5m": whole units of ms, s, m, h. */
static int trigger_parse_skew(const char *text, int64_t *out)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	bool negative = text[0] == '-';
	size_t digits = strspn(text + negative, "0123456789");
	struct str number = {text + negative, digits};
	uint64_t value;

	if (str_to_u64(number, 1000000, &value))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(text + negative + digits, units[i].unit) != 0)
			continue;
		*out = (negative ? -1 : 1) * (int64_t)value * units[i].ms;
		return 0;
	}
	return -1;
}

static int trigger_read_fault(struct trigger *trigger)
{
	const struct cli_line *line = trigger->line;
	const char *word = options_get(line, OPTION_FAULT)->text;
	struct caller *caller = &trigger->trier.caller;

	trigger->slow = strcmp(word, TRIGGER_SLOW) == 0;
	if (!trigger->slow && caller_fault_parse(word, &caller->fault))
		return cli_fail(line, CLI_USAGE, "--fault: \"%.40s\" is none; `highwater trigger --help` lists them",
				word);
	if (caller_fault_needs_token(caller->fault) && !options_get(line, OPTION_TOKEN_FILE)->set)
		return cli_fail(line, CLI_USAGE, "--fault %s needs --token-file", word);
	if (caller_fault_needs_key(caller->fault) && !caller->key)
		return cli_fail(line, CLI_USAGE, "--fault %s needs --secret-file", word);
	return CLI_DONE;
}

static int trigger_read_facts(struct trigger *trigger)
{
	const struct cli_line *line = trigger->line;
	struct caller *caller = &trigger->trier.caller;
	struct str platform = str_c(options_get(line, OPTION_TOLD_PLATFORM)->text);
	const char *command = options_get(line, OPTION_COMMAND)->text;

	caller->room_count = options_get(line, OPTION_CURRENT)->number;
	caller->room_count_max = options_get(line, OPTION_TOLD_MAX)->number;
	caller->threshold = *command && strcmp(command, hw_callback_word(HW_CALLBACK_THRESHOLD)) != 0
				    ? 0
				    : (int)options_get(line, OPTION_TOLD_THRESHOLD)->number;
	caller->operator_account = options_get(line, OPTION_OPERATOR)->text;
	caller->room_id = options_get(line, OPTION_ROOM)->text;
	caller->client_ip = options_get(line, OPTION_IP)->text;
	caller->event_id = options_get(line, OPTION_EVENT_ID)->text;
	caller->command = *command ? command : NULL;
	if (!str_is_utf8(str_c(caller->operator_account)) || !str_is_utf8(str_c(caller->room_id)))
		return cli_fail(line, CLI_USAGE, "--operator and --room must be UTF-8");
	if (strlen(caller->client_ip) > HW_IP_BYTES_MAX || !str_is_printable_ascii(str_c(caller->client_ip)))
		return cli_fail(line, CLI_USAGE, "--ip: \"%.60s\" is no address", caller->client_ip);
	if (strlen(command) > 63 || !str_is_printable_ascii(str_c(command)) || strpbrk(command, "&=?#% "))
		return cli_fail(line, CLI_USAGE, "--command: \"%.63s\" is no callback command", command);
	if (platform.len && hw_platform_parse(platform.ptr, platform.len, &caller->platform))
		return cli_fail(line, CLI_USAGE,
				"--platform: \"%.40s\" is none of RESTAPI, Web, Android, iOS, Windows, Mac, iPad and "
				"Unknown",
				platform.ptr);
	if (trigger_parse_skew(options_get(line, OPTION_SKEW)->text, &caller->skew_ms))
		return cli_fail(line, CLI_USAGE,
				"--skew: \"%.40s\" is no duration such as 90s or -5m (units ms, s, m, h, d)",
				options_get(line, OPTION_SKEW)->text);
	if (clock_wall_ms() + caller->skew_ms < 0)
		return cli_fail(line, CLI_USAGE, "--skew: %.40s is before 1970", options_get(line, OPTION_SKEW)->text);
	return CLI_DONE;
}

/* The packet's own command is meant, unless the line names another one. */
static void trigger_read_command(struct trigger *trigger)
{
	struct caller *caller = &trigger->trier.caller;
	char reason[8];

	caller->body = buf_str(&trigger->body);
	if (caller->command ||
	    hw_packet_command(trigger->body.ptr, trigger->body.len, trigger->command, reason, sizeof(reason)))
		return;
	caller->command = trigger->command;
	if (strcmp(trigger->command, hw_callback_word(HW_CALLBACK_THRESHOLD)) != 0)
		caller->threshold = 0;
}

static int trigger_read_line(struct trigger *trigger)
{
	const struct cli_line *line = trigger->line;
	int exit = trier_open(line, &trigger->trier);

	if (exit == CLI_DONE)
		exit = trigger_read_facts(trigger);
	if (exit == CLI_DONE)
		exit = trigger_read_fault(trigger);
	if (exit == CLI_DONE && options_get(line, OPTION_BODY_FILE)->set) {
		exit = options_read_text(line, OPTION_BODY_FILE, CALLER_BODY_BYTES_MAX / 2, &trigger->body);
		if (exit == CLI_DONE)
			trigger_read_command(trigger);
	}
	trigger->times = (unsigned)options_get(line, OPTION_TIMES)->number;
	return exit;
}

/* ---- the exchange ---- */

static void trigger_print_body(const char *mark, struct str body)
{
	struct str shown = str_slice(body, 0, TRIGGER_SHOWN_BYTES);
	struct buf text;

	buf_init(&text, TRIGGER_SHOWN_BYTES * 2);
	record_append_safe(&text, shown);
	(void)printf("%s %s%s\n", mark, buf_c(&text),
		     shown.len < body.len ? " ..." : ""); /* standard output is all there is, as below */
	buf_fini(&text);
}

/* Shows of a secret as much as tells two of them apart. */
static void trigger_append_hidden(struct buf *out, struct str secret)
{
	buf_append_str(out, str_slice(secret, 0, TRIGGER_HIDDEN_BYTES));
	if (secret.len > TRIGGER_HIDDEN_BYTES)
		buf_append_c(out, "...");
}

/* The URL as it may be shown: Sign is good for a minute, and parameters of one's own may be secrets. */
static void trigger_append_url(struct buf *out, const char *url)
{
	static const char *const shown[] = {"SdkAppid", "CallbackCommand", "contenttype",
					    "ClientIP", "OptPlatform",	   "RequestTime"};
	struct str rest = str_c(url);
	struct str item;
	struct str name;
	bool show;

	(void)str_cut(&rest, '?', &item); /* there always is one: the query is made here */
	buf_append_str(out, item);
	for (char mark = '?'; rest.len; mark = '&') {
		(void)str_cut(&rest, '&', &item); /* the loop looks at the rest */
		(void)str_cut(&item, '=', &name); /* a parameter without a value is a name */
		show = false;
		for (size_t i = 0; i < ARRAY_LEN(shown); i++)
			show = show || str_eq(name, str_c(shown[i]));
		buf_append_char(out, mark);
		buf_append_str(out, name);
		buf_append_char(out, '=');
		if (show)
			buf_append_str(out, item);
		else
			trigger_append_hidden(out, item);
	}
}

/* A header as it may be shown: a signature is good for minutes. */
static void trigger_append_header(struct buf *out, const char *header)
{
	struct str value = str_c(header);
	struct str name;

	if (str_cut(&value, ',', &name) && str_starts_with(name, STR("webhook-signature: "))) {
		buf_append_str(out, name);
		buf_append_char(out, ',');
		trigger_append_hidden(out, value);
		return;
	}
	buf_append_c(out, header);
}

static void trigger_print_request(const struct caller_request *request)
{
	struct buf text;

	buf_init(&text, sizeof(request->url) + sizeof(request->header_text));
	buf_printf(&text, "> %s ", request->http.method);
	trigger_append_url(&text, request->url);
	for (size_t i = 0; i < request->header_count; i++) {
		buf_append_c(&text, "\n> ");
		trigger_append_header(&text, request->headers[i]);
	}
	(void)printf("%s\n>\n", buf_c(&text)); /* standard output is all there is, as above */
	buf_fini(&text);
	if (request->body.len)
		trigger_print_body(">", buf_str(&request->body));
	(void)fflush(stdout); /* the answer may take a while */
}

static void trigger_print_result(const struct trier_result *result)
{
	double ms = (double)result->duration_us / 1000;
	struct buf text;

	buf_init(&text, sizeof(result->text));
	record_append_safe(&text, str_c(result->text)); /* it may name what the receiver sent */
	if (result->outcome == HTTP_OUTCOME_REPLIED)
		(void)printf("< HTTP status %d after %.1f ms, from %s%s%s\n", result->status, ms, result->address,
			     result->tls[0] ? ", " : "", result->tls);
	else
		(void)printf("< no answer after %.1f ms: %s: %s\n", ms, http_outcome_word(result->outcome),
			     buf_c(&text));
	buf_fini(&text);
	if (result->body.len)
		trigger_print_body("<", buf_str(&result->body));
}

/* What a receiver sent, as JSON may hold it: what is no UTF-8 becomes U+FFFD. */
static json_t *trigger_json_text(struct str text)
{
	json_t *json = json_stringn(text.ptr ? text.ptr : "", text.len);
	struct buf clean;

	if (json)
		return json;
	buf_init(&clean, text.len * 3);
	for (size_t i = 0, len; i < text.len; i += len) {
		for (len = text.len - i < 4 ? text.len - i : 4; len > 1; len--)
			if (str_is_utf8(str_slice(text, i, len)))
				break;
		if (len > 1 || str_is_utf8(str_slice(text, i, 1)))
			buf_append_str(&clean, str_slice(text, i, len));
		else
			buf_append_c(&clean, "\xef\xbf\xbd");
	}
	json = json_stringn(buf_c(&clean), clean.len);
	buf_fini(&clean);
	return json;
}

static void trigger_note_exchange(struct trigger *trigger, const struct caller_request *request,
				  const struct trier_result *result)
{
	json_t *headers = json_array();
	json_t *exchange;
	struct buf url;
	struct buf header;

	buf_init(&url, sizeof(request->url));
	trigger_append_url(&url, request->url);
	for (size_t i = 0; i < request->header_count; i++) {
		buf_init(&header, sizeof(request->header_text[i]));
		trigger_append_header(&header, request->headers[i]);
		(void)json_array_append_new(headers, json_string(buf_c(&header))); /* fails with memory only */
		buf_fini(&header);
	}
	exchange = json_pack("{s:s, s:s, s:o, s:s%, s:s, s:i, s:o, s:o, s:s, s:s, s:I, s:b, s:s}", "Method",
			     request->http.method, "Url", buf_c(&url), "HeaderList", headers, "Body",
			     buf_c(&request->body), request->body.len, "Outcome", http_outcome_word(result->outcome),
			     "HttpStatus", result->status, "Reply", trigger_json_text(buf_str(&result->body)), "Error",
			     trigger_json_text(str_c(result->text)), "Address", result->address, "Tls", result->tls,
			     "DurationUs", (json_int_t)result->duration_us, "Delivered", result->verdict.delivered,
			     "Reason", result->verdict.reason);
	assert(exchange); /* out of memory */
	buf_fini(&url);
	(void)json_array_append_new(trigger->exchanges, exchange);
}

/* Is this what had to come of it? */
static bool trigger_judge(struct trigger *trigger, const struct trier_result *result)
{
	enum caller_fault fault = trigger->trier.caller.fault;
	const struct verdict *verdict = &result->verdict;
	char *text = trigger->verdict;
	size_t size = sizeof(trigger->verdict);

	/* all of them are cut when they are longer */
	if (caller_fault_is_fine(fault)) {
		if (verdict->delivered)
			(void)snprintf(text, size, "delivered: the backend would not send it again");
		else
			(void)snprintf(text, size, "not delivered, the backend would try again: %s", verdict->reason);
		return verdict->delivered;
	}
	if (verdict->delivered) {
		(void)snprintf(text, size, "taken, but it must be refused: it had %s", caller_fault_text(fault));
		return false;
	}
	if (verdict->refused || (fault == CALLER_FAULT_OVERSIZED && result->outcome == HTTP_OUTCOME_BROKEN)) {
		(void)snprintf(text, size, "refused, as it must be: %s", verdict->reason);
		return true;
	}
	(void)snprintf(text, size, "neither taken nor refused: %s", verdict->reason);
	return false;
}

static int trigger_send_one(struct trigger *trigger)
{
	struct caller_request request;
	struct trier_result result;
	struct error err;

	if (caller_build(&trigger->trier.caller, clock_wall_ms(), &request, &err)) {
		caller_request_free(&request);
		return cli_fail(trigger->line, CLI_USAGE, "%s", err.text);
	}
	if (!trigger->exchanges)
		trigger_print_request(&request);
	trier_send(&trigger->trier, &request, trigger->slow ? TRIGGER_DRIP_MS : 0, &result);
	if (!trigger_judge(trigger, &result))
		trigger->as_it_must = false;
	if (trigger->exchanges)
		trigger_note_exchange(trigger, &request, &result);
	else
		trigger_print_result(&result);
	trier_result_free(&result);
	caller_request_free(&request);
	return CLI_DONE;
}

static int trigger_send_all(struct trigger *trigger)
{
	char id[CALLER_EVENT_ID_BYTES + 1];
	int exit = CLI_DONE;

	if (!*trigger->trier.caller.event_id) { /* one event, however often it is sent */
		caller_event_id(id);
		trigger->trier.caller.event_id = id;
	}
	trigger->trier.caller.event_ms = clock_wall_ms() + trigger->trier.caller.skew_ms;
	for (unsigned i = 0; i < trigger->times && exit == CLI_DONE && !ferror(stdout);
	     i++) { /* main tells of stdout */
		trigger->trier.caller.attempt = i + 1;
		exit = trigger_send_one(trigger);
		if (exit == CLI_DONE && !trigger->exchanges)
			(void)printf("%s\n", trigger->verdict);
	}
	trigger->trier.caller.event_id = ""; /* ours ends here */
	return exit;
}

static void trigger_print_json(const struct trigger *trigger)
{
	json_t *whole = json_pack("{s:b, s:s, s:s, s:O}", "AsItMust", trigger->as_it_must, "Fault",
				  trigger->slow ? TRIGGER_SLOW : caller_fault_word(trigger->trier.caller.fault),
				  "Verdict", trigger->verdict, "ExchangeList", trigger->exchanges);

	trier_print_json(whole);
}

static int trigger_run(const struct cli_line *line)
{
	struct trigger trigger = {.line = line, .as_it_must = true};
	int exit;

	buf_init(&trigger.body, CALLER_BODY_BYTES_MAX);
	if (options_get(line, OPTION_JSON)->set)
		trigger.exchanges = json_array();
	exit = trigger_read_line(&trigger);
	if (exit == CLI_DONE)
		exit = trigger_send_all(&trigger);
	if (exit == CLI_DONE) {
		if (trigger.exchanges)
			trigger_print_json(&trigger);
		exit = trigger.as_it_must ? CLI_DONE : CLI_REFUSED;
	}
	json_decref(trigger.exchanges);
	trier_close(&trigger.trier);
	buf_fini(&trigger.body);
	return exit;
}

#define TRIGGER_FAULT_LINE(name, word, text) "  " word ": " text "\n"

static const struct cli_command trigger_commands[] = {
	{
		.group = "trigger",
		.name = "",
		.arguments = "URL",
		.argument_min = 1,
		.argument_max = 1,
		.options = TRIER_OPTIONS | OPTION_BIT(OPTION_COMMAND) | OPTION_BIT(OPTION_CURRENT) |
			   OPTION_BIT(OPTION_TOLD_MAX) | OPTION_BIT(OPTION_TOLD_THRESHOLD) |
			   OPTION_BIT(OPTION_OPERATOR) | OPTION_BIT(OPTION_ROOM) | OPTION_BIT(OPTION_IP) |
			   OPTION_BIT(OPTION_TOLD_PLATFORM) | OPTION_BIT(OPTION_SKEW) | OPTION_BIT(OPTION_FAULT) |
			   OPTION_BIT(OPTION_TIMES) | OPTION_BIT(OPTION_EVENT_ID) | OPTION_BIT(OPTION_BODY_FILE),
		.summary = "Sends a callback to a receiver, as the backend would or with a fault on purpose",
		.details =
			"\nThe alert of app 1400000001 with 400 of 500 rooms, unless options say otherwise. Shows the "
			"exchange and\nwhat the backend would make of it. The exit code is 0 when a right callback was "
			"delivered, or a wrong one\nrefused, else 1. It may go to any address, this machine too. "
			"Faults:\n" CALLER_FAULTS(
				TRIGGER_FAULT_LINE) "  " TRIGGER_SLOW
						    ": the packet drips, a byte each 20 ms (must be taken)\n",
		.run = trigger_run,
	},
};

const struct cli_group cli_trigger_group = {
	.name = "trigger",
	.summary = "Sends a callback to a receiver, as the backend would or with a fault",
	.commands = trigger_commands,
	.command_count = ARRAY_LEN(trigger_commands),
};
