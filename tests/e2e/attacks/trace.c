/* Says whether the process of this id can be traced, and what of it can be read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int pid = argc > 1 ? atoi(argv[1]) : 0;
    static const char *const files[] = {"environ", "mem", "exe", "cwd/.", "fd/0", "root/."};
    for (int n = 0; n < 6; n++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/%s", pid, files[n]);
        int fd = open(path, O_RDONLY);
        printf("%s: %s\n", files[n], fd < 0 ? strerror(errno) : "open");
    }
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0) {
        printf("seize: %s\n", strerror(errno));
        return 0;
    }
    printf("seize: open\n");
    ptrace(PTRACE_INTERRUPT, pid, 0, 0);
    int status;
    waitpid(pid, &status, __WALL);
    ptrace(PTRACE_DETACH, pid, 0, 0);
    return 0;
}
