/* The pages beside the timeline: each asks for the JSON of a command, with the filters of the address. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { view, type Frame, type Trace } from "./api";
import { Stack } from "./details";
import { Flame } from "./flame";
import { query, type Where } from "./state";
import { Explain, Table, type Column } from "./table";
import { base, count, frame, place, share, time } from "./text";
import { COLORS, title } from "./timeline";

type Row = Record<string, any>;

function useView(name: string, where: Where, extra: Record<string, string> = { top: "0" }) {
  const [data, setData] = useState<Row | null>(null), [no, setNo] = useState(""), q = query(where, extra);
  useEffect(() => {
    const stop = new AbortController();
    setData(null); setNo("");
    view(name, q, stop.signal).then(setData).catch((e) => { if (e.name !== "AbortError") setNo(e.message); });
    return () => stop.abort();
  }, [name, q]);
  return { data, no };
}

function Loaded({ name, where, extra, children }: { name: string; where: Where; extra?: Record<string, string>; children: (d: Row) => ComponentChildren }) {
  const { data, no } = useView(name, where, extra);
  if (no) return <p class="refused" role="alert">{no}</p>;
  return data ? <>{children(data)}</> : <p class="faint">reading the trace…</p>;
}

/* What starts threads and programs says nothing. */
const STARTS = /^(start_thread|_start|_?_?clone3?|__libc_start_(main|call_main).*)$/;
const at = (stack?: Frame[]) => {
  const f = stack?.find((x) => x.function && !STARTS.test(x.function)) ?? stack?.[0];
  return f ? `${frame(f)}  ${place(f)}` : "";
};
const ns = (name: string, key: string, explain?: string): Column<Row> => ({ name, explain, value: (r) => r[key] ?? 0, show: (r) => time(r[key] ?? 0) });
const number = (name: string, key: string, explain?: string): Column<Row> => ({ name, explain, value: (r) => r[key] ?? 0, show: (r) => count(r[key] ?? 0) });
const id = (name: string, key: string): Column<Row> => ({ name, value: (r) => r[key] ?? 0 });
const text = (name: string, key: string, wide = false): Column<Row> => ({ name, value: (r) => r[key] ?? "", wide });
const category: Column<Row> = { name: "category", value: (r) => r.category ?? "", show: (r) => <><i class="swatch" style={{ background: COLORS[r.category] ?? "#aaa" }} />{r.category}<Explain of={r.category} /></> };
const stackColumn = (name: string, key: string): Column<Row> => ({ name, value: (r) => at(r[key]), wide: true });
const who = (x: Row | null) => (x ? x.label ?? `${x.name} (${x.tid})` : "");

function Parts({ parts, whole }: { parts: [string, number, string][]; whole: number }) {
  return <span class="parts">{parts.filter((p) => p[1] > 0).map(([name, value, color]) => <i title={`${name}: ${time(value)}, ${share(value, whole)}`} style={{ width: `${(100 * value) / Math.max(1, whole)}%`, background: color }} />)}</span>;
}

function List({ rows, label }: { rows: Row[]; label: string }) {
  if (!rows?.length) return null;
  return <div><h4>{label}</h4><ul class="plain">{rows.slice(0, 8).map((r) => <li>{r.name ?? r.object} {r.tid ? `(${r.tid})` : ""}: {time(r.total_ns ?? r.wait_ns ?? 0)} in {count(r.count ?? r.waits ?? 0)}</li>)}</ul></div>;
}

const causeColumns: Column<Row>[] = [text("cause", "cause"), category, number("waits", "count"), ns("total", "total_ns"), ns("p50", "p50_ns"), ns("p99", "p99_ns"), ns("longest", "max_ns"), number("not over", "open")];
const siteColumns: Column<Row>[] = [
  { name: "where", value: (r) => at(r.stack), wide: true }, text("cause", "cause"), category, text("on", "object", true), number("waits", "count"), ns("total", "total_ns"), ns("longest", "max_ns"),
];

