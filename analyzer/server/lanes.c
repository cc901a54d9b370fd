/*
 * The picture of some lanes in a window, as one binary answer:
 *
 *   4 bytes    n, little-endian: the length of what follows
 *   n bytes    JSON, padded with spaces to a multiple of 4
 *   then for each lane, in the order asked for: pieces * 6 bytes, shares of 255 of
 *              running, ready, contention, io, idle, runtime in each piece of time
 *
 *   {"generation": N, "pieces": N, "fine": bool,
 *    "lanes": [{"lane", "bars": [start, length, site, open, ...], "strips": [start, length, cpu, ...]}],
 *    "sites": {"ID": {"cause", "call", "object"}}}
 *
 * load has no lanes: 4 bytes for each piece and shade, the sums of all threads' shares. Where
 * there are very many threads, it may be in fewer pieces than asked for.
 *
 * Times are ns since the trace began. bars and strips are what is some pieces long; cpu -1:
 * ready, without one. Strips are there where the picture is fine.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "json_parts.h"
#include "objects.h"

#define LANES_MOST  256u
#define PIECES_MOST 4096u
#define BARS_MOST   60000u /* of all lanes: what a browser draws at ease */
#define SUMS_MOST   (48u << 20) /* bytes that a window of all threads may take while it is read */

struct picture {
	struct ct_served *s;
	uint64_t from_ns, to_ns;
	uint32_t pieces;
	uint32_t lane[LANES_MOST], lane_count;
	bool fine;
	struct ct_shared_window *shared; /* of a fine one, where there are not too many threads */
	struct ct_window own;    /* or this */
	const struct ct_window *w; /* one of both */
	uint64_t least_ns;
	uint32_t bars;
	json_t *sites;
};

static int parse_lanes(struct picture *p, const char *text)
{
	while (text && *text) {
		char *end;
		unsigned long n = strtoul(text, &end, 10);

		if (end == text || (*end && *end != ',') || n >= p->s->m.thread_count || p->lane_count == LANES_MOST)
			return -EINVAL;
		p->lane[p->lane_count++] = (uint32_t)n;
		text = *end ? end + 1 : end;
	}
	return 0;
}

static int parse(struct picture *p, const struct ct_request *r)
{
	const struct ct_model *m = &p->s->m;
	uint64_t whole = m->end_ns > m->start_ns ? m->end_ns - m->start_ns : 1, from, to, pieces;

	if (ct_api_number(r, "from", whole, 0, &from) || ct_api_number(r, "to", whole + 1, whole, &to) ||
	    ct_api_number(r, "pieces", PIECES_MOST, 1000, &pieces) || !pieces || from >= to ||
	    parse_lanes(p, r->value(r, "lanes")))
		return -EINVAL;
	p->from_ns = m->start_ns + from;
	p->to_ns = m->start_ns + to;
	p->pieces = (uint32_t)(pieces < to - from ? pieces : to - from);
	p->fine = ct_overview_is_fine(&p->s->overview, p->from_ns, p->to_ns, p->pieces);
	/* Two pieces can be told from one. */
	p->least_ns = (to - from) * 2 / p->pieces;
	return 0;
}

/* --- sites --- */

static json_t *site_json(struct ct_served *s, const struct ct_site_info *info)
{
	char *object = ct_names_use(s->names, &s->m) ? NULL : ct_object_label(&s->names->symbols, &s->m, info);

	ct_names_done(s->names);
	json_t *o = json_object();

	ct_json_number(o, "cause", info->site.cause);
	ct_json_text(o, "call", ct_model_call_name(&s->m, info->site.call));
	ct_json_text(o, "object", object);
	free(object);
	return o;
}

static void tell_site(struct picture *p, uint32_t site)
{
	struct ct_site_info info;
	char key[16];

	snprintf(key, sizeof(key), "%u", site);
	if (!json_object_get(p->sites, key) && ct_trace_map_site(&p->s->map, site, &info))
		ct_json_set(p->sites, key, site_json(p->s, &info));
}

void ct_api_site(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret)
{
	struct ct_site_info info;
	uint64_t site;
	uint32_t callstack;

	if (ct_api_number(r, "id", UINT32_MAX, UINT64_MAX, &site) || !ct_trace_map_site(&s->map, site, &info)) {
		ct_api_say(ret, 400, "no such site");
		return;
	}
	uint32_t stack = info.site.stack ? ct_model_stack(&s->m, info.process, info.site.stack) : CT_NO;

	ct_json_begin();
	json_t *o = site_json(s, &info);

	if (ct_names_use(s->names, &s->m) || ct_callstack_of(&s->names->callstacks, stack, &callstack))
		ct_json_fail();
	else
		ct_json_set(o, "stack", ct_json_stack(&s->names->callstacks, &s->names->symbols, callstack));
	ct_names_done(s->names);
	const struct ct_known *known = ct_api_known_of(s, &info);

	if (known)
		ct_json_set(o, "known", ct_api_known_json(known));
	ct_api_json(ret, o);
}

