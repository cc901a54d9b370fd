/* Who is connected. See http_parts.h. */
#include "http_parts.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define CROWDED     48u  /* connections: those that do nothing have to go */
#define PATIENCE_MS 2000 /* with one of them, then */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct guest *guest_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

void ct_guest_notify(void *self, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct ct_http *h = self;
	struct guest **at = &h->guest, *g = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		g = calloc(1, sizeof(*g));
		*context = g;
		if (!g)
			return;
		*g = (struct guest){ .socket = ct_http_socket(connection), .since_ms = now_ms() };
		while (*at)
			at = &(*at)->next;
		*at = g;
		h->guest_count++;
	} else if (g) {
		while (*at != g)
			at = &(*at)->next;
		*at = g->next;
		h->guest_count--;
		*context = NULL;
		free(g);
	}
}

void ct_guest_count(struct pending *p)
{
	struct guest *g = guest_of(p->connection);

	if (!g || p->counted)
		return;
	p->counted = true;
	g->requests++;
}

void ct_guest_uncount(struct pending *p)
{
	struct guest *g = guest_of(p->connection);

	if (!p->counted)
		return;
	p->counted = false;
	g->requests--;
	g->since_ms = now_ms();
}

void ct_guests_make_room(struct ct_http *h)
{
	uint64_t now = now_ms();
	uint32_t stay = h->guest_count;

	for (struct guest *g = h->guest; g && stay > CROWDED; g = g->next) {
		if (g->requests || now - g->since_ms < PATIENCE_MS)
			continue;
		if (!g->told_to_go)
			shutdown(g->socket, SHUT_RDWR);
		g->told_to_go = true;
		stay--;
	}
}
