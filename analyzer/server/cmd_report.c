/*
 * report: the page of `serve` with its data, in one file that opens from disk. It holds
 * the picture of the whole trace at one resolution, and each view of the whole. Whatever
 * the trace, it stays under 5 MB: what is left out is said.
 *
 *   <script type="application/json" id="ctrace-data">
 *   {"answers": {"api/trace": ..., "api/view/blocks": ..., "api/site?id=3": ...}, "picture": base64, "load": base64,
 *    "left_out": ["a sentence", ...]}
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "api.h"
#include "export.h"
#include "page.h"
#include "report_cut.h"
#include "report_views.h"

#define PIECES_MOST   1600u
#define PIECES_LEAST  200u
#define PICTURE_BYTES (1200u << 10)
#define LANES_MOST    200u
#define LANES_NAMED   1000u
#define VIEWS_BYTES   (2000u << 10)
#define SITES_BYTES   (500u << 10)
#define WORDS_BYTES   (200u << 10)
#define NOTES_BYTES   (300u << 10)
#define LINES_BYTES   (100u << 10)

struct page {
	FILE *file;
	struct ct_served *served;
	json_t *left_out;        /* sentences */
	size_t views;            /* bytes that are left for them */
	uint32_t views_left;
};

/* A request that nobody sent. */
struct made {
	const char *key[8], *value[8];
	uint32_t count;
};

static const char *made_value(const struct ct_request *r, const char *key)
{
	const struct made *m = r->of;

	for (uint32_t i = 0; i < m->count; i++)
		if (!strcmp(m->key[i], key))
			return m->value[i];
	return NULL;
}

static int ask(struct ct_served *s, const char *path, struct made *m, struct ct_answer *ret)
{
	struct ct_request r = { path, made_value, m };

	ct_api_answer(s, &r, ret);
	return ct_answer_finish(ret);
}

/* --- what is put into a page --- */

/* JSON in a script: nothing in it may look like the script's end. */
static void put_json(FILE *f, const uint8_t *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] == '<')
			fputs("\\u003c", f);
		else
			fputc(text[i], f);
}

static void put_base64(FILE *f, const uint8_t *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t three = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);

		fputc(digits[three >> 18], f);
		fputc(digits[three >> 12 & 63], f);
		fputc(i + 1 < n ? digits[three >> 6 & 63] : '=', f);
		fputc(i + 2 < n ? digits[three & 63] : '=', f);
	}
}

/* A file of the page, unpacked. */
static int put_part(FILE *f, const char *name)
{
	z_stream z = { 0 };
	uint8_t block[16384];
	int result = Z_OK;

	for (const struct ct_page_part *p = ct_page_parts; p->name; p++) {
		if (strcmp(p->name, name))
			continue;
		if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
			return -ENOMEM;
		z.next_in = (Bytef *)(uintptr_t)p->data;
		z.avail_in = (uInt)p->bytes;
		while (result == Z_OK) {
			z.next_out = block;
			z.avail_out = sizeof(block);
			result = inflate(&z, Z_NO_FLUSH);
			fwrite(block, 1, sizeof(block) - z.avail_out, f);
		}
		inflateEnd(&z);
		return result == Z_STREAM_END ? 0 : -EIO;
	}
	return -ENOENT;
}

__attribute__((format(printf, 2, 3))) static void leave_out(struct page *p, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(p->left_out, json_string(text));
}

/* JSON, in at most so many bytes, of api/trace lanes; ret_bytes may be NULL. -ENODATA: it is none. */
static int put_text(struct page *p, const char *path, const uint8_t *text, size_t n, const char *key, size_t most,
		    size_t *ret_bytes)
{
	bool is_trace = !strcmp(path, "api/trace");
	uint64_t left_out = 0;
	char *cut = is_trace ? ct_report_cut_trace(text, n, most, &left_out) : ct_report_cut(text, n, most, &left_out);

	if (!cut)
		return -ENODATA;
	fprintf(p->file, ",\n\"%s\":", key);
	put_json(p->file, (const uint8_t *)cut, strlen(cut));
	if (ret_bytes)
		*ret_bytes = strlen(cut);
	if (left_out)
		leave_out(p, "%s: %llu %s", strrchr(path, '/') + 1, (unsigned long long)left_out, is_trace ? "threads" : "rows or parts of rows");
	free(cut);
	return 0;
}

static int put_answer(struct page *p, const char *path, struct made *m, const char *key, size_t most, size_t *ret_bytes)
{
	struct ct_answer a = { 0 };
	int error = ask(p->served, path, m, &a);

	if (!error)
		error = a.status == 200 ? put_text(p, path, a.body.data, a.body.size, key, most, ret_bytes) : -ENODATA;
	ct_answer_free(&a);
	return error;
}

