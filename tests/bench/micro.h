/* Operations of bench-micro: each runs so many times; main takes the time. */
#ifndef CTRACE_BENCH_MICRO_H
#define CTRACE_BENCH_MICRO_H

/* limits.c: what recording an event cannot do without. */
void limit_nothing(long n);	/* the loop itself */
void limit_tsc(long n);		/* two time stamps */
void limit_line(long n);	/* a cache line written, in a ring of 1 MB */
void limit_indirect(long n);	/* an indirect call */
void limit_all(long n);		/* all three */

/* many.c: many threads, processes, waits. */
void malloc_four(long n);
void forks(long n);
void processes(long n);
void known_waits(long n);
void many_threads(long n);
void many_processes(long n);
void at_a_rate(long n);
extern long many_count;		/* threads or processes; for at_a_rate: cycles of the TSC between two events */

#endif
