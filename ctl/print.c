/* Answers as text. See ctl.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"

static uint64_t number(const json_t *o, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(o, name));
}

static const char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

/* "850 us", "1.2 s", "2 m 03 s", "3 h 04 m" */
static const char *duration(uint64_t ns, char to[32])
{
	uint64_t s = ns / 1000000000u;

	if (ns < 1000000)
		snprintf(to, 32, "%" PRIu64 " us", ns / 1000);
	else if (ns < 1000000000u)
		snprintf(to, 32, "%" PRIu64 " ms", ns / 1000000);
	else if (s < 60)
		snprintf(to, 32, "%.1f s", (double)ns / 1e9);
	else if (s < 3600)
		snprintf(to, 32, "%" PRIu64 " m %02" PRIu64 " s", s / 60, s % 60);
	else
		snprintf(to, 32, "%" PRIu64 " h %02" PRIu64 " m", s / 3600, s / 60 % 60);
	return to;
}

/* A text for a terminal: a process may call itself anything. */
static void put(const char *s, int width)
{
	int n = 0;

	for (; *s && (!width || n < width); s++, n += ((unsigned char)*s & 0xc0) != 0x80)
		putchar((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
	/* The rest of a character whose first byte is there. */
	for (; ((unsigned char)*s & 0xc0) == 0x80; s++)
		putchar(*s);
	printf("%*s", width > n ? width - n : 0, "");
}

/* "on", "off", or the families. */
static void recording(const json_t *process, char *to, size_t size)
{
	const char *state = text(process, "recording");
	const json_t *family;
	size_t i, n = 0;

	if (strcmp(state, "partly")) {
		snprintf(to, size, "%s", state);
		return;
	}
	*to = 0;
	json_array_foreach(json_object_get(process, "families"), i, family)
		n += (size_t)snprintf(to + n, n < size ? size - n : 0, "%s%s", i ? "," : "", json_string_value(family));
}

void ct_ctl_print_list(const json_t *processes)
{
	const json_t *p;
	size_t i;
	char age[32], what[64];

	if (!json_array_size(processes)) {
		puts("no process of yours is traced");
		return;
	}
	printf("%7s %-15s %7s %10s %9s %7s %-9s %s\n", "PID", "NAME", "THREADS", "SINCE", "EVENTS/S", "LOST", "RECORDING",
	       "TRACE");
	json_array_foreach(processes, i, p) {
		recording(p, what, sizeof(what));
		printf("%7" PRIu64 " ", number(p, "pid"));
		put(text(p, "name"), 15);
		printf(" %7" PRIu64 " %10s %9" PRIu64 " %7" PRIu64 " %-9s ", number(p, "threads"),
		       duration(number(p, "age_ns"), age), number(p, "events_per_s"), number(p, "lost"), what);
		put(text(p, "output"), 0);
		putchar('\n');
	}
}

static void print_thread(const json_t *t)
{
	const json_t *wait = json_object_get(t, "wait");
	char age[32];

	printf("%7" PRIu64 " ", number(t, "tid"));
	put(text(t, "name"), 15);
	if (!json_is_object(wait)) {
		puts(" -");
		return;
	}
	printf(" %10s  %-10s ", duration(number(wait, "age_ns"), age), text(wait, "cause"));
	put(text(wait, "call"), 0);
	if (number(wait, "owner_tid"))
		printf(", held by %" PRIu64, number(wait, "owner_tid"));
	putchar('\n');
}

void ct_ctl_print_status(const json_t *answer)
{
	const json_t *p = json_object_get(answer, "process"), *c = json_object_get(answer, "collector"), *t;
	size_t i;
	char a[32], what[64];

	recording(p, what, sizeof(what));
	printf("process    %" PRIu64 ", ", number(p, "pid"));
	put(text(p, "command"), 0);
	printf("\nexecutable ");
	put(text(p, "executable"), 0);
	printf("\ntraced     for %s, %" PRIu64 " thread%s\n", duration(number(p, "age_ns"), a), number(p, "threads"),
	       number(p, "threads") == 1 ? "" : "s");
	printf("events     %" PRIu64 ", %" PRIu64 " a second, %" PRIu64 " lost\n", number(p, "events"),
	       number(p, "events_per_s"), number(p, "lost"));
	printf("recording  %s; --min %" PRIu64 "ns, --stacks %s\n", what, number(p, "min_ns"), text(p, "stacks"));
	printf("trace      ");
	put(text(c, "output"), 0);
	printf(", %" PRIu64 " bytes so far, written by process %" PRIu64 "\n", number(c, "file_bytes"), number(c, "pid"));
	if (*text(c, "error")) {
		printf("           it ends early: ");
		put(text(c, "error"), 0);
		putchar('\n');
	}
	printf("\n%7s %-15s %10s  %-10s %s\n", "TID", "NAME", "WAITS FOR", "CAUSE", "CALL");
	json_array_foreach(json_object_get(p, "thread_list"), i, t)
		print_thread(t);
}

void ct_ctl_print_recording(const json_t *processes)
{
	const json_t *p;
	size_t i;
	char what[64];

	json_array_foreach(processes, i, p) {
		recording(p, what, sizeof(what));
		printf("%" PRIu64 ": recording %s, --min %" PRIu64 "ns, --stacks %s\n", number(p, "pid"), what,
		       number(p, "min_ns"), text(p, "stacks"));
	}
}