function Blocks({ where }: { where: Where }) {
  return <Loaded name="blocks" where={where} extra={{ top: "300" }}>{(d) => <>
    <h2>Blocked time by cause</h2><Table label="causes" rows={d.causes} columns={causeColumns} sort={3} />
    <h2>Where threads waited</h2>
    <Table label="sites" rows={d.sites} columns={siteColumns} sort={5} detail={(r: Row) => <div class="columns"><div><h4>{r.call}</h4><Stack stack={r.stack} /></div><div><List rows={r.waiters} label="Who waited" /><List rows={r.owners} label="Who held it" /><List rows={r.objects} label="On what" /></div></div>} />
  </>}</Loaded>;
}

function byCategory(trace: Trace, row: Row): [string, number, string][] {
  const sums: Record<string, number> = {};
  for (const [cause, value] of Object.entries(row.by_cause as Record<string, number>)) {
    const c = trace.causes.find((x) => x.name === cause)?.category ?? "runtime";
    sums[c] = (sums[c] ?? 0) + value;
  }
  return [["running", row.running_ns ?? 0, COLORS.running], ["ready", row.runnable_ns ?? 0, COLORS.ready],
    ...["contention", "io", "runtime", "idle"].map((c) => [c, sums[c] ?? 0, COLORS[c]] as [string, number, string]),
    ["unexplained", row.unexplained_ns ?? 0, COLORS.unexplained]];
}

function Threads({ trace, where }: { trace: Trace; where: Where }) {
  const life: Column<Row> = { name: "life", value: (r) => r.lifetime_ns, show: (r) => <Parts parts={byCategory(trace, r)} whole={r.lifetime_ns} />, wide: true };
  const most = (r: Row) => Object.entries(r.by_cause as Record<string, number>).sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
  const shared = [life, ns("lifetime", "lifetime_ns"), ns("running", "running_ns"), ns("runnable", "runnable_ns"), ns("blocked", "blocked_ns"), { name: "mostly in", value: most }, ns("unexplained", "unexplained_ns"), ns("longest", "longest_ns")];
  return <Loaded name="threads" where={where}>{(d) => <>
    <h2>Groups: threads of one name and start routine</h2><Table label="groups" rows={d.groups ?? []} columns={[text("name", "name"), text("routine", "routine"), number("threads", "threads"), ...shared]} />
    <h2>Threads</h2><Table label="threads" rows={d.threads} columns={[text("name", "name"), id("tid", "tid"), ...shared]} sort={6} />
  </>}</Loaded>;
}

function Locks({ where }: { where: Where }) {
  const columns: Column<Row>[] = [text("lock", "object", true), text("kind", "kind"), number("waits", "contended"), ns("waited", "wait_ns", "total"), ns("longest", "max_wait_ns"), number("acquisitions", "acquisitions"), ns("held", "hold_ns", "hold"), stackColumn("first waited for at", "stack")];
  return <Loaded name="locks" where={where}>{(d) => <>
    <h2>Locks that somebody waited for</h2>
    <Table label="locks" rows={d.locks} columns={columns} sort={3} detail={(r: Row) => <div class="columns"><div><List rows={(r.owners ?? []).map((o: Row) => ({ ...o, total_ns: o.wait_ns, count: o.waits }))} label="Waits for what they held" /><List rows={(r.waiters ?? []).map((o: Row) => ({ ...o, total_ns: o.wait_ns, count: o.waits }))} label="Who waited" /></div>
      <div>{r.pairs?.length > 0 && <><h4>Holder → waiter</h4><table class="facts"><tbody>{r.pairs.slice(0, 10).map((p: Row) => <tr><td>{at(p.holder_stack ?? p.holder)}</td><td>→ {at(p.waiter_stack ?? p.waiter)}</td><td>{time(p.total_ns ?? p.wait_ns ?? 0)}</td></tr>)}</tbody></table></>}</div></div>} />
  </>}</Loaded>;
}

