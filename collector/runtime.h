/*
 * The runtime directory, where collectors listen for commands:
 * $XDG_RUNTIME_DIR/ctrace if that is set and ours, else /tmp/ctrace-UID; mode 0700.
 * A collector's socket is PID.sock there. Every function checks the directory, which
 * others may have made in a folder of many users: see ct_runtime_open.
 */
#ifndef CT_RUNTIME_H
#define CT_RUNTIME_H

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#define CT_RUNTIME_SUFFIX ".sock"

struct ct_runtime {
	char path[PATH_MAX];
	char wrong[PATH_MAX + 64]; /* after a failure: one line */
};

/* Finds the directory, and makes it if it may. 0; -ENOENT: it is not there; -EPERM: it is
 * a symbolic link, another user's, or open to others; -errno. */
int ct_runtime_open(struct ct_runtime *r, bool make);
/* Address of a collector's socket. -ENAMETOOLONG. */
int ct_runtime_address(const struct ct_runtime *r, pid_t collector, struct sockaddr_un *ret);
/* The collector that a file in the directory belongs to; 0: none. */
pid_t ct_runtime_collector(const char *file);
/* Removes the sockets of collectors that have ended without doing so; at most so many are
 * looked at. */
void ct_runtime_sweep(const struct ct_runtime *r, unsigned int most);

#endif
