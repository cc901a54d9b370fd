/*
 * The analyzer on damaged traces, in one process: what libFuzzer and the replay of its
 * corpus share.
 *
 * An input is a trace whose chunks are stored as they are (codec 0). Before it is read it
 * is made whole (fuzz_repair): magics, lengths and checksums are set right, so that what
 * was changed in a payload reaches the decoder. Two words of the file header that the
 * format reserves steer this:
 *   reserved[0]  which command line, counted from 0, modulo their number
 *   reserved[1]  1: the input is read as it is, also with its wrong checksums
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_LINES_MAX 128

/* The command lines, up to one that is NULL; each without the trace. */
extern const char *const fuzz_lines[];

/* Opens what all runs share. only: a command ("export pprof": with that format), or NULL
 * for all. Ends the program where that leaves no line. */
void fuzz_open(const char *only);
/* How many lines there are. */
uint32_t fuzz_count(void);
/* Runs a line on an input; all of them with line UINT32_MAX, one by the input's own word
 * with line UINT32_MAX - 1. What is found ends the program: a sanitizer's report. */
void fuzz_run(const uint8_t *data, size_t size, uint32_t line);

/* The decoders alone, on an input that is a payload behind a byte: 0 a text, 1 records, 2 events, 3 slices. */
void fuzz_codec(const uint8_t *data, size_t size);

/* Makes a trace of an input, in a buffer that is valid until the next call. */
const uint8_t *fuzz_repair(const uint8_t *data, size_t size, size_t *ret_size);

#endif
