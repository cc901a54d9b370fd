/* Environment variables by which the parts find each other; children inherit them. */
#ifndef CT_ENV_H
#define CT_ENV_H

#define CT_ENV_PRELOAD   "LD_PRELOAD"
#define CT_ENV_SOCKET    "CTRACE_SOCKET"    /* of a running collector: see socket.h */
#define CT_ENV_OUT       "CTRACE_OUT"       /* trace file; default trace.%p.bin: see collector/names.h */
#define CT_ENV_MIN       "CTRACE_MIN"       /* shortest written interval: 10us, 1ms, 500 (ns) */
#define CT_ENV_STACKS    "CTRACE_STACKS"    /* auto, fp, unwind, off */
#define CT_ENV_START     "CTRACE_START"     /* off: nothing is recorded until ctrace-ctl start */
#define CT_ENV_SCHED     "CTRACE_SCHED"     /* context switches: auto, on, off, switches */
#define CT_ENV_FLIGHT    "CTRACE_FLIGHT"    /* flight recorder: 30s,256M; see docs/flight.md, as for the next four */
#define CT_ENV_TRIGGER   "CTRACE_TRIGGER"   /* what makes it write a snapshot; several with ';' between them */
#define CT_ENV_MAX_SNAPSHOTS "CTRACE_MAX_SNAPSHOTS"
#define CT_ENV_SNAPSHOT_PAUSE "CTRACE_SNAPSHOT_PAUSE"
#define CT_ENV_SNAPSHOT_AT_END "CTRACE_SNAPSHOT_AT_END" /* 1 */
#define CT_ENV_COLLECTOR "CTRACE_COLLECTOR" /* path of ctrace-collector, for tests */

/* CTRACE_SOCKET where a parent could not start a collector: do not try again. */
#define CT_NO_COLLECTOR  "none"

#define CT_DEFAULT_MIN_NS 10000u

#endif
