/* What pages are made of: a view of the server's, columns, bars of time. */
import { useEffect, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { Refused, view, type Frame, type Trace } from "./api";
import { COLORS } from "./colors";
import { Stack } from "./stack";
import { query, type Where } from "./state";
import { Explain, Table, type Column } from "./table";
import { count, frame, place, share, time } from "./text";

export type Row = Record<string, any>;

export function useView(name: string, where: Where, extra: Record<string, string> = { top: "0" }) {
  const [data, setData] = useState<{ q: string; d: Row } | null>(null), [no, setNo] = useState(""), q = name + "?" + query(where, extra);
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const ask = () => view(name, query(where, extra), stop.signal).then((d) => { setNo(""); setData({ q, d }); }).catch((e) => {
      if (e.name === "AbortError") return;
      setNo(e.message);
      /* The file is another one: it is being read. */
      if (e instanceof Refused && e.status === 409) timer = window.setTimeout(ask, 2000);
    });
    setNo("");
    ask();
    return () => { stop.abort(); clearTimeout(timer); };
  }, [q]);
  return { data: data?.q === q ? data.d : null, no };
}

export function Loaded({ name, where, extra, children }: { name: string; where: Where; extra?: Record<string, string>; children: (d: Row) => ComponentChildren }) {
  const { data, no } = useView(name, where, extra);
  if (no) return <p class="refused" role="alert">{no}</p>;
  return data ? <>{children(data)}</> : <p class="faint">reading the trace…</p>;
}

/* What starts threads and programs says nothing. */
export const STARTS = /^(start_thread|_start|_?_?clone3?|__libc_start_(main|call_main).*)$/;
export const at = (stack?: Frame[]) => {
  const f = stack?.find((x) => x.function && !STARTS.test(x.function)) ?? stack?.[0];
  return f ? `${frame(f)}  ${place(f)}` : "";
};
export const ns = (name: string, key: string): Column<Row> => ({ name, key, value: (r) => r[key] ?? 0, show: (r) => time(r[key] ?? 0) });
export const number = (name: string, key: string): Column<Row> => ({ name, key, value: (r) => r[key] ?? 0, show: (r) => count(r[key] ?? 0) });
export const id = (name: string, key: string): Column<Row> => ({ name, key, value: (r) => r[key] ?? 0 });
export const text = (name: string, key: string, wide = false): Column<Row> => ({ name, key, value: (r) => r[key] ?? "", wide });
export const category: Column<Row> = { name: "category", key: "category", value: (r) => r.category ?? "", show: (r) => <><i class="swatch" style={{ background: COLORS[r.category] ?? "#aaa" }} />{r.category}<Explain of={r.category} /></> };
export const cause: Column<Row> = { name: "cause", key: "cause", value: (r) => r.cause ?? "", show: (r) => <>{r.cause}<Explain of={r.cause ?? ""} /></> };
export const stackColumn = (name: string, key: string): Column<Row> => ({ name, key, value: (r) => at(r[key]), wide: true });
export const who = (x: Row | null) => (x ? x.label ?? `${x.name} (${x.tid})` : "");

export function Parts({ parts, whole }: { parts: [string, number, string][]; whole: number }) {
  return <span class="parts">{parts.filter((p) => p[1] > 0).map(([name, value, color]) => <i title={`${name}: ${time(value)}, ${share(value, whole)}`} style={{ width: `${(100 * value) / Math.max(1, whole)}%`, background: color }} />)}</span>;
}

export function byCategory(trace: Trace, row: Row): [string, number, string][] {
  const sums: Record<string, number> = {};
  for (const [cause, value] of Object.entries(row.by_cause as Record<string, number>)) {
    const c = trace.causes.find((x) => x.name === cause)?.category ?? "runtime";
    sums[c] = (sums[c] ?? 0) + value;
  }
  return [["running", row.running_ns ?? 0, COLORS.running], ["ready", row.runnable_ns ?? 0, COLORS.ready],
    ...["contention", "io", "runtime", "idle"].map((c) => [c, sums[c] ?? 0, COLORS[c]] as [string, number, string]),
    ["unexplained", row.unexplained_ns ?? 0, COLORS.unexplained]];
}

export function List({ rows, label }: { rows: Row[]; label: string }) {
  if (!rows?.length) return null;
  return <div><h4>{label}</h4><ul class="plain">{rows.slice(0, 8).map((r) => <li>{r.name ?? r.object} {r.tid && !String(r.name).includes(`(${r.tid})`) ? `(${r.tid})` : ""}: {time(r.total_ns ?? r.wait_ns ?? 0)} in {count(r.count ?? r.waits ?? 0)}</li>)}</ul></div>;
}

export const causeColumns: Column<Row>[] = [cause, category, number("waits", "count"), ns("total", "total_ns"), ns("p50", "p50_ns"), ns("p99", "p99_ns"), ns("longest", "max_ns"), number("not over", "open")];
const siteColumns: Column<Row>[] = [
  stackColumn("where", "stack"), cause, category, text("on", "object", true), number("waits", "count"), ns("total", "total_ns"), ns("longest", "max_ns"),
];
export function Sites({ rows, label }: { rows: Row[]; label: string }) {
  return <Table label={label} rows={rows} columns={siteColumns} sort="total_ns" detail={(r: Row) => <div class="columns"><div><h4>{r.call}</h4><Stack stack={r.stack} /></div><div><List rows={r.waiters} label="Who waited" /><List rows={r.owners} label="Who held it" /><List rows={r.objects} label="On what" /></div></div>} />;
}

/* Regions or tasks; of a task the states are those in its regions. */
export function Marks({ trace, rows, of, label, go }: { trace: Trace; rows: Row[]; of: "region" | "task"; label: string; go?: (r: Row) => void }) {
  const whole = (r: Row) => r.in_regions_ns ?? r.total_ns;
  const columns: Column<Row>[] = [text(of, of), number("times", "count"), ns("total", "total_ns"), ns("p50", "p50_ns"), ns("p99", "p99_ns"), ns("longest", "max_ns"),
    { name: "how it was spent", key: "total_ns.parts", value: (r) => whole(r), show: (r) => <Parts parts={byCategory(trace, r)} whole={whole(r)} />, wide: true },
    ns("running", "running_ns"), ns("runnable", "runnable_ns"), ns("blocked", "blocked_ns"),
    { name: "mostly in", key: "mostly", value: (r) => Object.entries(r.by_cause as Record<string, number>).sort((a, b) => b[1] - a[1])[0]?.[0] ?? "" },
    ...(go ? [{ name: "the longest", key: "max_ns.place", value: (r: Row) => r.longest?.start_ns ?? 0, show: (r: Row) => (r.longest ? <button class="link" onClick={(e) => { e.stopPropagation(); go(r); }}>{time(r.max_ns)} at {time(r.longest.start_ns)}</button> : "") } as Column<Row>] : [])];
  return <Table label={label} rows={rows} columns={columns} sort="total_ns" detail={(r: Row) => <div class="columns">
    <div><h4>Waited for</h4><ul class="plain">{Object.entries(r.by_cause as Record<string, number>).sort((a, b) => b[1] - a[1]).map(([c, v]) => <li>{c}<Explain of={c} />: {time(v)}</li>)}</ul></div>
    {r.threads && <List rows={r.threads.map((t: Row) => ({ ...t, total_ns: t.elapsed_ns, count: t.regions }))} label="In regions of threads" />}
  </div>} />;
}
