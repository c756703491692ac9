#pragma once
/* What the demonstration prints: plain text, with colour only on a terminal. */
#include "base/json.h"

enum demo_style { DEMO_PLAIN, DEMO_BOLD, DEMO_DIM, DEMO_GOOD, DEMO_BAD, DEMO_ALERT };

/* Prints one piece in a style. */
void demo_show(enum demo_style style, const char *format, ...) PRINTF_LIKE(2, 3);
/* A heading with an empty line before it. */
void demo_show_title(const char *title);
/* "  name    value" */
void demo_show_fact(const char *name, const char *format, ...) PRINTF_LIKE(2, 3);

struct demo_room {
	const char *operator_account;
	const char *platform; /* "RESTAPI" for REST */
	const char *room_id;
};
void demo_show_room_header(void);
void demo_show_room(const struct demo_room *room, unsigned count, unsigned max);

/* All that the App backend wrote down about a callback, and what it answered. */
void demo_show_alert(const json_t *line);
/* The same on one line. */
void demo_show_alert_short(const json_t *line);
/* "  ok  text" or "  NO  text". */
void demo_show_check(bool good, const char *text);