static void say_progress(const char *what)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, *what ? "\r\033[Kmaking the report: %s" : "\r\033[K", what);
}

/* The path of a long trace is that of its end. */
static void say_shortened(struct page *p, const struct ct_report_view *v)
{
	const struct ct_model *m = &p->served->m;
	json_t *o = strcmp(v->name, "path") ? NULL : json_loadb(v->text, v->bytes, 0, NULL);
	json_int_t from = json_integer_value(json_object_get(json_object_get(o, "path"), "from_ns"));
	json_int_t to = json_integer_value(json_object_get(json_object_get(o, "path"), "to_ns"));
	uint64_t whole = m->end_ns - m->start_ns;

	json_decref(o);
	if (from > 0 && (double)(to - from) < 0.9 * (double)whole)
		leave_out(p, "path: all but the last %llu s of %llu s", (unsigned long long)(to - from) / 1000000000,
			  (unsigned long long)whole / 1000000000);
}

static int put_view(struct page *p, const struct ct_report_view *v)
{
	/* Twice a fair share of what is left. */
	size_t most = p->views * 2 / (p->views_left + 1), bytes = 0;
	char path[40];

	snprintf(path, sizeof(path), "api/view/%s", v->name);
	int error = v->error ? v->error : put_text(p, path, (const uint8_t *)v->text, v->bytes, path, most, &bytes);

	p->views -= bytes < p->views ? bytes : p->views;
	p->views_left--;
	if (error == -ENODATA || error == -EINVAL) {
		snprintf(p->served->context->usage, sizeof(p->served->context->usage), "report: %s failed", v->name);
		error = -EINVAL;
	}
	if (!error)
		say_shortened(p, v);
	return error;
}

static int put_views(struct page *p)
{
	/* In the order in which they get room. */
	static const char *const order[CT_REPORT_VIEWS] = { "summary", "blocks", "threads", "locks", "io", "malloc", "sched", "wakers",
							    "deadlocks", "latency", "stats", "path", "regions", "tasks" };
	struct ct_report_views views;

	say_progress("the views");
	int error = ct_report_views_make(&views, p->served);

	p->views = VIEWS_BYTES;
	p->views_left = views.count;
	for (uint32_t i = 0; i < CT_REPORT_VIEWS && !error; i++)
		for (uint32_t k = 0; k < views.count && !error; k++)
			if (!strcmp(views.view[k].name, order[i]))
				error = put_view(p, &views.view[k]);
	ct_report_views_close(&views);
	say_progress("");
	return error;
}

static int put_sites(struct page *p)
{
	uint32_t count = ct_trace_map_sites(&p->served->map), i = 0;
	size_t left = SITES_BYTES, bytes = 0;
	int error = 0;

	for (; i < count && !error && left; i++) {
		char number[16], key[40];
		struct made m = { { "id" }, { number }, 1 };

		snprintf(number, sizeof(number), "%u", i);
		snprintf(key, sizeof(key), "api/site?id=%u", i);
		error = put_answer(p, "api/site", &m, key, SITES_BYTES, &bytes);
		left -= bytes < left ? bytes : left;
	}
	if (i < count)
		leave_out(p, "the stacks of %u places on the timeline", count - i);
	return error;
}

/* --- the picture --- */

static int by_weight(const void *x, const void *y, void *model)
{
	const struct ct_model *m = model;
	uint32_t i = *(const uint32_t *)x, k = *(const uint32_t *)y;
	const struct ct_thread_info *a = &m->thread[i], *b = &m->thread[k];
	/* Those that were there for long, and of them those that did something. */
	double p = (double)a->lifetime_ns + (double)a->running_ns + (double)a->runnable_ns;
	double q = (double)b->lifetime_ns + (double)b->running_ns + (double)b->runnable_ns;

	return p != q ? (p < q) - (p > q) : (i > k) - (i < k);
}

