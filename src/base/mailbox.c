/* Mail between threads; see mailbox.h. */
#include "base/mailbox.h"

#include <assert.h>
#include <stddef.h>

void mailbox_init(struct mailbox *box, void (*wake)(void *context), void *context)
{
	int rc;

	*box = (struct mailbox){.wake = wake, .context = context};
	rc = pthread_mutex_init(&box->lock, NULL);
	assert(rc == 0);
}

void mailbox_fini(struct mailbox *box)
{
	assert(!box->first);
	(void)pthread_mutex_destroy(&box->lock); /* cannot fail for an unlocked mutex */
}

void mailbox_post_chain(struct mailbox *box, struct mail *first, struct mail *last)
{
	bool was_empty;

	last->next = NULL;
	pthread_mutex_lock(&box->lock);
	was_empty = !box->first;
	if (was_empty)
		box->first = first;
	else
		box->last->next = first;
	box->last = last;
	pthread_mutex_unlock(&box->lock);
	if (was_empty)
		box->wake(box->context);
}

void mailbox_post(struct mailbox *box, struct mail *mail)
{
	mailbox_post_chain(box, mail, mail);
}

unsigned mailbox_drain(struct mailbox *box)
{
	unsigned ran = 0;
	struct mail *mail;

	pthread_mutex_lock(&box->lock);
	mail = box->first;
	box->first = NULL;
	box->last = NULL;
	pthread_mutex_unlock(&box->lock);
	while (mail) {
		struct mail *next = mail->next; /* run may free the mail */

		mail->run(mail);
		mail = next;
		ran++;
	}
	return ran;
}
