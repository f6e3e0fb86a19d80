#ifndef CLAUNCH_H
#define CLAUNCH_H

#include <sys/types.h>

/// posix_spawn with the parts glibc offers and Swift's Glibc module hides: a new session, a working
/// directory, closing all other descriptors. Signals get their default actions and none is blocked.
/// `in`, `out` and `err` become descriptors 0, 1 and 2; `in` < 0 is /dev/null. `directory` may be NULL.
/// With `session` the program leads a new session, else a new process group of ours.
/// Returns 0, or an errno value.
int claunch_start(pid_t *pid, const char *program, char *const argv[], char *const envp[],
                  const char *directory, int in, int out, int err, int session);

/// An anonymous file in memory, or -1.
int claunch_memory_file(void);

/// Sets the soft limit of open files of a child to `soft`, capped at its hard limit. Returns 0 or an errno value.
int claunch_set_open_files(pid_t pid, unsigned long soft);

/// The kernel's estimate of the clock's error in microseconds, or -1 when no time service disciplines the clock.
long claunch_clock_error_microseconds(void);

#endif
