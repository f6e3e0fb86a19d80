#define _GNU_SOURCE
#include "claunch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/timex.h>

int claunch_start(pid_t *pid, const char *program, char *const argv[], char *const envp[],
                  const char *directory, int in, int out, int err, int session) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int result = posix_spawn_file_actions_init(&actions);
    if (result != 0) return result;
    result = posix_spawnattr_init(&attributes);
    if (result != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return result;
    }

    if (in >= 0)
        result = posix_spawn_file_actions_adddup2(&actions, in, 0);
    else
        result = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (result == 0) result = posix_spawn_file_actions_adddup2(&actions, out, 1);
    if (result == 0) result = posix_spawn_file_actions_adddup2(&actions, err, 2);
    if (result == 0 && directory != NULL) result = posix_spawn_file_actions_addchdir_np(&actions, directory);
    if (result == 0) result = posix_spawn_file_actions_addclosefrom_np(&actions, 3);

    sigemptyset(&none);
    sigfillset(&all);
    if (result == 0) result = posix_spawnattr_setsigmask(&attributes, &none);
    if (result == 0) result = posix_spawnattr_setsigdefault(&attributes, &all);
    if (result == 0) result = posix_spawnattr_setpgroup(&attributes, 0);
    if (result == 0)
        result = posix_spawnattr_setflags(
            &attributes,
            POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP));
    if (result == 0) result = posix_spawn(pid, program, &actions, &attributes, argv, envp);

    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return result;
}

int claunch_memory_file(void) { return memfd_create("input", MFD_CLOEXEC); }

int claunch_set_open_files(pid_t pid, unsigned long soft) {
    struct rlimit limit;
    if (prlimit(pid, RLIMIT_NOFILE, NULL, &limit) != 0) return errno;
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    return prlimit(pid, RLIMIT_NOFILE, &limit, NULL) == 0 ? 0 : errno;
}

long claunch_clock_error_microseconds(void) {
    struct timex state = {0};
    if (adjtimex(&state) < 0 || (state.status & STA_UNSYNC)) return -1;
    return state.esterror;
}
