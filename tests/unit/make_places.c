/*
 * make_places TRACE FILE [DEPTH] < ADDRESSES: a trace of waits at given addresses of a file.
 * Each line of standard input is an address in it, in hexadecimal, as addr2line takes them (return
 * addresses are one more); DEPTH of them, by default 1, make a stack. With FILE "-" they are addresses
 * in memory, and lines "code START SIZE NAME" say what is there. BUILD_ID in the environment: as hex.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "make_trace.h"

#define DEPTH_MAX 64u

static size_t build_id_of(const char *hex, char *ret, size_t room)
{
	size_t n = 0;
	unsigned int byte;

	for (; hex && n < room && sscanf(hex, "%2x", &byte) == 1; hex += 2)
		ret[n++] = (char)byte;
	return n;
}

static void add_stack(struct make_trace *t, uint32_t id, const uint64_t *frames, size_t depth)
{
	make_stack(t, id, 1, frames, depth);
	make_wait(t, 1, (struct ct_site){ .cause = CT_CAUSE_FILE, .stack = id, .call = CT_CALL_read },
		  10ull * id, 10ull * id + 5);
}

static void add_code(struct make_trace *t, char *line)
{
	char *name = line;
	uint64_t start = strtoull(name, &name, 16), size = strtoull(name, &name, 16);

	name[strcspn(name, "\n")] = 0;
	make_record(t, &(struct ct_record){ .type = CT_RECORD_CODE, .code = {
		.process = 1, .start = start, .size = size, .name = ct_text_of(*name ? name + 1 : name) } });
}

int main(int argc, char **argv)
{
	struct make_trace t = { 0 };
	uint64_t frames[DEPTH_MAX];
	size_t depth = argc > 3 ? (size_t)atoi(argv[3]) : 1, n = 0;
	uint32_t stacks = 0;
	char line[4096], id[32];

	if (argc < 3 || !depth || depth > DEPTH_MAX) {
		fputs("usage: make_places TRACE FILE [DEPTH] < ADDRESSES\n", stderr);
		return 2;
	}
	make_begin(&t);
	make_process(&t, 1, 100, "places");
	make_thread(&t, 1, 1, 100, 0, "main");
	if (strcmp(argv[2], "-"))
		make_record(&t, &(struct ct_record){ .type = CT_RECORD_MODULE, .module = {
			.module = 1, .process = 1, .start = 1, .end = 1ull << 47, .path = ct_text_of(argv[2]),
			.build_id = { id, build_id_of(getenv("BUILD_ID"), id, sizeof(id)) } } });
	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "code ", 5)) {
			add_code(&t, line + 5);
			continue;
		}
		frames[n++] = strtoull(line, NULL, 16) + 1;
		if (n < depth)
			continue;
		add_stack(&t, ++stacks, frames, n);
		n = 0;
		if (stacks % 20000 == 0)
			make_events_chunk(&t, 1);
	}
	if (n)
		add_stack(&t, ++stacks, frames, n);
	if (stacks % 20000)
		make_events_chunk(&t, 1);
	make_end(&t, 10ull * stacks + 100);
	int error = make_write(&t, argv[1]);

	make_free(&t);
	if (error)
		fprintf(stderr, "make_places: %s: cannot be written\n", argv[1]);
	return error ? 1 : 0;
}
