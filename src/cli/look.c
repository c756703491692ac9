/* What --check looks at; see look.h. A certificate that is out of date is a problem although a start would take it: no
 * client accepts it. */
#include "cli/look.h"
#include "base/buf.h"
#include "base/clock.h"
#include "cli/files.h"
#include "store/store.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_CERTIFICATE_DAYS 14 /* ends so soon: a warning */
#define LOOK_PATH_BYTES_MAX 4200

void look_init(struct look *look, const char *service)
{
	*look = (struct look){.service = service};
}

void look_say(struct look *look, enum look_level level, const char *setting, const char *format, ...)
{
	char text[LOOK_PATH_BYTES_MAX + 400];
	va_list args;

	(void)look;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* a longer text may be cut */
	va_end(args);
	(void)printf("%-8s %s: %s\n", level == LOOK_OK ? "ok" : "warning", setting, text); /* all there is */
}

void look_fail(struct look *look, const char *setting, const struct error *err)
{
	if (look->problem_count++ == 0)
		look->first_class = err->class;
	(void)fflush(stdout); /* keeps the order for people */
	(void)fprintf(stderr, "highwater %s: %s: %s\n", look->service, setting, err->text); /* nobody else to tell */
}

/* ---- addresses ---- */

static int look_bind(const struct addrinfo *address)
{
	const int on = 1;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int number = 0;

	if (fd < 0)
		return errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, address->ai_addr, address->ai_addrlen)) /* fails when another socket listens there */
		number = errno;
	(void)close(fd); /* nothing was sent */
	return number;
}

/* The text was checked with the settings: "127.0.0.1:80", "[::1]:80". */
static int look_bind_text(const char *listen_text)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	const char *colon = strrchr(listen_text, ':');
	bool bracketed = *listen_text == '[';
	struct addrinfo *found = NULL;
	struct str name;
	char host[64];
	int number;

	if (!colon || colon - listen_text < 2 * bracketed)
		return EINVAL;
	name = (struct str){listen_text + bracketed, (size_t)(colon - listen_text) - 2 * bracketed};
	if (!str_copy(host, sizeof(host), name) || getaddrinfo(host, colon + 1, &hints, &found))
		return EINVAL;
	number = look_bind(found);
	freeaddrinfo(found);
	return number;
}

void look_address(struct look *look, const char *setting, const char *listen_text)
{
	int number = look_bind_text(listen_text);
	struct error err;

	if (number == 0) {
		look_say(look, LOOK_OK, setting, "%s is free", listen_text);
	} else if (number == EADDRINUSE) {
		look_say(look, LOOK_WARNING, setting,
			 "%s is in use now: a start waits for nobody, so what listens there must have stopped by then",
			 listen_text);
	} else if (number == EINVAL) {
		(void)error_set(&err, ERR_INVALID, "\"%.80s\" is no address with a port, such as 127.0.0.1:8080",
				listen_text); /* told by the next, as below */
		look_fail(look, setting, &err);
	} else {
		(void)error_set_errno(&err, number, "listening on %.80s", listen_text);
		look_fail(look, setting, &err);
	}
}

/* ---- certificates ---- */

/* OpenSSL's words for the newest error. */
static const char *look_tls_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return reason ? reason : "cannot be used";
}

/* "2026-12-01" */
static void look_append_day(const ASN1_TIME *time, char out[16])
{
	struct tm parts;

	if (!ASN1_TIME_to_tm(time, &parts) || strftime(out, 16, "%Y-%m-%d", &parts) == 0)
		(void)str_copy(out, 16, STR("?")); /* fits */
}

static int look_validity(struct look *look, const char *setting, const char *file, const X509 *cert, struct error *err)
{
	char from[16];
	char until[16];
	int seconds = 0;
	int days = 0;

	look_append_day(X509_get0_notBefore(cert), from);
	look_append_day(X509_get0_notAfter(cert), until);
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		return error_set(err, ERR_INVALID, "%s is not valid before %s: no client accepts it yet", file, from);
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		return error_set(err, ERR_INVALID, "%s has expired on %s: no client accepts it any more", file, until);
	if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)))
		return error_set(err, ERR_INVALID, "%s has an end that cannot be read", file);
	look_say(look, days < LOOK_CERTIFICATE_DAYS ? LOOK_WARNING : LOOK_OK, setting,
		 "%s belongs to its key and is valid until %s (in %d days)", file, until, days);
	return 0;
}

void look_certificate(struct look *look, const char *setting, const char *cert_file, const char *key_file)
{
	SSL_CTX *tls;
	struct error err;
	int result;

	if (!*cert_file)
		return;
	tls = SSL_CTX_new(TLS_server_method());
	ERR_clear_error();
	if (!tls)
		result = error_set(&err, ERR_INTERNAL, "TLS cannot be set up: %s", look_tls_reason());
	else if (SSL_CTX_use_certificate_chain_file(tls, cert_file) != 1)
		result = error_set(&err, ERR_INVALID, "certificate file %s: %s", cert_file, look_tls_reason());
	else if (SSL_CTX_use_PrivateKey_file(tls, key_file, SSL_FILETYPE_PEM) == 1)
		result = look_validity(look, setting, cert_file, SSL_CTX_get0_certificate(tls), &err);
	else if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
		result = error_set(&err, ERR_INVALID, "key file %s does not belong to certificate file %s", key_file,
				   cert_file);
	else
		result = error_set(&err, ERR_INVALID, "key file %s: %s", key_file, look_tls_reason());
	if (result)
		look_fail(look, setting, &err);
	ERR_clear_error();
	SSL_CTX_free(tls);
}