/* --- bars and strips --- */

static void add_bar(struct picture *p, json_t *to, const struct ct_bar *b)
{
	uint64_t start_ns = p->s->m.start_ns;

	if (b->end_ns <= p->from_ns || b->start_ns >= p->to_ns || b->end_ns - b->start_ns < p->least_ns ||
	    p->bars >= BARS_MOST)
		return;
	p->bars++;
	/* A call may have begun before the trace. */
	ct_json_append(to, json_integer((json_int_t)b->start_ns - (json_int_t)start_ns));
	ct_json_append(to, json_integer((json_int_t)(b->end_ns - b->start_ns)));
	ct_json_append(to, json_integer(b->site));
	ct_json_append(to, json_integer(b->open));
	tell_site(p, b->site);
}

static void add_strip(struct picture *p, json_t *to, const struct ct_strip *s)
{
	ct_json_append(to, json_integer((json_int_t)s->start_ns - (json_int_t)p->s->m.start_ns));
	ct_json_append(to, json_integer((json_int_t)(s->end_ns - s->start_ns)));
	ct_json_append(to, json_integer(s->cpu == CT_NO ? -1 : (json_int_t)s->cpu));
}

static json_t *lane_json(struct picture *p, uint32_t lane, const struct ct_window_lane *fine)
{
	const struct ct_overview_lane *coarse = &p->s->overview.lane[lane];
	json_t *o = json_object(), *bars = json_array(), *strips = json_array();
	const struct ct_bar *bar = fine ? fine->bar : coarse->bar;
	uint32_t count = fine ? fine->bar_count : coarse->bar_count;

	ct_json_number(o, "lane", lane);
	for (uint32_t i = 0; i < count; i++)
		add_bar(p, bars, &bar[i]);
	for (uint32_t i = 0; fine && i < fine->strip_count; i++)
		add_strip(p, strips, &fine->strip[i]);
	ct_json_set(o, "bars", bars);
	ct_json_set(o, "strips", strips);
	return o;
}

/* --- all --- */

/* What is read from the file again. all: every thread, and no waits and turns. */
static int read_window(struct picture *p, bool all)
{
	struct ct_trace_map *map = &p->s->map;
	uint32_t count = all ? p->s->m.thread_count : p->lane_count;

	if (p->fine && ct_shared_windows_can(map, p->pieces)) {
		int error = ct_shared_windows_get(&p->s->windows, map, p->from_ns, p->to_ns, p->pieces, all, &p->shared);

		if (error)
			p->shared = NULL;
		else
			p->w = &p->shared->w;
		return error;
	}
	int error = ct_window_open(&p->own, map, p->from_ns, p->to_ns, p->pieces);

	p->w = &p->own;
	if (!all)
		p->own.bar_ns = p->own.strip_ns = p->least_ns;
	for (uint32_t i = 0; i < count && !error && p->fine; i++)
		error = ct_window_want(&p->own, map, all ? i : p->lane[i]);
	return error || !p->fine ? error : ct_window_read(&p->own, map);
}

static void close_window(struct picture *p)
{
	if (p->shared)
		ct_shared_windows_put(&p->s->windows, p->shared);
	else if (p->w)
		ct_window_close(&p->own);
}

static void put_shares(struct picture *p, struct ct_buf *to, uint32_t lane, const struct ct_window_lane *fine)
{
	uint8_t(*shares)[CT_SHADES] = calloc(p->pieces, sizeof(*shares));
	double piece_ns = (double)(p->to_ns - p->from_ns) / p->pieces;

	if (!shares) {
		to->failed = true;
		return;
	}
	if (!fine)
		ct_overview_shares(&p->s->overview, lane, p->from_ns, p->to_ns, p->pieces, shares);
	for (uint32_t i = 0; fine && i < fine->count; i++)
		ct_window_shares(fine->sum[i], piece_ns, shares[fine->first + i]);
	ct_put_bytes(to, shares, p->pieces * sizeof(*shares));
	free(shares);
}

static void put_json(struct ct_buf *to, json_t *o)
{
	char *text = ct_json_failed() ? NULL : json_dumps(o, JSON_COMPACT);
	uint32_t n = text ? (uint32_t)strlen(text) : 0, padding = -n & 3, whole = n + padding;

	json_decref(o);
	if (!text) {
		to->failed = true;
		return;
	}
	ct_put_bytes(to, &whole, sizeof(whole));
	ct_put_bytes(to, text, n);
	ct_put_bytes(to, "   ", padding);
	free(text);
}

