/* hw_query_parse: results lie in the buffer, names are unique, lengths agree, and every buffer size is survived. */
#include "fuzz.h"

#include <highwater/query.h>

static void fuzz_check(const struct hw_query *query, const char *buffer, size_t buffer_size)
{
	for (size_t i = 0; i < query->count; i++) {
		const struct hw_param *param = &query->params[i];

		fuzz_hold(param->name >= buffer && param->name + param->name_len < buffer + buffer_size);
		fuzz_hold(param->value >= buffer && param->value + param->value_len < buffer + buffer_size);
		fuzz_hold(strlen(param->name) == param->name_len && strlen(param->value) == param->value_len);
		fuzz_hold(hw_query_get(query, param->name) == param);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t promised = size * 2 + 2;
	char *buffer = malloc(promised);
	struct hw_query query;
	int error = hw_query_parse((const char *)data, size, buffer, promised, &query);

	fuzz_hold(error != HW_QUERY_TOO_LONG && error <= HW_QUERY_FINE && error >= HW_QUERY_TOO_LONG);
	fuzz_hold(error == HW_QUERY_FINE || query.count == 0);
	fuzz_check(&query, buffer, promised);
	free(buffer);
	if (size) { /* a buffer that may be too small, at its exact size */
		size_t less = data[0] % promised;

		buffer = malloc(less ? less : 1);
		error = hw_query_parse((const char *)data, size, buffer, less, &query);
		fuzz_check(&query, buffer, less);
		free(buffer);
	}
	return 0;
}