function Wakers({ where }: { where: Where }) {
  const columns: Column<Row>[] = [{ name: "waiter", value: (r) => who(r.waiter) }, { name: "waker", value: (r) => who(r.waker) || r.ended_by }, text("cause", "cause"), text("on", "object", true), number("waits", "count"), ns("total", "total_ns"), ns("until released", "release_ns"), ns("then until it ran", "resume_ns"), stackColumn("waited in", "waiter_stack"), stackColumn("woken in", "waker_stack")];
  const blame: Column<Row>[] = [{ name: "who", value: (r) => r.label ?? at(r.stack), wide: true }, number("waits", "count"), ns("others waited", "blame_ns"), ns("for work", "idle_ns")];
  return <Loaded name="wakers" where={where}>{(d) => <>
    <Graph rows={d.wakers} />
    <h2>Who unblocked whom</h2><Table label="wakers" rows={d.wakers} columns={columns} sort={5} detail={(r: Row) => <div class="columns"><div><h4>Waited in</h4><Stack stack={r.waiter_stack} /></div><div><h4>Woken in</h4><Stack stack={r.waker_stack} /></div></div>} />
    <h2>Because of whom others waited</h2><Table label="blame" rows={d.blame.threads} columns={blame} sort={2} />
    <h2>Because of what is done where</h2><Table label="blame-sites" rows={d.blame.sites} columns={blame} sort={2} detail={(r: Row) => <Stack stack={r.stack} />} />
  </>}</Loaded>;
}

/* Threads on a circle; an arrow from waker to waiter, as wide as the time waited. */
const MIDDLE = 420;
function Graph({ rows }: { rows: Row[] }) {
  const edges = useMemo(() => {
    const sums = new Map<string, { from: string; to: string; ns: number }>();
    for (const r of rows) {
      if (!r.waker || !r.waiter) continue;
      const from = who(r.waker), to = who(r.waiter), key = `${from}\n${to}`, e = sums.get(key) ?? { from, to, ns: 0 };
      e.ns += r.total_ns;
      sums.set(key, e);
    }
    return [...sums.values()].sort((a, b) => b.ns - a.ns).slice(0, 40);
  }, [rows]);
  const names = [...new Set(edges.flatMap((e) => [e.from, e.to]))], most = edges[0]?.ns ?? 1, R = Math.min(210, 30 + 16 * names.length), C = R + 30;
  if (!edges.length) return <p class="faint">No wait is known to have been ended by a thread.</p>;
  const pos = (n: string) => { const a = (2 * Math.PI * names.indexOf(n)) / names.length; return [MIDDLE + R * Math.cos(a), C + R * Math.sin(a)]; };
  return (
    <svg class="graph" viewBox={`0 0 ${2 * MIDDLE} ${2 * C}`} role="img" aria-label="who unblocks whom">
      <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" markerWidth="11" markerHeight="11" orient="auto"><path d="M0,0 L8,4 L0,8" fill="#345" /></marker></defs>
      {edges.map((e) => {
        const [x0, y0] = pos(e.from), [x1, y1] = pos(e.to), w = 0.7 + (5 * e.ns) / most;
        const d = e.from === e.to ? `M${x0},${y0} c-34,-46 34,-46 2,-3` : `M${x0},${y0} Q${(x0 + x1) / 2 + (y1 - y0) * 0.15},${(y0 + y1) / 2 - (x1 - x0) * 0.15} ${x1},${y1}`;
        return <path d={d} fill="none" stroke="#345" stroke-opacity="0.55" stroke-width={w} marker-end="url(#tip)"><title>{`${e.from} → ${e.to}: ${time(e.ns)}`}</title></path>;
      })}
      {names.map((n) => { const [x, y] = pos(n); return <g><circle cx={x} cy={y} r="5" fill="#d55e00" /><text x={x + (x > MIDDLE ? 9 : -9)} y={y + 4} text-anchor={x > MIDDLE ? "start" : "end"}>{n}</text></g>; })}
    </svg>
  );
}

