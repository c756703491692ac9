#pragma once
/* OptPlatform: where the operator of an event sat (vendor document 64412, the Live list). */
#include <highwater/common.h>

HW_BEGIN

#define HW_PLATFORMS(X)                                                                                                \
	X(HW_PLATFORM_UNKNOWN, "Unknown")                                                                              \
	X(HW_PLATFORM_RESTAPI, "RESTAPI")                                                                              \
	X(HW_PLATFORM_WEB, "Web")                                                                                      \
	X(HW_PLATFORM_ANDROID, "Android")                                                                              \
	X(HW_PLATFORM_IOS, "iOS")                                                                                      \
	X(HW_PLATFORM_WINDOWS, "Windows")                                                                              \
	X(HW_PLATFORM_MAC, "Mac")                                                                                      \
	X(HW_PLATFORM_IPAD, "iPad")

enum hw_platform {
#define HW_PLATFORM_ENUM(name, word) name,
	HW_PLATFORMS(HW_PLATFORM_ENUM)
#undef HW_PLATFORM_ENUM
		HW_PLATFORM_COUNT
};

/* The word on the wire. Static. */
HW_API const char *hw_platform_word(enum hw_platform platform);

/* Reads a word without regard to case; "macOS" reads as Mac, as the vendor's Chat pages spell it. Returns 0, or -1 for
 * an unknown word with `out` untouched. */
HW_API HW_CHECK int hw_platform_parse(const char *word, size_t len, enum hw_platform *out);

HW_END
