/*
 * What is drawn on lanes beside states, in a window, as JSON:
 *
 *   {"generation": N, "gaps": [start, length, ...]: of the scheduler's records,
 *    "lanes": [{"lane", "regions": [start, length, name, task, count, depth, ...],
 *               "lines": [first, last, count, ...], "blanks": [start, length, kind, ...]}],
 *    "names": {"ID": text}}
 *
 * Times are ns since the trace began. Regions that are less than two pieces long, and lines less than a few
 * pieces apart, become one with a count; name and task are -1 where there is none, or they have several. Where
 * there would still be more than NOTES_MOST, more of them do. kind: enum ct_blank_kind.
 *
 * The lines themselves, the first LINES_MOST of a time:
 *
 *   {"lines": [{"lane", "ns", "category", "text"}], "more": whether there are more}
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "json_parts.h"

#define LANES_MOST   256u
#define PIECES_MOST  4096u
#define NOTES_MOST   20000u
#define LINES_MOST   500u
#define LINES_PIECES 4u

struct drawn {
	struct ct_served *s;
	uint64_t from_ns, to_ns, least_ns;
	uint32_t lane[LANES_MOST], lane_count;
	bool *wanted;               /* by thread */
	struct ct_note_lane **note; /* by thread; NULL where it is not wanted */
	json_t *names;
};

static int parse_lanes(struct drawn *d, const char *text)
{
	while (text && *text) {
		char *end;
		unsigned long n = strtoul(text, &end, 10);

		if (end == text || (*end && *end != ',') || n >= d->s->m.thread_count || d->lane_count == LANES_MOST)
			return -EINVAL;
		d->lane[d->lane_count++] = (uint32_t)n;
		text = *end ? end + 1 : end;
	}
	return 0;
}

static int parse_window(struct drawn *d, const struct ct_request *r)
{
	const struct ct_model *m = &d->s->m;
	uint64_t whole = m->end_ns > m->start_ns ? m->end_ns - m->start_ns : 1, from, to, pieces;

	if (ct_api_number(r, "from", whole, 0, &from) || ct_api_number(r, "to", whole + 1, whole, &to) ||
	    ct_api_number(r, "pieces", PIECES_MOST, 1000, &pieces) || !pieces || from >= to ||
	    parse_lanes(d, r->value(r, "lanes")))
		return -EINVAL;
	d->from_ns = m->start_ns + from;
	d->to_ns = m->start_ns + to;
	d->least_ns = (to - from) * 2 / pieces + 1;
	return 0;
}

/* --- regions --- */

static int take_note(void *self, uint32_t lane, uint32_t depth, const struct ct_note *note)
{
	struct drawn *d = self;
	int error = ct_note_add(&d->note[lane]->row[depth], d->least_ns, note);

	return error < 0 ? error : 0;
}

/* Of the coarse picture: all of it, or the long ones alone. */
static int take_lane(struct drawn *d, uint32_t lane, bool only_long)
{
	const struct ct_notes *n = &d->s->notes;
	int error = 0;

	for (uint32_t k = 0; k < CT_NOTE_DEPTHS; k++) {
		const struct ct_note_row *row = &n->lane[lane].row[k];

		for (uint32_t i = 0; i < row->note_count && !error; i++)
			if (row->note[i].end_ns >= d->from_ns && row->note[i].start_ns < d->to_ns &&
			    (!only_long || ct_note_is_one(&row->note[i], n->least_ns)))
				error = take_note(d, lane, k, &row->note[i]);
	}
	return error;
}

static uint64_t notes(const struct drawn *d)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < d->lane_count; i++)
		for (uint32_t k = 0; k < CT_NOTE_DEPTHS; k++)
			sum += d->note[d->lane[i]]->row[k].note_count;
	return sum;
}

static void merge(struct drawn *d)
{
	while (notes(d) > NOTES_MOST && d->least_ns < UINT64_MAX / 4) {
		d->least_ns *= 2;
		for (uint32_t i = 0; i < d->lane_count; i++)
			for (uint32_t k = 0; k < CT_NOTE_DEPTHS; k++)
				ct_note_merge(&d->note[d->lane[i]]->row[k], d->least_ns);
	}
}

static int by_start(const void *x, const void *y)
{
	const struct ct_note *a = x, *b = y;

	return (a->start_ns > b->start_ns) - (a->start_ns < b->start_ns);
}

