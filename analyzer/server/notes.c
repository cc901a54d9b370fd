/* See notes.h. */
#include "notes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FEW_RECORDS     600000u
#define BLANKS_APART_NS 1000u

/* --- rows --- */

int ct_note_add(struct ct_note_row *row, uint64_t least_ns, const struct ct_note *note)
{
	struct ct_note *last = row->note_count ? &row->note[row->note_count - 1] : NULL;

	if (last && !ct_note_is_one(last, least_ns) && !ct_note_is_one(note, least_ns) &&
	    note->start_ns <= last->end_ns + least_ns / 2) {
		last->end_ns = note->end_ns > last->end_ns ? note->end_ns : last->end_ns;
		last->count = last->count + note->count >= last->count ? last->count + note->count : UINT32_MAX;
		last->name = last->name == note->name ? last->name : CT_NO;
		last->task = last->task == note->task ? last->task : CT_NO;
		return 1;
	}
	last = CT_APPEND(row, note);
	if (!last)
		return -ENOMEM;
	*last = *note;
	return 0;
}

void ct_note_merge(struct ct_note_row *row, uint64_t least_ns)
{
	struct ct_note_row to = { .note = row->note, .note_capacity = row->note_capacity };

	/* In its place: what is written has been read. */
	for (uint32_t i = 0; i < row->note_count; i++) {
		struct ct_note note = row->note[i];

		ct_note_add(&to, least_ns, &note);
	}
	row->note_count = to.note_count;
}

static void halve_lines(struct ct_note_lane *l, uint64_t near_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->said_count; i++) {
		struct ct_said s = l->said[i];

		if (n && s.last_ns < l->said[n - 1].ns + near_ns) {
			l->said[n - 1].last_ns = s.last_ns;
			l->said[n - 1].count += s.count;
		} else {
			l->said[n++] = s;
		}
	}
	l->said_count = n;
}

/* There are too many. */
static void halve(struct ct_notes *n)
{
	n->least_ns *= 2;
	n->said_ns = n->said_ns ? n->said_ns * 2 : n->least_ns / 64 + 1;
	n->count = 0;
	for (uint32_t i = 0; i < n->map->m->thread_count; i++) {
		struct ct_note_lane *l = &n->lane[i];

		for (uint32_t d = 0; d < CT_NOTE_DEPTHS; d++) {
			ct_note_merge(&l->row[d], n->least_ns);
			n->count += l->row[d].note_count;
		}
		halve_lines(l, n->said_ns);
		n->count += l->said_count;
	}
}

static void count_one(struct ct_notes *n)
{
	uint64_t whole_ns = n->map->m->end_ns - n->map->m->start_ns;

	n->count++;
	while (n->count > CT_NOTES_MOST && n->least_ns < 2 * whole_ns)
		halve(n);
}

/* --- the whole --- */

static int take_region(void *self, uint32_t thread, const struct ct_open_region *r, uint32_t depth, uint64_t end_ns)
{
	struct ct_notes *n = self;
	struct ct_note note = { r->start_ns, end_ns, r->name, r->task, 1 };
	int error;

	if (depth >= CT_NOTE_DEPTHS || thread >= n->map->m->thread_count)
		return 0;
	error = ct_note_add(&n->lane[thread].row[depth], n->least_ns, &note);
	if (error < 0)
		return error;
	if (!error)
		count_one(n);
	return 0;
}

/* Of one lane. Where there are too many the last one grows: they would be no picture any more. */
static int add_blank(struct ct_notes *n, struct ct_note_lane *l, const struct ct_blank *b)
{
	struct ct_blank *last = l->blank_count ? &l->blank[l->blank_count - 1] : NULL;
	bool near = last && last->kind == b->kind && b->start_ns <= last->end_ns + BLANKS_APART_NS;

	if (near || n->blanks >= CT_NOTES_MOST) {
		if (last && b->end_ns > last->end_ns)
			last->end_ns = b->end_ns;
		return 0;
	}
	last = CT_APPEND(l, blank);
	if (!last)
		return -ENOMEM;
	*last = *b;
	n->blanks++;
	return 0;
}

static int take_blank(void *self, const struct ct_blank *b)
{
	struct ct_notes *n = self;
	const struct ct_model *m = n->map->m;
	uint32_t first = b->thread == CT_NO ? 0 : b->thread, end = b->thread == CT_NO ? m->thread_count : b->thread + 1;
	int error = 0;

	for (uint32_t i = first; i < end && !error; i++) {
		struct ct_blank part = *b;
		uint64_t from_ns, to_ns;

		if (m->thread[i].process != b->process)
			continue;
		ct_life_of(m, i, &from_ns, &to_ns);
		part.start_ns = b->start_ns > from_ns ? b->start_ns : from_ns;
		part.end_ns = b->end_ns < to_ns ? b->end_ns : to_ns;
		if (part.end_ns > part.start_ns)
			error = add_blank(n, &n->lane[i], &part);
	}
	return error;
}

