/// What Swift's Glibc module hides or cannot do safely: starting a program on a terminal of its own, and a few Linux calls.
#ifndef CPTY_H
#define CPTY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Which step of a start failed.
enum cpty_stage {
    CPTY_STAGE_NONE = 0,
    CPTY_STAGE_PTY = 1,
    CPTY_STAGE_FORK = 2,
    CPTY_STAGE_TERMINAL = 3,
    CPTY_STAGE_DIRECTORY = 4,
    CPTY_STAGE_EXEC = 5,
};

/// Starts `argv` as leader of a session of its own whose controlling terminal is a new PTY. The program is looked up in the PATH of
/// `envp`. Returns 0, or an errno with `stage` set; then nothing runs. `master` is close-on-exec and does not block.
int cpty_spawn(char *const argv[], char *const envp[], const char *directory, int columns, int rows, int *master, pid_t *pid, int *stage);

/// Starts `argv` as a grandchild in a session of its own with standard input from /dev/null, standard output to `output` (-1: /dev/null)
/// and standard error appended to `log`. Returns 0 and the grandchild's pid, or an errno with `stage` set.
int cpty_spawn_detached(char *const argv[], char *const envp[], const char *log, int output, pid_t *pid, int *stage);

/// Sets the terminal's size. 0 or an errno.
int cpty_resize(int master, int columns, int rows);

/// Sizes in cells. 0 or an errno.
int cpty_size(int master, int *columns, int *rows);

/// The foreground process group, or -1.
pid_t cpty_foreground(int master);

#define CPTY_ICANON 1
#define CPTY_ECHO 2
#define CPTY_ISIG 4
/// Bits of the terminal's modes, or -1.
int cpty_modes(int master);

/// Waits until there is something to read. 1: there is; 0: the time is over, or it will never be.
int cpty_wait(int fd, long microseconds);

/// An event counter that does not block (eventfd), or -1.
int cpty_event(void);
/// Adds one, so that the counter's descriptor is readable.
void cpty_event_set(int fd);
/// Back to zero.
void cpty_event_clear(int fd);

/// Blocks SIGCHLD, SIGTERM, SIGINT and SIGHUP in this thread and those it starts, ignores SIGPIPE; returns a descriptor that reads the
/// blocked ones, or -1.
int cpty_signals(void);
/// The next signal, 0 when there is none.
int cpty_signals_next(int fd);

/// One process as the kernel shows it. Source: proc_pid_stat(5).
struct cpty_process {
    pid_t pid;
    pid_t parent;
    pid_t group;
    pid_t session;
    /// R, S, D, T, Z, …
    char state;
    char name[64];
    /// Clock ticks after boot: with the pid, this is one process and no other.
    uint64_t start;
    /// User and system time so far; the kernel counts hundredths.
    double cpu_seconds;
    double age_seconds;
};
/// Looks at a process. 0, or -1 when it is gone (or /proc cannot be read).
int cpty_look(pid_t pid, struct cpty_process *process);
/// The children of all threads of a process, at most `room`; returns their number. None where the kernel does not list them.
int cpty_children(pid_t pid, pid_t *children, int room);
/// The user at the other end of a Unix socket. 0 or an errno.
int cpty_peer_user(int socket, uid_t *user);

/// A descriptor that is readable when the process ends, or -1 (errno).
int cpty_pidfd(pid_t pid);

/// Takes an exclusive lock on the file (made where missing), waiting for it at most so many milliseconds; returns its descriptor, or -1 with
/// errno EWOULDBLOCK when held.
int cpty_lock(const char *path, int milliseconds);

/// Free and total bytes of the file system of `path`. 0 or an errno.
int cpty_disk(const char *path, uint64_t *free_bytes, uint64_t *total_bytes);

/// CRC-32C (Castagnoli) of `bytes`, going on from `crc` (0 to begin).
uint32_t cpty_crc32c(uint32_t crc, const void *bytes, size_t count);

/// Settings of malloc for a small process with few threads; call before any thread.
void cpty_use_little_memory(void);
/// Gives free memory back to the system.
void cpty_trim_memory(void);

/// The environment of this process.
char **cpty_environment(void);

#ifdef __cplusplus
}
#endif

#endif
