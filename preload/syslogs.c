/* The system's log: one lock of glibc's, and a socket whose reader may be slow. */
#include "wrap.h"

#include <stdarg.h>
#include <syslog.h>

#define LOG(symbol, v_symbol, parameters, ...) \
	CT_EXPORT void v_symbol(int priority, parameters const char *format, va_list list) \
	{ \
		struct ct_interval v; \
		ct_begin(&v, CT_CALL_syslog, CT_CAUSE_SOCKET, CT_OBJECT_NONE, 0); \
		ct_real.v_symbol(__VA_ARGS__, format, list); \
		ct_end(&v, 0); \
	} \
	CT_EXPORT void symbol(int priority, parameters const char *format, ...) \
	{ \
		struct ct_interval v; \
		va_list list; \
		va_start(list, format); \
		ct_begin(&v, CT_CALL_syslog, CT_CAUSE_SOCKET, CT_OBJECT_NONE, 0); \
		ct_real.v_symbol(__VA_ARGS__, format, list); \
		ct_end(&v, 0); \
		va_end(list); \
	}
#define COMMA ,

LOG(syslog, vsyslog, , priority)
LOG(__syslog_chk, __vsyslog_chk, int flag COMMA, priority, flag)
