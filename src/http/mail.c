/* Mail by libcurl; see mail.h. Mails are rare: each has a connection of its own. */
#include "http/mail.h"
#include "base/mem.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MAIL_STOP_MS 200 /* look so often whether the process ends */
#define MAIL_LINE_BYTES 76
#define MAIL_WORD_BYTES 42 /* of UTF-8 in one encoded word, which has at most 75 characters */

/* ---- text ---- */

static void mail_append_base64(struct buf *out, const char *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		unsigned a = (unsigned char)bytes[i];
		unsigned b = i + 1 < len ? (unsigned char)bytes[i + 1] : 0;
		unsigned c = i + 2 < len ? (unsigned char)bytes[i + 2] : 0;

		buf_append_char(out, digits[a >> 2]);
		buf_append_char(out, digits[(a & 3) << 4 | b >> 4]);
		buf_append_char(out, i + 1 < len ? digits[(b & 15) << 2 | c >> 6] : '=');
		buf_append_char(out, i + 2 < len ? digits[c & 63] : '=');
	}
}

/* Encoded words, each of whole characters, on lines of their own. */
static void mail_append_words(struct buf *out, struct str value)
{
	size_t start = 0;

	while (start < value.len) {
		size_t len = value.len - start < MAIL_WORD_BYTES ? value.len - start : MAIL_WORD_BYTES;

		while (len > 1 && start + len < value.len && ((unsigned char)value.ptr[start + len] & 0xc0) == 0x80)
			len--; /* not inside of a character */
		buf_append_c(out, start ? "\r\n =?UTF-8?B?" : "=?UTF-8?B?");
		mail_append_base64(out, value.ptr + start, len);
		buf_append_c(out, "?=");
		start += len;
	}
}

void mail_append_header(struct buf *out, const char *name, struct str value)
{
	char *clean = mem_dup(value.ptr, value.len);
	bool is_plain = true;

	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)clean[i];

		if (c < ' ' || c == 0x7f)
			clean[i] = ' ';
		is_plain = is_plain && c < 0x80;
	}
	buf_append_c(out, name);
	buf_append_c(out, ": ");
	if (is_plain && value.len < 900) /* a line has at most 998 characters */
		buf_append(out, clean, value.len);
	else
		mail_append_words(out, (struct str){clean, value.len});
	buf_append_c(out, "\r\n");
	mem_free(clean);
}

void mail_append_text(struct buf *out, struct str text)
{
	size_t step = MAIL_LINE_BYTES / 4 * 3;

	buf_append_c(out, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n"
			  "Content-Transfer-Encoding: base64\r\n\r\n");
	for (size_t i = 0; i < text.len; i += step) {
		mail_append_base64(out, text.ptr + i, text.len - i < step ? text.len - i : step);
		buf_append_c(out, "\r\n");
	}
}

/* ---- the dialogue ---- */

static pthread_once_t mail_once = PTHREAD_ONCE_INIT;
static CURLcode mail_global;

static void mail_init_global(void)
{
	mail_global = curl_global_init(CURL_GLOBAL_DEFAULT);
}

