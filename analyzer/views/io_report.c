/* See io_report.h. */
#include "io_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"
#include "report_sort.h"

bool ct_io_is_cause(const struct ct_model *m, uint32_t cause, bool *ret_idle)
{
	static const char *const idle[] = { "accept", "poll", "eventfd", "msgqueue" };
	const char *name = ct_model_cause_name(m, cause);

	*ret_idle = false;
	for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++)
		*ret_idle |= !strcmp(name, idle[i]);
	return *ret_idle || !strcmp(ct_model_category(m, cause), "io");
}

static uint64_t hash_text(const char *text, size_t n, uint64_t h)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)text[i]) * 0x100000001b3ull;
	return ct_mix(h) | 1;
}

/* --- labels --- */

static int note_listeners(struct ct_io_report *io)
{
	const struct ct_model *m = io->m;

	for (uint32_t i = 0; i < m->descriptor_count; i++) {
		const char *label = m->descriptor[i].label;

		if (m->descriptor[i].kind == CT_FD_SOCKET && *label && !strstr(label, " -> ") &&
		    ct_table_put(&io->listens, hash_text(label, strlen(label), 1), 1))
			return -ENOMEM;
	}
	return 0;
}

/* The port that a system chose for the other end of a connection says nothing: connections to one server, or
 * from one host to ours, count together. */
static char *put_together(const struct ct_io_report *io, const char *label)
{
	const char *arrow = strstr(label, " -> ");
	char *text = NULL;
	int n = 0;

	if (!arrow)
		return strdup(label);
	const char *local = strncmp(label, "socket ", 7) ? label : label + 7, *port = strrchr(arrow, ':');
	const char *space = strchr(local, ' ');

	if (ct_table_get(&io->listens, hash_text(local, (size_t)(arrow - local), 1)) && port)
		n = asprintf(&text, "%.*s:*", (int)(port - label), label);
	else if (space && space < arrow)
		n = asprintf(&text, "%.*s%s", (int)(space - label), label, arrow);
	else
		n = asprintf(&text, "%s", label);
	return n < 0 ? NULL : text;
}

static const char *kind_of(const struct ct_model *m, const struct ct_site_info *s)
{
	uint32_t at = s->site.object_kind == CT_OBJECT_FD ? ct_model_descriptor(m, s->process, s->site.object) : CT_NO;

	return at == CT_NO ? (s->site.object_kind == CT_OBJECT_FD ? "unknown" : "") : ct_fd_kind_name(m->descriptor[at].kind);
}

static char *label_of(const struct ct_io_report *io, const struct ct_site_info *s)
{
	char *text = NULL, *label;

	if (s->site.object_kind == CT_OBJECT_NONE)
		return asprintf(&text, "(%s)", ct_model_call_name(io->m, s->site.call)) < 0 ? NULL : text;
	label = ct_object_label(&io->report->symbols, io->m, s);
	text = label ? put_together(io, label) : NULL;
	free(label);
	return text;
}

/* --- rows --- */

/* group: of --group-by; CT_NO: rows are objects. */
static struct ct_io_row *make_row(struct ct_io_report *io, const struct ct_site_info *s, bool idle, uint32_t group)
{
	char *label = group == CT_NO ? label_of(io, s) : strdup(io->grouping.label[group]);
	uint32_t at;

	if (!label)
		return NULL;
	uint64_t key = hash_text(label, strlen(label), 2 + idle);

	for (; (at = ct_table_get(&io->row_by_label, key)); key++) {
		struct ct_io_row *row = &io->row[at - 1];

		if (row->idle != idle || strcmp(row->label, label))
			continue;
		row->descriptors += group == CT_NO;
		free(label);
		return row;
	}
	struct ct_io_row *row = CT_APPEND(io, row);

	if (!row || ct_table_put(&io->row_by_label, key, io->row_count)) {
		free(label);
		return NULL;
	}
	*row = (struct ct_io_row){ .label = label, .kind = group == CT_NO ? kind_of(io->m, s) : "", .idle = idle,
				   .descriptors = group == CT_NO, .lengths = calloc(1, sizeof(*row->lengths)) };
	return row->lengths ? row : NULL;
}

/* NULL without memory. */
static struct ct_io_row *row_of(struct ct_io_report *io, uint32_t thread, uint32_t process, const struct ct_site *site,
				bool idle)
{
	const struct ct_site_info info = { process, *site };
	uint64_t object = site->object_kind ? site->object : site->call;
	uint64_t key = ct_mix(object ^ ct_mix(ct_pair(process, (uint32_t)site->object_kind << 1 | idle) + 1));
	uint32_t group = io->grouping.by ? ct_grouping_of(&io->grouping, thread, &info) : CT_NO;

	if (io->grouping.by && group == CT_NO)
		return NULL;
	if (io->grouping.by)
		key = (uint64_t)group << 1 | idle;
	uint32_t at = ct_table_get(&io->row_by_object, key);

	if (at)
		return &io->row[at - 1];
	struct ct_io_row *row = make_row(io, &info, idle, group);

	return row && !ct_table_put(&io->row_by_object, key, (uint32_t)(row - io->row) + 1) ? row : NULL;
}

