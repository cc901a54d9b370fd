/*
 * Which hosts a request may name. Pages of other sites may make a browser send requests
 * here under a name of theirs (DNS rebinding): only names and addresses of this machine
 * are answered. The port is free: it may have been forwarded.
 */
#ifndef CT_HOSTS_H
#define CT_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

struct ct_hosts {
	const char *listen;      /* numeric address */
	bool only_loopback;
	char name[256];          /* of the machine; "": none */
};

void ct_hosts_open(struct ct_hosts *h, const char *listen);
/* Whether a Host header names us. socket: the connection's, or -1. */
bool ct_hosts_name(const struct ct_hosts *h, const char *host, int socket);
/* Under what a browser finds us. */
const char *ct_hosts_shown(const struct ct_hosts *h, char *to, size_t bytes);

#endif
