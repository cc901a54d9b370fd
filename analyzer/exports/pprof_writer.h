/*
 * Writes a pprof profile as it comes: protobuf joins the messages of a stream, so each
 * sample, location and text is written when it is met first and then forgotten but for
 * its number. The stream is gzip, as pprof's is.
 */
#ifndef CT_PPROF_WRITER_H
#define CT_PPROF_WRITER_H

#include <stdio.h>
#include <zlib.h>

#include "callstacks.h"
#include "profile.pb-c.h"

typedef Perftools__Profiles__Profile ct_pprof_message;

struct ct_pprof_function {
	uint32_t name, file; /* texts */
};

struct ct_pprof_location {
	uint32_t file;       /* of the model; CT_NO: none */
	uint64_t address;    /* return address in it; of a named location its text */
};

/* What pprof's mapping says of a file. */
struct ct_pprof_mapping {
	bool used, unnamed, unfiled, inlined; /* some of its locations are without function, file */
};

struct ct_pprof_writer {
	const struct ct_model *m;
	struct ct_symbols *symbols;
	FILE *file;
	z_stream z;
	bool open;
	int error;           /* -errno, once */
	struct ct_buf message;
	CT_ARRAY(char *, text);
	CT_ARRAY(struct ct_pprof_function, function);
	CT_ARRAY(struct ct_pprof_location, location);
	struct ct_table text_by_hash, function_by_key, location_by_hash;
	struct ct_pprof_mapping *mapping; /* one a file of the model */
	CT_ARRAY(uint64_t, frame);        /* scratch */
};

/* 0 or -errno. Close in either case. */
int ct_pprof_open(struct ct_pprof_writer *w, const struct ct_model *m, struct ct_symbols *symbols, FILE *file);
/* Writes the mappings and the stream's end. 0 or -errno: the first that went wrong. */
int ct_pprof_finish(struct ct_pprof_writer *w);
void ct_pprof_close(struct ct_pprof_writer *w);

/* The number of a text; with errors 0. */
uint32_t ct_pprof_text(struct ct_pprof_writer *w, const char *text);
/* Appends the locations of a call stack to w->frame. */
void ct_pprof_stack(struct ct_pprof_writer *w, const struct ct_callstacks *c, uint32_t callstack);
/* Appends a location that is in no file, with a name. */
void ct_pprof_named(struct ct_pprof_writer *w, const char *name);
/* Writes a part of the profile. */
void ct_pprof_put(struct ct_pprof_writer *w, const ct_pprof_message *part);

#endif
