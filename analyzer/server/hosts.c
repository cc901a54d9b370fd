/* See hosts.h. */
#include "hosts.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

void ct_hosts_open(struct ct_hosts *h, const char *listen)
{
	*h = (struct ct_hosts){ .listen = listen, .only_loopback = !strncmp(listen, "127.", 4) };
	if (gethostname(h->name, sizeof(h->name) - 1))
		h->name[0] = 0;
}

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
static bool is_local_address(const char *name, int socket)
{
	struct sockaddr_in a = { 0 };
	socklen_t bytes = sizeof(a);
	char text[INET_ADDRSTRLEN];

	return socket >= 0 && !getsockname(socket, (struct sockaddr *)&a, &bytes) && a.sin_family == AF_INET &&
	       inet_ntop(AF_INET, &a.sin_addr, text, sizeof(text)) && !strcmp(name, text);
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
	char name[256];

	if (!host_part(host, name, sizeof(name)))
		return false;
	for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++)
		if (!strcasecmp(name, loopback[i]))
			return true;
	if (!strcmp(name, h->listen) || is_local_address(name, socket))
		return true;
	return !h->only_loopback && is_machine(h, name);
}

const char *ct_hosts_shown(const struct ct_hosts *h, char *to, size_t bytes)
{
	struct ifaddrs *all = NULL;
	char text[INET_ADDRSTRLEN];

	snprintf(to, bytes, "%s", h->listen);
	if (strcmp(h->listen, "0.0.0.0"))
		return to;
	/* Of all of them: one that others can reach. */
	snprintf(to, bytes, "127.0.0.1");
	if (getifaddrs(&all))
		return to;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		const struct sockaddr_in *a = (const struct sockaddr_in *)(const void *)i->ifa_addr;

		if (!a || a->sin_family != AF_INET || i->ifa_flags & IFF_LOOPBACK || !(i->ifa_flags & IFF_UP))
			continue;
		snprintf(to, bytes, "%s", inet_ntop(AF_INET, &a->sin_addr, text, sizeof(text)) ? text : h->listen);
		break;
	}
	freeifaddrs(all);
	return to;
}
