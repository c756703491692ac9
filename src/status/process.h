#pragma once
/* Figures of this process as metrics: highwater_build_info and the usual process_*. */
#include "base/buf.h"

/* `start_ms`: wall clock, when it began. Reads /proc; what cannot be read is 0. Threads: any. */
void process_write_metrics(int64_t start_ms, struct buf *out);
