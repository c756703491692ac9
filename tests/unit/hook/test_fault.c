/* Delivery when the rest fails it: marks that cannot be stored, a store that cannot be read, hints that are too many,
 * configurations that change under a request. */
#include "unit/hook/fixture.h"
#include "unit/protocol/webhook_vectors.h"

#include <highwater/webhook.h>

/* ---- marks that cannot be stored ---- */

static void test_fault_mark_that_cannot_be_stored_is_kept_and_not_sent_again(void **state)
{
	static const enum error_class classes[] = {ERR_FULL, ERR_IO, ERR_BUSY};
	struct fixture *fixture = *state;

	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	for (unsigned i = 0; i < ARRAY_LEN(classes); i++) {
		unsigned before;

		receiver_set(&fixture->receiver, 200, true);
		add_rooms(fixture, APP, i, i + 1);
		receiver_wait(&fixture->receiver, i + 1);
		before = at_gate(fixture);				     /* nobody writes now */
		fake_fail(fixture->store, FAKE_COMMIT, 1, true, classes[i]); /* each of the marks */
		receiver_set(&fixture->receiver, 200, false);
		fake_wait_at_gate(fixture->store, before + 3);
		assert_int_equal(row_of(fixture, 1, i + 1).state, CALLBACK_WAITING);
		assert_int_equal(hook_in_flight(fixture->hook, &(int64_t){0}, 1), 1); /* not forgotten */
		fake_fail(fixture->store, FAKE_COMMIT, 0, false, classes[i]);
		(void)wait_state(fixture, 1, i + 1, CALLBACK_DELIVERED, 1);
		pass_by(fixture);
		assert_int_equal(receiver_count(&fixture->receiver), i + 1);
	}
}

static void test_fault_mark_that_finds_the_queue_full_is_kept_and_not_sent_again(void **state)
{
	struct fixture *fixture = *state;
	struct test_job jobs[2] = {0};
	struct engine_stats stats;
	struct error err;
	unsigned before;

	stop(fixture);
	fixture->engine_options.queue_count_max = 1;
	start(fixture);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	receiver_set(&fixture->receiver, 200, true);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	before = at_gate(fixture);
	fake_gate(fixture->store, true);
	for (unsigned i = 0; i < 2; i++) { /* one at the gate, one in the queue */
		assert_int_equal(test_job_submit(fixture->engine, &fixture->office, &jobs[i],
						 world_command(COMMAND_CALLBACK_DELETE, 1), &err),
				 0);
		fake_wait_at_gate(fixture->store, before + 1);
	}
	receiver_set(&fixture->receiver, 200, false);
	do /* until the mark was refused; nothing else tells */
		engine_stats(fixture->engine, &stats);
	while (stats.refused_total < 2 && sched_yield() == 0);
	fake_gate(fixture->store, false);
	post_office_wait(&fixture->office, 2);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 1);
	hook_stop(fixture->hook);
	assert_int_equal(receiver_count(&fixture->receiver), 1);
	assert_int_equal(row_of(fixture, 1, 1).attempts, 1);
}

/* The process ends before the mark could be stored: at least once means that the receiver sees the same event again. */
static void test_fault_mark_that_is_lost_with_the_process_is_sent_again(void **state)
{
	struct fixture *fixture = *state;
	unsigned before;

	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	receiver_set(&fixture->receiver, 200, true);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	before = at_gate(fixture);
	fake_fail(fixture->store, FAKE_COMMIT, 1, true, ERR_FULL);
	receiver_set(&fixture->receiver, 200, false);
	fake_wait_at_gate(fixture->store, before + 1);
	stop(fixture); /* what it holds is freed, says the leak checker */
	fake_fail(fixture->store, FAKE_COMMIT, 0, false, ERR_FULL);
	start(fixture);
	start_hook(fixture);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 1);
	assert_int_equal(receiver_count(&fixture->receiver), 2);
	assert_string_equal(fixture->receiver.seen[1].event, fixture->receiver.seen[0].event);
	assert_int_equal(fixture->receiver.seen[1].attempt, 1); /* nobody knows of the first */
}

/* ---- a store that cannot be read ---- */