/* Not all of very many. "0,3,4"; NULL without memory. */
static char *choose_lanes(struct page *p)
{
	const struct ct_model *m = &p->served->m;
	uint32_t n = m->thread_count < LANES_NAMED ? m->thread_count : LANES_NAMED, *lane = calloc(n + 1u, sizeof(*lane));
	char *text = NULL;
	size_t bytes;
	FILE *f = lane ? open_memstream(&text, &bytes) : NULL;

	if (!f) {
		free(lane);
		return NULL;
	}
	for (uint32_t i = 0; i < n; i++)
		lane[i] = i;
	qsort_r(lane, n, sizeof(*lane), by_weight, (void *)(uintptr_t)m);
	if (n > LANES_MOST) {
		leave_out(p, "the pictures of %u of %u threads, those that lived shortest", m->thread_count - LANES_MOST,
			  m->thread_count);
		n = LANES_MOST;
	}
	for (uint32_t i = 0; i < n; i++)
		fprintf(f, "%s%u", i ? "," : "", lane[i]);
	free(lane);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static int put_bytes(struct page *p, const char *path, struct made *m, const char *key)
{
	struct ct_answer a = { 0 };
	int error = ask(p->served, path, m, &a);

	fprintf(p->file, ",\n\"%s\":\"", key);
	if (!error && a.status == 200)
		put_base64(p->file, a.body.data, a.body.size);
	fputc('"', p->file);
	ct_answer_free(&a);
	return error;
}

/* In as many pieces as there is room for. */
static int choose_pieces(struct page *p, const char *path, struct made *m, char number[16], size_t most)
{
	uint32_t pieces = PIECES_MOST * 2;
	size_t bytes;
	int error;

	do {
		struct ct_answer a = { 0 };

		pieces /= 2;
		snprintf(number, 16, "%u", pieces);
		error = ask(p->served, path, m, &a);
		bytes = a.body.size;
		ct_answer_free(&a);
	} while (!error && bytes > most && pieces > PIECES_LEAST);
	return error;
}

static int put_picture(struct page *p, const char *lanes)
{
	char number[16];
	struct made m = { { "lanes", "pieces" }, { lanes, number }, 2 };
	int error = choose_pieces(p, "api/lanes", &m, number, PICTURE_BYTES);

	if (!error)
		error = put_bytes(p, "api/lanes", &m, "picture");
	return error ? error : put_bytes(p, "api/load", &m, "load");
}

/* What is drawn beside states. */
static int put_notes(struct page *p, const char *lanes)
{
	char number[16];
	struct made m = { { "lanes", "pieces" }, { lanes, number }, 2 }, none = { .count = 0 };
	int error = choose_pieces(p, "api/notes", &m, number, NOTES_BYTES);

	if (!error)
		error = put_answer(p, "api/notes", &m, "api/notes", NOTES_BYTES, NULL);
	return error ? error : put_answer(p, "api/lines", &none, "api/lines", LINES_BYTES, NULL);
}

static int put_data(struct page *p)
{
	struct made none = { .count = 0 };
	char *text, *lanes;
	int error;

	fputs("{\"answers\":{\"report\":true", p->file);
	error = put_answer(p, "api/trace", &none, "api/trace", LANES_NAMED, NULL);
	if (!error)
		error = put_answer(p, "api/words", &none, "api/words", WORDS_BYTES, NULL);
	if (!error)
		error = put_views(p);
	if (!error)
		error = put_sites(p);
	lanes = choose_lanes(p);
	if (!error)
		error = lanes ? put_notes(p, lanes) : -ENOMEM;
	fputc('}', p->file);
	if (!error)
		error = put_picture(p, lanes);
	free(lanes);
	text = json_dumps(p->left_out, JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	fprintf(p->file, ",\n\"left_out\":%s}", text);
	free(text);
	return error;
}

/* For a reader whose page does not say it. They are sentences of this file. */
static void put_left_out(struct page *p)
{
	json_t *text;
	size_t i;

	if (!json_array_size(p->left_out))
		return;
	fputs("<p class=\"left-out\">Left out of this report: ", p->file);
	json_array_foreach(p->left_out, i, text)
		fprintf(p->file, "%s%s", i ? "; " : "", json_string_value(text));
	fputs(". <code>ctrace-analyze serve</code> shows all of it.</p>\n", p->file);
}

static int put_page(struct page *p)
{
	FILE *f = p->file;

	fputs("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; "
	      "style-src 'unsafe-inline'; img-src data:\">\n<title>ctrace</title>\n<style>\n", f);
	int error = put_part(f, "style.css");

	fputs("\n</style>\n<div id=\"app\"></div>\n<script type=\"application/json\" id=\"ctrace-data\">\n", f);
	if (!error)
		error = put_data(p);
	fputs("\n</script>\n", f);
	put_left_out(p);
	fputs("<script>\n", f);
	if (!error)
		error = put_part(f, "app.js");
	fputs("\n</script>\n</html>\n", f);
	return error;
}

static int write_report(struct ct_export *e)
{
	struct ct_served s = { 0 };
	struct page p = { .file = e->file, .served = &s, .left_out = json_array() };
	int error = ct_served_open(&s, e->context);

	if (!error)
		error = put_page(&p);
	json_decref(p.left_out);
	ct_served_close(&s);
	return error;
}

int ct_cmd_report(struct ct_context *c)
{
	struct ct_export e = { .context = c, .path = c->options->output };

	if (!e.path) {
		snprintf(c->usage, sizeof(c->usage), "report: needs --output FILE");
		return -EINVAL;
	}
	if (!ct_page_parts[0].name) {
		snprintf(c->usage, sizeof(c->usage), "report: this ctrace was built without npm: it has no page");
		return -EINVAL;
	}
	return ct_export_run(&e, write_report, false);
}
