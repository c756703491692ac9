/* Keys from text; see keyring.h.
 *
 * A private key is accepted because the sender's file is at hand where both ends are tried on one machine. Its private
 * half is dropped at once: nothing here can sign with it. */
#include "receive/keyring.h"
#include "base/mem.h"

#include <assert.h>

/* Takes one more key, which stands at `place` (a line or a key) number `number`. */
static int keyring_add(struct keyring *keyring, struct str text, const char *place, size_t number, struct error *err)
{
	struct hw_webhook_key *key = &keyring->keys[keyring->count];
	char reason[192];

	if (keyring->count == HW_WEBHOOK_KEYS_MAX)
		return error_set(err, ERR_INVALID, "%s %zu: more than %d keys", place, number, HW_WEBHOOK_KEYS_MAX);
	if (hw_webhook_key_parse(text.ptr, text.len, key, reason, sizeof(reason)))
		return error_set(err, ERR_INVALID, "%s %zu: %s", place, number, reason);
	keyring->was_private[keyring->count++] = key->kind == HW_WEBHOOK_PRIVATE;
	if (key->kind == HW_WEBHOOK_PRIVATE) {
		int rc = hw_webhook_key_public(key, key);

		assert(rc == 0); /* every private key has a public one */
	}
	return 0;
}

static int keyring_finish(struct keyring *keyring, int result, struct error *err)
{
	if (result == 0 && keyring->count == 0)
		result = error_set(err, ERR_INVALID, "holds no key");
	if (result)
		keyring_wipe(keyring);
	return result;
}

int keyring_read_lines(struct str text, struct keyring *out, struct error *err)
{
	size_t number = 0;
	int result = 0;
	struct str line;
	bool more;

	*out = (struct keyring){0};
	do {
		more = str_cut(&text, '\n', &line);
		number++;
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		line = str_trim(line);
		if (line.len && line.ptr[0] != '#')
			result = keyring_add(out, line, "line", number, err);
	} while (more && result == 0);
	return keyring_finish(out, result, err);
}

int keyring_read_words(struct str text, struct keyring *out, struct error *err)
{
	int result = 0;

	*out = (struct keyring){0};
	while (text.len && result == 0) {
		struct str word = text;

		for (size_t i = 0; i < text.len && word.len == text.len; i++)
			if (text.ptr[i] == ' ' || text.ptr[i] == ',')
				word.len = i;
		text = str_slice(text, word.len + 1, text.len);
		if (word.len)
			result = keyring_add(out, word, "key", out->count + 1, err);
	}
	return keyring_finish(out, result, err);
}

void keyring_wipe(struct keyring *keyring)
{
	mem_wipe(keyring, sizeof(*keyring));
}
