#define _GNU_SOURCE
#include "cpty.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static ssize_t read_file(const char *path, char *buffer, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    size_t got = 0;
    while (got < size - 1) {
        ssize_t count = read(file, buffer + got, size - 1 - got);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        got += (size_t)count;
    }
    close(file);
    buffer[got] = 0;
    return (ssize_t)got;
}

int cpty_look(pid_t pid, struct cpty_process *process) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (read_file(path, text, sizeof text) <= 0) return -1;
    // The name may hold spaces and parentheses: the last ')' ends it.
    char *begin = strchr(text, '('), *end = strrchr(text, ')');
    if (!begin || !end || end < begin) return -1;
    size_t length = (size_t)(end - begin - 1);
    if (length >= sizeof process->name) length = sizeof process->name - 1;
    memcpy(process->name, begin + 1, length);
    process->name[length] = 0;
    char state;
    int parent, group, session;
    unsigned long long user, system, start;
    // Fields 3 to 22 of proc_pid_stat(5).
    if (sscanf(end + 1, " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu", &state, &parent, &group, &session,
               &user, &system, &start) != 7)
        return -1;
    process->pid = pid;
    process->parent = parent;
    process->group = group;
    process->session = session;
    process->state = state;
    process->start = start;
    double ticks = (double)sysconf(_SC_CLK_TCK);
    process->cpu_seconds = (double)(user + system) / ticks;
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    process->age_seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)start / ticks;
    return 0;
}

int cpty_children(pid_t pid, pid_t *children, int room) {
    char path[320], text[4096];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks) return 0;
    int found = 0;
    struct dirent *entry;
    while (found < room && (entry = readdir(tasks))) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/children", (int)pid, entry->d_name);
        if (read_file(path, text, sizeof text) <= 0) continue;
        char *at = text;
        while (found < room) {
            char *next;
            long child = strtol(at, &next, 10);
            if (next == at) break;
            at = next;
            if (child > 0) children[found++] = (pid_t)child;
        }
    }
    closedir(tasks);
    return found;
}

int cpty_peer_user(int socket, uid_t *user) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return errno;
    *user = peer.uid;
    return 0;
}
