/* Mail between threads: order, one wake per batch, nothing lost. */
#include "base/compiler.h"
#include "base/mailbox.h"
#include "base/mem.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct letter {
	struct mail mail;
	unsigned from;
	unsigned number;
};

static unsigned wakes;
static unsigned ran[4];
static struct mailbox *answer_box;

static void count_wake(void *context)
{
	(void)context;
	wakes++;
}

static void run_in_order(struct mail *mail)
{
	struct letter *letter = container_of(mail, struct letter, mail);

	assert_int_equal(letter->number, ran[letter->from]);
	ran[letter->from]++;
	mem_free(letter); /* a run may free its mail */
}

static struct letter *write_letter(unsigned from, unsigned number)
{
	struct letter *letter = mem_zalloc(sizeof(*letter));

	*letter = (struct letter){.mail.run = run_in_order, .from = from, .number = number};
	return letter;
}

static int reset(void **state)
{
	(void)state;
	wakes = 0;
	for (unsigned i = 0; i < ARRAY_LEN(ran); i++)
		ran[i] = 0;
	return 0;
}

static void test_mailbox_runs_in_order_with_one_wake(void **state)
{
	struct mailbox box;

	(void)state;
	mailbox_init(&box, count_wake, NULL);
	assert_int_equal(mailbox_drain(&box), 0);
	for (unsigned i = 0; i < 10; i++)
		mailbox_post(&box, &write_letter(0, i)->mail);
	assert_int_equal(wakes, 1);
	assert_int_equal(ran[0], 0);
	assert_int_equal(mailbox_drain(&box), 10);
	assert_int_equal(ran[0], 10);
	mailbox_post(&box, &write_letter(0, 10)->mail);
	assert_int_equal(wakes, 2);
	assert_int_equal(mailbox_drain(&box), 1);
	mailbox_fini(&box);
}

static void test_mailbox_chain_comes_whole_and_wakes_once(void **state)
{
	struct letter *letters[5];
	struct mailbox box;

	(void)state;
	mailbox_init(&box, count_wake, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(letters); i++)
		letters[i] = write_letter(0, i + 1);
	for (unsigned i = 0; i + 1 < ARRAY_LEN(letters); i++)
		letters[i]->mail.next = &letters[i + 1]->mail;
	letters[4]->mail.next = &letters[0]->mail; /* rubbish that the post must end */
	mailbox_post(&box, &write_letter(0, 0)->mail);
	mailbox_post_chain(&box, &letters[0]->mail, &letters[4]->mail);
	assert_int_equal(wakes, 1);
	assert_int_equal(mailbox_drain(&box), 6);
	assert_int_equal(ran[0], 6);
	mailbox_fini(&box);
}

static void run_and_post(struct mail *mail)
{
	mail->run = run_in_order;
	mailbox_post(answer_box, mail);
}

static void test_mailbox_mail_posted_while_draining_waits_for_the_next_drain(void **state)
{
	struct letter *letter = write_letter(0, 0);
	struct mailbox box;

	(void)state;
	mailbox_init(&box, count_wake, NULL);
	answer_box = &box;
	letter->mail.run = run_and_post;
	mailbox_post(&box, &letter->mail);
	assert_int_equal(mailbox_drain(&box), 1);
	assert_int_equal(ran[0], 0);
	assert_int_equal(wakes, 2);
	assert_int_equal(mailbox_drain(&box), 1);
	assert_int_equal(ran[0], 1);
	mailbox_fini(&box);
}

#define POSTED_COUNT 20000u

struct poster {
	struct mailbox *box;
	unsigned from;
};

static void *post_many(void *context)
{
	const struct poster *poster = context;

	for (unsigned i = 0; i < POSTED_COUNT; i++)
		mailbox_post(poster->box, &write_letter(poster->from, i)->mail);
	return NULL;
}

static void wake_semaphore(void *context)
{
	(void)sem_post(context); /* far from its maximum */
}

static void test_mailbox_two_threads_lose_nothing_and_always_wake(void **state)
{
	struct poster posters[2];
	pthread_t threads[2];
	struct mailbox box;
	unsigned got = 0;
	sem_t awake;

	(void)state;
	assert_int_equal(sem_init(&awake, 0, 0), 0);
	mailbox_init(&box, wake_semaphore, &awake);
	for (unsigned i = 0; i < 2; i++) {
		posters[i] = (struct poster){&box, i};
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
	}
	while (got < 2 * POSTED_COUNT) { /* a missing wake shows as a test that times out */
		assert_int_equal(sem_wait(&awake), 0);
		got += mailbox_drain(&box);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(mailbox_drain(&box), 0);
	assert_int_equal(ran[0], POSTED_COUNT);
	assert_int_equal(ran[1], POSTED_COUNT);
	mailbox_fini(&box);
	(void)sem_destroy(&awake); /* nobody waits */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_mailbox_runs_in_order_with_one_wake, reset),
		cmocka_unit_test_setup(test_mailbox_chain_comes_whole_and_wakes_once, reset),
		cmocka_unit_test_setup(test_mailbox_mail_posted_while_draining_waits_for_the_next_drain, reset),
		cmocka_unit_test_setup(test_mailbox_two_threads_lose_nothing_and_always_wake, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
