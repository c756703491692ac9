/* The lines of `highwater listen`; see listen_show.h. */
#include "cli/listen_show.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/record_words.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOW_LINES_MAX 1000
#define SHOW_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define SHOW_LINE_BYTES_MAX (RECORD_LINE_BYTES_MAX + 1024)

struct show_line {
	struct show_line *next;
	size_t len;
	char text[]; /* with its end */
};

struct listen_show {
	bool json;
	bool colour;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct show_line *first; /* under the lock, as all below */
	struct show_line *last;
	size_t count;
	size_t bytes;
	uint64_t left_out; /* since the last line that was shown */
	bool closed;
	bool running;
	pthread_t thread;
};

/* ---- the queue ---- */

static void show_put(struct listen_show *show, struct str text)
{
	struct show_line *line = NULL;

	pthread_mutex_lock(&show->lock);
	if (show->count < SHOW_LINES_MAX && show->bytes + text.len <= SHOW_BYTES_MAX) {
		line = mem_zalloc(sizeof(*line) + text.len);
		line->len = text.len;
		memcpy(line->text, text.ptr, text.len);
		if (show->first)
			show->last->next = line;
		else
			show->first = line;
		show->last = line;
		show->count++;
		show->bytes += text.len;
		pthread_cond_signal(&show->work);
	} else {
		show->left_out++;
	}
	pthread_mutex_unlock(&show->lock);
}

/* NULL at the end. */
static struct show_line *show_take(struct listen_show *show, uint64_t *left_out)
{
	struct show_line *line;

	pthread_mutex_lock(&show->lock);
	while (!show->first && !show->closed)
		pthread_cond_wait(&show->work, &show->lock);
	line = show->first;
	*left_out = 0;
	if (line) {
		show->first = line->next;
		show->count--;
		show->bytes -= line->len;
		if (!show->first) { /* those came after this one */
			*left_out = show->left_out;
			show->left_out = 0;
		}
	}
	pthread_mutex_unlock(&show->lock);
	return line;
}

static void *show_main(void *context)
{
	struct listen_show *show = context;
	struct show_line *line;
	uint64_t left_out;

	while ((line = show_take(show, &left_out))) {
		(void)fwrite(line->text, 1, line->len, stdout); /* standard output is all there is, as below */
		if (left_out)
			(void)printf(show->json ? "{\"Event\":\"not_shown\",\"Count\":%" PRIu64 "}\n"
						: "          %" PRIu64 " lines not shown: this terminal is too slow\n",
				     left_out);
		(void)fflush(stdout);
		mem_free(line);
	}
	return NULL;
}

/* ---- words ---- */

static void show_append_clock(struct buf *out, int64_t time_ms)
{
	char text[CLOCK_TEXT_BYTES];

	clock_format(time_ms, text);
	buf_append(out, text + 11, 8); /* of "2026-11-25T09:23:01.123Z" */
}

static void show_append_verified(const struct record_row *row, struct buf *out)
{
	bool by_key = row->webhook_kind != HW_WEBHOOK_NONE;

	if (!row->is_signed && !by_key)
		buf_append_c(out, "not verified");
	else
		buf_printf(out, "verified by %s%s%s", row->is_signed ? "Sign" : "",
			   row->is_signed && by_key ? " and " : "", by_key ? "signature" : "");
}

/* What is special about it. */
static void show_append_marks(const struct receive_seen *seen, struct buf *out)
{
	const struct record_row *row = seen->row;

	if (row->sequence >= 0)
		buf_printf(out, "  #%" PRId64, row->sequence);
	if (row->attempt > 1)
		buf_printf(out, "  attempt %" PRId64, row->attempt);
	if (row->replay >= 0)
		buf_printf(out, "  replay %" PRId64, row->replay);
	if (!seen->is_new)
		buf_printf(out, "  known, came %" PRIu64 " times", row->times);
}

static void show_append_taken(const struct listen_show *show, const struct receive_seen *seen, struct buf *out)
{
	const struct record_row *row = seen->row;

	show_append_clock(out, row->receive_ms);
	buf_printf(out, "  %4" PRId64 "  app %" PRIu32 "  %s", row->id, row->sdkappid, show->colour ? "\033[1m" : "");
	record_describe(row, out);
	buf_append_c(out, show->colour ? "\033[0m" : "");
	show_append_marks(seen, out);
	buf_append_c(out, "  (");
	if (row->kind == RECORD_CALLBACK)
		show_append_verified(row, out);
	else
		buf_append_c(out, "a note");
	buf_append_c(out, ")\n");
}

