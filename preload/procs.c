/* Processes: waiting for children, and the forks that skip atfork handlers. */
#include "real.h"
#include "fdwakes.h"
#include "record.h"

#define WAIT(symbol, call, type, child, parameters, ...) \
	CT_EXPORT type symbol parameters \
	{ \
		struct ct_interval v; \
		ct_begin_wait(&v, CT_CALL_##call, CT_CAUSE_CHILD, CT_OBJECT_PID, child); \
		type r = ct_real.symbol(__VA_ARGS__); \
		ct_end(&v, CT_RESULT(r)); \
		return r; \
	}
/* pid as the object: 0 for any child and for groups. */
#define ONE(pid) ((pid) > 0 ? (uint32_t)(pid) : 0)

WAIT(wait, wait, pid_t, 0, (int *status), status)
WAIT(__wait, wait, pid_t, 0, (int *status), status)
WAIT(waitpid, waitpid, pid_t, ONE(pid), (pid_t pid, int *status, int options), pid, status, options)
WAIT(__waitpid, waitpid, pid_t, ONE(pid), (pid_t pid, int *status, int options), pid, status, options)
WAIT(waitid, waitid, int, type == P_PID ? (uint32_t)id : 0,
     (idtype_t type, id_t id, siginfo_t *info, int options), type, id, info, options)
WAIT(wait3, wait3, pid_t, 0, (int *status, int options, struct rusage *usage), status, options, usage)
WAIT(wait4, wait4, pid_t, ONE(pid), (pid_t pid, int *status, int options, struct rusage *usage), pid, status,
     options, usage)

CT_EXPORT int system(const char *command)
{
	struct ct_interval v;

	ct_begin_wait(&v, CT_CALL_system, CT_CAUSE_CHILD, CT_OBJECT_NONE, 0);
	int r = ct_real.system(command);

	ct_end(&v, CT_RESULT(r));
	return r;
}

CT_EXPORT int pclose(FILE *stream)
{
	struct ct_interval v;

	/* The child may wait for the end of what it reads. */
	int fd = stream->_fileno;
	uint64_t id = ct_self() ? ct_fd_closing(fd) : 0;

	ct_begin_wait(&v, CT_CALL_pclose, CT_CAUSE_CHILD, CT_OBJECT_NONE, 0);
	int r = ct_real.pclose(stream);

	ct_end_closed(&v, fd, id, CT_RESULT(r));
	return r;
}

/* Returns when the child has called exec, or failed to. Version 2.2.5 runs a
 * file without a known format through the shell. */
#define SPAWN(function, real) \
	int function(pid_t *child, const char *path, const posix_spawn_file_actions_t *actions, \
		     const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) \
	{ \
		struct ct_interval v; \
		pid_t pid = 0; \
		ct_begin(&v, CT_CALL_posix_spawn, CT_CAUSE_CHILD, CT_OBJECT_NONE, 0); \
		int r = ct_real.real(&pid, path, actions, attributes, argv, envp); \
		if (!r) { \
			if (child) \
				*child = pid; \
			v.object_kind = CT_OBJECT_PID; \
			v.object = (uint32_t)pid; \
		} \
		ct_end(&v, -(int64_t)r); \
		return r; \
	}

CT_EXPORT_CURRENT(ct_posix_spawn, posix_spawn, "GLIBC_2.15")
SPAWN(ct_posix_spawn, posix_spawn)
CT_EXPORT_OLD(ct_posix_spawn_compat, posix_spawn)
SPAWN(ct_posix_spawn_compat, posix_spawn_compat)
CT_EXPORT_CURRENT(ct_posix_spawnp, posix_spawnp, "GLIBC_2.15")
SPAWN(ct_posix_spawnp, posix_spawnp)
CT_EXPORT_OLD(ct_posix_spawnp_compat, posix_spawnp)
SPAWN(ct_posix_spawnp_compat, posix_spawnp_compat)

CT_EXPORT pid_t _Fork(void)
{
	ct_count(CT_CALL__Fork);
	pid_t pid = ct_real._Fork();

	if (pid == 0)
		ct_forked();
	return pid;
}
