/* See blanks.h. */
#include "blanks.h"

#include <errno.h>
#include <stdlib.h>

/* Pieces that follow each other are one. */
#define APART_NS 1000u

bool ct_blanks_matter(const struct ct_model *m, const struct ct_reader *r)
{
	return m->recording_count || r->damaged;
}

static int tell(struct ct_blanks *b, uint32_t thread)
{
	struct ct_blank_piece *p = &b->piece[thread];
	struct ct_blank blank = { p->start_ns, p->end_ns, thread, b->m->thread[thread].process, CT_BLANK_OFF };

	if (!p->end_ns)
		return 0;
	*p = (struct ct_blank_piece){ 0 };
	return b->take(b->self, &blank);
}

static int take_piece(struct ct_blanks *b, uint32_t thread, uint64_t start_ns, uint64_t end_ns)
{
	struct ct_blank_piece *p = &b->piece[thread];
	int error = 0;

	if (end_ns <= start_ns || (p->end_ns && end_ns <= p->end_ns))
		return 0;
	if (p->end_ns && start_ns <= p->end_ns + APART_NS) {
		p->end_ns = end_ns;
		return 0;
	}
	error = tell(b, thread);
	*p = (struct ct_blank_piece){ start_ns, end_ns };
	return error;
}

static int take_events(struct ct_blanks *b, struct ct_events_decoder *d, struct ct_span payload)
{
	struct ct_events_cursor c;
	int error = ct_events_open(d, payload);

	if (error)
		return error == -EBADMSG ? 0 : error; /* counted when the model was loaded */
	ct_events_cursor(d, &c);
	for (uint32_t i = 0; i < d->batch_count && !error; i++) {
		uint32_t thread = ct_table_get(&b->m->thread_by_id, d->batch[i].thread) - 1;

		c.end_ns = d->base_ns;
		for (uint32_t k = 0; k < d->batch[i].events && !error; k++) {
			if (ct_events_next(&c))
				return 0;
			const struct ct_site *s = &d->site[c.site];

			if (thread == CT_NO || c.end_ns < c.start_ns || c.end_ns > INT64_MAX)
				continue;
			if (s->kind == CT_EVENT_INTERVAL && b->m->cause[s->cause].is_gap)
				error = take_piece(b, thread, c.start_ns, c.end_ns);
			else if (b->marks && ct_is_mark(s))
				error = ct_marks_event(b->marks, b->m, thread, s, c.start_ns);
		}
	}
	return error;
}

/* The chunk says of which time its events were; a wait that ends in it can have begun long before. */
static int take_damage(struct ct_blanks *b, const struct ct_chunk *c, uint32_t process)
{
	struct ct_blank blank = { c->header.first_ns, c->header.last_ns, CT_NO, process, CT_BLANK_DAMAGED };

	if (blank.start_ns < b->seen_ns[process])
		blank.start_ns = b->seen_ns[process];
	if (blank.end_ns > b->m->end_ns)
		blank.end_ns = b->m->end_ns;
	return blank.end_ns > blank.start_ns ? b->take(b->self, &blank) : 0;
}

static int take_chunk(struct ct_blanks *b, struct ct_events_decoder *d, struct ct_reader *r, const struct ct_chunk *c)
{
	uint32_t process = ct_table_get(&b->m->process_by_id, c->header.process) - 1;
	struct ct_span payload;
	int error;

	if (c->header.kind != CT_CHUNK_EVENTS || process == CT_NO)
		return 0;
	error = ct_reader_payload(r, c, &payload);
	if (error == -EBADMSG)
		error = take_damage(b, c, process);
	else if (error == -ENOTSUP)
		error = 0;
	else if (!error)
		error = take_events(b, d, payload);
	if (c->header.last_ns > b->seen_ns[process] && c->header.last_ns <= INT64_MAX)
		b->seen_ns[process] = c->header.last_ns;
	return error;
}

int ct_blanks_read(struct ct_blanks *b, const struct ct_model *m, const struct ct_reader *reader)
{
	struct ct_events_decoder d = { 0 };
	struct ct_reader r; /* of its own: damage has been counted */
	struct ct_chunk c;
	int found = 0, error = ct_reader_dup(&r, reader);

	if (error)
		return error;
	b->m = m;
	b->piece = calloc(m->thread_count + 1u, sizeof(*b->piece));
	b->seen_ns = calloc(m->process_count + 1u, sizeof(*b->seen_ns));
	if (!b->piece || !b->seen_ns)
		error = -ENOMEM;
	while (!error && (found = ct_reader_next(&r, &c)) > 0)
		error = take_chunk(b, &d, &r, &c);
	for (uint32_t i = 0; i < m->thread_count && !error; i++)
		error = tell(b, i);
	free(b->piece);
	free(b->seen_ns);
	ct_events_close(&d);
	ct_reader_close(&r);
	return error ? error : found < 0 ? found : 0;
}
