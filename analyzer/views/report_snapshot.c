/* What a snapshot of a flight recorder was taken for. See commands.h and docs/flight.md. */
#include <stdlib.h>

#include "commands.h"

#define AROUND_NS 100000000ull /* that is shown before and after the wait */

static uint64_t number(const struct ct_model *m, const char *key)
{
	return strtoull(ct_model_meta(m, key), NULL, 10);
}

/* Seconds since the begin, as --from takes them. */
static double after(const struct ct_model *m, uint64_t ns)
{
	return ns > m->start_ns ? (double)(ns - m->start_ns) / 1e9 : 0;
}

static void print_wait(const struct ct_out *o, const struct ct_model *m, const char *tid)
{
	uint64_t start_ns = number(m, "snapshot_wait_start_ns"), end_ns = number(m, "snapshot_wait_end_ns");
	const char *name = ct_model_meta(m, "snapshot_thread");
	char a[CT_FORMAT];

	if (end_ns < start_ns)
		return;
	ct_print(o, CT_TITLE, "            %.15s (%.10s) waited %s, cause %.20s\n", *name ? name : "thread", tid,
		 ct_format_ns(a, end_ns - start_ns), ct_model_meta(m, "snapshot_cause"));
	ct_print(o, CT_FAINT, "            look at it with --thread %.10s --from %.3fs --to %.3fs\n", tid,
		 after(m, start_ns > AROUND_NS ? start_ns - AROUND_NS : 0), after(m, end_ns + AROUND_NS));
}

void ct_print_snapshot(const struct ct_out *o, const struct ct_model *m)
{
	const char *why = ct_model_meta(m, "snapshot"), *tid = ct_model_meta(m, "snapshot_tid");

	if (!*why)
		return;
	ct_print(o, CT_PLAIN, "  snapshot  ");
	ct_last_text(o, CT_TITLE, o->width - 12, why);
	ct_print(o, CT_PLAIN, "\n");
	if (*tid)
		print_wait(o, m, tid);
}
