/* Small files, carefully; see files.h. */
#include "cli/files.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- secrets ---- */

static int files_read_all(int fd, const char *path, size_t bytes_max, struct buf *out, struct error *err)
{
	char chunk[512];
	ssize_t got;

	do {
		got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_errno(err, errno, "reading %s", path);
		buf_append(out, chunk, (size_t)got);
		mem_wipe(chunk, sizeof(chunk));
		if (!buf_ok(out) || out->len > bytes_max + 2) /* a line end may follow */
			return error_set(err, ERR_INVALID, "%s holds more than %zu bytes", path, bytes_max);
	} while (got != 0);
	return 0;
}

static int files_check_line(const char *path, size_t bytes_max, struct buf *out, struct error *err)
{
	if (out->len && out->ptr[out->len - 1] == '\n')
		out->len--;
	if (out->len && out->ptr[out->len - 1] == '\r')
		out->len--;
	if (out->len == 0)
		return error_set(err, ERR_INVALID, "%s is empty", path);
	if (out->len > bytes_max)
		return error_set(err, ERR_INVALID, "%s holds more than %zu bytes", path, bytes_max);
	if (!str_is_printable_ascii(buf_str(out)))
		return error_set(err, ERR_INVALID, "%s must hold one line of printable ASCII", path);
	out->ptr[out->len] = '\0';
	return 0;
}

static int files_check_text(const char *path, size_t bytes_max, struct buf *out, struct error *err)
{
	if (out->len == 0)
		return error_set(err, ERR_INVALID, "%s is empty", path);
	if (out->len > bytes_max)
		return error_set(err, ERR_INVALID, "%s holds more than %zu bytes", path, bytes_max);
	if (!str_is_utf8(buf_str(out)) || strlen(buf_c(out)) != out->len)
		return error_set(err, ERR_INVALID, "%s must hold text", path);
	return 0;
}

typedef int files_check(const char *path, size_t bytes_max, struct buf *out, struct error *err);

static int files_read(const char *path, size_t bytes_max, files_check *check, struct buf *out, struct error *err)
{
	bool standard_input = strcmp(path, "-") == 0;
	const char *name = standard_input ? "standard input" : path;
	int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int result;

	if (fd < 0)
		return error_set_errno(err, errno, "reading %s", path);
	result = files_read_all(fd, name, bytes_max, out, err);
	if (!standard_input)
		(void)close(fd); /* only read from */
	return result ? -1 : check(name, bytes_max, out, err);
}

int files_read_secret(const char *path, size_t bytes_max, struct buf *out, struct error *err)
{
	return files_read(path, bytes_max, files_check_line, out, err);
}

int files_read_text(const char *path, size_t bytes_max, struct buf *out, struct error *err)
{
	return files_read(path, bytes_max, files_check_text, out, err);
}

void files_wipe(struct buf *secret)
{
	if (secret->ptr)
		mem_wipe(secret->ptr, secret->capacity);
	buf_fini(secret);
}

int files_check_private(const char *path, struct error *err)
{
	struct stat status;

	if (stat(path, &status))
		return error_set_errno(err, errno, "looking at %s", path);
	if (status.st_mode & (S_IRWXG | S_IRWXO))
		return error_set(
			err, ERR_DENIED,
			"%s holds a secret, but others than its owner may open it (mode %04o): run chmod 600 on it, "
			"and make a new one if somebody may have read it",
			path, (unsigned)(status.st_mode & 07777));
	return 0;
}

int files_check_readable(const char *path, struct error *err)
{
	struct stat status;

	if (access(path, R_OK) || stat(path, &status))
		return error_set_errno(err, errno, "reading %s", path);
	return S_ISDIR(status.st_mode) ? error_set_errno(err, EISDIR, "reading %s", path) : 0;
}

/* ---- writing ---- */

static int files_write_all(int fd, struct str text)
{
	while (text.len) {
		ssize_t wrote = write(fd, text.ptr, text.len);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -1;
		text = str_slice(text, (size_t)wrote, text.len);
	}
	return 0;
}

