#pragma once
/* The file of apps with tokens and keys of their own: receive.apps_file. Threads: any.
 *
 *   {"AppList": [{"SdkAppid": 1400000001, "TokenList": ["..."], "KeyList": ["whsec_...", "whpk_..."]}]}
 *
 * TokenList and KeyList may be absent or empty: then neither Sign nor signature is asked for. */
#include "base/error.h"
#include "base/str.h"

#include <highwater/receiver.h>

/* Adds the apps of the text to `receiver`, and gives their SDKAppIDs, at most HW_RECEIVER_APPS_MAX. Errors ERR_INVALID,
 * with what is wrong where, and nothing of a secret; some apps may have been added then. */
MUST_CHECK int apps_read(struct str text, struct hw_receiver *receiver, uint32_t *sdkappids_out, size_t *count_out,
			 struct error *err);
