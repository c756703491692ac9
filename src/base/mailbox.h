#pragma once
/* How another thread hands finished work to the thread that owns the result: a list of mails and a way to wake it.
 *
 * A mail is embedded in what it carries, so posting allocates nothing and cannot fail. Mails run in the order posted,
 * on the owner's thread, each exactly once. One wake per batch: the owner is woken only when the box was empty. */
#include <pthread.h>
#include <stdbool.h>

struct mail {
	struct mail *next;
	void (*run)(struct mail *mail); /* on the owner's thread; may free what embeds the mail */
};

struct mailbox {
	pthread_mutex_t lock;
	struct mail *first;
	struct mail *last;
	void (*wake)(void *context); /* any thread; must make the owner call mailbox_drain soon */
	void *context;
};

void mailbox_init(struct mailbox *box, void (*wake)(void *context), void *context);
/* The box must be empty: its owner has stopped and nobody posts any more (asserted). To have drained the last mail is
 * not enough: its poster may still be about to call `wake`, so posters must have returned, e.g. by being joined. */
void mailbox_fini(struct mailbox *box);

/* Threads: any. */
void mailbox_post(struct mailbox *box, struct mail *mail);
/* Posts a chain linked by `next`, first to last, with one wake. */
void mailbox_post_chain(struct mailbox *box, struct mail *first, struct mail *last);

/* Runs all that is there now. Threads: the owner. Returns how many ran. */
unsigned mailbox_drain(struct mailbox *box);