const char *mail_url_check(const char *url)
{
	CURLU *parsed = curl_url();
	char *scheme = NULL;
	char *host = NULL;
	char *user = NULL;
	const char *wrong = NULL;

	assert(parsed); /* out of memory */
	if (curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK)
		wrong = "it is no URL such as smtp://mail.example:587";
	else if (curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
		 (strcmp(scheme, "smtp") != 0 && strcmp(scheme, "smtps") != 0))
		wrong = "it must begin with smtp:// or smtps://";
	else if (curl_url_get(parsed, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		wrong = "it names no host";
	else if (curl_url_get(parsed, CURLUPART_USER, &user, 0) == CURLUE_OK)
		wrong = "it must hold no user and no password: there are settings for them";
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(parsed);
	return wrong;
}

struct mail_source {
	struct str rest;
};

static size_t mail_on_read(char *out, size_t size, size_t count, void *context)
{
	struct mail_source *source = context;
	struct str piece = str_slice(source->rest, 0, size * count);

	if (piece.len)
		memcpy(out, piece.ptr, piece.len);
	source->rest = str_slice(source->rest, piece.len, source->rest.len);
	return piece.len;
}

static struct curl_slist *mail_addresses(const char *const *to, size_t to_count)
{
	struct curl_slist *list = NULL;

	for (size_t i = 0; i < to_count; i++) {
		struct curl_slist *grown = curl_slist_append(list, to[i]);

		assert(grown); /* out of memory */
		list = grown;
	}
	return list;
}

static CURLcode mail_set(CURL *easy, const struct mail_options *options, const char *from, struct curl_slist *to,
			 struct mail_source *source, char *password, char *error)
{
	CURLcode rc = curl_easy_setopt(easy, CURLOPT_URL, options->url);

#define MAIL_SET(option, value)                                                                                        \
	do {                                                                                                           \
		if (rc == CURLE_OK)                                                                                    \
			rc = curl_easy_setopt(easy, (option), (value));                                                \
	} while (0)
	MAIL_SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	MAIL_SET(CURLOPT_USE_SSL, (long)(options->tls == MAIL_TLS_REQUIRED ? CURLUSESSL_ALL : CURLUSESSL_NONE));
	MAIL_SET(CURLOPT_SSL_VERIFYPEER, 1L);
	MAIL_SET(CURLOPT_SSL_VERIFYHOST, 2L);
	MAIL_SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (options->ca_file && options->ca_file[0]) {
		MAIL_SET(CURLOPT_CAINFO, options->ca_file);
		MAIL_SET(CURLOPT_CAPATH, NULL);
	}
	if (options->user[0]) {
		MAIL_SET(CURLOPT_USERNAME, options->user);
		MAIL_SET(CURLOPT_PASSWORD, password);
	}
	MAIL_SET(CURLOPT_MAIL_FROM, from);
	MAIL_SET(CURLOPT_MAIL_RCPT, to);
	MAIL_SET(CURLOPT_UPLOAD, 1L);
	MAIL_SET(CURLOPT_READFUNCTION, mail_on_read);
	MAIL_SET(CURLOPT_READDATA, source);
	MAIL_SET(CURLOPT_ERRORBUFFER, error);
	MAIL_SET(CURLOPT_NOSIGNAL, 1L);
	MAIL_SET(CURLOPT_QUICK_EXIT, 1L); /* as in client.c */
	MAIL_SET(CURLOPT_PROXY, "");	  /* also forbids the environment's */
	MAIL_SET(CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
#undef MAIL_SET
	return rc;
}

/* Runs the transfer. Returns CURLE_OK, its error, or CURLE_ABORTED_BY_CALLBACK when it was stopped. */
static CURLcode mail_run(CURL *easy, const atomic_bool *stop)
{
	CURLM *multi = curl_multi_init();
	CURLcode result = CURLE_ABORTED_BY_CALLBACK;
	CURLMsg *message = NULL;
	int running;
	int left;

	assert(multi); /* out of memory */
	if (curl_multi_add_handle(multi, easy) != CURLM_OK) {
		(void)curl_multi_cleanup(multi); /* nothing is in it */
		return CURLE_OUT_OF_MEMORY;
	}
	while (!message && !atomic_load(stop)) {	   /* bounded by the time limit */
		(void)curl_multi_perform(multi, &running); /* a failure comes as a message */
		message = curl_multi_info_read(multi, &left);
		if (!message)
			(void)curl_multi_poll(multi, NULL, 0, MAIL_STOP_MS, NULL); /* perform tells */
	}
	if (message)
		result = message->data.result;
	(void)curl_multi_remove_handle(multi, easy); /* it is in it */
	(void)curl_multi_cleanup(multi);	     /* nothing is in it any more */
	return result;
}

static int mail_judge(CURL *easy, CURLcode rc, const char *error, struct error *err)
{
	long code = 0;

	if (rc == CURLE_OK)
		return 0;
	if (rc == CURLE_ABORTED_BY_CALLBACK)
		return error_set(err, ERR_BUSY, "interrupted by the end of the process");
	if (rc == CURLE_LOGIN_DENIED)
		return error_set(err, ERR_IO, "the mail server refused user and password");
	if (rc == CURLE_USE_SSL_FAILED)
		return error_set(err, ERR_IO, "the mail server does not offer TLS");
	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code); /* stays 0 when there was none */
	return error_set(err, rc == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_IO, "%s%s%.0ld",
			 error[0] ? error : curl_easy_strerror(rc), code ? ", reply " : "", code);
}

int mail_send(const struct mail_options *options, const char *from, const char *const *to, size_t to_count,
	      struct str message, const atomic_bool *stop, struct error *err)
{
	struct str hidden = secret_reveal(options->password);
	char password[MAIL_PASSWORD_BYTES_MAX + 1];
	char error[CURL_ERROR_SIZE] = "";
	struct mail_source source = {message};
	struct curl_slist *list;
	CURL *easy;
	CURLcode rc;

	if (pthread_once(&mail_once, mail_init_global) || mail_global != CURLE_OK)
		return error_set(err, ERR_INTERNAL, "libcurl cannot be initialised");
	if (!str_copy(password, sizeof(password), hidden))
		return error_set(err, ERR_INVALID, "the password has more than %d bytes", MAIL_PASSWORD_BYTES_MAX);
	easy = curl_easy_init();
	assert(easy); /* out of memory */
	list = mail_addresses(to, to_count);
	rc = mail_set(easy, options, from, list, &source, password, error);
	if (rc == CURLE_OK)
		rc = mail_run(easy, stop);
	mem_wipe(password, sizeof(password));
	if (mail_judge(easy, rc, error, err))
		rc = rc == CURLE_OK ? CURLE_SEND_ERROR : rc;
	curl_easy_cleanup(easy);
	curl_slist_free_all(list);
	return rc == CURLE_OK ? 0 : -1;
}
