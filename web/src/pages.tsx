/* The pages beside the timeline: each asks for the JSON of a command, with the filters of the address. */
import { useContext, useMemo, useState } from "preact/hooks";
import { isReport, type Trace } from "./api";
import { COLORS } from "./colors";
import { Histogram, type Bucket } from "./latency";
import { at, byCategory, category, cause, causeColumns, id, List, Loaded, Marks, ns, number, Parts, Sites, stackColumn, text, useView, who, type Row } from "./parts";
import { averages, Plot, useLoad } from "./plot";
import { FlameRows } from "./range";
import { Stack } from "./stack";
import { AddressContext, useRest, type Where } from "./state";
import { Explain, Table, type Column } from "./table";
import { base, count, share, time } from "./text";

function Blocks({ where }: { where: Where }) {
  return <Loaded name="blocks" where={where} extra={{ top: "300" }}>{(d) => <>
    <h2>Blocked time by cause</h2><Table label="causes" rows={d.causes} columns={causeColumns} sort="total_ns" />
    <h2>Where threads waited</h2><Sites rows={d.sites} label="sites" />
  </>}</Loaded>;
}

function Threads({ trace, where }: { trace: Trace; where: Where }) {
  const life: Column<Row> = { name: "life", key: "lifetime_ns.parts", value: (r) => r.lifetime_ns, show: (r) => <Parts parts={byCategory(trace, r)} whole={r.lifetime_ns} />, wide: true };
  const most = (r: Row) => Object.entries(r.by_cause as Record<string, number>).sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
  const shared = [life, ns("lifetime", "lifetime_ns"), ns("running", "running_ns"), ns("runnable", "runnable_ns"), ns("blocked", "blocked_ns"), { name: "mostly in", key: "mostly", value: most }, ns("unexplained", "unexplained_ns"), ns("longest", "longest_ns")];
  return <Loaded name="threads" where={where}>{(d) => <>
    <h2>Groups: threads of one name and start routine</h2><Table label="groups" rows={d.groups ?? []} columns={[text("name", "name"), text("routine", "routine"), number("threads", "threads"), ...shared]} sort="blocked_ns" />
    <h2>Threads</h2><Table label="threads" rows={d.threads} columns={[text("name", "name"), id("tid", "tid"), ...shared]} sort="blocked_ns" />
  </>}</Loaded>;
}

const holder = (lock: Row, tid: number) => { const o = (lock.owners ?? []).find((x: Row) => x.tid === tid); return o ? `${o.name} (${tid})` : String(tid); };

function Locks({ where }: { where: Where }) {
  const columns: Column<Row>[] = [text("lock", "object", true), text("kind", "kind"), number("waits", "contended"), ns("waited", "wait_ns"), ns("longest", "max_wait_ns"), number("acquisitions", "acquisitions"), ns("held", "hold_ns"), text("first waited for at", "site", true)];
  return <Loaded name="locks" where={where}>{(d) => <>
    <h2>Locks that somebody waited for</h2>
    <Table label="locks" rows={d.locks} columns={columns} sort="wait_ns" detail={(r: Row) => <div class="columns"><div><List rows={(r.owners ?? []).map((o: Row) => ({ ...o, total_ns: o.wait_ns, count: o.waits }))} label="Waits for what they held" /><List rows={(r.waiters ?? []).map((o: Row) => ({ ...o, total_ns: o.wait_ns, count: o.waits, name: `${o.name} (${o.tid})${o.owner ? ` for ${holder(r, o.owner)}` : ""}` }))} label="Who waited, for whom" /></div>
      <div>{r.site_pairs?.length > 0 && <><h4>Holder → waiter</h4><table class="facts pairs"><tbody>{r.site_pairs.slice(0, 12).map((p: Row) => <tr title={`${count(p.count)} waits`}><td>{at(p.holder_stack) || "not known"}</td><td>→ {at(p.waiter_stack)}</td><td>{count(p.count)}</td><td>{time(p.total_ns)}</td></tr>)}</tbody></table></>}
        {r.longest_convoy && <p class="faint">The longest convoy: {count(r.longest_convoy.hand_overs)} releases in a row, {time(r.longest_convoy.duration_ns)} long; up to {count(r.longest_convoy.waiters)} threads waited.</p>}</div></div>} />
  </>}</Loaded>;
}

