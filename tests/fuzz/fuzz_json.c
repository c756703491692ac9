/* json_read and the getters; strings that were read can be escaped and read again. */
#include "fuzz.h"
#include "base/buf.h"
#include "base/json.h"

static void fuzz_string(struct str s)
{
	struct error err;
	struct buf text;
	json_t *again;

	buf_init(&text, s.len * 6 + 2);
	buf_append_json_string(&text, s);
	fuzz_hold(buf_ok(&text) && json_read(buf_str(&text), &again, &err) == 0);
	fuzz_hold(str_eq(json_str(again), s) && str_is_utf8(s));
	json_decref(again);
	buf_fini(&text);
}

static void fuzz_fields(json_t *root)
{
	const char *key;
	json_t *value;

	json_object_foreach(root, key, value)
	{
		struct str text = {0};
		int64_t i64 = 0;
		uint64_t u64 = 0;
		bool boolean = false;
		json_t *child = NULL;

		if (json_field_str(root, key, &text) == JSON_FOUND)
			fuzz_string(text);
		if (json_field_i64(root, key, -5, 1000, &i64) == JSON_FOUND)
			fuzz_hold(i64 >= -5 && i64 <= 1000);
		if (json_field_loose_u64(root, key, 1000, &u64) == JSON_FOUND)
			fuzz_hold(u64 <= 1000);
		if (json_field_bool(root, key, &boolean) == JSON_FOUND)
			fuzz_hold(json_is_boolean(value));
		if (json_field_object(root, key, &child) == JSON_FOUND)
			fuzz_hold(child == value && json_is_object(child));
		if (json_field_array(root, key, &child) == JSON_FOUND)
			fuzz_hold(child == value && json_is_array(child));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	json_t *root;

	if (json_read((struct str){(const char *)data, size}, &root, &err)) {
		fuzz_hold(err.class == ERR_INVALID && str_is_printable_ascii(str_c(err.text)) && err.text[0]);
		return 0;
	}
	if (json_is_object(root))
		fuzz_fields(root);
	json_decref(root);
	return 0;
}
