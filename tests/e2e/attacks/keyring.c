/* With "agent" and a command: executes it with a session keyring in which there is a secret. With nothing: says what that secret is,
   if this process has it. */
#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME "ecp-e2e-secret"

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "agent") == 0) {
        if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0
            || syscall(SYS_add_key, "user", NAME, "for root only", 13, KEY_SPEC_SESSION_KEYRING) < 0) {
            perror("keyring.c");
            return 1;
        }
        execvp(argv[2], argv + 2);
        return 127;
    }
    char secret[64] = "";
    long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", NAME, 0);
    long length = key < 0 ? -1 : syscall(SYS_keyctl, KEYCTL_READ, key, secret, sizeof secret - 1);
    printf("found: %s\n", length < 0 ? "nothing" : secret);
    return 0;
}