static int read_notes(struct drawn *d)
{
	struct ct_notes *n = &d->s->notes;
	bool fine = d->least_ns < n->least_ns && ct_notes_are_few(n, d->from_ns, d->to_ns);
	int error = 0;

	for (uint32_t i = 0; i < d->lane_count && !error; i++) {
		uint32_t lane = d->lane[i];

		if (d->wanted[lane])
			continue;
		d->wanted[lane] = true;
		d->note[lane] = calloc(1, sizeof(*d->note[lane]));
		error = d->note[lane] ? take_lane(d, lane, fine) : -ENOMEM;
	}
	if (!error && fine)
		error = ct_notes_short(n, d->from_ns, d->to_ns, d->wanted, take_note, d);
	for (uint32_t i = 0; i < d->lane_count && !error && fine; i++)
		for (uint32_t k = 0; k < CT_NOTE_DEPTHS; k++)
			if (d->note[d->lane[i]]->row[k].note_count)
				qsort(d->note[d->lane[i]]->row[k].note, d->note[d->lane[i]]->row[k].note_count,
				      sizeof(struct ct_note), by_start);
	if (!error)
		merge(d);
	return error;
}

/* --- JSON --- */

static uint64_t after(const struct drawn *d, uint64_t ns)
{
	return ns > d->s->m.start_ns ? ns - d->s->m.start_ns : 0;
}

static void add(json_t *to, uint64_t v)
{
	ct_json_append(to, json_integer((json_int_t)v));
}

static void add_name(struct drawn *d, json_t *to, uint32_t name)
{
	char key[16];

	ct_json_append(to, json_integer(name == CT_NO ? -1 : (json_int_t)name));
	snprintf(key, sizeof(key), "%u", name);
	if (name < d->s->m.name_count && !json_object_get(d->names, key))
		ct_json_text(d->names, key, d->s->m.name[name].text);
}

static json_t *regions_json(struct drawn *d, uint32_t lane)
{
	json_t *array = json_array();

	for (uint32_t k = 0; k < CT_NOTE_DEPTHS; k++)
		for (uint32_t i = 0; i < d->note[lane]->row[k].note_count; i++) {
			const struct ct_note *n = &d->note[lane]->row[k].note[i];

			add(array, after(d, n->start_ns));
			add(array, n->end_ns - n->start_ns);
			add_name(d, array, n->name);
			add_name(d, array, n->task);
			add(array, n->count);
			add(array, k);
		}
	return array;
}

static json_t *lines_json(struct drawn *d, const struct ct_note_lane *l)
{
	json_t *array = json_array();
	uint64_t near_ns = d->least_ns / 2 * LINES_PIECES;

	for (uint32_t i = 0; i < l->said_count;) {
		struct ct_said s = l->said[i++];

		if (s.last_ns < d->from_ns || s.ns >= d->to_ns)
			continue;
		for (; i < l->said_count && l->said[i].ns >= s.ns && l->said[i].ns <= s.ns + near_ns; i++) {
			s.last_ns = l->said[i].last_ns;
			s.count += l->said[i].count;
		}
		add(array, after(d, s.ns));
		add(array, s.last_ns > s.ns ? after(d, s.last_ns) : after(d, s.ns));
		add(array, s.count);
	}
	return array;
}

/* Those that are nearer than a piece are one. */
static json_t *blanks_json(struct drawn *d, const struct ct_note_lane *l)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < l->blank_count;) {
		struct ct_blank b = l->blank[i++];

		if (b.end_ns <= d->from_ns || b.start_ns >= d->to_ns)
			continue;
		for (; i < l->blank_count && l->blank[i].kind == b.kind && l->blank[i].start_ns >= b.start_ns &&
		       l->blank[i].start_ns <= b.end_ns + d->least_ns / 2; i++)
			b.end_ns = l->blank[i].end_ns > b.end_ns ? l->blank[i].end_ns : b.end_ns;
		add(array, after(d, b.start_ns));
		add(array, b.end_ns - b.start_ns);
		add(array, b.kind);
	}
	return array;
}