static void test_fault_read_that_fails_is_tried_again(void **state)
{
	static const enum fake_call calls[] = {FAKE_WAITING, FAKE_NEXT,	       FAKE_DUE, FAKE_GET,
					       FAKE_NEWEST,  FAKE_CERTIFICATE, FAKE_APP};
	struct fixture *fixture = *state;
	struct command command = world_command(COMMAND_CERTIFICATE_SET, APP);

	command.u.certificate.chain = STR("CHAIN");
	command.u.certificate.key = STR("KEY");
	stop(fixture);
	fixture->options.supersede = true;
	start(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	for (unsigned i = 0; i < ARRAY_LEN(calls); i++) {
		do_ok(fixture, command); /* another version: it must be read */
		receiver_set(&fixture->receiver, 500, false);
		fake_fail(fixture->store, calls[i], 1, false, ERR_IO);
		add_rooms(fixture, APP, i, i + 1);
		start_hook(fixture);
		(void)wait_state(fixture, 1, i + 1, CALLBACK_WAITING, ENDPOINT_OPEN_AFTER);
		receiver_set(&fixture->receiver, 200, false);
		(void)wait_state(fixture, 1, i + 1, CALLBACK_DELIVERED, ENDPOINT_OPEN_AFTER + 1);
		assert_int_equal(fixture->store->fail_at[calls[i]], 0); /* it did fail */
		stop(fixture);
		start(fixture);
	}
}

/* When it cannot be told whether there is a newer alert, the old one is sent: once too often is better than never. */
static void test_fault_alert_that_cannot_be_judged_is_sent(void **state)
{
	struct fixture *fixture = *state;

	stop(fixture);
	fixture->options.supersede = true;
	fixture->options.retry.longest_ms = HOUR_S * 1000;
	fixture->options.retry.give_up_ms = UINT64_C(100) * HOUR_S * 1000;
	start(fixture);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	receiver_set_retry_after(&fixture->receiver, 500, HOUR_S);
	add_rooms(fixture, APP, 0, 1);
	(void)wait_state(fixture, 1, 1, CALLBACK_WAITING, 1);
	receiver_set(&fixture->receiver, 200, false);
	add_rooms(fixture, APP, 1, 2);
	(void)wait_state(fixture, 1, 2, CALLBACK_DELIVERED, 1);
	fake_fail(fixture->store, FAKE_NEWEST, 1, true, ERR_IO);
	do_type(fixture, COMMAND_CALLBACK_RESUME, APP);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 2);
}

/* A log that cannot be read again stays as it was; the outcome counts nevertheless. */
static void test_fault_log_that_cannot_be_read_stays(void **state)
{
	struct fixture *fixture = *state;
	struct store_callback row;

	receiver_set(&fixture->receiver, 500, true);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	receiver_release(&fixture->receiver, 1);
	receiver_wait(&fixture->receiver, 2); /* the second attempt, whose row was read */
	row = row_of(fixture, 1, 1);
	assert_true(row.log.len > 0);
	fake_fail(fixture->store, FAKE_GET, 1, false, ERR_IO);
	receiver_set(&fixture->receiver, 200, false);
	assert_true(str_eq(wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 2).log, row.log));
}

static void test_fault_open_says_what_is_wrong(void **state)
{
	struct fixture *fixture = *state;
	struct hook_options options = fixture->options;
	struct hook *hook = NULL;
	struct error err;

	fake_fail(fixture->store, FAKE_READER_OPEN, 1, false, ERR_IO);
	assert_int_equal(hook_open(&options, fixture->engine, &hook, &err), -1);
	assert_int_equal(err.class, ERR_IO);
	options.ca_file = "/nonexistent/ca.pem";
	assert_int_equal(hook_open(&options, fixture->engine, &hook, &err), -1);
	assert_true(err.text[0] != '\0');
	assert_null(hook);
	hook_close(&hook); /* NULL is fine */
}

/* Times that an earlier run left too far ahead, and a disk that is full: it starts. Unless what is stored is unknown. */
static void test_fault_times_that_cannot_be_clipped_do_not_keep_it_from_starting(void **state)
{
	struct fixture *fixture = *state;
	struct hook *hook = NULL;
	struct error err;

	fake_fail(fixture->store, FAKE_CLIP, 1, false, ERR_INTERNAL);
	assert_int_equal(hook_open(&fixture->options, fixture->engine, &hook, &err), -1);
	assert_int_equal(err.class, ERR_INTERNAL);
	assert_null(hook);
	stop(fixture);
	fake_fail(fixture->store, FAKE_CLIP, 1, false, ERR_FULL);
	start(fixture);
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	add_rooms(fixture, APP, 0, 1);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 1);
}