function Wakers({ where }: { where: Where }) {
  const columns: Column<Row>[] = [{ name: "waiter", key: "waiter", value: (r) => who(r.waiter) }, { name: "waker", key: "waker", value: (r) => who(r.waker) || r.ended_by }, cause, text("on", "object", true), number("waits", "count"), ns("total", "total_ns"), ns("until released", "release_ns"), ns("then until it ran", "resume_ns"), stackColumn("waited in", "waiter_stack"), stackColumn("woken in", "waker_stack")];
  const blame: Column<Row>[] = [{ name: "who", key: "blame", value: (r) => r.label ?? at(r.stack), wide: true }, number("waits", "count"), ns("others waited", "blame_ns"), ns("for work", "idle_ns")];
  return <Loaded name="wakers" where={where}>{(d) => <>
    <Graph rows={d.wakers} />
    <h2>Who unblocked whom</h2><Table label="wakers" rows={d.wakers} columns={columns} sort="total_ns" detail={(r: Row) => <div class="columns"><div><h4>Waited in</h4><Stack stack={r.waiter_stack} /></div><div><h4>Woken in</h4><Stack stack={r.waker_stack} /></div></div>} />
    <h2>Because of whom others waited</h2><Table label="blame" rows={d.blame.threads} columns={blame} sort="blame_ns" />
    <h2>Because of what is done where</h2><Table label="blame-sites" rows={d.blame.sites} columns={blame} sort="blame_ns" detail={(r: Row) => <Stack stack={r.stack} />} />
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

function Path({ where, show }: { where: Where; show: () => void }) {
  return <Loaded name="path" where={where}>{(d) => {
    const p = d.path, whole = p.to_ns - p.from_ns;
    return <>
      <h2>The critical path: {time(whole)}, over {count(p.jumps)} changes of thread</h2>
      <Parts whole={whole} parts={[["running", p.running_ns, COLORS.running], ["ready", p.ready_ns, COLORS.ready], ["blocked, ended by no thread", p.blocked_ns, COLORS.io], ["let go on, not running yet", p.resuming_ns, COLORS.runtime]]} />
      <p>running {share(p.running_ns, whole)}, ready {share(p.ready_ns, whole)}, blocked {share(p.blocked_ns, whole)}, resuming {share(p.resuming_ns, whole)}.
        On average {d.parallel.running.toFixed(2)} threads ran and {d.parallel.able.toFixed(2)} could have; one at a time for {(100 * d.parallel.serial_fraction).toFixed(0)} % of the time. {p.legs && <button onClick={show}>show in the timeline</button>}</p>
      <h2>Locks by their time on the path</h2>
      <Table label="path-locks" rows={d.locks} columns={[text("lock", "object", true), ns("on the path", "path_ns"), ns("held", "held_ns"), ns("all waits", "wait_ns"), number("sections", "sections"), stackColumn("in", "stack")]} detail={(r: Row) => <Stack stack={r.stack} />} />
      <h2>Threads on the path</h2><Table label="path-threads" rows={d.threads} columns={[text("name", "name"), id("tid", "tid"), ns("on the path", "path_ns"), number("times", "count")]} sort="path_ns" />
      <h2>What was done</h2><Table label="path-sites" rows={d.sites} columns={[text("name", "name"), id("tid", "tid"), text("state", "state"), cause, ns("on the path", "path_ns"), stackColumn("in", "stack")]} detail={(r: Row) => <Stack stack={r.stack} />} />
    </>;
  }}</Loaded>;
}

function Deadlocks({ where }: { where: Where }) {
  return <Loaded name="deadlocks" where={where}>{(d) => <>
    {!d.cycles.length && !d.stalls.length && <p>No thread waits in a cycle, and none for something that nobody is left to end.</p>}
    {[["Threads that wait for each other", d.cycles], ["Waits that nobody is left to end", d.stalls], ["Waits that have not ended", d.open]].map(([title, rows]) => (rows as Row[]).length > 0 && <><h2>{title as string}</h2><Tree value={rows} label={title as string} /></>)}
  </>}</Loaded>;
}

/* Any JSON, with stacks as stacks and arrays of objects as tables. */
export function Tree({ value, label = "rows" }: { value: any; label?: string }) {
  if (Array.isArray(value)) {
    if (value.length && value.every((v) => v && typeof v === "object" && "module" in v && "offset" in v)) return <Stack stack={value} />;
    if (value.length && value.every((v) => v && typeof v === "object" && !Array.isArray(v))) return <Auto rows={value} label={label} />;
    return <ul class="plain">{value.map((v) => <li><Tree value={v} /></li>)}</ul>;
  }
  if (value && typeof value === "object") return <table class="facts"><tbody>{Object.entries(value).map(([k, v]) => <tr><td>{k.replace(/_ns$/, "").replace(/_/g, " ")}<Explain of={k} /></td><td>{k.endsWith("_ns") && typeof v === "number" ? time(v) : <Tree value={v} />}</td></tr>)}</tbody></table>;
  return <>{String(value)}</>;
}

function Auto({ rows, label }: { rows: Row[]; label: string }) {
  const keys = [...new Set(rows.flatMap((r) => Object.keys(r)))];
  const columns: Column<Row>[] = keys.filter((k) => rows.some((r) => r[k] !== null && typeof r[k] !== "object")).map((k) => {
    const name = k.replace(/_ns$/, "").replace(/_/g, " ");
    if (k === "category") return category;
    if (k === "cause") return cause;
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
      <section><h3>{k.replace(/_/g, " ")}</h3><Tree value={v} label={k} /></section>))}
  </>}</Loaded>;
}