static json_t *gaps_json(struct drawn *d)
{
	const struct ct_gaps *g = &d->s->m.gaps;
	json_t *array = json_array();

	for (uint32_t i = 0; i < g->gap_count;) {
		uint64_t from_ns = g->gap[i].from_ns, to_ns = g->gap[i++].to_ns;

		if (to_ns <= d->from_ns || from_ns >= d->to_ns)
			continue;
		for (; i < g->gap_count && g->gap[i].from_ns <= to_ns + d->least_ns / 2; i++)
			to_ns = g->gap[i].to_ns;
		add(array, after(d, from_ns));
		add(array, to_ns - from_ns);
	}
	return array;
}

static json_t *drawn_json(struct drawn *d)
{
	json_t *o = json_object(), *lanes = json_array();

	d->names = json_object();
	for (uint32_t i = 0; i < d->lane_count && d->note; i++) {
		uint32_t lane = d->lane[i];
		json_t *l = json_object();

		ct_json_number(l, "lane", lane);
		ct_json_set(l, "regions", regions_json(d, lane));
		ct_json_set(l, "lines", lines_json(d, &d->s->notes.lane[lane]));
		ct_json_set(l, "blanks", blanks_json(d, &d->s->notes.lane[lane]));
		ct_json_append(lanes, l);
	}
	ct_json_number(o, "generation", d->s->generation);
	ct_json_set(o, "gaps", gaps_json(d));
	ct_json_set(o, "lanes", lanes);
	ct_json_set(o, "names", d->names);
	return o;
}

void ct_api_notes(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret)
{
	struct drawn d = { .s = s };
	int error = 0;

	if (parse_window(&d, r)) {
		ct_api_say(ret, 400, "from, to, pieces or lanes make no sense");
		return;
	}
	if (s->notes.lane) {
		d.wanted = calloc(s->m.thread_count + 1u, sizeof(*d.wanted));
		d.note = calloc(s->m.thread_count + 1u, sizeof(*d.note));
		error = d.wanted && d.note ? read_notes(&d) : -ENOMEM;
	}
	ct_json_begin();
	if (error)
		ct_api_say(ret, 500, strerror(-error));
	else
		ct_api_json(ret, drawn_json(&d));
	for (uint32_t i = 0; i < s->m.thread_count && d.note; i++) {
		for (uint32_t k = 0; k < CT_NOTE_DEPTHS && d.note[i]; k++)
			free(d.note[i]->row[k].note);
		free(d.note[i]);
	}
	free(d.note);
	free(d.wanted);
}

/* --- lines --- */

struct lines {
	struct ct_served *s;
	uint64_t lane, from_ns, to_ns; /* lane UINT64_MAX: all */
	json_t *array;
	uint32_t count;
	bool more;
};

static int take_line(void *self, const struct ct_log_line *line)
{
	struct lines *k = self;
	const struct ct_model *m = &k->s->m;
	json_t *o;

	if ((k->lane != UINT64_MAX && line->thread != k->lane) || line->ns < k->from_ns || line->ns > k->to_ns)
		return 0;
	k->more = k->count == LINES_MOST;
	if (k->more)
		return 1;
	k->count++;
	o = json_object();
	ct_json_number(o, "lane", line->thread);
	ct_json_number(o, "ns", line->ns > m->start_ns ? line->ns - m->start_ns : 0);
	ct_json_text(o, "category", m->name[line->category].text);
	ct_json_text(o, "text", line->message);
	ct_json_append(k->array, o);
	return 0;
}

void ct_api_lines(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret)
{
	const struct ct_model *m = &s->m;
	uint64_t whole = m->end_ns > m->start_ns ? m->end_ns - m->start_ns : 1, from, to;
	struct lines k = { .s = s };
	struct ct_tasks pass = { .log = take_line, .self = &k };

	if (ct_api_number(r, "from", whole, 0, &from) || ct_api_number(r, "to", whole + 1, whole, &to) || from > to ||
	    ct_api_number(r, "lane", UINT32_MAX, UINT64_MAX, &k.lane)) {
		ct_api_say(ret, 400, "lane, from or to make no sense");
		return;
	}
	k.from_ns = m->start_ns + from;
	k.to_ns = m->start_ns + to;
	ct_json_begin();
	k.array = json_array();
	int error = ct_tasks_read(&pass, m, &s->context->reader);
	json_t *o = json_object();

	ct_json_set(o, "lines", k.array);
	ct_json_set(o, "more", json_boolean(k.more));
	if (error < 0) {
		json_decref(o);
		ct_api_say(ret, 500, strerror(-error));
	} else {
		ct_api_json(ret, o);
	}
}
