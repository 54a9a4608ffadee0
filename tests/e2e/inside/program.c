/* Says what a container's process sees, as one JSON object on its standard output.
 *
 *     inside [stay] [PATH...]
 *
 * In C and linked statically: it must run in a root directory that has nothing else, and see the process as it was made,
 * without a runtime that sets up signals or opens descriptors before main. Whatever can be is asked of the kernel by system
 * calls, since there may be no /proc; what is only there is null then. Bytes of text from 0x7f up are given as \u00XX.
 *
 * PATHs are directories whose entries it is to list. With `stay` it does not exit, so that others can look at it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

static void text(const char *s) {
    putchar('"');
    for (; *s; s++) {
        unsigned char c = *s;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static const char *comma(int n) { return n ? ", " : ""; }

/* The next member of the object. */
static void member(const char *name) { printf(",\n\"%s\": ", name); }

/* A number, or null if the call that gave it failed. */
static void number(const char *name, long long value) {
    member(name);
    if (value < 0)
        printf("null");
    else
        printf("%lld", value);
}

/* All that is open, by asking for each number: before anything else is opened. */
static void descriptors(void) {
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    long end = limit.rlim_cur < 65536 ? (long)limit.rlim_cur : 65536;
    int n = 0;
    printf("{\"descriptors\": {");
    for (int fd = 0; fd < end; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            continue;
        char path[64], target[4096];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = 0;
        printf("%s\"%d\": ", comma(n++), fd);
        text(target);
    }
    printf("}");
}

static void credentials(void) {
    int a, b, c;
    syscall(SYS_getresuid, &a, &b, &c);
    member("uids"), printf("[%u, %u, %u]", a, b, c);
    syscall(SYS_getresgid, &a, &b, &c);
    member("gids"), printf("[%u, %u, %u]", a, b, c);
    gid_t groups[4096];
    int count = getgroups(4096, groups);
    member("groups"), printf("[");
    for (int n = 0; n < count; n++)
        printf("%s%u", comma(n), groups[n]);
    printf("]");
}

static unsigned long long set_of(int option, long second) {
    unsigned long long set = 0;
    for (unsigned long cap = 0; cap < 64; cap++) {
        int has = second ? prctl(option, second, cap, 0, 0) : prctl(option, cap, 0, 0, 0);
        if (has == 1)
            set |= 1ull << cap;
    }
    return set;
}

static void capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    syscall(SYS_capget, &header, data);
#define SET(what) (data[0].what | (unsigned long long)data[1].what << 32)
    member("capabilities");
    printf("{\"effective\": %llu, \"permitted\": %llu, \"inheritable\": %llu, ", SET(effective), SET(permitted),
           SET(inheritable));
    printf("\"bounding\": %llu, \"ambient\": %llu}", set_of(PR_CAPBSET_READ, 0),
           set_of(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET));
}

/* Bit n - 1 stands for signal n, as in /proc/PID/status. By the raw calls: the C library hides two signals. */
static void signals(void) {
    unsigned long long ignored = 0, caught = 0, blocked = 0;
    for (int n = 1; n <= 64; n++) {
        unsigned long action[4] = {0};
        if (syscall(SYS_rt_sigaction, n, NULL, action, 8) < 0)
            continue;
        if (action[0] == 1)
            ignored |= 1ull << (n - 1);
        else if (action[0] > 1)
            caught |= 1ull << (n - 1);
    }
    syscall(SYS_rt_sigprocmask, 0, NULL, &blocked, 8);
    member("signals"), printf("{\"ignored\": %llu, \"caught\": %llu, \"blocked\": %llu}", ignored, caught, blocked);
}

static void rlimits(void) {
    static const char *const names[] = {"cpu",   "fsize",   "data",  "stack",      "core",     "rss",  "nproc",  "nofile",
                                        "memlock", "as",    "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"};
    member("rlimits"), printf("{");
    for (int n = 0; n < 16; n++) {
        struct rlimit limit = {0};
        getrlimit(n, &limit);
        printf("%s\"%s\": [%llu, %llu]", comma(n), names[n], (unsigned long long)limit.rlim_cur,
               (unsigned long long)limit.rlim_max);
    }
    printf("}");
}

static void namespaces(void) {
    static const char *const names[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
    member("namespaces"), printf("{");
    for (int n = 0; n < 8; n++) {
        char path[64];
        struct stat found = {0};
        snprintf(path, sizeof path, "/proc/self/ns/%s", names[n]);
        stat(path, &found);
        printf("%s\"%s\": %llu", comma(n), names[n], (unsigned long long)found.st_ino);
    }
    printf("}");
}

/* The lines of a file. */
static void lines(const char *name, const char *path) {
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    int n = 0;
    member(name);
    if (!file) {
        printf("null");
        return;
    }
    printf("[");
    for (ssize_t length; (length = getline(&line, &size, file)) > 0;) {
        line[length - (line[length - 1] == '\n')] = 0;
        printf("%s", comma(n++)), text(line);
    }
    printf("]");
    fclose(file);
}

/* The entries of a directory, or the error's name. */
static void entries(const char *path, int pids_only) {
    DIR *directory = opendir(path);
    int n = 0;
    if (!directory) {
        text(strerrorname_np(errno));
        return;
    }
    printf("[");
    for (struct dirent *entry; (entry = readdir(directory));) {
        int is_pid = strspn(entry->d_name, "0123456789") == strlen(entry->d_name);
        if (pids_only ? !is_pid : !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        printf("%s", comma(n++));
        if (pids_only)
            printf("%s", entry->d_name);
        else
            text(entry->d_name);
    }
    printf("]");
    closedir(directory);
}

int main(int argc, char **argv) {
    descriptors();
    number("pid", getpid()), number("ppid", getppid()), number("pgid", getpgid(0)), number("sid", getsid(0));
    char cwd[4096] = "";
    /* The raw call: it says "(unreachable)" of a directory outside of the root. */
    syscall(SYS_getcwd, cwd, sizeof cwd);
    member("cwd"), text(cwd);
    member("environment"), printf("[");
    for (int n = 0; environ[n]; n++)
        printf("%s", comma(n)), text(environ[n]);
    printf("]");
    credentials();
    capabilities();
    number("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    number("securebits", prctl(PR_GET_SECUREBITS));
    number("dumpable", prctl(PR_GET_DUMPABLE));
    int death = -1;
    prctl(PR_GET_PDEATHSIG, &death);
    number("parent_death_signal", death);
    signals();
    rlimits();
    mode_t mask = umask(0);
    umask(mask);
    number("umask", mask);
    /* The raw call gives 20 - nice. */
    number("priority", syscall(SYS_getpriority, PRIO_PROCESS, 0));
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    member("terminal"), printf("%s", terminal >= 0 ? "true" : "false");
    close(terminal);
    struct utsname names;
    uname(&names);
    member("hostname"), text(names.nodename);
    namespaces();
    lines("mountinfo", "/proc/self/mountinfo");
    lines("status", "/proc/self/status");
    lines("cgroup", "/proc/self/cgroup");
    lines("oom_score_adj", "/proc/self/oom_score_adj");
    member("processes"), entries("/proc", 1);
    int stays = argc > 1 && !strcmp(argv[1], "stay");
    member("directories"), printf("{");
    for (int n = 1 + stays; n < argc; n++)
        printf("%s", comma(n - 1 - stays)), text(argv[n]), printf(": "), entries(argv[n], 0);
    printf("}}\n");
    if (fflush(stdout))
        return 1;
    while (stays)
        pause();
    return 0;
}