void look_authorities(struct look *look, const char *setting, const char *ca_file)
{
	SSL_CTX *tls;
	struct error err;

	if (!*ca_file)
		return;
	tls = SSL_CTX_new(TLS_client_method());
	ERR_clear_error();
	if (tls && SSL_CTX_load_verify_file(tls, ca_file) == 1) {
		look_say(look, LOOK_OK, setting, "%s can be read", ca_file);
	} else {
		(void)error_set(&err, ERR_INVALID, "%s holds no certificates that can be read: %s", ca_file,
				look_tls_reason()); /* told by the next */
		look_fail(look, setting, &err);
	}
	SSL_CTX_free(tls);
}

/* ---- files and folders ---- */

/* The folder that `path` is in. */
static void look_parent(const char *path, char out[LOOK_PATH_BYTES_MAX])
{
	const char *end = path + strlen(path);

	while (end > path + 1 && end[-1] == '/')
		end--;
	while (end > path && end[-1] != '/')
		end--;
	while (end > path + 1 && end[-1] == '/')
		end--;
	(void)str_copy(out, LOOK_PATH_BYTES_MAX, end == path ? STR(".") : (struct str){path, (size_t)(end - path)});
}

static int look_folder_usable(const char *path, struct error *err)
{
	struct stat status;

	if (stat(path, &status))
		return error_set_errno(err, errno, "the folder %s", path);
	if (!S_ISDIR(status.st_mode))
		return error_set(err, ERR_INVALID, "%s is no folder", path);
	return access(path, R_OK | W_OK | X_OK) ? error_set_errno(err, errno, "writing to the folder %s", path) : 0;
}

static int look_can_make(const char *path, struct error *err)
{
	char parent[LOOK_PATH_BYTES_MAX];

	look_parent(path, parent);
	return look_folder_usable(parent, err);
}

void look_place(struct look *look, const char *setting, const char *path)
{
	struct stat status;
	struct error err;
	int result;

	if (!*path)
		return;
	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
		result = error_set(&err, ERR_INVALID, "%s is a folder", path);
	else
		result = look_can_make(path, &err);
	if (result)
		look_fail(look, setting, &err);
	else
		look_say(look, LOOK_OK, setting, "%s can be written", path);
}

int look_folder(struct look *look, const char *setting, const char *path)
{
	bool missing = access(path, F_OK) && errno == ENOENT;
	struct error err;

	if (missing ? look_can_make(path, &err) : look_folder_usable(path, &err)) {
		look_fail(look, setting, &err);
		return -1;
	}
	look_say(look, LOOK_OK, setting, missing ? "%s is made at the start" : "%s can be used", path);
	return missing ? -1 : 0;
}

void look_store(struct look *look, const char *setting, const char *path)
{
	struct error err;
	unsigned steps;

	if (access(path, F_OK) && errno == ENOENT) {
		look_say(look, LOOK_OK, setting, "%s is made at the start", path);
		return;
	}
	if (store_sqlite_inspect(path, &steps, &err) ||
	    (access(path, W_OK) && error_set_errno(&err, errno, "writing %s", path))) {
		look_fail(look, setting, &err);
		return;
	}
	if (steps)
		look_say(look, LOOK_WARNING, setting,
			 "%s is of an older version: the start brings it forward, and older programs refuse it then",
			 path);
	else
		look_say(look, LOOK_OK, setting, "%s is a database of this version", path);
}

/* ---- environment ---- */

#define LOOK_VARIABLE "HIGHWATER_"

/* How many bytes of `name` ("http.listen") stand at the beginning of `variable` ("HTTP_LISTEN=..."). */
static size_t look_common(const char *name, const char *variable)
{
	size_t i = 0;

	while (name[i] && (name[i] == '.' ? '_' : toupper((unsigned char)name[i])) == variable[i])
		i++;
	return i;
}

static bool look_is_known(const char *variable, size_t len, const char *const *known)
{
	for (; known && *known; known++)
		if (strlen(*known) == len && strncmp(*known, variable, len) == 0)
			return true;
	return false;
}

/* Is it of a group of the rows, but none of them? */
static bool look_is_slip(const char *variable, const struct setting *rows, size_t count)
{
	bool slip = false;

	for (size_t i = 0; i < count; i++) {
		size_t group = strcspn(rows[i].name, ".");
		size_t common = look_common(rows[i].name, variable);

		if (rows[i].name[common] == '\0' && variable[common] == '=')
			return false;
		slip = slip || common > group; /* the dot too */
	}
	return slip;
}

void look_environment(struct look *look, const struct setting *rows, size_t count, const char *const *known)
{
	const size_t skipped = strlen(LOOK_VARIABLE);

	for (char **at = environ; *at; at++) {
		int len = (int)strcspn(*at, "=");

		if (strncmp(*at, LOOK_VARIABLE, skipped) || look_is_known(*at, (size_t)len, known) ||
		    !look_is_slip(*at + skipped, rows, count))
			continue;
		look_say(look, LOOK_WARNING, "environment", "%.*s is no setting of highwater %s", len, *at,
			 look->service);
	}
}
