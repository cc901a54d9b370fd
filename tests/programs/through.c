/*
 * Runs a program under a condition that it inherits: through CONDITION COMMAND [ARG...]
 * It is not traced itself: what it execs is, and meets the condition from the start.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "restricted.h"

static int sigchld_blocked(void)
{
	sigset_t s;

	return sigemptyset(&s) || sigaddset(&s, SIGCHLD) || sigprocmask(SIG_BLOCK, &s, NULL);
}

static int sigchld_ignored(void)
{
	return signal(SIGCHLD, SIG_IGN) == SIG_ERR;
}

static int subreaper(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* What the program says goes to another descriptor. */
static int closed(void)
{
	return dup2(1, SAY_FD) != SAY_FD || close(0) || close(1) || close(2);
}

static int address_space(void)
{
	struct rlimit l = { 1ul << 30, 1ul << 30 };

	return setrlimit(RLIMIT_AS, &l);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*set)(void);
	} conditions[] = {
		{ "sigchld-blocked", sigchld_blocked }, { "sigchld-ignored", sigchld_ignored },
		{ "subreaper", subreaper },		{ "closed", closed },
		{ "address-space", address_space },
	};

	for (size_t i = 0; argc > 2 && i < sizeof(conditions) / sizeof(conditions[0]); i++)
		if (!strcmp(conditions[i].name, argv[1])) {
			if (!conditions[i].set())
				execv(argv[2], argv + 2);
			return 99;
		}
	fprintf(stderr, "usage: %s CONDITION COMMAND [ARG...]\n", argv[0]);
	return 99;
}
