#pragma once
/* What the fuzz targets share. Each target checks, beside crashes, what must hold for every input; `fuzz_hold` ends the
 * process when it does not. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_hold(condition)                                                                                           \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			(void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);           \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)
