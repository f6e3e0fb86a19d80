#define _GNU_SOURCE
#include "cpty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <malloc.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

// What a child that could not become the program tells its parent.
struct failure {
    int error;
    int stage;
};

static void close_from(int first) {
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0) == 0) return;
#endif
    long limit = sysconf(_SC_OPEN_MAX);
    if (limit < 0 || limit > 65536) limit = 65536;
    for (long fd = first; fd < limit; fd++) close((int)fd);
}

// Signals as a shell would hand them on: default dispositions, nothing blocked. Only async-signal-safe calls from here to exec.
static void reset_signals(void) {
    // The kernel's own call, since the C library refuses 32 and 33, which something above us may have ignored. All zero is the default
    // disposition on every architecture.
    unsigned long action[8] = {0};
    for (int number = 1; number <= 64; number++) syscall(SYS_rt_sigaction, number, action, NULL, 8);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void fail(int pipe_fd, int stage) {
    struct failure failure = {.error = errno, .stage = stage};
    ssize_t ignored = write(pipe_fd, &failure, sizeof failure);
    (void)ignored;
    _exit(127);
}

// Reads what the child tells; nothing at all means that it became the program.
static int read_failure(int fd, int *stage) {
    struct failure failure;
    ssize_t count;
    do {
        count = read(fd, &failure, sizeof failure);
    } while (count < 0 && errno == EINTR);
    if (count != (ssize_t)sizeof failure) return 0;
    *stage = failure.stage;
    return failure.error;
}

int cpty_spawn(char *const argv[], char *const envp[], const char *directory, int columns, int rows, int *master, pid_t *pid, int *stage) {
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    int slave = -1;
    *stage = CPTY_STAGE_PTY;
    if (openpty(master, &slave, NULL, NULL, &size) != 0) return errno;
    // UTF-8 aware erase, as every terminal emulator sets it.
    struct termios modes;
    if (tcgetattr(slave, &modes) == 0) {
        modes.c_iflag |= IUTF8;
        tcsetattr(slave, TCSANOW, &modes);
    }
    fcntl(*master, F_SETFD, FD_CLOEXEC);
    fcntl(*master, F_SETFL, fcntl(*master, F_GETFL) | O_NONBLOCK);

    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        int error = errno;
        close(*master);
        close(slave);
        return error;
    }
    *stage = CPTY_STAGE_FORK;
    // Blocked across fork, so that no handler of ours runs in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    if (child == 0) {
        int out = report[1];
        if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) != 0) fail(out, CPTY_STAGE_TERMINAL);
        if (out < 4) {
            // Out of the way of the standard descriptors.
            int moved = fcntl(out, F_DUPFD_CLOEXEC, 4);
            if (moved < 0) fail(out, CPTY_STAGE_TERMINAL);
            out = moved;
        }
        if (slave < 3) {
            int moved = fcntl(slave, F_DUPFD, 4);
            if (moved < 0) fail(out, CPTY_STAGE_TERMINAL);
            slave = moved;
        }
        if (dup2(slave, 0) < 0 || dup2(slave, 1) < 0 || dup2(slave, 2) < 0) fail(out, CPTY_STAGE_TERMINAL);
        if (dup3(out, 3, O_CLOEXEC) < 0) fail(out, CPTY_STAGE_TERMINAL);
        close_from(4);
        if (directory && directory[0] && chdir(directory) != 0) fail(3, CPTY_STAGE_DIRECTORY);
        reset_signals();
        environ = (char **)envp;
        execvp(argv[0], argv);
        fail(3, CPTY_STAGE_EXEC);
    }
    int error = child < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    close(slave);
    if (child > 0) {
        error = read_failure(report[0], stage);
        if (error != 0) waitpid(child, NULL, 0);
    }
    close(report[0]);
    if (error != 0) {
        close(*master);
        *master = -1;
        return error;
    }
    *stage = CPTY_STAGE_NONE;
    *pid = child;
    return 0;
}

