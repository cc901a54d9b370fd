/* Which lanes there are, in which order: threads by process and start routine. */
import type { Lane, Trace } from "./api";
import { base } from "./text";
import type { Row } from "./timeline";

export interface Sort { value: (l: Lane) => number | string; causes?: boolean }

const CATEGORIES = ["contention", "io", "idle", "runtime"];
/* Blocked time by lane and cause or category: of the view of threads, asked for when it is needed. */
export type ByCause = Map<number, Record<string, number>>;

export function sorts(by: ByCause | null): Record<string, Sort> {
  const of = (l: Lane, what: string) => by?.get(l.lane)?.[what] ?? 0;
  return {
    "largest process": { value: (l) => l.from_ns }, "as started": { value: (l) => l.from_ns }, "blocked time": { value: (l) => -l.blocked_ns },
    "running time": { value: (l) => -l.running_ns }, "ready time": { value: (l) => -l.runnable_ns }, "longest wait": { value: (l) => -l.longest_ns }, name: { value: (l) => l.name },
    cause: { causes: true, value: (l) => Object.entries(by?.get(l.lane) ?? {}).filter(([k]) => !CATEGORIES.includes(k)).sort((a, b) => b[1] - a[1])[0]?.[0] ?? "~" },
    ...Object.fromEntries(CATEGORIES.map((c) => [`time in ${c}`, { causes: true, value: (l: Lane) => -of(l, c) }])),
  };
}

/* A row of the view of threads belongs to the lane with its numbers that lived longest as it did. */
export function byCause(trace: Trace, rows: Record<string, any>[]): ByCause {
  const known: ByCause = new Map(), lanes = new Map<string, Lane[]>();
  for (const l of trace.lanes) {
    const key = `${trace.processes[l.process].pid} ${l.tid}`;
    lanes.set(key, [...(lanes.get(key) ?? []), l]);
  }
  for (const r of rows) {
    const free = (lanes.get(`${r.pid} ${r.tid}`) ?? []).filter((l) => !known.has(l.lane));
    const lane = free.find((l) => l.lifetime_ns === r.lifetime_ns) ?? free[0];
    if (!lane) continue;
    const sums: Record<string, number> = {};
    for (const [cause, ns] of Object.entries(r.by_cause as Record<string, number>)) {
      const c = trace.causes.find((x) => x.name === cause)?.category ?? "runtime";
      sums[cause] = (sums[cause] ?? 0) + ns;
      sums[c] = (sums[c] ?? 0) + ns;
    }
    known.set(lane.lane, sums);
  }
  return known;
}

/* As --thread and --process have it: a number, or a pattern with * and ?. */
function glob(pattern: string): (names: (string | number)[]) => boolean {
  const r = new RegExp(`^${pattern.replace(/[.+^${}()|\\]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".")}$`);
  return (names) => names.some((n) => String(n) === pattern || (typeof n === "string" && r.test(n)));
}
export function safe(pattern: string | undefined) {
  if (!pattern) return null;
  try { return glob(pattern); } catch { return null; }
}

export interface Chosen {
  sort: string; words: string; pinned: Set<number>; closed: Set<string>;
  thread?: string; process?: string; only: Set<number> | null; by: ByCause | null;
}

export function rowsOf(trace: Trace, c: Chosen): Row[] {
  const wanted = c.words.toLowerCase(), rows: Row[] = [], value = (sorts(c.by)[c.sort] ?? sorts(c.by)["largest process"]).value;
  const thread = safe(c.thread), process = safe(c.process);
  const order = (a: Lane, b: Lane) => { const x = value(a), y = value(b); return typeof x === "number" ? x - (y as number) : x.localeCompare(y as string); };
  const label = (l: Lane) => `${l.name || "thread"} ${l.tid}`;
  const matches = (l: Lane) => {
    const p = trace.processes[l.process];
    return (!wanted || label(l).toLowerCase().includes(wanted) || String(p.pid) === wanted) && (!thread || thread([l.name, l.tid])) &&
      (!process || process([base(p.executable), p.pid])) && (!c.only || c.only.has(l.lane));
  };
  for (const n of c.pinned) if (trace.lanes[n]) rows.push({ kind: "lane", lane: n, label: "● " + label(trace.lanes[n]), key: `pin${n}`, members: 1 });
  const members: Lane[][] = trace.processes.map(() => []), lives = trace.processes.map(() => 0);
  for (const l of trace.lanes) {
    lives[l.process] += l.to_ns - l.from_ns;
    if (l.to_ns > l.from_ns && !c.pinned.has(l.lane) && matches(l)) members[l.process].push(l);
  }
  const processes = trace.processes.map((_, i) => i), first = (i: number) => members[i][0];
  for (const m of members) m.sort(order);
  /* Processes go in the order of their first lanes. */
  if (c.sort === "largest process") processes.sort((a, b) => lives[b] - lives[a]);
  else processes.sort((a, b) => (first(a) && first(b) ? order(first(a), first(b)) : 0));
  for (const index of processes) {
    const p = trace.processes[index], lanes = members[index];
    if (!lanes.length) continue;
    const key = `p${index}`, shut = c.closed.has(key);
    rows.push({ kind: "process", lane: -1, key, label: `${shut ? "▸" : "▾"} ${base(p.command.split(" ")[0] || p.executable)} (${p.pid})   ${lanes.length} thread${lanes.length === 1 ? "" : "s"}   ${p.command}`, members: lanes.length });
    if (shut) continue;
    const groups = new Map<string, Lane[]>();
    for (const l of lanes) {
      const g = l.routine === "0" ? `main\n${l.lane}` : l.routine, list = groups.get(g);
      if (list) list.push(l);
      else groups.set(g, [l]);
    }
    for (const [routine, list] of groups) {
      const gkey = `${key}g${routine}`, named = list.length > 2 && groups.size > 1;
      if (named) rows.push({ kind: "group", lane: -1, key: gkey, label: `${c.closed.has(gkey) ? "▸" : "▾"} ${list[0].name.replace(/[-_: #]?\d+$/, "") || "thread"}: ${list.length} threads of one start routine`, members: list.length });
      if (named && c.closed.has(gkey)) continue;
      for (const l of list) rows.push({ kind: "lane", lane: l.lane, label: label(l), key: `l${l.lane}`, members: 1 });
    }
  }
  return rows;
}