static int take_line(void *self, const struct ct_log_line *line)
{
	struct ct_notes *n = self;
	struct ct_note_lane *l = &n->lane[line->thread];
	struct ct_said *s = l->said_count ? &l->said[l->said_count - 1] : NULL;

	if (s && n->said_ns && line->ns >= s->ns && line->ns < s->ns + n->said_ns) {
		s->last_ns = line->ns;
		s->count++;
		return 0;
	}
	s = CT_APPEND(l, said);
	if (!s)
		return -ENOMEM;
	*s = (struct ct_said){ line->ns, line->ns, 1 };
	count_one(n);
	return 0;
}

int ct_notes_make(struct ct_notes *n, const struct ct_trace_map *map, uint64_t least_ns, bool damaged)
{
	const struct ct_model *m = map->m;
	struct ct_blanks blanks = { .take = take_blank, .self = n };
	struct ct_tasks lines = { .log = take_line, .self = n };
	int error = 0;

	*n = (struct ct_notes){ .map = map, .least_ns = least_ns ? least_ns : 1 };
	if (!m->name_count && !m->recording_count && !damaged)
		return 0;
	n->lane = calloc(m->thread_count + 1u, sizeof(*n->lane));
	if (!n->lane)
		return -ENOMEM;
	if (m->name_count) {
		blanks.marks = ct_marks_open(m, false);
		if (!blanks.marks)
			return -ENOMEM;
		ct_marks_tell(blanks.marks, take_region, n);
	}
	error = ct_blanks_read(&blanks, m, map->reader);
	if (!error && blanks.marks)
		error = ct_marks_finish(blanks.marks, m);
	ct_marks_close(blanks.marks);
	return error ? error : ct_tasks_read(&lines, m, map->reader);
}

void ct_notes_close(struct ct_notes *n)
{
	for (uint32_t i = 0; n->lane && i < n->map->m->thread_count; i++) {
		for (uint32_t d = 0; d < CT_NOTE_DEPTHS; d++)
			free(n->lane[i].row[d].note);
		free(n->lane[i].said);
		free(n->lane[i].blank);
	}
	free(n->lane);
	*n = (struct ct_notes){ 0 };
}

/* --- a window --- */

struct shorts {
	const struct ct_notes *n;
	uint64_t from_ns, to_ns;   /* what they have something in */
	uint64_t near_ns, till_ns; /* and where they begin and end */
	const bool *lane;
	int (*take)(void *self, uint32_t lane, uint32_t depth, const struct ct_note *note);
	void *self;
	struct ct_marks *marks;
	struct ct_events_decoder events;
};

/* How many regions around a moment began before what is read of the trace, and of which task they are. */
static uint32_t around(const struct shorts *k, uint32_t thread, uint64_t ns, uint32_t *ret_task)
{
	uint32_t depth = 0;

	for (uint32_t d = 0; d < CT_NOTE_DEPTHS; d++) {
		const struct ct_note_row *row = &k->n->lane[thread].row[d];
		uint32_t low = 0, high = row->note_count;

		while (low < high) {
			uint32_t middle = low + (high - low) / 2;

			if (row->note[middle].start_ns < k->near_ns)
				low = middle + 1;
			else
				high = middle;
		}
		if (!low || !ct_note_is_one(&row->note[low - 1], k->n->least_ns) || row->note[low - 1].end_ns <= ns)
			continue;
		depth++;
		*ret_task = row->note[low - 1].task;
	}
	return depth;
}

static int take_short(void *self, uint32_t thread, const struct ct_open_region *r, uint32_t depth, uint64_t end_ns)
{
	struct shorts *k = self;
	struct ct_note note = { r->start_ns, end_ns, r->name, r->task, 1 };

	if (end_ns < k->from_ns || r->start_ns >= k->to_ns || ct_note_is_one(&note, k->n->least_ns))
		return 0;
	uint32_t task = CT_NO;

	depth += around(k, thread, r->start_ns, &task);
	if (note.task == CT_NO)
		note.task = task;
	return depth < CT_NOTE_DEPTHS ? k->take(k->self, thread, depth, &note) : 0;
}

