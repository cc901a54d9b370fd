/*
 * What ctrace-run and ctrace-collector say to each other, over a pair of
 * SOCK_SEQPACKET sockets: one struct ct_control a message.
 *
 *   collector -> run   READY, or ERROR and the collector exits
 *   collector -> run   STALLED     no thread made progress for as long as --watchdog
 *                                  says; what they wait for is in the file, or will be in
 *                                  a snapshot whose text begins with CT_CONTROL_STALL
 *   collector -> run   SNAPSHOT    of the flight recorder: path, what it holds and, in text, why;
 *                                  or error says why there is none
 *   run -> collector   ENDED       the program ended
 *                   or DETACHED    the trace ends, whatever goes on
 *   collector -> run   SUMMARY     the trace is complete, or error says why not
 *                   or RUNNING     other processes go on: the collector stays
 *                                  with them and will say no more
 *
 * End of file on the collector's side (ctrace-run was killed) counts as ENDED
 * with nobody to answer. Both ends are of one build; the struct is private.
 */
#ifndef CT_CONTROL_H
#define CT_CONTROL_H

#include <stdint.h>

#define CT_CONTROL_MAGIC 0x6c727463u /* "ctrl" */
#define CT_CONTROL_STALL "no thread has made progress"

enum ct_control_kind {
	CT_CONTROL_READY = 1,
	CT_CONTROL_ERROR,
	CT_CONTROL_ENDED,
	CT_CONTROL_RUNNING,
	CT_CONTROL_SUMMARY,
	CT_CONTROL_STALLED,
	CT_CONTROL_SNAPSHOT,
	CT_CONTROL_DETACHED,
};

struct ct_control {
	uint32_t magic;
	uint32_t kind;        /* enum ct_control_kind */
	int32_t error;        /* SUMMARY: 0, or the errno that cut the file short */
	int32_t status;       /* ENDED: as from wait() */
	uint32_t pid;         /* ENDED: the program's */
	uint32_t refused;     /* SUMMARY: processes that asked to be traced and were not */
	uint64_t processes;   /* SUMMARY: process images; RUNNING: still attached */
	uint64_t threads;
	uint64_t events;      /* in the file */
	uint64_t lost;        /* events that are not in the file */
	uint64_t file_bytes;
	uint64_t duration_ns; /* from the first process's start to the last one's end; STALLED: for how long */
	uint32_t flight;      /* SUMMARY: a flight recorder: there is no file */
	uint32_t snapshots;   /* SUMMARY: that were written */
	char text[192];       /* ERROR: what is wrong; SUMMARY: why one was refused; SNAPSHOT: why */
	char path[4096];      /* SNAPSHOT */
};

#endif
