/*
 * Which hosts a request may name. Pages of other sites may make a browser send requests
 * here under a name of theirs (DNS rebinding): only names and addresses of this machine
 * are answered. The port is free: it may have been forwarded.
 */
#ifndef CT_HOSTS_H
#define CT_HOSTS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Of version 4, or 6. */
union ct_host_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct ct_hosts {
	union ct_host_address listen;
	bool only_loopback;
	char name[256];          /* of the machine; "": none */
};

/* listen: a numeric address, of version 6 in brackets or not. 0 or -EINVAL: it is none. */
int ct_hosts_open(struct ct_hosts *h, const char *listen, uint16_t port);
/* Whether every address of the machine is listened to. */
bool ct_hosts_all(const struct ct_hosts *h);
/* Whether a Host header names us. socket: the connection's, or -1. */
bool ct_hosts_name(const struct ct_hosts *h, const char *host, int socket);
/* Under what a browser finds us: as in an address, where one of version 6 has brackets. */
const char *ct_hosts_shown(const struct ct_hosts *h, char *to, size_t bytes);

#endif
