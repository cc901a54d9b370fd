/* The verb that writes what a flight recorder has in memory. */
#include <errno.h>
#include <string.h>

#include "collector.h"
#include "commands.h"

int ct_command_snapshot(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a)
{
	const char *path = ct_request_value(q, "path");
	char taken[PATH_MAX];

	if (path && *path != '/')
		return ct_refuse(a, "snapshot: the path is not absolute");
	int error = ct_flight_snapshot(c, path, "ctrace-ctl snapshot", taken, sizeof(taken));

	if (error == -ENOTSUP)
		return ct_refuse(a, "the program is not run with --flight: its trace is %s", c->out_path);
	if (error == -EBUSY)
		return ct_refuse(a, "a snapshot is being written");
	if (error)
		return ct_refuse(a, "%s", strerror(-error));
	/* As it will be called when it is complete. */
	fputs(", \"path\": ", a->to);
	ct_json_text(a->to, taken);
	return 0;
}
