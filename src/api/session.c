/* Browser sessions; see session.h.
 *
 * The guard is a hash of the token with a word before it, so it need not be kept. A table of a few hundred is walked:
 * requests of people are rare. What is compared is a hash, so the time it takes tells nothing of the token. */
#include "api/session.h"
#include "base/mem.h"
#include "base/random.h"
#include "protocol/digest.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct session {
	unsigned char hash[DIGEST_BYTES];
	int64_t open_ms;
	int64_t use_ms;
	bool there;
};

struct sessions {
	int64_t timeout_ms;
	pthread_mutex_t lock;
	struct session list[SESSION_COUNT_MAX];
};

struct sessions *sessions_new(uint64_t timeout_ms)
{
	struct sessions *sessions = mem_zalloc(sizeof(*sessions));
	int rc = pthread_mutex_init(&sessions->lock, NULL);

	assert(rc == 0 && timeout_ms > 0);
	sessions->timeout_ms = (int64_t)timeout_ms;
	return sessions;
}

void sessions_free(struct sessions **sessions)
{
	if (!*sessions)
		return;
	(void)pthread_mutex_destroy(&(*sessions)->lock); /* unlocked */
	mem_free(*sessions);
	*sessions = NULL;
}

static void session_write_hex(char *out, const unsigned char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", bytes[i]); /* sized for it */
}

static int64_t session_end_ms(const struct sessions *sessions, const struct session *session)
{
	int64_t idle_ms = session->use_ms + sessions->timeout_ms;
	int64_t life_ms = session->open_ms + SESSION_LIFE_MS;

	return idle_ms < life_ms ? idle_ms : life_ms;
}

static void session_view(const struct sessions *sessions, const struct session *session, struct str token,
			 struct session_view *out)
{
	unsigned char guard[DIGEST_BYTES];

	digest_sha256(STR("guard:"), token, guard);
	session_write_hex(out->guard, guard, sizeof(guard));
	(void)snprintf(out->name, sizeof(out->name), "session:%02x%02x%02x%02x", session->hash[0], session->hash[1],
		       session->hash[2], session->hash[3]); /* sized for it */
	out->end_ms = session_end_ms(sessions, session);
}

/* A free place, or that of the session that was idle longest. The lock is held. */
static struct session *session_place(struct sessions *sessions, int64_t now_ms)
{
	struct session *oldest = &sessions->list[0];

	for (size_t i = 0; i < SESSION_COUNT_MAX; i++) {
		struct session *session = &sessions->list[i];

		if (!session->there || session_end_ms(sessions, session) <= now_ms)
			return session;
		if (session->use_ms < oldest->use_ms)
			oldest = session;
	}
	return oldest;
}

/* The lock is held. NULL when there is none. */
static struct session *session_find(struct sessions *sessions, struct str token, int64_t now_ms)
{
	unsigned char hash[DIGEST_BYTES];

	digest_sha256(STR("session:"), token, hash);
	for (size_t i = 0; i < SESSION_COUNT_MAX; i++) {
		struct session *session = &sessions->list[i];

		if (session->there && memcmp(session->hash, hash, sizeof(hash)) == 0 &&
		    session_end_ms(sessions, session) > now_ms)
			return session;
	}
	return NULL;
}

void sessions_open(struct sessions *sessions, int64_t now_ms, char token_out[SESSION_TOKEN_BYTES + 1],
		   struct session_view *view_out)
{
	unsigned char random[SESSION_TOKEN_BYTES / 2];
	struct session *session;

	random_bytes(random, sizeof(random));
	session_write_hex(token_out, random, sizeof(random));
	mem_wipe(random, sizeof(random));
	pthread_mutex_lock(&sessions->lock);
	session = session_place(sessions, now_ms);
	*session = (struct session){.open_ms = now_ms, .use_ms = now_ms, .there = true};
	digest_sha256(STR("session:"), str_c(token_out), session->hash);
	session_view(sessions, session, str_c(token_out), view_out);
	pthread_mutex_unlock(&sessions->lock);
}

static int session_get(struct sessions *sessions, struct str token, int64_t now_ms, bool use,
		       struct session_view *view_out)
{
	struct session *session;

	if (token.len != SESSION_TOKEN_BYTES)
		return -1;
	pthread_mutex_lock(&sessions->lock);
	session = session_find(sessions, token, now_ms);
	if (session && use && now_ms > session->use_ms)
		session->use_ms = now_ms;
	if (session)
		session_view(sessions, session, token, view_out);
	pthread_mutex_unlock(&sessions->lock);
	return session ? 0 : -1;
}

int sessions_use(struct sessions *sessions, struct str token, int64_t now_ms, struct session_view *view_out)
{
	return session_get(sessions, token, now_ms, true, view_out);
}

int sessions_look(struct sessions *sessions, struct str token, int64_t now_ms, struct session_view *view_out)
{
	return session_get(sessions, token, now_ms, false, view_out);
}

void sessions_close(struct sessions *sessions, struct str token)
{
	struct session *session;

	pthread_mutex_lock(&sessions->lock);
	session = session_find(sessions, token, INT64_MIN); /* also one that has ended */
	if (session)
		*session = (struct session){0};
	pthread_mutex_unlock(&sessions->lock);
}

uint64_t sessions_count(struct sessions *sessions, int64_t now_ms)
{
	uint64_t count = 0;

	pthread_mutex_lock(&sessions->lock);
	for (size_t i = 0; i < SESSION_COUNT_MAX; i++)
		count += sessions->list[i].there && session_end_ms(sessions, &sessions->list[i]) > now_ms;
	pthread_mutex_unlock(&sessions->lock);
	return count;
}
