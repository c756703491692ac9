#pragma once
/* What every public header of libhighwater shares.
 *
 * libhighwater speaks the wire of a Live room backend: user signatures, the callback request and its answer. It opens
 * no socket, keeps no state, starts no thread and writes no log. All functions may be called from any thread. Text is
 * UTF-8, NUL-terminated where a `char *` stands alone, else given with its length in bytes. Out of memory ends the
 * process. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define HW_BEGIN extern "C" {
#define HW_END }
#else
#define HW_BEGIN
#define HW_END
#endif

/* Everything else in the shared library is hidden. */
#define HW_API __attribute__((visibility("default")))
#define HW_CHECK __attribute__((warn_unused_result))

/* Largest SDKAppID: the vendor's are unsigned 32-bit numbers. 0 is none. */
#define HW_SDKAPPID_MAX UINT32_MAX

/* Limits of names, in bytes without the NUL. */
#define HW_IDENTIFIER_BYTES_MAX 32 /* UserID (vendor documents 34953) */
#define HW_ROOM_ID_BYTES_MAX 48	   /* vendor document 63401 */
#define HW_IP_BYTES_MAX 45	   /* longest textual IPv6 address */
