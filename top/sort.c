/* The order of threads, and which are shown. See top.h. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "top.h"

const struct ct_top_column ct_top_columns[] = {
	{ "tid", "TID", 'N' },	     { "name", "NAME", 0 },	   { "state", "S", 0 },	      { "run", "%RUN", 'P' },
	{ "ready", "%RDY", 'R' },    { "blocked", "%BLK", 'B' },  { "age", "AGE", 'A' },      { "cause", "WAITS FOR", 'C' },
	{ NULL, NULL, 0 },
};

int ct_top_column_of(const char *key)
{
	for (int i = 0; ct_top_columns[i].key; i++)
		if (!strcasecmp(key, ct_top_columns[i].key) || !strcasecmp(key, ct_top_columns[i].title))
			return i;
	return -1;
}

static int sort_column;

static int numbers(double a, double b)
{
	return (a < b) - (a > b);
}

static int compare(const void *a, const void *b)
{
	const struct ct_top_thread *x = a, *y = b;
	int order = 0;

	switch (sort_column) {
	case 1:
		order = strcmp(x->name, y->name);
		break;
	case 2:
		order = strchr("RrB?", x->state) - strchr("RrB?", y->state);
		break;
	case 3:
		order = numbers(x->running, y->running);
		break;
	case 4:
		order = numbers(x->ready, y->ready);
		break;
	case 5:
		order = numbers(x->blocked, y->blocked);
		break;
	case 6:
		order = (x->age_ns < y->age_ns) - (x->age_ns > y->age_ns);
		break;
	case 7:
		order = (int)x->wait.cause - (int)y->wait.cause;
		break;
	}
	/* Rows that are the same stay where they are. */
	return order ? order : (x->tid > y->tid) - (x->tid < y->tid);
}

void ct_top_sort(struct ct_picture *p, int column, bool reverse)
{
	sort_column = column;
	if (p->thread_count)
		qsort(p->thread, p->thread_count, sizeof(*p->thread), compare);
	for (uint32_t i = 0; reverse && i < p->thread_count / 2; i++) {
		struct ct_top_thread t = p->thread[i];

		p->thread[i] = p->thread[p->thread_count - 1 - i];
		p->thread[p->thread_count - 1 - i] = t;
	}
	for (uint32_t i = 0; i < p->thread_count; i++)
		ct_table_put(&p->by_tid, (uint64_t)p->thread[i].tid, i + 1);
}

bool ct_top_shown(const struct ct_top_thread *th, const char *filter)
{
	char *end;

	if (!filter || !*filter)
		return true;
	long tid = strtol(filter, &end, 10);

	if (!*end && tid == th->tid)
		return true;
	return !fnmatch(filter, th->name, 0) || (!strpbrk(filter, "*?[") && strstr(th->name, filter));
}
