/* Words for OptPlatform; see highwater/platform.h. */
#include "base/str.h"

#include <highwater/platform.h>

static const char *const platform_words[] = {
#define PLATFORM_WORD(name, word) [name] = word,
	HW_PLATFORMS(PLATFORM_WORD)
#undef PLATFORM_WORD
};

const char *hw_platform_word(enum hw_platform platform)
{
	return (unsigned)platform < HW_PLATFORM_COUNT ? platform_words[platform] : platform_words[HW_PLATFORM_UNKNOWN];
}

int hw_platform_parse(const char *word, size_t len, enum hw_platform *out)
{
	const struct str s = {word, len};

	for (unsigned i = 0; i < HW_PLATFORM_COUNT; i++) {
		if (str_eq_nocase(s, str_c(platform_words[i]))) {
			*out = (enum hw_platform)i;
			return 0;
		}
	}
	if (str_eq_nocase(s, STR("macOS"))) {
		*out = HW_PLATFORM_MAC;
		return 0;
	}
	return -1;
}
