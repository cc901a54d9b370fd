/* Numbers, names and explanations for people. */
import type { Frame } from "./api";

const UNITS: [number, string][] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];

export function time(ns: number): string {
  const size = Math.abs(ns);
  if (size >= 60e9) return `${ns < 0 ? "-" : ""}${Math.floor(size / 60e9)} m ${((size % 60e9) / 1e9).toFixed(1)} s`;
  for (const [unit, name] of UNITS)
    if (size >= unit) {
      const value = ns / unit;
      return `${Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)} ${name}`;
    }
  return "0";
}
export const moment = (ns: number) => `${(ns / 1e9).toFixed(6)} s`;
export const count = (n: number) => n.toLocaleString("en-US");
export const share = (part: number, whole: number) => (whole > 0 ? `${((100 * part) / whole).toFixed(part / whole < 0.1 ? 1 : 0)} %` : "–");
export const base = (path: string) => path.slice(path.lastIndexOf("/") + 1);

export function frame(f: Frame): string {
  if (f.function) return f.function;
  return f.module ? `${base(f.module)}+0x${f.offset.toString(16)}` : `0x${f.offset.toString(16)}`;
}
export const place = (f: Frame) => (f.file ? `${base(f.file)}:${f.line}` : f.module ? base(f.module) : "");

/* One click away from each state, category and column. */
export const EXPLAIN: Record<string, string> = {
  running: "The thread had a CPU. If it runs all the time, it is slow because of what it computes: use a CPU profiler such as perf.",
  ready: "The thread could have run, but no CPU was free (runnable). More threads than CPUs, a CPU quota of a container, or others on the machine.",
  contention: "The thread waited for something that another one holds: a mutex, a read-write lock, a barrier, a file lock, a futex. Look at who holds it, and for how long.",
  io: "The thread waited in a call that reads, writes, connects or resolves: for a disk, a peer, a pipe.",
  idle: "The thread waited for work to arrive, or for time to pass: conditions, polls, accept, sleep, children. Often as it should be; not so where it waits for another thread's result.",
  runtime: "The thread was off its CPU inside of the allocator, the loader, or a change of its address space.",
  unexplained: "Off the CPU in no call that ctrace wraps: page faults, calls inside of glibc, or records that are missing.",
  waits: "How many waits there were.",
  total: "Blocked time, added up.",
  longest: "The longest single wait.",
  p50: "Half of the waits were at most that long.",
  p99: "99 of 100 waits were at most that long.",
  lifetime: "From the thread's begin to its end, within what is shown.",
  blocked: "Time in which the thread was off the CPU in calls that ctrace records.",
  runnable: "Time in which the thread was ready and had no CPU.",
  acquisitions: "How often the lock was taken while it was watched (after somebody had to wait for it).",
  hold: "For how long the lock was held while it was watched.",
};
