#pragma once
/* A certificate authority of one's own for the demonstration: throw-away, for 127.0.0.1 and localhost only. */
#include "base/error.h"

struct tls_files {
	const char *ca_file;   /* gets the authority's certificate */
	const char *cert_file; /* gets the server's certificate */
	const char *key_file;  /* gets the server's key, mode 0600 */
};

/* Makes an authority and one certificate (P-256, valid 30 days) and writes the three files. The authority's key is
 * never written and is gone afterwards: nobody can sign another certificate with it. Errors ERR_IO, ERR_INTERNAL. */
MUST_CHECK int tls_files_make(const struct tls_files *files, struct error *err);
