/*
 * report: the page of `serve` with its data, in one file that opens from disk. It holds
 * the picture of the whole trace at one resolution, and each view of the whole.
 *
 *   <script type="application/json" id="ctrace-data">
 *   {"answers": {"api/trace": ..., "api/view/blocks": ..., "api/site?id=3": ...}, "picture": base64, "load": base64}
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "api.h"
#include "export.h"
#include "page.h"

#define PIECES_MOST   1600u
#define PIECES_LEAST  200u
#define PICTURE_BYTES (1500u << 10)
#define LANES_MOST    200u
#define SITES_MOST    2000u

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

static int put_answer(FILE *f, struct ct_served *s, const char *path, struct made *m, const char *key)
{
	struct ct_answer a = { 0 };
	int error = ask(s, path, m, &a);

	if (!error && a.status != 200)
		error = -ENODATA;
	if (!error) {
		fprintf(f, ",\n\"%s\":", key);
		put_json(f, a.body.data, a.body.size);
	}
	ct_answer_free(&a);
	return error;
}

static int put_views(FILE *f, struct ct_served *s)
{
	/* The page asks for so many rows. */
	static const struct {
		const char *path, *top;
	} views[] = {
		{ "api/view/summary", NULL },	 { "api/view/blocks", "200" },	 { "api/view/threads", "0" },
		{ "api/view/locks", "100" },	 { "api/view/io", "100" },	 { "api/view/malloc", "100" },
		{ "api/view/sched", "100" },	 { "api/view/wakers", "200" },	 { "api/view/path", "0" },
		{ "api/view/deadlocks", "0" },	 { "api/view/latency", NULL },	 { "api/view/stats", NULL },
	};
	int error = 0;

	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]) && !error; i++) {
		struct made m = { { "top" }, { views[i].top }, views[i].top ? 1 : 0 };

		error = put_answer(f, s, views[i].path, &m, views[i].path);
		if (error == -ENODATA) {
			snprintf(s->context->usage, sizeof(s->context->usage), "report: %s failed", views[i].path + 9);
			error = -EINVAL;
		}
	}
	return error;
}

/* The first lanes: a page with all of many would be too large. */
static char *choose_lanes(const struct ct_served *s, uint32_t *ret_count)
{
	const struct ct_model *m = &s->m;
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);

	if (!f)
		return NULL;
	*ret_count = 0;
	for (uint32_t i = 0; i < m->thread_count && *ret_count < LANES_MOST; i++) {
		fprintf(f, "%s%u", *ret_count ? "," : "", i);
		++*ret_count;
	}
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static int put_picture(FILE *f, struct ct_served *s)
{
	uint32_t lanes, pieces = PIECES_MOST;
	char *list = choose_lanes(s, &lanes), number[16];
	struct ct_answer a = { 0 };

	if (!list)
		return -ENOMEM;
	while (pieces > PIECES_LEAST && pieces * lanes * CT_SHADES > PICTURE_BYTES)
		pieces /= 2;
	snprintf(number, sizeof(number), "%u", pieces);
	struct made m = { { "lanes", "pieces" }, { list, number }, 2 };
	int error = ask(s, "api/lanes", &m, &a);

	fputs("},\n\"picture\":\"", f);
	if (!error && a.status == 200)
		put_base64(f, a.body.data, a.body.size);
	ct_answer_free(&a);
	if (!error)
		error = ask(s, "api/load", &m, &a);
	fputs("\",\n\"load\":\"", f);
	if (!error && a.status == 200)
		put_base64(f, a.body.data, a.body.size);
	fputs("\"}", f);
	ct_answer_free(&a);
	free(list);
	return error;
}

static int put_data(FILE *f, struct ct_served *s)
{
	struct made none = { .count = 0 };
	int error;

	fputs("{\"answers\":{\"report\":true", f);
	error = put_answer(f, s, "api/trace", &none, "api/trace");
	if (!error)
		error = put_answer(f, s, "api/words", &none, "api/words");
	if (!error)
		error = put_views(f, s);
	for (uint32_t i = 0; i < s->map.site_count && i < SITES_MOST && !error; i++) {
		char number[16], key[40];
		struct made m = { { "id" }, { number }, 1 };

		snprintf(number, sizeof(number), "%u", i);
		snprintf(key, sizeof(key), "api/site?id=%u", i);
		error = put_answer(f, s, "api/site", &m, key);
	}
	return error ? error : put_picture(f, s);
}

static int put_page(FILE *f, struct ct_served *s)
{
	fputs("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; "
	      "style-src 'unsafe-inline'; img-src data:\">\n<title>ctrace</title>\n<style>\n", f);
	int error = put_part(f, "style.css");

	fputs("\n</style>\n<div id=\"app\"></div>\n<script type=\"application/json\" id=\"ctrace-data\">\n", f);
	if (!error)
		error = put_data(f, s);
	fputs("\n</script>\n<script>\n", f);
	if (!error)
		error = put_part(f, "app.js");
	fputs("\n</script>\n</html>\n", f);
	return error;
}

static int write_report(struct ct_export *e)
{
	struct ct_served s;
	int error = ct_served_open(&s, e->context);

	if (!error)
		error = put_page(e->file, &s);
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
