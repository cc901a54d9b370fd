/*
 * Windows of a reading that were read last. A page asks for a window's lanes and for all threads
 * together, one after the other, and several pages may look at the same: it is read once, by the
 * first who asks, while others wait for it. The last two stay.
 */
#ifndef CT_SHARED_WINDOWS_H
#define CT_SHARED_WINDOWS_H

#include "window.h"

struct ct_shared_window {
	struct ct_window w;      /* with all lanes; it does not change any more */
	/* Private. */
	uint32_t users;
	bool reading, listed;
	int error;
	struct ct_shared_window *next;
};

struct ct_shared_windows {
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct ct_shared_window *first; /* the last that was asked for */
};

void ct_shared_windows_open(struct ct_shared_windows *s);
void ct_shared_windows_close(struct ct_shared_windows *s);
/* Whether there may be so many lanes in so many pieces. */
bool ct_shared_windows_can(const struct ct_trace_map *t, uint32_t pieces);
/* A window of so many pieces; more: or of more. Waits and turns of two pieces or more are there. 0, -ENOMEM, -errno;
 * ct_shared_windows_put after 0. */
int ct_shared_windows_get(struct ct_shared_windows *s, struct ct_trace_map *t, uint64_t from_ns, uint64_t to_ns, uint32_t pieces,
			  bool more, struct ct_shared_window **ret);
void ct_shared_windows_put(struct ct_shared_windows *s, struct ct_shared_window *w);

#endif