/* Which way the bytes go that a call returns: 1 in, -1 out, 0 it returns something else. */
static int direction(const char *call)
{
	static const char *const in[] = { "read", "pread", "readv", "preadv", "preadv2", "recv", "recvfrom", "recvmsg",
					  "copy_file_range", "splice", "getdents64" };
	static const char *const out[] = { "write", "pwrite", "writev", "pwritev", "pwritev2", "send", "sendto", "sendmsg",
					   "sendfile", "vmsplice" };

	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		if (!strcmp(call, in[i]))
			return 1;
	for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
		if (!strcmp(call, out[i]))
			return -1;
	return 0;
}

static int take_call(void *self, const struct ct_call_event *e)
{
	struct ct_io_report *io = self;
	bool idle;

	if (!ct_io_is_cause(io->m, e->site->cause, &idle))
		return 0;
	struct ct_io_row *row = row_of(io, e->thread, e->process, e->site, idle);
	int way = direction(ct_model_call_name(io->m, e->site->call));

	if (!row)
		return -ENOMEM;
	uint32_t call = ct_table_get(&io->m->call_by_id, e->site->call);

	if (call)
		io->recorded[call - 1]++;
	row->calls++;
	row->errors += e->result < 0;
	row->elapsed_ns += e->end_ns - e->start_ns;
	if (way && e->result > 0 && e->result < INT64_MAX / 2)
		*(way > 0 ? &row->read_bytes : &row->write_bytes) += (uint64_t)e->result;
	ct_delays_add(row->lengths, e->end_ns - e->start_ns);
	return 0;
}

static int add_tally(struct ct_tallies *t, uint32_t process, uint64_t key, const struct ct_cell *cell)
{
	struct ct_tally *item = ct_tally_of(t, process, key);

	if (!item)
		return -ENOMEM;
	item->count += cell->count;
	item->total_ns += cell->total_ns;
	if (cell->max_ns > item->max_ns)
		item->max_ns = cell->max_ns;
	return 0;
}

static int take_cell(struct ct_io_report *io, const struct ct_cell *cell)
{
	const struct ct_site_info *s = &io->m->site[cell->site];
	uint32_t callstack;
	bool idle;

	if (s->site.kind != CT_EVENT_INTERVAL || !ct_io_is_cause(io->m, s->site.cause, &idle))
		return 0;
	struct ct_io_row *row = row_of(io, cell->thread, s->process, &s->site, idle);

	if (!row || ct_callstack_of(&io->report->callstacks, ct_model_stack(io->m, s->process, s->site.stack), &callstack))
		return -ENOMEM;
	row->waits += cell->count;
	row->blocked_ns += cell->total_ns;
	if (cell->max_ns > row->max_ns)
		row->max_ns = cell->max_ns;
	if (add_tally(&row->threads, s->process, cell->thread, cell))
		return -ENOMEM;
	return add_tally(&row->sites, 0, (uint64_t)callstack << 32 | s->site.call, cell);
}

/* By the keys of CT_SORT_IO. */
static int by_key(const void *x, const void *y, void *options)
{
	const struct ct_options *o = options;
	const struct ct_io_row *a = x, *b = y;
	const uint64_t values[][2] = {
		{ a->blocked_ns, b->blocked_ns },   { a->calls, b->calls },   { a->read_bytes, b->read_bytes },
		{ a->write_bytes, b->write_bytes }, { a->lengths->max_ns, b->lengths->max_ns },
	};
	int order = 0;

	/* What waits for something to arrive would be first of all. */
	if (a->idle != b->idle && !o->sort)
		return a->idle ? 1 : -1;
	if (o->sort_key < sizeof(values) / sizeof(values[0]))
		order = ct_more_first(values[o->sort_key][0], values[o->sort_key][1]);
	else
		return strcmp(a->label, b->label);
	if (!order)
		order = ct_more_first(a->elapsed_ns, b->elapsed_ns);
	return order ? order : strcmp(a->label, b->label);
}

int ct_io_make(struct ct_io_report *io, struct ct_report *r, struct ct_reader *reader)
{
	const struct ct_options *o = r->model->options;

	*io = (struct ct_io_report){ .m = r->model, .report = r };
	ct_grouping_begin(&io->grouping, r->model, &r->symbols, &r->callstacks,
			  o->group_by == CT_GROUP_OBJECT ? CT_GROUP_NONE : o->group_by);
	io->recorded = calloc(io->m->call_count + 1u, sizeof(*io->recorded));
	int error = io->recorded ? note_listeners(io) : -ENOMEM;

	for (uint32_t i = 0; i < io->m->cell_count && !error; i++)
		error = take_cell(io, &io->m->cell[i]);
	if (!error)
		error = ct_calls_read(io->m, reader, take_call, io);
	if (error)
		return error;
	for (uint32_t i = 0; i < io->row_count; i++) {
		ct_tallies_sort(&io->row[i].threads);
		ct_tallies_sort(&io->row[i].sites);
	}
	if (io->row_count)
		qsort_r(io->row, io->row_count, sizeof(*io->row), by_key, (void *)(uintptr_t)o);
	return 0;
}

void ct_io_close(struct ct_io_report *io)
{
	for (uint32_t i = 0; i < io->row_count; i++) {
		free(io->row[i].label);
		free(io->row[i].lengths);
		ct_tallies_free(&io->row[i].threads);
		ct_tallies_free(&io->row[i].sites);
	}
	free(io->row);
	free(io->recorded);
	ct_table_free(&io->row_by_label);
	ct_table_free(&io->row_by_object);
	ct_table_free(&io->listens);
	ct_grouping_free(&io->grouping);
	*io = (struct ct_io_report){ 0 };
}