static int files_write_new(const char *path, struct str text, mode_t mode, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	bool failed;
	int number;

	if (fd < 0)
		return error_set_errno(err, errno, "making %s", path);
	failed = files_write_all(fd, text) || fsync(fd);
	number = errno;
	if (close(fd) && !failed) {
		failed = true;
		number = errno;
	}
	return failed ? error_set_errno(err, number, "writing %s", path) : 0;
}

/* The folder that `path` is in. */
static void files_append_parent(const char *path, struct buf *out)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		buf_append_c(out, ".");
	else
		buf_append(out, path, slash == path ? 1 : (size_t)(slash - path));
}

static int files_sync_parent(const char *path, struct error *err)
{
	struct buf parent;
	int result = 0;
	int fd;

	buf_init(&parent, 4096);
	files_append_parent(path, &parent);
	fd = open(buf_c(&parent), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		result = error_set_errno(err, errno, "syncing the folder %s", buf_c(&parent));
	if (fd >= 0)
		(void)close(fd); /* only synced */
	buf_fini(&parent);
	return result;
}

int files_write(const char *path, struct str text, mode_t mode, struct error *err)
{
	struct buf beside;
	int result;

	buf_init(&beside, 4096);
	buf_printf(&beside, "%s.new", path);
	(void)unlink(buf_c(&beside)); /* of a run that was killed; usually there is none */
	result = files_write_new(buf_c(&beside), text, mode, err);
	if (result == 0 && rename(buf_c(&beside), path))
		result = error_set_errno(err, errno, "moving %s to its place", buf_c(&beside));
	if (result)
		(void)unlink(buf_c(&beside)); /* the error in hand is the one to tell */
	else
		result = files_sync_parent(path, err);
	buf_fini(&beside);
	return result;
}

/* ---- reports ---- */

/* Is there something that must not be replaced: a link, a pipe, a terminal, /dev/stdout? */
static bool files_is_special(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

int files_check_report(const char *path, struct error *err)
{
	struct stat status;
	struct buf parent;
	int result = 0;

	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
		return error_set_errno(err, EISDIR, "writing %s", path);
	if (files_is_special(path))
		return access(path, W_OK) && errno != ENOENT ? error_set_errno(err, errno, "writing %s", path) : 0;
	buf_init(&parent, 4096);
	files_append_parent(path, &parent);
	if (access(buf_c(&parent), W_OK | X_OK))
		result = error_set_errno(err, errno, "writing %s", path);
	buf_fini(&parent);
	return result;
}

int files_write_report(const char *path, struct str text, struct error *err)
{
	bool failed;
	int number;
	int fd;

	if (!files_is_special(path))
		return files_write(path, text, 0644, err);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_set_errno(err, errno, "writing %s", path);
	failed = files_write_all(fd, text) != 0;
	number = errno;
	if (close(fd) && !failed) {
		failed = true;
		number = errno;
	}
	return failed ? error_set_errno(err, number, "writing %s", path) : 0;
}

/* ---- folders ---- */

int files_make_folder(const char *path, mode_t mode, struct error *err)
{
	struct stat status;

	if (mkdir(path, mode) == 0)
		return files_sync_parent(path, err);
	if (errno != EEXIST)
		return error_set_errno(err, errno, "making the folder %s", path);
	if (stat(path, &status))
		return error_set_errno(err, errno, "looking at %s", path);
	return S_ISDIR(status.st_mode) ? 0 : error_set(err, ERR_IO, "%s is there, but it is no folder", path);
}

int files_folder_is_empty(const char *path, bool *empty_out, struct error *err)
{
	DIR *folder = opendir(path);
	unsigned count = 0;

	if (!folder)
		return error_set_errno(err, errno, "opening the folder %s", path);
	while (count <= 2 && readdir(folder)) /* "." and ".." are always there */
		count++;
	(void)closedir(folder); /* only read from */
	*empty_out = count <= 2;
	return 0;
}

static int files_remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status; /* the shape is nftw's */
	(void)type;
	(void)walk;
	return remove(path);
}

int files_remove_tree(const char *path, struct error *err)
{
	return nftw(path, files_remove_one, 16, FTW_DEPTH | FTW_PHYS) ? error_set_errno(err, errno, "removing %s", path)
								      : 0;
}
