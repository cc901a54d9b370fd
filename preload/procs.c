/* Processes: waiting for children, and the forks that skip atfork handlers. */
#include "real.h"
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

	ct_begin_wait(&v, CT_CALL_pclose, CT_CAUSE_CHILD, CT_OBJECT_NONE, 0);
	int r = ct_real.pclose(stream);

	ct_end(&v, CT_RESULT(r));
	return r;
}

CT_EXPORT pid_t _Fork(void)
{
	ct_count(CT_CALL__Fork);
	pid_t pid = ct_real._Fork();

	if (pid == 0)
		ct_forked();
	return pid;
}