/* ---- too many hints ---- */

#define MANY 1100 /* more than are kept by name */

/* Holds the delivery thread in the middle of a look at the store. */
static void hold_delivery(struct fixture *fixture)
{
	unsigned before;

	pthread_mutex_lock(&fixture->store->lock);
	fixture->store->read_gate_closed = true;
	before = fixture->store->at_read_gate;
	pthread_mutex_unlock(&fixture->store->lock);
	add_rooms(fixture, OTHER, fixture->passed, fixture->passed + 1);
	fixture->passed++;
	pthread_mutex_lock(&fixture->store->lock);
	while (fixture->store->at_read_gate == before)
		pthread_cond_wait(&fixture->store->changed, &fixture->store->lock);
	pthread_mutex_unlock(&fixture->store->lock);
}

static void let_delivery_go(struct fixture *fixture)
{
	pthread_mutex_lock(&fixture->store->lock);
	fixture->store->read_gate_closed = false;
	pthread_cond_broadcast(&fixture->store->changed);
	pthread_mutex_unlock(&fixture->store->lock);
}

/* Beside the many: one whose endpoint asked to be spared for an hour, and is released by the very hint that finds no
 * place; and one that was paused, and is deleted. */
static void test_fault_hints_that_are_too_many_lose_nothing(void **state)
{
	struct fixture *fixture = *state;
	const uint32_t spared = APP;
	const uint32_t deleted = APP - 1;

	stop(fixture);
	fixture->options.retry.longest_ms = HOUR_S * 1000;
	fixture->options.retry.give_up_ms = UINT64_C(100) * HOUR_S * 1000;
	start(fixture);
	start_hook(fixture);
	add_app(fixture, spared, fixture->receiver.port, "/spared", 100);
	receiver_set_retry_after(&fixture->receiver, 503, HOUR_S);
	add_rooms(fixture, spared, 0, 1);
	(void)wait_state(fixture, 1, 1, CALLBACK_WAITING, 1);
	receiver_set(&fixture->receiver, 200, false);
	add_app(fixture, deleted, fixture->receiver.port, "/deleted", 100);
	do_type(fixture, COMMAND_CALLBACK_PAUSE, deleted);
	add_rooms(fixture, deleted, 0, 1);
	pass_by(fixture); /* both have their targets */
	hold_delivery(fixture);
	for (uint32_t i = 0; i < MANY; i++) {
		add_app(fixture, APP + 100 + i, fixture->receiver.port, "/many", 1);
		add_rooms(fixture, APP + 100 + i, 0, 1);
	}
	do_ok(fixture, world_destroy(deleted, "r0", "alice"));
	do_type(fixture, COMMAND_APP_DELETE, deleted);
	do_type(fixture, COMMAND_CALLBACK_RESUME, spared);
	let_delivery_go(fixture);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 2);
	receiver_wait(&fixture->receiver, 1 + 1 + MANY);
	wait_targets(fixture, 0);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(row_of(fixture, 4 + i, 1).state, CALLBACK_DELIVERED);
}

/* ---- configurations that change ---- */

static int verify(const struct receiver_seen *seen, const char *key_text)
{
	struct hw_webhook_key key;
	const struct hw_webhook_trust trust = {.keys = &key, .key_count = 1, .tolerance_s = 600};
	const struct hw_webhook_request request = {.id = seen->event,
						   .id_len = strlen(seen->event),
						   .timestamp = seen->timestamp,
						   .timestamp_len = strlen(seen->timestamp),
						   .signature = seen->signature,
						   .signature_len = strlen(seen->signature),
						   .body = seen->body,
						   .body_len = strlen(seen->body)};

	assert_int_equal(hw_webhook_key_parse(key_text, strlen(key_text), &key, NULL, 0), 0);
	return hw_webhook_verify(&request, &trust, clock_wall_ms() / 1000, NULL);
}