static int take_events(struct shorts *k, struct ct_span payload)
{
	const struct ct_model *m = k->n->map->m;
	struct ct_events_decoder *d = &k->events;
	struct ct_events_cursor c;
	int error = ct_events_open(d, payload);

	if (error)
		return error == -EBADMSG ? 0 : error;
	ct_events_cursor(d, &c);
	for (uint32_t i = 0; i < d->batch_count && !error; i++) {
		uint32_t thread = ct_table_get(&m->thread_by_id, d->batch[i].thread) - 1;

		c.end_ns = d->base_ns;
		for (uint32_t n = 0; n < d->batch[i].events && !error; n++) {
			if (ct_events_next(&c))
				return 0;
			if (thread != CT_NO && k->lane[thread] && ct_is_mark(&d->site[c.site]) && c.start_ns >= k->near_ns &&
			    c.start_ns <= k->till_ns)
				error = ct_marks_event(k->marks, m, thread, &d->site[c.site], c.start_ns);
		}
	}
	return error;
}

static bool has_part(const struct shorts *k, const struct ct_chunk_place *p)
{
	return p->kind == CT_CHUNK_EVENTS && p->last_ns >= k->near_ns && p->first_ns <= k->till_ns;
}

static int read_shorts(struct shorts *k, struct ct_reader *r)
{
	const struct ct_trace_map *t = k->n->map;
	int error = 0;

	for (uint32_t i = 0; i < t->chunk_count && !error; i++) {
		struct ct_span payload;
		struct ct_chunk c;

		if (!has_part(k, &t->chunk[i]))
			continue;
		ct_reader_seek(r, t->chunk[i].offset);
		error = ct_reader_next(r, &c);
		if (error <= 0)
			return error;
		error = c.offset == t->chunk[i].offset ? ct_reader_payload(r, &c, &payload) : -EBADMSG;
		if (!error)
			error = take_events(k, payload);
		if (error == -EBADMSG || error == -ENOTSUP) /* damage was counted when the model was loaded */
			error = 0;
	}
	return error;
}

int ct_notes_short(const struct ct_notes *n, uint64_t from_ns, uint64_t to_ns, const bool *lane,
		   int (*take)(void *self, uint32_t lane, uint32_t depth, const struct ct_note *note), void *self)
{
	struct shorts k = { n, from_ns, to_ns, from_ns > n->least_ns ? from_ns - n->least_ns : 0, to_ns + n->least_ns, lane, take,
			    self, ct_marks_open(n->map->m, false), { 0 } };
	struct ct_reader r;
	int error = k.marks ? ct_reader_dup(&r, n->map->reader) : -ENOMEM;

	if (!error) {
		ct_marks_tell(k.marks, take_short, &k);
		error = read_shorts(&k, &r);
		ct_reader_close(&r);
	}
	ct_marks_close(k.marks);
	ct_events_close(&k.events);
	return error;
}

bool ct_notes_are_few(const struct ct_notes *n, uint64_t from_ns, uint64_t to_ns)
{
	from_ns = from_ns > n->least_ns ? from_ns - n->least_ns : 0;
	return ct_trace_map_records(n->map, from_ns, to_ns + n->least_ns) <= FEW_RECORDS;
}

/* --- a moment --- */

struct moment {
	struct ct_note *ret;
	uint64_t ns;
};

static int take_moment(void *self, uint32_t lane, uint32_t depth, const struct ct_note *note)
{
	struct moment *k = self;

	(void)lane;
	if (note->start_ns <= k->ns && k->ns < note->end_ns)
		k->ret[depth] = *note;
	return 0;
}

int ct_notes_at(const struct ct_notes *n, uint32_t lane, uint64_t ns, struct ct_note ret[CT_NOTE_DEPTHS])
{
	struct moment k = { ret, ns };
	bool *wanted;
	int error = 0;

	memset(ret, 0, CT_NOTE_DEPTHS * sizeof(*ret));
	if (!n->lane || !n->map->m->name_count)
		return 0;
	for (uint32_t d = 0; d < CT_NOTE_DEPTHS; d++)
		for (uint32_t i = 0; i < n->lane[lane].row[d].note_count; i++)
			if (ct_note_is_one(&n->lane[lane].row[d].note[i], n->least_ns))
				take_moment(&k, lane, d, &n->lane[lane].row[d].note[i]);
	if (!ct_notes_are_few(n, ns, ns + 1))
		return 0;
	wanted = calloc(n->map->m->thread_count, sizeof(*wanted));
	if (!wanted)
		return -ENOMEM;
	wanted[lane] = true;
	error = ct_notes_short(n, ns, ns + 1, wanted, take_moment, &k);
	free(wanted);
	return error;
}
