/* Texts of the wire's error codes; see highwater/code.h. */
#include <highwater/code.h>

const char *hw_code_text(int code)
{
	switch (code) {
#define CODE_CASE(name, number, text)                                                                                  \
	case number:                                                                                                   \
		return text;
		HW_CODES(CODE_CASE)
#undef CODE_CASE
	default:
		return "unknown error code";
	}
}
