#pragma once
/* Put in front of every file that clang-tidy reads: its analyzer looks at one file at a time and so cannot know that these
 * always return -1. Without that it follows paths on which a function has failed and said that it has not. */
#include "base/error.h"

#define error_set(...) (error_set(__VA_ARGS__), -1)
#define error_set_errno(...) (error_set_errno(__VA_ARGS__), -1)
#define error_wrap(...) (error_wrap(__VA_ARGS__), -1)
