/*
 * Runs every command line on every input of the corpus: a program without libFuzzer, for
 * the ordinary tests, under the sanitizers. replay FILE|FOLDER... : 'N passed, N failed';
 * an input on which something is wrong ends it with the sanitizer's report.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

#define INPUT_MAX (16u << 20)

static unsigned int replayed, failed;

static void replay_file(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(data, 1, sizeof(data), f) : 0;

	if (!f || ferror(f)) {
		perror(path);
		failed++;
	} else {
		/* A block of its own: what is read behind its end is seen. */
		uint8_t *copy = malloc(n + !n);

		if (!copy)
			abort();
		memcpy(copy, data, n);
		if (getenv("CTRACE_FUZZ_VERBOSE"))
			fprintf(stderr, "%s\n", path);
		/* Payloads have a folder of their own. */
		if (strstr(path, "/payloads/"))
			fuzz_codec(copy, n);
		else
			fuzz_run(copy, n, UINT32_MAX);
		free(copy);
		replayed++;
	}
	if (f)
		fclose(f);
}

static void replay(const char *path)
{
	struct dirent **entries;
	struct stat st;
	char *inner;

	if (stat(path, &st)) {
		perror(path);
		failed++;
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path);
		return;
	}
	int n = scandir(path, &entries, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.' && asprintf(&inner, "%s/%s", path, entries[i]->d_name) > 0) {
			replay(inner);
			free(inner);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

int main(int argc, char **argv)
{
	fuzz_open(getenv("CTRACE_FUZZ"));
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%u inputs, %u command lines\n", replayed, fuzz_count());
	printf("%u passed, %u failed\n", replayed, failed + !replayed);
	return failed || !replayed;
}