void ct_api_lanes(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret)
{
	struct picture p = { .s = s };

	if (parse(&p, r)) {
		ct_api_say(ret, 400, "from, to, pieces or lanes make no sense");
		return;
	}
	int error = read_window(&p, false);

	ct_json_begin();
	json_t *o = json_object(), *lanes = json_array();

	p.sites = json_object();
	for (uint32_t i = 0; i < p.lane_count && !error; i++)
		ct_json_append(lanes, lane_json(&p, p.lane[i], p.w->lane[p.lane[i]]));
	ct_json_number(o, "generation", s->generation);
	ct_json_number(o, "pieces", p.pieces);
	ct_json_set(o, "fine", json_boolean(p.fine));
	ct_json_set(o, "lanes", lanes);
	ct_json_set(o, "sites", p.sites);
	*ret = (struct ct_answer){ .status = 200, .type = "application/octet-stream" };
	put_json(&ret->body, o);
	for (uint32_t i = 0; i < p.lane_count && !error; i++)
		put_shares(&p, &ret->body, p.lane[i], p.w->lane[p.lane[i]]);
	close_window(&p);
	if (error || ret->body.failed) {
		ct_buf_free(&ret->body);
		ct_api_say(ret, 500, error ? strerror(-error) : "out of memory");
	}
}

/* --- all threads together --- */

/* A piece of a window in other pieces: what lies in it of each. */
static void resample(const struct ct_window *w, const struct ct_window_lane *l, uint32_t piece, uint32_t pieces, float ret[CT_SHADES])
{
	double at = (double)piece * w->pieces / pieces, stop = (double)(piece + 1) * w->pieces / pieces;

	memset(ret, 0, CT_SHADES * sizeof(*ret));
	for (uint32_t i = (uint32_t)at; (double)i < stop && i < w->pieces; i++) {
		double part = ((double)(i + 1) < stop ? (double)(i + 1) : stop) - ((double)i > at ? (double)i : at);

		for (int k = 0; k < CT_SHADES && part > 0 && i >= l->first && i - l->first < l->count; k++)
			ret[k] += (float)part * l->sum[i - l->first][k];
	}
}

static void add_fine(const struct picture *p, const struct ct_window_lane *l, uint32_t *sums)
{
	double piece_ns = (double)(p->to_ns - p->from_ns) / p->pieces;
	uint8_t shares[CT_SHADES];
	float sum[CT_SHADES];

	for (uint32_t i = 0; i < p->pieces; i++) {
		if (p->w->pieces != p->pieces)
			resample(p->w, l, i, p->pieces, sum);
		else if (i < l->first || i - l->first >= l->count)
			continue;
		ct_window_shares(p->w->pieces != p->pieces ? sum : l->sum[i - l->first], piece_ns, shares);
		for (int k = 0; k < CT_SHADES; k++)
			sums[i * CT_SHADES + (uint32_t)k] += shares[k];
	}
}

/* How many threads were in each shade, on average, in each piece: of the whole trace's. */
static int add_up(struct picture *p, uint32_t *sums)
{
	uint8_t(*shares)[CT_SHADES] = calloc(p->pieces, sizeof(*shares));

	if (!shares)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->s->m.thread_count; i++) {
		if (p->w->lane[i]) {
			add_fine(p, p->w->lane[i], sums);
			continue;
		}
		ct_overview_shares(&p->s->overview, i, p->from_ns, p->to_ns, p->pieces, shares);
		for (uint32_t k = 0; k < p->pieces * CT_SHADES; k++)
			sums[k] += ((uint8_t *)shares)[k];
	}
	free(shares);
	return 0;
}

void ct_api_load(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret)
{
	struct picture p = { .s = s };

	if (parse(&p, r)) {
		ct_api_say(ret, 400, "from, to or pieces make no sense");
		return;
	}
	while (p.fine && p.pieces > 1 && (uint64_t)p.pieces * s->m.thread_count * CT_SHADES * sizeof(float) > SUMS_MOST)
		p.pieces /= 2;
	uint32_t *sums = calloc((size_t)p.pieces * CT_SHADES, sizeof(*sums));
	int error = read_window(&p, true);

	if (!error)
		error = sums ? add_up(&p, sums) : -ENOMEM;
	close_window(&p);
	*ret = (struct ct_answer){ .status = 200, .type = "application/octet-stream" };
	if (!error)
		ct_put_bytes(&ret->body, sums, (size_t)p.pieces * CT_SHADES * sizeof(*sums));
	free(sums);
	if (error || ret->body.failed) {
		ct_buf_free(&ret->body);
		ct_api_say(ret, 500, error ? strerror(-error) : "out of memory");
	}
}
