/* See hosts.h. */
#include "hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- addresses --- */

/* What a text means; version 6 in brackets, or bare where brackets need not be. */
static bool parse(union ct_host_address *a, const char *text, bool brackets)
{
	char inner[INET6_ADDRSTRLEN];
	size_t n = strlen(text);

	*a = (union ct_host_address){ .v4 = { .sin_family = AF_INET } };
	if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1)
		return true;
	if (*text == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	} else if (brackets) {
		return false;
	}
	if (n >= sizeof(inner))
		return false;
	memcpy(inner, text, n);
	inner[n] = 0;
	*a = (union ct_host_address){ .v6 = { .sin6_family = AF_INET6 } };
	return inet_pton(AF_INET6, inner, &a->v6.sin6_addr) == 1;
}

/* A socket of version 6 that takes both has addresses of version 4 as those of 6. */
static void unmap(union ct_host_address *a)
{
	struct in_addr inner;

	if (a->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
		return;
	memcpy(&inner, &a->v6.sin6_addr.s6_addr[12], sizeof(inner));
	*a = (union ct_host_address){ .v4 = { .sin_family = AF_INET, .sin_addr = inner } };
}

static bool same(const union ct_host_address *a, const union ct_host_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr);
}

static bool is_loopback(const union ct_host_address *a)
{
	return a->any.sa_family == AF_INET ? ntohl(a->v4.sin_addr.s_addr) >> 24 == 127 : IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

int ct_hosts_open(struct ct_hosts *h, const char *listen, uint16_t port)
{
	*h = (struct ct_hosts){ .only_loopback = false };
	if (!*listen || !parse(&h->listen, listen, false))
		return -EINVAL;
	h->only_loopback = is_loopback(&h->listen);
	if (h->listen.any.sa_family == AF_INET)
		h->listen.v4.sin_port = htons(port);
	else
		h->listen.v6.sin6_port = htons(port);
	if (gethostname(h->name, sizeof(h->name) - 1))
		h->name[0] = 0;
	return 0;
}

bool ct_hosts_all(const struct ct_hosts *h)
{
	return h->listen.any.sa_family == AF_INET ? h->listen.v4.sin_addr.s_addr == htonl(INADDR_ANY) :
						    IN6_IS_ADDR_UNSPECIFIED(&h->listen.v6.sin6_addr);
}

/* --- what a request names --- */

/* What stands before ":PORT", or NULL: what follows is no port. */
static const char *host_part(const char *text, char *to, size_t bytes)
{
	const char *end = *text == '[' ? strchr(text, ']') : strchrnul(text, ':');

	if (!end)
		return NULL;
	end += *end == ']';
	size_t n = (size_t)(end - text);

	if (!n || n >= bytes || (*end && (*end != ':' || strspn(end + 1, "0123456789") != strlen(end + 1))))
		return NULL;
	memcpy(to, text, n);
	to[n] = 0;
	return to;
}

/* The address that the connection was made to: it is ours, whatever stands before us. */
static bool is_local_address(const union ct_host_address *name, int socket)
{
	union ct_host_address a = { .any = { .sa_family = AF_UNSPEC } };
	socklen_t bytes = sizeof(a);

	if (socket < 0 || getsockname(socket, &a.any, &bytes) || (a.any.sa_family != AF_INET && a.any.sa_family != AF_INET6))
		return false;
	unmap(&a);
	return same(name, &a);
}

/* The name, with or without its domain, and as the local network calls it. */
static bool is_machine(const struct ct_hosts *h, const char *name)
{
	size_t n = strlen(h->name), first = strcspn(h->name, ".");

	if (!n)
		return false;
	if (!strcasecmp(name, h->name))
		return true;
	return !strncasecmp(name, h->name, first) && (!name[first] || !strcasecmp(name + first, ".local"));
}

bool ct_hosts_name(const struct ct_hosts *h, const char *host, int socket)
{
	static const char *const loopback[] = { "127.0.0.1", "localhost", "[::1]" };
	union ct_host_address address;
	char name[256];

	if (!host_part(host, name, sizeof(name)))
		return false;
	for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++)
		if (!strcasecmp(name, loopback[i]))
			return true;
	if (parse(&address, name, true))
		return same(&address, &h->listen) || is_local_address(&address, socket);
	return !h->only_loopback && is_machine(h, name);
}

/* --- what a browser is told --- */

static const char *show(const union ct_host_address *a, char *to, size_t bytes)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (a->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->v4.sin_addr, to, (socklen_t)bytes);
	} else {
		inet_ntop(AF_INET6, &a->v6.sin6_addr, text, sizeof(text));
		snprintf(to, bytes, "[%s]", text);
	}
	return to;
}

const char *ct_hosts_shown(const struct ct_hosts *h, char *to, size_t bytes)
{
	struct ifaddrs *all = NULL;

	if (!ct_hosts_all(h))
		return show(&h->listen, to, bytes);
	/* Of all of them: one that others can reach. */
	snprintf(to, bytes, "127.0.0.1");
	if (getifaddrs(&all))
		return to;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || i->ifa_flags & IFF_LOOPBACK || !(i->ifa_flags & IFF_UP))
			continue;
		union ct_host_address a = { .any = { .sa_family = AF_UNSPEC } };

		memcpy(&a.v4, i->ifa_addr, sizeof(a.v4));
		show(&a, to, bytes);
		break;
	}
	freeifaddrs(all);
	return to;
}