int cpty_spawn_detached(char *const argv[], char *const envp[], const char *log, int output, pid_t *pid, int *stage) {
    int report[2], number[2];
    *stage = CPTY_STAGE_FORK;
    if (pipe2(report, O_CLOEXEC) != 0) return errno;
    if (pipe2(number, O_CLOEXEC) != 0) {
        int error = errno;
        close(report[0]);
        close(report[1]);
        return error;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        pid_t grandchild = fork();
        if (grandchild < 0) fail(report[1], CPTY_STAGE_FORK);
        if (grandchild > 0) {
            ssize_t ignored = write(number[1], &grandchild, sizeof grandchild);
            (void)ignored;
            _exit(0);
        }
        // In a session of its own: nothing that is sent to the parent's group reaches it.
        setsid();
        int in = open("/dev/null", O_RDWR);
        int err = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        int out = report[1];
        int high_out = fcntl(out, F_DUPFD_CLOEXEC, 10);
        int high_err = fcntl(err < 0 ? in : err, F_DUPFD, 10);
        int high_output = fcntl(output < 0 ? in : output, F_DUPFD, 10);
        int high_in = fcntl(in, F_DUPFD, 10);
        if (high_out < 0 || high_err < 0 || high_output < 0 || high_in < 0) fail(out, CPTY_STAGE_TERMINAL);
        if (dup2(high_in, 0) < 0 || dup2(high_output, 1) < 0 || dup2(high_err, 2) < 0) fail(high_out, CPTY_STAGE_TERMINAL);
        if (dup3(high_out, 3, O_CLOEXEC) < 0) fail(high_out, CPTY_STAGE_TERMINAL);
        close_from(4);
        reset_signals();
        environ = (char **)envp;
        execvp(argv[0], argv);
        fail(3, CPTY_STAGE_EXEC);
    }
    int error = child < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    close(number[1]);
    if (child > 0) {
        waitpid(child, NULL, 0);
        error = read_failure(report[0], stage);
        pid_t grandchild = -1;
        if (error == 0 && read(number[0], &grandchild, sizeof grandchild) != (ssize_t)sizeof grandchild) error = ECHILD;
        *pid = grandchild;
    }
    close(report[0]);
    close(number[0]);
    if (error == 0) *stage = CPTY_STAGE_NONE;
    return error;
}

int cpty_resize(int master, int columns, int rows) {
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    return ioctl(master, TIOCSWINSZ, &size) == 0 ? 0 : errno;
}

int cpty_size(int master, int *columns, int *rows) {
    struct winsize size;
    if (ioctl(master, TIOCGWINSZ, &size) != 0) return errno;
    *columns = size.ws_col;
    *rows = size.ws_row;
    return 0;
}

pid_t cpty_foreground(int master) { return tcgetpgrp(master); }

int cpty_modes(int master) {
    struct termios modes;
    if (tcgetattr(master, &modes) != 0) return -1;
    return ((modes.c_lflag & ICANON) ? CPTY_ICANON : 0) | ((modes.c_lflag & ECHO) ? CPTY_ECHO : 0) | ((modes.c_lflag & ISIG) ? CPTY_ISIG : 0);
}

int cpty_wait(int fd, long microseconds) {
    struct pollfd descriptor = {.fd = fd, .events = POLLIN};
    struct timespec time = {.tv_sec = microseconds / 1000000, .tv_nsec = microseconds % 1000000 * 1000};
    return ppoll(&descriptor, 1, &time, NULL) == 1 && (descriptor.revents & POLLIN) != 0;
}

int cpty_event(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void cpty_event_set(int fd) {
    uint64_t one = 1;
    ssize_t ignored = write(fd, &one, sizeof one);
    (void)ignored;
}

void cpty_event_clear(int fd) {
    uint64_t value;
    ssize_t ignored = read(fd, &value, sizeof value);
    (void)ignored;
}

int cpty_signals(void) {
    signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int cpty_signals_next(int fd) {
    struct signalfd_siginfo info;
    ssize_t count = read(fd, &info, sizeof info);
    return count == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

int cpty_pidfd(pid_t pid) {
#ifdef SYS_pidfd_open
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
#else
    errno = ENOSYS;
    return -1;
#endif
}

int cpty_lock(const char *path, int milliseconds) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return -1;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;
        if (error == EINTR) continue;
        if (error == EWOULDBLOCK && milliseconds > 0) {
            poll(NULL, 0, 10);
            milliseconds -= 10;
            continue;
        }
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int cpty_disk(const char *path, uint64_t *free_bytes, uint64_t *total_bytes) {
    struct statvfs info;
    if (statvfs(path, &info) != 0) return errno;
    *free_bytes = (uint64_t)info.f_bavail * info.f_frsize;
    *total_bytes = (uint64_t)info.f_blocks * info.f_frsize;
    return 0;
}

static uint32_t crc_tables[8][256];

__attribute__((constructor)) static void make_crc_tables(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0);
        crc_tables[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 8; t++) crc_tables[t][i] = (crc_tables[t - 1][i] >> 8) ^ crc_tables[0][crc_tables[t - 1][i] & 0xff];
}

uint32_t cpty_crc32c(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    crc = ~crc;
    while (count >= 8) {
        uint32_t low, high;
        memcpy(&low, p, 4);
        memcpy(&high, p + 4, 4);
        low ^= crc;
        crc = crc_tables[7][low & 0xff] ^ crc_tables[6][(low >> 8) & 0xff] ^ crc_tables[5][(low >> 16) & 0xff] ^ crc_tables[4][low >> 24] ^
              crc_tables[3][high & 0xff] ^ crc_tables[2][(high >> 8) & 0xff] ^ crc_tables[1][(high >> 16) & 0xff] ^ crc_tables[0][high >> 24];
        p += 8;
        count -= 8;
    }
    while (count--) crc = (crc >> 8) ^ crc_tables[0][(crc ^ *p++) & 0xff];
    return ~crc;
}

void cpty_use_little_memory(void) {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

void cpty_trim_memory(void) { malloc_trim(0); }

char **cpty_environment(void) { return environ; }
