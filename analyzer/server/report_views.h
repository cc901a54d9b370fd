/*
 * The views of a report, all of one model: it is not loaded again for each of them, and those that want to
 * know who ended the waits read them in one pass. They are made by threads beside each other.
 */
#ifndef CT_REPORT_VIEWS_H
#define CT_REPORT_VIEWS_H

#include "api.h"
#include "wakes_together.h"

struct ct_report_view {
	const char *name;            /* of a command */
	char *text;                  /* its JSON; owned by the views */
	size_t bytes;
	int error;
	/* Private. */
	struct ct_options options;
	struct ct_context context;
	struct ct_wakes_member *member;
	pthread_t thread;
	bool running;
};

#define CT_REPORT_VIEWS 14u

struct ct_report_views {
	struct ct_report_view view[CT_REPORT_VIEWS];
	uint32_t count;
	struct ct_wakes_together together;
};

/* Makes all of them. 0, -EINVAL, -ENOMEM, -errno: something went wrong before they could be made; each has an error
 * of its own. Close in either case. */
int ct_report_views_make(struct ct_report_views *v, struct ct_served *s);
void ct_report_views_close(struct ct_report_views *v);

#endif
