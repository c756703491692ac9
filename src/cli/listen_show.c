/* The lines of `highwater listen`; see listen_show.h.
 *
 * The thread writes no more at a time than a pipe takes at once, when it takes any, so a reader that has stopped reading
 * cannot hold it: not at the end either, where it waits for such a reader for a second. */
#include "cli/listen_show.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/record_words.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SHOW_LINES_MAX 1000
#define SHOW_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define SHOW_LINE_BYTES_MAX (RECORD_LINE_BYTES_MAX + 1024)
#define SHOW_LOOK_MS 200   /* look so often whether the reader has gone, and whether it is the end */
#define SHOW_STUCK_MS 1000 /* at the end: wait so long for a reader that does not read */

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
	atomic_bool ending; /* the process is ending anyway */
	int failure;	    /* the thread's: errno of what keeps it from printing; 0 */
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

/* Standard output is a pipe, and nobody is at its other end. */
static bool show_has_no_reader(void)
{
	struct pollfd output = {.fd = STDOUT_FILENO};

	return poll(&output, 1, 0) == 1 && (output.revents & POLLERR);
}

/* Nothing more can be printed. Without a reader all of it ends, as any program at a pipe does; with a full disk callbacks
 * go on being kept and passed on. */
static void show_fail(struct listen_show *show, int number)
{
	if (show->failure)
		return;
	show->failure = number;
	/* standard error is all there is, as below */
	if (number == EPIPE && !atomic_load(&show->ending))
		(void)kill(getpid(), SIGTERM); /* ourselves */
	else if (number == EPIPE)
		return; /* a signal now would be the second, which ends at once */
	else if (number == ETIMEDOUT)
		(void)fprintf(stderr, "the last lines were not shown: nobody reads them\n");
	else
		(void)fprintf(stderr,
			      "highwater listen: writing standard output: %s; callbacks are still kept and passed on\n",
			      strerror(number));
}

/* NULL at the end. */
static struct show_line *show_take(struct listen_show *show, uint64_t *left_out)
{
	struct show_line *line;

	pthread_mutex_lock(&show->lock);
	while (!show->first && !show->closed) {
		struct timespec until = clock_mono_moment(clock_mono_ms() + SHOW_LOOK_MS);

		(void)pthread_cond_timedwait(&show->work, &show->lock, &until); /* the loop looks why it woke */
		if (show_has_no_reader())
			show_fail(show, EPIPE);
	}
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

static bool show_is_closed(struct listen_show *show)
{
	bool closed;

	pthread_mutex_lock(&show->lock);
	closed = show->closed;
	pthread_mutex_unlock(&show->lock);
	return closed;
}

static void show_write(struct listen_show *show, struct str text)
{
	int64_t moved_ms = clock_mono_ms();

	while (text.len && !show->failure) {
		struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
		int ready = poll(&output, 1, SHOW_LOOK_MS);
		ssize_t wrote;

		if (ready <= 0) {
			if (show_is_closed(show) && clock_mono_ms() - moved_ms >= SHOW_STUCK_MS)
				show_fail(show, ETIMEDOUT);
			continue;
		}
		wrote = write(STDOUT_FILENO, text.ptr, text.len < PIPE_BUF ? text.len : PIPE_BUF);
		if (wrote < 0 && errno != EINTR && errno != EAGAIN)
			show_fail(show, errno);
		if (wrote <= 0)
			continue;
		text = str_slice(text, (size_t)wrote, text.len);
		moved_ms = clock_mono_ms();
	}
}

static void *show_main(void *context)
{
	struct listen_show *show = context;
	struct show_line *line;
	uint64_t left_out;

	while ((line = show_take(show, &left_out))) {
		show_write(show, (struct str){line->text, line->len});
		if (left_out) {
			char text[96];
			int len = snprintf(text, sizeof(text),
					   show->json ? "{\"Event\":\"not_shown\",\"Count\":%" PRIu64 "}\n"
						      : "          %" PRIu64
							" lines not shown: this terminal is too slow\n",
					   left_out); /* fits */

			show_write(show, (struct str){text, (size_t)len});
		}
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
	if (seen->replay >= 0)
		buf_printf(out, "  replay %" PRId64, seen->replay);
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

void listen_show_end(struct listen_show *show)
{
	atomic_store(&show->ending, true);
}

int listen_show_open(bool json, struct listen_show **show_out, struct error *err)
{
	struct listen_show *show = mem_zalloc(sizeof(*show));
	const char *no_colour = getenv("NO_COLOR");
	int rc = pthread_mutex_init(&show->lock, NULL);

	assert(rc == 0);
	clock_init_cond(&show->work);
	show->json = json;
	show->colour = !json && isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
	rc = pthread_create(&show->thread, NULL, show_main, show);
	if (rc) {
		(void)listen_show_close(&show); /* nothing was printed */
		return error_set_errno(err, rc, "starting the thread that prints");
	}
	show->running = true;
	*show_out = show;
	return 0;
}

int listen_show_close(struct listen_show **show_ptr)
{
	struct listen_show *show = *show_ptr;
	int failure;

	if (!show)
		return 0;
	if (show->running) {
		pthread_mutex_lock(&show->lock);
		show->closed = true;
		pthread_cond_signal(&show->work);
		pthread_mutex_unlock(&show->lock);
		(void)pthread_join(show->thread, NULL); /* ours, joined once */
	}
	(void)pthread_cond_destroy(&show->work); /* nobody waits any more, as for the lock */
	(void)pthread_mutex_destroy(&show->lock);
	failure = show->failure;
	mem_free(show);
	*show_ptr = NULL;
	return failure;
}
