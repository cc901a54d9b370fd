/* What is in the marked range: a panel below the timeline. Its numbers are those of ctrace-analyze with the same --from
 * and --to; all other pages are restricted to the range, too. */
import { useContext, useMemo } from "preact/hooks";
import type { Trace } from "./api";
import { causeColumns, Loaded, Marks, ns, Parts, byCategory, Sites, type Row } from "./parts";
import { Flame } from "./flame";
import { averages, Plot, useLoad } from "./plot";
import { AddressContext, useRest, type Where } from "./state";
import { Table, type Column } from "./table";
import { base, moment, time } from "./text";
import { title } from "./timeline";

const TABS: [string, string][] = [["", "Threads"], ["causes", "Causes"], ["sites", "Sites"], ["flame", "Flame graph"], ["running", "Running threads"], ["regions", "Regions"], ["tasks", "Tasks"]];

function ThreadsIn({ trace, where, reveal }: { trace: Trace; where: Where; reveal: (pid: number, tid: number) => void }) {
  const columns: Column<Row>[] = [
    { name: "thread", key: "name", value: (r) => `${r.name} (${r.tid})`, show: (r) => <button class="link" onClick={() => reveal(r.pid, r.tid)}>{r.name || "thread"} ({r.tid})</button> },
    { name: "in the range", key: "lifetime_ns", value: (r) => r.lifetime_ns, show: (r) => <Parts parts={byCategory(trace, r)} whole={r.lifetime_ns} />, wide: true },
    ns("running", "running_ns"), ns("runnable", "runnable_ns"), ns("blocked", "blocked_ns"),
    { name: "mostly in", key: "mostly", value: (r) => Object.entries(r.by_cause as Record<string, number>).sort((a, b) => b[1] - a[1]).filter((x) => x[1] > 0).slice(0, 3).map(([c, v]) => `${c} ${time(v)}`).join(", ") },
    ns("unexplained", "unexplained_ns"), ns("longest", "longest_ns")];
  return <Loaded name="threads" where={where}>{(d) => <Table label="range-threads" rows={d.threads.filter((t: Row) => t.lifetime_ns > 0)} columns={columns} sort="blocked_ns" />}</Loaded>;
}

function Running({ mark }: { mark: [number, number] }) {
  const { data, no } = useLoad(mark[0], mark[1]);
  if (!data) return <p class="faint">{no || "…"}</p>;
  const a = averages(data);
  return <>
    <p class="averages">On average {a.running.toFixed(2)} threads ran, {a.ready.toFixed(2)} were ready, {a.contention.toFixed(2)} waited for others, {a.io.toFixed(2)} for input or output, {a.idle.toFixed(2)} for work.</p>
    <Plot data={data} shades={["running", "ready"]} line={null} label="running and ready threads" />
  </>;
}

function FlameIn({ where }: { where: Where }) {
  return <Loaded name="blocks" where={where} extra={{ top: "1000" }}>{(d) => <FlameRows sites={d.sites} />}</Loaded>;
}
/* of: which time of the sites. */
export function FlameRows({ sites, idle = true, of = "total_ns" }: { sites: Row[]; idle?: boolean; of?: string }) {
  const rows = useMemo(() => sites.filter((s) => (idle || s.category !== "idle") && s[of] > 0).map((s) => ({ stack: s.stack, value: s[of], category: s.category, leaf: title(s.cause, s.object) })), [sites, idle, of]);
  return <Flame rows={rows} what={of === "total_ns" ? "blocked time" : "time without a CPU"} />;
}

export function Range({ trace, reveal }: { trace: Trace; reveal: (pid: number, tid: number) => void }) {
  const { where, set } = useContext(AddressContext), [tab, setTab] = useRest("panel"), mark = where.mark!;
  const link = (page: string) => <button class="link" onClick={() => set({ ...where, page }, true)}>{page}</button>;
  return <section class="details range" aria-label="marked range">
    <button class="close" aria-label="let go of the range" onClick={() => set({ ...where, mark: null }, true)}>×</button>
    <h2>{moment(mark[0])} to {moment(mark[1])}: {time(mark[1] - mark[0])} <span class="faint">of {base(trace.file)}</span></h2>
    <p class="tabs">{TABS.filter(([id]) => trace.annotated || (id !== "regions" && id !== "tasks")).map(([id, name]) => <button class={tab === id ? "here" : ""} onClick={() => setTab(id)}>{name}</button>)}
      <span class="faint">All pages show this range only: {link("blocks")} {link("locks")} {link("wakers")} {link("path")} {link("sched")}.
        The same as text: <code>ctrace-analyze blocks --from {Math.round(mark[0])}ns --to {Math.round(mark[1])}ns</code></span></p>
    {tab === "" && <ThreadsIn trace={trace} where={where} reveal={reveal} />}
    {tab === "causes" && <Loaded name="blocks" where={where} extra={{ top: "300" }}>{(d) => <Table label="range-causes" rows={d.causes} columns={causeColumns} sort="total_ns" />}</Loaded>}
    {tab === "sites" && <Loaded name="blocks" where={where} extra={{ top: "300" }}>{(d) => <Sites rows={d.sites} label="range-sites" />}</Loaded>}
    {tab === "flame" && <FlameIn where={where} />}
    {tab === "running" && <Running mark={mark} />}
    {tab === "regions" && <Loaded name="regions" where={where}>{(d) => <Marks trace={trace} rows={d.regions} of="region" label="range-regions" />}</Loaded>}
    {tab === "tasks" && <Loaded name="tasks" where={where}>{(d) => <Marks trace={trace} rows={d.tasks} of="task" label="range-tasks" />}</Loaded>}
  </section>;
}