function FlamePage({ where }: { where: Where }) {
  const [idle, setIdle] = useState(false), [of, setOf] = useRest("flame");
  return <Loaded name="blocks" where={where} extra={{ top: "2000" }}>{(d) => <>
    <h2>Flame graph of <select aria-label="of which time" value={of} onChange={(e) => setOf(e.currentTarget.value)}><option value="">blocked time</option><option value="delay_ns">time ready without a CPU, by the wait before it</option></select></h2>
    <label><input type="checkbox" checked={idle} onChange={(e) => setIdle(e.currentTarget.checked)} /> with idle waits</label>
    <FlameRows sites={d.sites} idle={idle} of={of || "total_ns"} />
  </>}</Loaded>;
}

/* By cause; a bar's calls are shown in the timeline. */
function Latency({ trace, where }: { trace: Trace; where: Where }) {
  const { set } = useContext(AddressContext);
  const show = (h: Row, b: Bucket) => {
    const q = new URLSearchParams({ cause: h.cause, max: `${b.to_ns}ns` });
    if (b.from_ns) q.set("min", `${b.from_ns}ns`);
    set({ ...where, page: "timeline", rest: { ...where.rest, show: q.toString() } }, true);
  };
  return <Loaded name="latency" where={where}>{(d) => <>
    <h2>How long calls took, by cause <span class="faint">(those that were recorded; a click on a bar shows its calls in the timeline)</span></h2>
    {d.histograms.map((h: Row) => { const c = trace.causes.find((x) => x.name === h.cause)?.category ?? ""; return <section class="latency-of" data-cause={h.cause}>
      <h3>{h.cause ?? "all that is selected"}<Explain of={h.cause ?? ""} /> <span class="faint">{count(h.recorded)} calls, {time(h.total_ns)} in all; half at most {time(h.p50_ns)}, 99 of 100 at most {time(h.p99_ns)}, the longest {time(h.max_ns)}</span></h3>
      <Histogram buckets={h.buckets} category={c} onBar={h.cause ? (b) => show(h, b) : undefined} />
    </section>; })}
  </>}</Loaded>;
}

/* Use of the CPUs, and what threads did besides, over time. */
function Cpu({ trace, where }: { trace: Trace; where: Where }) {
  const whole = where.mark ?? [0, trace.trace.duration_ns], { data, no } = useLoad(whole[0], Math.min(whole[1], trace.trace.duration_ns));
  const { data: sched } = useView("sched", where, { top: "1" });
  if (!data) return <p class="faint">{no || "reading the trace…"}</p>;
  const cpus = (sched?.scheduler?.cpus ?? []).length || null, a = averages(data);
  return <>
    <h2>Running and ready threads over time{Object.keys(where.filters).length > 0 && <span class="faint"> (of all threads: filters but the time do not apply here)</span>}</h2>
    <p class="averages">On average <b>{a.running.toFixed(2)}</b> threads ran<Explain of="running" /> and <b>{a.ready.toFixed(2)}</b> were ready without a CPU<Explain of="runnable" />.
      {cpus && <> They used {cpus} CPU{cpus === 1 ? "" : "s"} at some time: {share(a.running, cpus)} of them (the dashed line is all of them).</>}</p>
    <Plot data={data} shades={["running", "ready"]} line={cpus} label="running and ready threads" high={200} />
    <h2>Waiting threads over time</h2>
    <p class="averages">On average {a.contention.toFixed(2)} waited for others<Explain of="contention" />, {a.io.toFixed(2)} for input or output<Explain of="io" />, {a.runtime.toFixed(2)} in the runtime<Explain of="runtime" />, {a.idle.toFixed(2)} for work<Explain of="idle" />.</p>
    <Plot data={data} shades={["contention", "io", "runtime", "idle"]} line={null} label="waiting threads" high={200} />
    {sched && cpus && <><h2>Use of each CPU</h2><Table label="cpus" rows={sched.scheduler.cpus} columns={[id("CPU", "cpu"), ns("running", "running_ns"), { name: "of the time", key: "running_ns.share", value: (r: Row) => share(r.running_ns, whole[1] - whole[0]) }]} sort="running_ns" /></>}
  </>;
}

