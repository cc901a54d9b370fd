/* Slices and the lives of threads. See model_switches.h. */
#include "model_switches.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"

#define AHEAD_NS CT_SLICES_AHEAD_NS
/* A batch of events is written when it is a second old; later where there are
 * many processes, up to 15 s. */
#define BEHIND_NS     2000000000ull
#define BEHIND_MAX_NS 16000000000ull
/* From its first slice until the writer notices a thread. */
#define NEWBORN_NS    1000000000ull
#define CPUS_MAX      4096u
#define WAKERS_MAX    65536u

const struct ct_ready ct_ready_none;

void ct_slices_count(struct ct_model *m, const struct ct_chunk_header *h)
{
	m->slices += h->count;
	if (h->first_ns < m->slices_from_ns)
		m->slices_from_ns = h->first_ns;
	if (h->last_ns > m->slices_to_ns)
		m->slices_to_ns = h->last_ns;
}

int ct_slices_gaps(struct ct_model *m, struct ct_switches_decoder *d, struct ct_span payload)
{
	int error = ct_switches_open(d, payload);

	for (uint32_t i = 0; i < d->gap_count && !error; i++) {
		const struct ct_gap *g = &d->gap[i];

		if (g->from_ns > INT64_MAX || g->to_ns > INT64_MAX)
			continue;
		m->gap_records += !m->window || (g->to_ns >= m->from_ns && g->from_ns <= m->to_ns);
		error = ct_gaps_add(&m->gaps, g->from_ns, g->to_ns);
	}
	return error;
}

/* --- lives --- */

