/* Looks at a program before it is run. See inspect.h. */
#include "inspect.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPT_DEPTH 4
#define HEAD_BYTES   256 /* as much as the kernel reads of a script */
#define SEGMENTS_MAX 512

__attribute__((format(printf, 3, 4))) static int refuse(struct ct_refusal *r, int status, const char *format, ...)
{
	va_list ap;

	r->status = status;
	va_start(ap, format);
	vsnprintf(r->text, sizeof(r->text), format, ap);
	va_end(ap);
	return -1;
}

static int refuse_error(struct ct_refusal *r, const char *path, int error)
{
	int status = error == ENOENT || error == ENOTDIR ? CT_EXIT_NOT_FOUND : CT_EXIT_NOT_EXECUTABLE;

	return refuse(r, status, "%s: %s", path, strerror(error));
}

/* 0, or why the file cannot be executed. */
static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS))
		return EACCES;
	return 0;
}

static int resolve_in_path(const char *program, char ret_path[PATH_MAX], struct ct_refusal *r)
{
	const char *path = getenv("PATH");
	int error = ENOENT;

	for (const char *dir = path ? path : "/bin:/usr/bin";;) {
		const char *end = strchrnul(dir, ':');
		int n = snprintf(ret_path, PATH_MAX, "%.*s/%s", end == dir ? 1 : (int)(end - dir),
				 end == dir ? "." : dir, program);
		int e = n < PATH_MAX ? executable(ret_path) : ENAMETOOLONG;

		if (!e)
			return 0;
		/* A file that may not be executed is remembered, as by execvp(). */
		if (e == EACCES)
			error = EACCES;
		if (!*end)
			break;
		dir = end + 1;
	}
	if (error == ENOENT)
		return refuse(r, CT_EXIT_NOT_FOUND, "%s: not found", program);
	return refuse_error(r, program, error);
}

int ct_resolve(const char *program, char ret_path[PATH_MAX], struct ct_refusal *r)
{
	if (!*program)
		return refuse(r, CT_EXIT_NOT_FOUND, "'': not found");
	if (!strchr(program, '/'))
		return resolve_in_path(program, ret_path, r);
	if (strlen(program) >= PATH_MAX)
		return refuse_error(r, program, ENAMETOOLONG);
	strcpy(ret_path, program);
	int error = executable(program);

	return error ? refuse_error(r, program, error) : 0;
}

/* A loader that is run as a program honours LD_PRELOAD, though it is static. */
static bool is_loader(const char *path)
{
	char *real = realpath(path, NULL);
	const char *name = real ? strrchr(real, '/') : NULL;
	bool loader = name && (!strncmp(name, "/ld-linux", 9) || !strncmp(name, "/ld-2.", 6) || !strcmp(name, "/ld.so"));

	free(real);
	return loader;
}

/* The loader drops LD_PRELOAD where the program gains rights. */
static int check_rights(int fd, const char *path, struct ct_refusal *r)
{
	struct stat st;
	struct statvfs fs;

	if (fstat(fd, &st) || fstatvfs(fd, &fs) || fs.f_flag & ST_NOSUID ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return 0;
	if (st.st_mode & S_ISUID && st.st_uid != getuid())
		return refuse(r, CT_EXIT_FAILED, "%s: set-user-ID: it would not load libctrace.so and cannot be traced",
			      path);
	if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getgid())
		return refuse(r, CT_EXIT_FAILED,
			      "%s: set-group-ID: it would not load libctrace.so and cannot be traced", path);
	if (getuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return refuse(r, CT_EXIT_FAILED,
			      "%s: has file capabilities: it would not load libctrace.so and cannot be traced", path);
	return 0;
}

/* Finds the interpreter's name among the program headers; "" if there is none. */
static int find_interpreter(int fd, const Elf64_Ehdr *e, char ret[PATH_MAX])
{
	*ret = 0;
	if (e->e_phentsize != sizeof(Elf64_Phdr) || e->e_phnum > SEGMENTS_MAX)
		return -ENOEXEC;
	for (unsigned int i = 0; i < e->e_phnum; i++) {
		Elf64_Phdr p;

		if (pread(fd, &p, sizeof(p), (off_t)(e->e_phoff + i * sizeof(p))) != sizeof(p))
			return -ENOEXEC;
		if (p.p_type != PT_INTERP)
			continue;
		if (p.p_filesz >= PATH_MAX || pread(fd, ret, p.p_filesz, (off_t)p.p_offset) != (ssize_t)p.p_filesz)
			return -ENOEXEC;
		ret[p.p_filesz] = 0;
		return 0;
	}
	return 0;
}

static int inspect_elf(int fd, const char *path, const char *head, size_t n, struct ct_refusal *r)
{
	char interpreter[PATH_MAX];
	Elf64_Ehdr e;

	if (n < sizeof(e))
		return refuse(r, CT_EXIT_NOT_EXECUTABLE, "%s: a damaged ELF file", path);
	memcpy(&e, head, sizeof(e));
	if (e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_ident[EI_DATA] != ELFDATA2LSB || e.e_machine != CT_MACHINE)
		return refuse(r, CT_EXIT_FAILED, "%s: not a program for " CT_MACHINE_NAME ": it cannot be traced", path);
	if (find_interpreter(fd, &e, interpreter))
		return refuse(r, CT_EXIT_NOT_EXECUTABLE, "%s: a damaged ELF file", path);
	if (!*interpreter && !is_loader(path))
		return refuse(r, CT_EXIT_FAILED,
			      "%s: statically linked: it would not load libctrace.so and cannot be traced", path);
	if (strstr(interpreter, "ld-musl"))
		return refuse(r, CT_EXIT_FAILED, "%s: linked with musl, not glibc: it cannot be traced", path);
	return check_rights(fd, path, r);
}

/* Whose interpreter: the rest of the first line up to a blank. */
static bool script_interpreter(char *head, size_t n, char **ret)
{
	char *p = head + 2;

	head[n] = 0;
	p += strspn(p, " \t");
	p[strcspn(p, " \t\n")] = 0;
	*ret = p;
	return *p != 0;
}

static int inspect(const char *path, int depth, struct ct_refusal *r)
{
	char head[HEAD_BYTES + 1], *interpreter;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	/* What may be executed need not be readable: then we shall see. */
	if (fd < 0)
		return errno == ENOENT ? refuse_error(r, path, errno) : 0;
	ssize_t n = pread(fd, head, HEAD_BYTES, 0);
	int result = 0;

	if (n >= 4 && !memcmp(head, ELFMAG, SELFMAG)) {
		result = inspect_elf(fd, path, head, (size_t)n, r);
	} else if (n > 2 && !memcmp(head, "#!", 2) && script_interpreter(head, (size_t)n, &interpreter)) {
		int error = executable(interpreter);

		if (error)
			result = refuse(r, error == ENOENT || error == ENOTDIR ? CT_EXIT_NOT_FOUND : CT_EXIT_NOT_EXECUTABLE,
					"%s: its interpreter %s: %s", path, interpreter, strerror(error));
		else if (depth < SCRIPT_DEPTH)
			result = inspect(interpreter, depth + 1, r);
	}
	close(fd);
	return result;
}

int ct_inspect(const char *path, struct ct_refusal *ret_refusal)
{
	return inspect(path, 0, ret_refusal);
}