static void rotate(struct fixture *fixture, bool private_key, const char *text)
{
	struct command command = world_command(COMMAND_SECRET_ROTATE, APP);

	command.origin.wall_ms = clock_wall_ms();
	command.u.secret_rotate.private_key = private_key;
	command.u.secret_rotate.text = str_c(text);
	do_ok(fixture, command);
}

static void test_fault_secret_that_changes_under_a_request_signs_the_next(void **state)
{
	struct fixture *fixture = *state;
	const struct receiver_seen *seen = fixture->receiver.seen;
	struct command revoke = world_command(COMMAND_SECRET_REVOKE, APP);

	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100);
	receiver_set(&fixture->receiver, 500, true);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1); /* without a secret there is no signature */
	rotate(fixture, false, VECTOR_SECRET);
	receiver_release(&fixture->receiver, 1);
	receiver_wait(&fixture->receiver, 2);
	rotate(fixture, false, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	rotate(fixture, true, VECTOR_SEED);
	receiver_release(&fixture->receiver, 2);
	receiver_wait(&fixture->receiver, 3);
	revoke.u.secret_revoke.private_key = true;
	revoke.u.secret_revoke.id = 1;
	do_ok(fixture, revoke);
	receiver_set(&fixture->receiver, 200, false);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 3);
	assert_string_equal(seen[0].signature, "");
	assert_int_equal(verify(&seen[1], VECTOR_SECRET), HW_WEBHOOK_OK);
	assert_int_equal(verify(&seen[2], VECTOR_SECRET), HW_WEBHOOK_NO_MATCH);
	assert_int_equal(verify(&seen[2], VECTOR_SEED_PUBLIC), HW_WEBHOOK_OK);
	assert_int_equal(verify(&seen[2], "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), HW_WEBHOOK_OK);
}

/* Read once for each version of the configuration, and given back when that changes: the leak checker looks. */
static void test_fault_certificate_that_changes_under_a_request(void **state)
{
	struct fixture *fixture = *state;
	struct command command = world_command(COMMAND_CERTIFICATE_SET, APP);

	command.u.certificate.chain = STR("CHAIN");
	command.u.certificate.key = STR("KEY");
	start_hook(fixture);
	add_app(fixture, APP, fixture->receiver.port, "/cb", 100); /* no TLS, so nobody looks at it */
	receiver_set(&fixture->receiver, 500, true);
	add_rooms(fixture, APP, 0, 1);
	receiver_wait(&fixture->receiver, 1);
	assert_int_equal(fake_calls(fixture->store, FAKE_CERTIFICATE), 0);
	for (unsigned i = 1; i <= 3; i++) {
		do_ok(fixture, command);
		receiver_release(&fixture->receiver, 2 * i - 1);
		receiver_wait(&fixture->receiver, 2 * i);
		receiver_release(&fixture->receiver, 2 * i); /* the next attempt needs no other look */
		receiver_wait(&fixture->receiver, 2 * i + 1);
		assert_int_equal(fake_calls(fixture->store, FAKE_CERTIFICATE), i);
	}
	do_type(fixture, COMMAND_CERTIFICATE_DELETE, APP);
	receiver_set(&fixture->receiver, 200, false);
	(void)wait_state(fixture, 1, 1, CALLBACK_DELIVERED, 7);
	assert_int_equal(fake_calls(fixture->store, FAKE_CERTIFICATE), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOOK(test_fault_mark_that_cannot_be_stored_is_kept_and_not_sent_again),
		WITH_HOOK(test_fault_mark_that_finds_the_queue_full_is_kept_and_not_sent_again),
		WITH_HOOK(test_fault_mark_that_is_lost_with_the_process_is_sent_again),
		WITH_HOOK(test_fault_read_that_fails_is_tried_again),
		WITH_HOOK(test_fault_alert_that_cannot_be_judged_is_sent),
		WITH_HOOK(test_fault_log_that_cannot_be_read_stays),
		WITH_HOOK(test_fault_open_says_what_is_wrong),
		WITH_HOOK(test_fault_times_that_cannot_be_clipped_do_not_keep_it_from_starting),
		WITH_HOOK(test_fault_hints_that_are_too_many_lose_nothing),
		WITH_HOOK(test_fault_secret_that_changes_under_a_request_signs_the_next),
		WITH_HOOK(test_fault_certificate_that_changes_under_a_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