function Path({ where, show }: { where: Where; show: (legs: Row[]) => void }) {
  return <Loaded name="path" where={where}>{(d) => {
    const p = d.path, whole = p.to_ns - p.from_ns;
    return <>
      <h2>The critical path: {time(whole)}, over {count(p.jumps)} changes of thread</h2>
      <Parts whole={whole} parts={[["running", p.running_ns, COLORS.running], ["ready", p.ready_ns, COLORS.ready], ["blocked, ended by no thread", p.blocked_ns, COLORS.io], ["let go on, not running yet", p.resuming_ns, COLORS.runtime]]} />
      <p>running {share(p.running_ns, whole)}, ready {share(p.ready_ns, whole)}, blocked {share(p.blocked_ns, whole)}, resuming {share(p.resuming_ns, whole)}.
        On average {d.parallel.running.toFixed(2)} threads ran and {d.parallel.able.toFixed(2)} could have; one at a time for {(100 * d.parallel.serial_fraction).toFixed(0)} % of the time. {p.legs && <button onClick={() => show(p.legs)}>show in the timeline</button>}</p>
      <h2>Locks by their time on the path</h2>
      <Table label="path-locks" rows={d.locks} columns={[text("lock", "object", true), ns("on the path", "path_ns"), ns("held", "held_ns", "hold"), ns("all waits", "wait_ns", "total"), number("sections", "sections"), stackColumn("in", "stack")]} detail={(r: Row) => <Stack stack={r.stack} />} />
      <h2>Threads on the path</h2><Table label="path-threads" rows={d.threads} columns={[text("name", "name"), id("tid", "tid"), ns("on the path", "path_ns"), number("times", "count")]} />
      <h2>What was done</h2><Table label="path-sites" rows={d.sites} columns={[text("name", "name"), id("tid", "tid"), text("state", "state"), text("cause", "cause"), ns("on the path", "path_ns"), stackColumn("in", "stack")]} detail={(r: Row) => <Stack stack={r.stack} />} />
    </>;
  }}</Loaded>;
}

function Deadlocks({ where }: { where: Where }) {
  return <Loaded name="deadlocks" where={where}>{(d) => <>
    {!d.cycles.length && !d.stalls.length && <p>No thread waits in a cycle, and none for something that nobody is left to end.</p>}
    {[["Threads that wait for each other", d.cycles], ["Waits that nobody is left to end", d.stalls], ["Waits that have not ended", d.open]].map(([title, rows]) => (rows as Row[]).length > 0 && <><h2>{title as string}</h2><Tree value={rows} /></>)}
  </>}</Loaded>;
}

/* Any JSON, with stacks as stacks and arrays of objects as tables. */
export function Tree({ value }: { value: any }) {
  if (Array.isArray(value)) {
    if (value.length && value.every((v) => v && typeof v === "object" && "module" in v && "offset" in v)) return <Stack stack={value} />;
    if (value.length && value.every((v) => v && typeof v === "object" && !Array.isArray(v))) return <Auto rows={value} label="rows" />;
    return <ul class="plain">{value.map((v) => <li><Tree value={v} /></li>)}</ul>;
  }
  if (value && typeof value === "object") return <table class="facts"><tbody>{Object.entries(value).map(([k, v]) => <tr><td>{k.replace(/_ns$/, "").replace(/_/g, " ")}</td><td>{k.endsWith("_ns") && typeof v === "number" ? time(v) : <Tree value={v} />}</td></tr>)}</tbody></table>;
  return <>{String(value)}</>;
}

