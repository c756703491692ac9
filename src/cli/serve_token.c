/* The file of the admin token; see serve_token.h. */
#include "cli/serve_token.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "cli/files.h"

#include <errno.h>
#include <unistd.h>

#define SERVE_TOKEN_RANDOM_BYTES 32 /* twice as many hexadecimal digits */
#define SERVE_TOKEN_BYTES_MIN 16
#define SERVE_TOKEN_BYTES_MAX 256
#define SERVE_TOKEN_PATH_BYTES_MAX 4096

static int serve_token_make(const char *path, struct buf *token, struct error *err)
{
	unsigned char random[SERVE_TOKEN_RANDOM_BYTES];
	int result;

	random_bytes(random, sizeof(random));
	buf_append_hex(token, random, sizeof(random));
	mem_wipe(random, sizeof(random));
	result = files_write(path, buf_str(token), 0600, err);
	if (result == 0)
		log_event(LOG_LEVEL_INFO, "admin_token_made", LOG_C("file", path));
	return result;
}

static int serve_token_read(const char *path, struct buf *token, struct error *err)
{
	if (files_check_private(path, err) || files_read_secret(path, SERVE_TOKEN_BYTES_MAX, token, err))
		return error_wrap(err, "the admin token");
	if (token->len < SERVE_TOKEN_BYTES_MIN)
		return error_set(err, ERR_INVALID,
				 "the admin token: %s holds fewer than %d bytes; remove the file and the "
				 "next start makes a new one",
				 path, SERVE_TOKEN_BYTES_MIN);
	return 0;
}

static void serve_token_path(const char *data_dir, struct buf *path)
{
	buf_init(path, SERVE_TOKEN_PATH_BYTES_MAX);
	buf_printf(path, "%s/admin-token", data_dir);
}

static bool serve_token_is_missing(const char *path)
{
	return access(path, F_OK) && errno == ENOENT;
}

int serve_token_open(const char *data_dir, struct buf *token, struct error *err)
{
	struct buf path;
	int result;

	buf_init(token, SERVE_TOKEN_BYTES_MAX + 1024);
	serve_token_path(data_dir, &path);
	result = serve_token_is_missing(buf_c(&path)) ? serve_token_make(buf_c(&path), token, err)
						      : serve_token_read(buf_c(&path), token, err);
	buf_fini(&path);
	return result;
}

void serve_token_look(const char *data_dir, struct look *look)
{
	struct buf path;
	struct buf token;
	struct error err;

	serve_token_path(data_dir, &path);
	buf_init(&token, SERVE_TOKEN_BYTES_MAX + 1024);
	if (serve_token_is_missing(buf_c(&path)))
		look_say(look, LOOK_OK, "data.dir", "%s is made at the start", buf_c(&path));
	else if (serve_token_read(buf_c(&path), &token, &err))
		look_fail(look, "data.dir", &err);
	else
		look_say(look, LOOK_OK, "data.dir", "%s is there, for its owner only", buf_c(&path));
	files_wipe(&token);
	buf_fini(&path);
}