function Summary({ trace, where }: { trace: Trace; where: Where }) {
  const t = trace.trace;
  return <>
    <p class="command">{t.commands[0]}</p>
    <p>{time(t.duration_ns)}, {count(t.processes)} process{t.processes === 1 ? "" : "es"}, {count(t.threads)} threads, {count(t.events)} events, {t.complete ? "complete" : "not complete"}; states stand on {t.sched}.</p>
    <Loaded name="summary" where={where} extra={{}}>{(d) => <ol class="findings">{(d.findings ?? []).map((f: Row) => <li><h3>{f.title ?? f.headline ?? f.text}</h3>{(f.title || f.headline) && f.text && <p>{f.text}</p>}{(f.stack ?? []).length > 0 && <details><summary>call stack</summary><Stack stack={f.stack} /></details>}{f.hint && <p class="faint">{f.hint}</p>}{f.next && <code>{f.next}</code>}</li>)}</ol>}</Loaded>
  </>;
}

/* What the program says it was doing. The longest one is a marked range in the timeline. */
function MarksPage({ trace, where, of }: { trace: Trace; where: Where; of: "region" | "task" }) {
  const { set } = useContext(AddressContext), name = of === "region" ? "regions" : "tasks";
  const go = (r: Row) => {
    const a = r.longest.start_ns, b = a + r.max_ns, room = (b - a) * 0.3;
    set({ ...where, page: "timeline", from: Math.max(0, a - room), to: Math.min(trace.trace.duration_ns, b + room), mark: [a, b] }, true);
  };
  return <Loaded name={name} where={where} extra={{ top: "200" }}>{(d) => <>
    <h2>{of === "region" ? "Regions: parts of its work that the program has named" : "Tasks: work that goes from thread to thread; states are those in their regions"}</h2>
    {d[name].length ? <Marks trace={trace} rows={d[name]} of={of} label={name} go={isReport ? undefined : go} /> : <p class="faint">None{Object.values(where.filters).some(Boolean) || where.mark ? " that the filters select" : ": the program says nothing of itself with ctrace.h"}.</p>}
    {(d.unbalanced_ends > 0 || d.left_open > 0) && <p class="faint">{count(d.unbalanced_ends)} ends without a begin were ignored{d.left_open > 0 && `; ${count(d.left_open)} regions were ended by one around them`}.</p>}
  </>}</Loaded>;
}

export const PAGES: [string, string][] = [["summary", "Summary"], ["timeline", "Timeline"], ["blocks", "Blocks"], ["threads", "Threads"], ["locks", "Locks"], ["io", "I/O"], ["malloc", "Malloc"], ["sched", "Scheduler"], ["wakers", "Wakers"], ["path", "Critical path"], ["deadlocks", "Deadlocks"], ["flame", "Flame graph"], ["latency", "Latency"], ["cpu", "CPU"], ["regions", "Regions"], ["tasks", "Tasks"], ["stats", "Trace"]];

export function Page({ trace, where, showPath }: { trace: Trace; where: Where; showPath: () => void }) {
  switch (where.page) {
    case "summary": return <Summary trace={trace} where={where} />;
    case "blocks": return <Blocks where={where} />;
    case "threads": return <Threads trace={trace} where={where} />;
    case "locks": return <Locks where={where} />;
    case "wakers": return <Wakers where={where} />;
    case "path": return <Path where={where} show={showPath} />;
    case "deadlocks": return <Deadlocks where={where} />;
    case "latency": return <Latency trace={trace} where={where} />;
    case "cpu": return <Cpu trace={trace} where={where} />;
    case "regions": return <MarksPage trace={trace} where={where} of="region" />;
    case "tasks": return <MarksPage trace={trace} where={where} of="task" />;
    case "flame": return <FlamePage where={where} />;
  }
  /* Of the whole trace, always. */
  if (where.page === "stats") return <Plain name="stats" where={{ ...where, mark: null, filters: {} }} title="The trace" />;
  const page = PAGES.find((p) => p[0] === where.page);
  return page ? <Plain name={page[0]} where={where} title={page[1]} /> : <p>No such page: {base(where.page)}</p>;
}
