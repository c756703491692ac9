/* Words for the callback commands; see highwater/callback.h. */
#include "base/str.h"

#include <highwater/callback.h>

static const char *const callback_words[] = {
#define CALLBACK_WORD(name, word) [name] = word,
	HW_CALLBACKS(CALLBACK_WORD)
#undef CALLBACK_WORD
};

const char *hw_callback_word(enum hw_callback command)
{
	return (unsigned)command < HW_CALLBACK_COUNT ? callback_words[command] : "";
}

int hw_callback_parse(const char *word, size_t len, enum hw_callback *out)
{
	for (unsigned i = 0; i < HW_CALLBACK_COUNT; i++) {
		if (str_eq((struct str){word, len}, str_c(callback_words[i]))) {
			*out = (enum hw_callback)i;
			return 0;
		}
	}
	return -1;
}