static void show_append_refused(const struct listen_show *show, const struct receive_seen *seen, struct buf *out)
{
	show_append_clock(out, clock_wall_ms());
	buf_printf(out, "        %srefused with status %d: ", show->colour ? "\033[31m" : "", seen->status);
	record_append_safe(out, str_c(seen->event->reason));
	buf_append_c(out, show->colour ? "\033[0m\n" : "\n");
}

/* ---- JSON ---- */

static void show_append_taken_json(const struct receive_seen *seen, struct buf *out)
{
	buf_printf(out,
		   "{\"Event\":\"%s\",\"New\":%s,\"Record\":", seen->row->kind == RECORD_CALLBACK ? "callback" : "note",
		   seen->is_new ? "true" : "false");
	record_append_json(seen->row, out);
	buf_append_c(out, "}\n");
}

static void show_append_refused_json(const struct receive_seen *seen, struct buf *out)
{
	buf_printf(out, "{\"Event\":\"refused\",\"Status\":%d,\"Result\":\"%s\",\"Reason\":", seen->status,
		   hw_receiver_result_word(seen->event->result));
	buf_append_json_string(out, str_c(seen->event->reason));
	buf_append_c(out, "}\n");
}

/* ---- entry ---- */

void listen_show_seen(struct listen_show *show, const struct receive_seen *seen)
{
	struct buf line;

	buf_init(&line, SHOW_LINE_BYTES_MAX);
	if (seen->row && show->json)
		show_append_taken_json(seen, &line);
	else if (seen->row)
		show_append_taken(show, seen, &line);
	else if (show->json)
		show_append_refused_json(seen, &line);
	else
		show_append_refused(show, seen, &line);
	show_put(show, buf_str(&line));
	buf_fini(&line);
}

void listen_show_forwarded(struct listen_show *show, int64_t id, int status, int64_t duration_us, const char *error)
{
	struct buf line;

	buf_init(&line, 2048);
	if (show->json) {
		buf_printf(&line,
			   "{\"Event\":\"forwarded\",\"Id\":%" PRId64 ",\"Status\":%d,\"DurationUs\":%" PRId64
			   ",\"Error\":",
			   id, status, duration_us);
		buf_append_json_string(&line, str_c(error));
		buf_append_c(&line, "}\n");
	} else {
		buf_printf(&line, "          %4" PRId64 "  -> %s", id, show->colour && *error ? "\033[31m" : "");
		if (status)
			buf_printf(&line, "%d in %.1f ms", status, (double)duration_us / 1000);
		if (*error)
			buf_append_c(&line, status ? ": " : "");
		record_append_safe(&line, str_c(error));
		buf_append_c(&line, show->colour && *error ? "\033[0m\n" : "\n");
	}
	show_put(show, buf_str(&line));
	buf_fini(&line);
}

void listen_show_not_forwarded(struct listen_show *show, int64_t id)
{
	listen_show_forwarded(show, id, 0, 0, "not passed on: too many wait for that; --resend passes it on later");
}

/* ---- life ---- */

int listen_show_open(bool json, struct listen_show **show_out, struct error *err)
{
	struct listen_show *show = mem_zalloc(sizeof(*show));
	const char *no_colour = getenv("NO_COLOR");
	int rc = pthread_mutex_init(&show->lock, NULL);

	assert(rc == 0);
	rc = pthread_cond_init(&show->work, NULL);
	assert(rc == 0);
	show->json = json;
	show->colour = !json && isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
	rc = pthread_create(&show->thread, NULL, show_main, show);
	if (rc) {
		listen_show_close(&show);
		return error_set_errno(err, rc, "starting the thread that prints");
	}
	show->running = true;
	*show_out = show;
	return 0;
}

void listen_show_close(struct listen_show **show_ptr)
{
	struct listen_show *show = *show_ptr;

	if (!show)
		return;
	if (show->running) {
		pthread_mutex_lock(&show->lock);
		show->closed = true;
		pthread_cond_signal(&show->work);
		pthread_mutex_unlock(&show->lock);
		(void)pthread_join(show->thread, NULL); /* ours, joined once */
	}
	(void)pthread_cond_destroy(&show->work); /* nobody waits any more, as for the lock */
	(void)pthread_mutex_destroy(&show->lock);
	mem_free(show);
	*show_ptr = NULL;
}
