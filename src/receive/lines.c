/* Append, sync, take back; see record.h.
 *
 * The file is opened for appending, and where it ends is asked before each write, so a tool that shortens the file
 * between two batches does no harm. A rename (rotation) is not noticed: lines go to the renamed file until a restart.
 */
#include "receive/lines.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define RECORD_CHUNK_BYTES 4096

struct lines {
	int fd;
};

/* ---- opening ---- */

/* Makes the file's name durable too: a new file whose folder was not synced may be gone after a power cut. */
static int record_sync_folder(const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');
	struct str folder = slash ? (struct str){path, (size_t)(slash - path) + 1} : STR(".");
	char *name = mem_dup(folder.ptr, folder.len);
	int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = 0;

	if (fd < 0 || fsync(fd))
		result = error_set_errno(err, errno, "syncing the folder of %s", path);
	if (fd >= 0)
		(void)close(fd); /* nothing was written through it */
	mem_free(name);
	return result;
}

static int record_lock(int fd, const char *path, off_t *size_out, struct error *err)
{
	struct stat info;

	if (fstat(fd, &info))
		return error_set_errno(err, errno, "looking at %s", path);
	if (!S_ISREG(info.st_mode))
		return error_set(err, ERR_INVALID, "%s is not a regular file", path);
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK)
			return error_set(err, ERR_BUSY, "%s is in use by another receiver", path);
		return error_set_errno(err, errno, "locking %s", path);
	}
	if (fstat(fd, &info)) /* again: it may have grown before we had the lock */
		return error_set_errno(err, errno, "looking at %s", path);
	*size_out = info.st_size;
	return 0;
}

static int record_read(int fd, off_t at, char *out, size_t len, const char *path, struct error *err)
{
	while (len) {
		ssize_t got = pread(fd, out, len, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return error_set_errno(err, got < 0 ? errno : EIO, "reading %s", path);
		out += got;
		at += got;
		len -= (size_t)got;
	}
	return 0;
}

/* Where the last line's end stands: the size that the file should have. Looks back at most `bytes_max`; -1 when there
 * is none so far back. */
static int record_find_end(int fd, off_t size, size_t bytes_max, const char *path, off_t *end_out, struct error *err)
{
	char chunk[RECORD_CHUNK_BYTES];
	off_t at = size;

	while (at > 0 && (size_t)(size - at) < bytes_max) {
		size_t len = at < RECORD_CHUNK_BYTES ? (size_t)at : RECORD_CHUNK_BYTES;
		const char *hit;

		at -= (off_t)len;
		if (record_read(fd, at, chunk, len, path, err))
			return -1;
		hit = memrchr(chunk, '\n', len);
		if (hit) {
			*end_out = at + (hit - chunk) + 1;
			return 0;
		}
	}
	if (at > 0)
		return error_set(err, ERR_INVALID, "%s is not a record of callbacks: its last line is too long", path);
	*end_out = 0;
	return 0;
}

/* True when the bytes at `end` look like the start of a line of ours, or are zeros. */
static int record_is_torn_line(int fd, off_t end, off_t size, struct str line_start, const char *path,
			       bool *is_torn_out, struct error *err)
{
	char head[64];
	size_t len = line_start.len < sizeof(head) ? line_start.len : sizeof(head);

	if ((off_t)len > size - end)
		len = (size_t)(size - end);
	if (record_read(fd, end, head, len, path, err))
		return -1;
	*is_torn_out = head[0] == '\0' || memcmp(head, line_start.ptr, len) == 0;
	return 0;
}

static int record_cut(int fd, off_t size, struct str line_start, size_t line_bytes_max, const char *path,
		      struct error *err)
{
	bool is_torn;
	off_t end;

	if (size == 0)
		return 0;
	if (record_find_end(fd, size, line_bytes_max, path, &end, err))
		return -1;
	if (end == size)
		return 0;
	if (record_is_torn_line(fd, end, size, line_start, path, &is_torn, err))
		return -1;
	if (!is_torn)
		return error_set(err, ERR_INVALID, "%s is not a record of callbacks: its last line is none of ours",
				 path);
	if (ftruncate(fd, end) || fdatasync(fd))
		return error_set_errno(err, errno, "cutting the unfinished last line of %s", path);
	log_event(LOG_LEVEL_WARN, "record_cut", LOG_C("path", path), LOG_I64("bytes", size - end),
		  LOG_C("why", "the last line was never finished, so it was never acknowledged"));
	return 0;
}

int lines_open(const char *path, struct str line_start, size_t line_bytes_max, struct lines **record_out,
	       struct error *err)
{
	struct lines *record = mem_zalloc(sizeof(*record));
	off_t size = 0;

	record->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (record->fd < 0) {
		(void)error_set_errno(err, errno, "opening %s", path);
		goto fail;
	}
	if (record_lock(record->fd, path, &size, err) ||
	    record_cut(record->fd, size, line_start, line_bytes_max, path, err) || record_sync_folder(path, err))
		goto fail;
	*record_out = record;
	return 0;
fail:
	lines_close(&record);
	return -1;
}

void lines_close(struct lines **record_ptr)
{
	struct lines *record = *record_ptr;

	if (!record)
		return;
	if (record->fd >= 0)
		(void)close(record->fd); /* every acknowledged byte is synced; this gives up the lock */
	mem_free(record);
	*record_ptr = NULL;
}

/* ---- appending ---- */

static void record_die(const char *what, int number)
{
	char reason[96];

	log_event(LOG_LEVEL_ERROR, "record_lost", LOG_C("failed", what),
		  LOG_C("error", strerror_r(number, reason, sizeof(reason))),
		  LOG_C("action", "ending the process; the next start finds what is on disk"));
	_exit(EX_IOERR); /* no destructor may write anything now */
}

int lines_append(struct lines *record, struct str lines, struct error *err)
{
	struct str rest = lines;
	struct stat before;

	if (fstat(record->fd, &before))
		return error_set_errno(err, errno, "looking at the record");
	while (rest.len) {
		ssize_t wrote = write(record->fd, rest.ptr, rest.len);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0) {
			int number = wrote < 0 ? errno : EIO;

			if (rest.len < lines.len && ftruncate(record->fd, before.st_size))
				record_die("taking back a part of a batch", errno);
			return error_set_errno(err, number, "writing the record");
		}
		rest = str_slice(rest, (size_t)wrote, rest.len);
	}
	/* A failed sync may have dropped the pages and may succeed when called again: only a fresh look tells. */
	if (fdatasync(record->fd))
		record_die("fdatasync", errno);
	return 0;
}