static int by_tid(const void *x, const void *y, void *model)
{
	const struct ct_model *m = model;
	const struct ct_thread_info *a = &m->thread[*(const uint32_t *)x], *b = &m->thread[*(const uint32_t *)y];

	if (a->tid != b->tid)
		return a->tid < b->tid ? -1 : 1;
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

static uint64_t end_of_life(const struct ct_model *m, uint32_t thread)
{
	const struct ct_thread_info *t = &m->thread[thread];
	const struct ct_process_info *p = &m->process[t->process];

	return t->ended ? t->end_ns : p->ended ? p->end_ns : m->end_ns;
}

static void begin_life(struct ct_model *m, uint32_t thread, uint64_t start_ns)
{
	uint64_t end_ns = end_of_life(m, thread);

	ct_timeline_begin(&m->states[thread].line, start_ns > m->from_ns ? start_ns : m->from_ns,
			  end_ns < m->to_ns ? end_ns : m->to_ns, m->slices_from_ns);
}

/* Whether the slices are to say what a thread did. */
static bool has_life(const struct ct_model *m, uint32_t thread)
{
	return m->thread[thread].selected && m->thread[thread].started;
}

static int order_lives(struct ct_slice_pass *p, struct ct_model *m)
{
	uint32_t n = 0;

	free(p->order);
	p->order = calloc(m->thread_count + 1u, sizeof(*p->order));
	if (!p->order)
		return -ENOMEM;
	ct_table_free(&p->by_tid);
	for (uint32_t i = 0; i < m->thread_count; i++)
		if (has_life(m, i))
			p->order[n++] = i;
	qsort_r(p->order, n, sizeof(*p->order), by_tid, m);
	/* The end of the last one's namesakes. */
	p->order[n] = CT_NO;
	while (n--)
		if (ct_table_put(&p->by_tid, m->thread[p->order[n]].tid, n + 1))
			return -ENOMEM;
	return 0;
}

static int make_lives(struct ct_slice_pass *p, struct ct_model *m)
{
	m->states = calloc(m->thread_count + 1u, sizeof(*m->states));
	if (!m->states)
		return -ENOMEM;
	m->states_count = m->thread_count;
	for (uint32_t i = 0; i < m->thread_count; i++)
		if (has_life(m, i))
			begin_life(m, i, m->thread[i].start_ns);
	return order_lives(p, m);
}

int ct_slices_more(struct ct_slice_pass *p, struct ct_model *m, uint64_t file_bytes)
{
	struct ct_states *grown = realloc(m->states, (m->thread_count + 1u) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	m->states = grown;
	memset(grown + m->states_count, 0, (m->thread_count + 1u - m->states_count) * sizeof(*grown));
	m->states_count = m->thread_count;
	for (uint32_t i = 0; i < m->thread_count; i++) {
		if (!has_life(m, i))
			continue;
		if (!grown[i].line.to_ns)
			begin_life(m, i, m->thread[i].start_ns);
		else if (grown[i].line.state != CT_STATE_DEAD)
			grown[i].line.to_ns = end_of_life(m, i);
	}
	ct_reader_grow(&p->reader, file_bytes);
	p->at_end = false;
	return order_lives(p, m);
}

int ct_slices_open(struct ct_slice_pass *p, struct ct_model *m, const struct ct_reader *r)
{
	*p = (struct ct_slice_pass){ .reader.fd = -1 };
	int error = ct_reader_dup(&p->reader, r);

	p->want = (struct ct_want){ .kinds = CT_WANT(CT_CHUNK_SWITCHES), .sound = true };
	if (!error)
		error = make_lives(p, m);
	if (!error && m->window && !r->whole) {
		p->want.from_ns = m->from_ns;
		p->want.to_ns = m->to_ns;
		error = ct_slices_before(p, m);
		ct_reader_rewind(&p->reader);
	}
	if (!error)
		ct_reader_ahead(&p->reader, &p->want);
	return error;
}

void ct_slices_close(struct ct_slice_pass *p)
{
	ct_reader_close(&p->reader);
	ct_switches_close(&p->decoder);
	free(p->task);
	free(p->waker);
	free(p->order);
	ct_table_free(&p->by_tid);
	*p = (struct ct_slice_pass){ .reader.fd = -1 };
}

/* --- what a slice says beside the states --- */

static struct ct_cpu_info *cpu_of(struct ct_model *m, uint32_t number)
{
	uint32_t at = ct_table_get(&m->cpu_by_number, number);

	if (at)
		return &m->cpu[at - 1];
	if (m->cpu_count >= CPUS_MAX)
		return &m->cpu[0];
	struct ct_cpu_info *c = CT_APPEND(m, cpu);

	if (!c || ct_table_put(&m->cpu_by_number, number, m->cpu_count))
		return NULL;
	c->number = number;
	return c;
}

/* 1 + the place of a waker, or 0 where there are too many; CT_NO without memory. */
static __attribute__((noinline)) uint32_t find_waker(struct ct_model *m, uint32_t tid, uint32_t flags)
{
	/* Whom a hardware interrupt met does not matter. */
	uint64_t key = (uint64_t)(flags & CT_SL_HARDIRQ ? 0 : tid) << 8 | flags;
	uint32_t at = ct_table_get(&m->waker_by_key, key);

	if (at || m->waker_count >= WAKERS_MAX)
		return at;
	struct ct_waker_info *w = CT_APPEND(m, waker);

	if (!w || ct_table_put(&m->waker_by_key, key, m->waker_count))
		return CT_NO;
	w->tid = flags & CT_SL_HARDIRQ ? 0 : tid;
	w->flags = flags;
	return m->waker_count;
}

static inline int add_waker(struct ct_model *m, struct ct_slice_pass *p, const struct ct_slice *s, uint64_t ready_ns)
{
	const struct ct_switches_task *by = &p->decoder.task[s->waker];
	uint32_t flags = s->flags & (CT_SL_SOFTIRQ | CT_SL_HARDIRQ);
	uint32_t *at = &p->waker[s->waker * 4u + flags / CT_SL_SOFTIRQ];

	if (__builtin_expect(!*at, 0)) {
		*at = find_waker(m, by->tid, flags);
		if (*at == CT_NO)
			return -ENOMEM;
		if (!*at)
			return 0;
	}
	struct ct_waker_info *w = &m->waker[*at - 1];

	w->pid = by->pid;
	w->count++;
	w->total_ns += ready_ns;
	w->max_ns = ready_ns > w->max_ns ? ready_ns : w->max_ns;
	return 0;
}

static inline __attribute__((always_inline)) int add_turn(struct ct_model *m, struct ct_slice_pass *p,
							  struct ct_states *st, const struct ct_slice *s,
							  const struct ct_turn *turn)
{
	if (turn->ran_ns) {
		/* Mostly they come in the order of their numbers. */
		struct ct_cpu_info *cpu = s->cpu < m->cpu_count && m->cpu[s->cpu].number == s->cpu ?
			&m->cpu[s->cpu] : cpu_of(m, s->cpu);

		if (!cpu)
			return -ENOMEM;
		cpu->running_ns += turn->ran_ns;
	}
	if (s->start_ns >= st->line.from_ns && s->start_ns < m->to_ns) {
		st->migrations += st->placed && st->cpu != s->cpu;
		/* Which of them cannot be foreseen: a choice costs less than a jump. */
		if (__builtin_expect(!st->ready, 0) && !(st->ready = calloc(1, sizeof(*st->ready))))
			return -ENOMEM;
		struct ct_delays *d = turn->ready_ns ? &st->ready->preempted : &p->other;

		ct_delays_add(turn->woken ? &st->ready->wakes : d, turn->ready_ns);
		if (turn->woken && add_waker(m, p, s, turn->ready_ns))
			return -ENOMEM;
	}
	if (s->end_ns >= st->line.from_ns && s->end_ns < m->to_ns) {
		st->sleeps += s->end == CT_SLICE_BLOCKED;
		st->preemptions += s->end == CT_SLICE_PREEMPTED;
	}
	st->cpu = s->cpu;
	st->placed = true;
	return 0;
}

/* --- the stream --- */

/* The place of the first thread with a task's number that lives after a moment:
 * numbers are used again, and exec keeps them. CT_NO: none. */
static uint32_t place_of(struct ct_slice_pass *p, struct ct_model *m, uint32_t task, uint64_t start_ns)
{
	uint32_t at = p->task[task];

	if (at == CT_NO)
		at = p->task[task] = ct_table_get(&p->by_tid, p->decoder.task[task].tid);
	if (!at)
		return CT_NO;
	const struct ct_thread_info *t = &m->thread[p->order[at - 1]];

	while (m->states[p->order[at - 1]].line.to_ns <= start_ns && p->order[at] != CT_NO &&
	       m->thread[p->order[at]].tid == t->tid) {
		at++;
		p->task[task] = at;
		if (ct_table_put(&p->by_tid, t->tid, at))
			return CT_NO;
	}
	return at - 1;
}

/*
 * Threads come to the writer's notice a little after they began to run. Their
 * first slice tells; a main thread's may be of the program before exec. On a busy
 * machine a new thread can lose its CPU before: then that is a slice shortly
 * before, and not the last one of an earlier thread with its number.
 */
static void find_begin(struct ct_model *m, uint32_t thread, const struct ct_slice *s, uint32_t pid)
{
	const struct ct_thread_info *t = &m->thread[thread];
	const struct ct_process_info *p = &m->process[t->process];
	bool woken = s->flags & CT_SL_WOKEN;
	uint64_t from_ns = woken ? s->woken_ns : s->start_ns;

	if (m->states[thread].line.piece_count || t->tid == p->pid || pid != p->pid || from_ns >= t->start_ns ||
	    from_ns < p->start_ns)
		return;
	if (s->end_ns < t->start_ns && (!woken || s->end == CT_SLICE_EXITED || t->start_ns - s->end_ns > NEWBORN_NS))
		return;
	begin_life(m, thread, from_ns);
}

int ct_slices_take(struct ct_slice_pass *p, struct ct_model *m, const struct ct_slice *s)
{
	uint32_t at = place_of(p, m, s->task, s->start_ns);
	const struct ct_switches_task *task = &p->decoder.task[s->task];

	if (ct_slice_is_odd(s)) {
		m->bad_slices++;
		return 0;
	}
	for (; at != CT_NO && p->order[at] != CT_NO && m->thread[p->order[at]].tid == task->tid; at++) {
		uint32_t thread = p->order[at];
		struct ct_states *st = &m->states[thread];
		struct ct_turn turn;

		/* It was an earlier thread after all. */
		if (s->end == CT_SLICE_EXITED && s->end_ns < m->thread[thread].start_ns &&
		    st->line.from_ns < m->thread[thread].start_ns) {
			ct_timeline_free(&st->line);
			begin_life(m, thread, m->thread[thread].start_ns);
		}
		if (!st->line.begun)
			find_begin(m, thread, s, task->pid);
		int error = ct_timeline_slice(&st->line, s, &m->gaps, m->wakes, m->exact_ns, &turn);

		if (!error)
			error = add_turn(m, p, st, s, &turn);
		/* A slice goes on in the next program only through exec. */
		if (error || s->end_ns <= st->line.to_ns)
			return error;
	}
	return 0;
}

/* The same for the usual slice: of a thread that had some before, in its life. False: it
 * is none; nothing was done. */
static inline bool take_usual(struct ct_slice_pass *p, struct ct_model *m, const struct ct_slice *s, int *ret_error)
{
	uint32_t at = p->task[s->task];

	if (at == CT_NO)
		return false;
	*ret_error = 0;
	if (!at) /* not a selected one */
		return true;
	struct ct_states *st = &m->states[p->order[at - 1]];
	struct ct_turn turn;

	if (!st->line.begun || st->line.to_ns <= s->start_ns || st->line.to_ns < s->end_ns ||
	    !ct_timeline_usual(&st->line, s, &m->gaps, &turn))
		return false;
	*ret_error = add_turn(m, p, st, s, &turn);
	return true;
}

static int take_block(struct ct_slice_pass *p, struct ct_model *m, const struct ct_slice_block *b, uint32_t n)
{
	int error = 0;

	for (uint32_t i = 0; i < n && !error; i++)
		if (b->odd || !take_usual(p, m, &b->slice[i], &error))
			error = ct_slices_take(p, m, &b->slice[i]);
	return error;
}

/* Whether what was taken in is what the chunk's header says. */
static bool is_right(const struct ct_switches_decoder *d, const struct ct_chunk_header *h, uint64_t first_ns,
		     uint64_t last_ns)
{
	for (uint32_t i = 0; i < d->gap_count; i++) {
		first_ns = d->gap[i].from_ns < first_ns ? d->gap[i].from_ns : first_ns;
		last_ns = d->gap[i].to_ns > last_ns ? d->gap[i].to_ns : last_ns;
	}
	return (!h->count && !d->gap_count) || (first_ns == h->first_ns && last_ns == h->last_ns);
}

int ct_slices_tasks(struct ct_slice_pass *p)
{
	uint32_t n = p->decoder.task_count;
	uint32_t *task = ct_grow(p->task, &p->task_capacity, n + 1u, sizeof(*task));

	if (!task)
		return -ENOMEM;
	p->task = task;
	uint32_t *waker = ct_grow(p->waker, &p->waker_capacity, (n + 1ull) * 4, sizeof(*waker));

	if (!waker)
		return -ENOMEM;
	p->waker = waker;
	memset(waker, 0, n * 4 * sizeof(*waker));
	for (uint32_t i = 0; i < n; i++)
		task[i] = CT_NO;
	return 0;
}

static int take_chunk(struct ct_slice_pass *p, struct ct_model *m, struct ct_span payload,
		      const struct ct_chunk_header *h)
{
	struct ct_switches_decoder *d = &p->decoder;
	uint64_t first_ns = UINT64_MAX, last_ns = 0, count = h->count;
	struct ct_slice_block b;
	int error = ct_switches_open(d, payload);

	if (error) /* counted in the first pass */
		return error == -EBADMSG ? 0 : error;
	if (!ct_reader_sound(&p->reader) && (!ct_slices_sound(d, &count) || count != h->count))
		return -EBADMSG;
	if (ct_slices_tasks(p))
		return -ENOMEM;
	const bool small = ct_slices_small(d);

	for (uint32_t n; count; count -= n) {
		n = count < CT_BLOCK_MAX ? (uint32_t)count : CT_BLOCK_MAX;
		ct_slice_block(d, n, small, &b);
		first_ns = b.first_ns < first_ns ? b.first_ns : first_ns;
		last_ns = b.last_ns > last_ns ? b.last_ns : last_ns;
		if (take_block(p, m, &b, n))
			return -ENOMEM;
	}
	return is_right(d, h, first_ns, last_ns) ? 0 : -EBADMSG;
}

static uint64_t behind_ns(const struct ct_model *m)
{
	uint64_t ns = BEHIND_NS + 125000000ull * m->process_count;

	return ns < BEHIND_MAX_NS ? ns : BEHIND_MAX_NS;
}

int ct_slices_until(struct ct_slice_pass *p, struct ct_model *m, struct ct_reader *r, uint64_t ns)
{
	uint64_t until_ns = ns < UINT64_MAX - AHEAD_NS ? ns + AHEAD_NS : UINT64_MAX, old_ns = behind_ns(m) + AHEAD_NS;
	struct ct_chunk c;
	struct ct_span payload;

	while (!p->at_end && p->seen_ns < until_ns) {
		int error = ct_reader_next(&p->reader, &c);

		p->at_end = error <= 0;
		if (error <= 0)
			return error;
		if (c.header.kind != CT_CHUNK_SWITCHES)
			continue;
		if (c.header.last_ns > p->seen_ns)
			p->seen_ns = c.header.last_ns;
		m->exact_ns = p->seen_ns > old_ns ? p->seen_ns - old_ns : 0;
		if (!ct_is_wanted(&p->want, &c.header))
			continue;
		error = ct_reader_payload(&p->reader, &c, &payload);
		if (error == -EBADMSG || error == -ENOTSUP)
			continue; /* counted in the first pass */
		if (!error)
			error = take_chunk(p, m, payload, &c.header);
		if (error == -EBADMSG)
			ct_reader_damage(r, c.offset, "the slices of a chunk make no sense");
		else if (error)
			return error;
	}
	return 0;
}

int ct_slices_end(struct ct_model *m)
{
	int error = 0;

	/* Of a trace that was cut the last second is missing. */
	uint64_t known_ns = m->has_end ? UINT64_MAX : m->slices_to_ns - (m->slices_to_ns > 1000000000 ? 1000000000 : 0);

	for (uint32_t i = 0; i < m->states_count && !error; i++) {
		struct ct_timeline *t = &m->states[i].line;

		error = ct_timeline_until(t, known_ns, &m->gaps, m->wakes, m->exact_ns);
		if (t->now_ns < t->to_ns && t->state != CT_STATE_DEAD)
			t->state = CT_STATE_UNKNOWN;
		if (!error)
			error = ct_timeline_until(t, UINT64_MAX, &m->gaps, m->wakes, m->exact_ns);
	}
	return error;
}

int ct_slices_finish(struct ct_slice_pass *p, struct ct_model *m, struct ct_reader *r)
{
	int error = ct_slices_until(p, m, r, UINT64_MAX);

	return error ? error : ct_slices_end(m);
}
