/* The tasks that records tell of. See slices.h. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "slices.h"

#define ROOM_LEAST 256u

struct ct_sched_task *ct_sched_find(struct ct_sched *s, uint32_t tid)
{
	uint32_t at = ct_map_get(&s->by_tid, tid);

	return at ? &s->task[at - 1] : NULL;
}

/* Its end may have been lost. */
static bool is_over(const struct ct_sched_task *t)
{
	if (t->running)
		return false;
	return t->gone || (syscall(SYS_tgkill, t->pid, t->tid, 0) && errno == ESRCH);
}

/* Forgets tasks that have ended. */
static int compact(struct ct_sched *s)
{
	struct ct_map map = { 0 };
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->task_count; i++)
		s->task[i].gone = is_over(&s->task[i]);
	for (uint32_t i = 0; i < s->task_count; i++)
		if (!s->task[i].gone && ct_map_put(&map, s->task[i].tid, ++kept)) {
			ct_map_free(&map);
			return -ENOMEM;
		}
	kept = 0;
	for (uint32_t i = 0; i < s->task_count; i++) {
		const struct ct_sched_task *t = &s->task[i];

		if (t->gone)
			continue;
		if (t->running)
			s->cpu[t->cpu].running = kept + 1;
		s->task[kept++] = *t;
	}
	s->task_count = kept;
	ct_map_free(&s->by_tid);
	s->by_tid = map;
	return 0;
}

static int make_room(struct ct_sched *s)
{
	if (s->task_count < s->task_room)
		return 0;
	if (s->task_room && compact(s))
		return -ENOMEM;
	if (s->task_room && s->task_count <= s->task_room / 2)
		return 0;
	uint32_t room = s->task_room ? s->task_room * 2 : ROOM_LEAST;
	struct ct_sched_task *larger = realloc(s->task, room * sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	s->task = larger;
	s->task_room = room;
	return 0;
}

struct ct_sched_task *ct_sched_task(struct ct_sched *s, uint32_t pid, uint32_t tid)
{
	struct ct_sched_task *t = ct_sched_find(s, tid);

	/* 0 is the idle task; -1 one whose number was taken from it already. */
	if (t || !tid || tid == UINT32_MAX)
		return t;
	if (make_room(s) || ct_map_put(&s->by_tid, tid, s->task_count + 1))
		return NULL;
	t = &s->task[s->task_count++];
	*t = (struct ct_sched_task){ .pid = pid, .tid = tid };
	return t;
}