function Auto({ rows, label }: { rows: Row[]; label: string }) {
  const keys = [...new Set(rows.flatMap((r) => Object.keys(r)))];
  const columns: Column<Row>[] = keys.filter((k) => rows.some((r) => r[k] !== null && typeof r[k] !== "object")).map((k) => {
    const name = k.replace(/_ns$/, "").replace(/_/g, " ");
    if (rows.some((r) => typeof r[k] === "number")) return k.endsWith("_ns") ? ns(name, k) : /^(pid|tid|fd|address|id)$/.test(k) ? id(name, k) : number(name, k);
    return { ...text(name, k), wide: rows.some((r) => String(r[k] ?? "").length > 30) };
  });
  const deep = keys.some((k) => rows.some((r) => r[k] && typeof r[k] === "object"));
  return <Table label={label} rows={rows} columns={columns} detail={deep ? (r: Row) => <>{keys.filter((k) => r[k] && typeof r[k] === "object" && (!Array.isArray(r[k]) || r[k].length)).map((k) => <div><h4>{k.replace(/_/g, " ")}</h4><Tree value={r[k]} /></div>)}</> : undefined} />;
}

function Plain({ name, where, title }: { name: string; where: Where; title: string }) {
  return <Loaded name={name} where={where} extra={name === "stats" ? {} : { top: "200" }}>{(d) => <>
    <h2>{title}</h2>
    {Object.entries(d).filter(([k]) => k !== "trace" && k !== "filters").map(([k, v]) => (
      <section><h3>{k.replace(/_/g, " ")}</h3><Tree value={v} /></section>))}
  </>}</Loaded>;
}

function FlamePage({ where }: { where: Where }) {
  const [idle, setIdle] = useState(false);
  return <Loaded name="blocks" where={where} extra={{ top: "2000" }}>{(d) => <>
    <h2>Flame graph of blocked time</h2>
    <label><input type="checkbox" checked={idle} onChange={(e) => setIdle(e.currentTarget.checked)} /> with idle waits</label>
    <Flame rows={d.sites.filter((s: Row) => idle || s.category !== "idle").map((s: Row) => ({ stack: s.stack, value: s.total_ns, category: s.category, leaf: title(s.cause, s.object) }))} />
  </>}</Loaded>;
}

function Summary({ trace, where }: { trace: Trace; where: Where }) {
  const t = trace.trace;
  return <>
    <p class="command">{t.commands[0]}</p>
    <p>{time(t.duration_ns)}, {count(t.processes)} process{t.processes === 1 ? "" : "es"}, {count(t.threads)} threads, {count(t.events)} events, {t.complete ? "complete" : "not complete"}; states stand on {t.sched}.</p>
    <Loaded name="summary" where={where} extra={{}}>{(d) => <ol class="findings">{(d.findings ?? []).map((f: Row) => <li><h3>{f.title ?? f.headline ?? f.text}</h3>{(f.title || f.headline) && f.text && <p>{f.text}</p>}{(f.stack ?? []).length > 0 && <Stack stack={f.stack} />}{f.command && <code>{f.command}</code>}</li>)}</ol>}</Loaded>
  </>;
}

export const PAGES: [string, string][] = [["summary", "Summary"], ["timeline", "Timeline"], ["blocks", "Blocks"], ["threads", "Threads"], ["locks", "Locks"], ["io", "I/O"], ["malloc", "Malloc"], ["sched", "Scheduler"], ["wakers", "Wakers"], ["path", "Critical path"], ["deadlocks", "Deadlocks"], ["flame", "Flame graph"], ["latency", "Latency"], ["stats", "Trace"]];

export function Page({ trace, where, showPath }: { trace: Trace; where: Where; showPath: (legs: Row[]) => void }) {
  switch (where.page) {
    case "summary": return <Summary trace={trace} where={where} />;
    case "blocks": return <Blocks where={where} />;
    case "threads": return <Threads trace={trace} where={where} />;
    case "locks": return <Locks where={where} />;
    case "wakers": return <Wakers where={where} />;
    case "path": return <Path where={where} show={showPath} />;
    case "deadlocks": return <Deadlocks where={where} />;
    case "flame": return <FlamePage where={where} />;
  }
  /* Of the whole trace, always. */
  if (where.page === "stats") return <Plain name="stats" where={{ ...where, mark: null, filters: {} }} title="The trace" />;
  const page = PAGES.find((p) => p[0] === where.page);
  return page ? <Plain name={page[0]} where={where} title={page[1]} /> : <p>No such page: {base(where.page)}</p>;
}
