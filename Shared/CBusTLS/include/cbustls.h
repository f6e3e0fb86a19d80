/// Certificates of the bus that are read anew at every handshake.
///
/// libnats reads them once, when its options are made, and hands nobody its TLS objects. OpenSSL tells of every object that is made, though:
/// what is made between `cbustls_begin` and `cbustls_end` on this thread, and every connection made of it later, belongs to the files named here.
#ifndef CBUSTLS_H
#define CBUSTLS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cbustls cbustls;

/// Paths of PEM files; each may be NULL. NULL when there is no memory.
cbustls *cbustls_new(const char *authorities, const char *chain, const char *key);
void cbustls_release(cbustls *files);

void cbustls_begin(cbustls *files);
void cbustls_end(void);

/// Why the newest handshake failed, as text with its end in `text`; 0 when it did not.
int cbustls_problem(cbustls *files, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
