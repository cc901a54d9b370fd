/* The page: head, filters, the timeline with its keys, and the other pages. */
import { render } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { isOf, isReport, json, leftOut, lines, view, type Before, type Lane, type Site, type Trace, type Wait } from "./api";
import { COLORS } from "./colors";
import { Details } from "./details";
import { byCause, rowsOf, safe, sorts, type ByCause } from "./lanes";
import { told, within } from "./notes";
import { Page, PAGES } from "./pages";
import { Range } from "./range";
import { AddressContext, FILTERS, go, parse, query, redo, undo, useRest, type Where } from "./state";
import { Explain } from "./table";
import { base, count, time } from "./text";
import { LANE_HEIGHT, NAMES_WIDTH, RULER, Timeline, title, type Bar, type Found } from "./timeline";
import { Why } from "./why";

const KEYS: [string, string][] = [
  ["W S", "zoom in and out (also ctrl and the wheel)"], ["A D, ← →", "move (also shift and the wheel)"], ["↑ ↓", "scroll"], ["f", "fit the selection, then all; all of a trace that is still being written grows with it"],
  ["m", "mark the selection's time, or what is in sight: all pages are restricted to it"], ["drag", "mark a range"], ["[ ]", "go to who ended the selected wait, and back"], ["n N", "the next and the previous of the waits that are shown (from a bar of the latency page)"],
  ["/", "search for a thread"], ["p", "pin the selected thread on top (also a click on a thread's name)"], ["click on a process", "collapse or open it"], ["u, U", "undo and redo moves"], ["Esc", "let go of selection and mark"], ["?", "this list"],
];

function Legend({ trace }: { trace: Trace }) {
  const more = [...(trace.blanks ? ["not recorded"] : []), ...(trace.annotated ? ["region", "log line"] : [])];
  return <div class="legend">{Object.entries(COLORS).map(([name, color]) => <span><i class="swatch" style={{ background: color }} />{name}<Explain of={name} /></span>)}
    {more.map((name) => <span><i class={`swatch ${name.replace(" ", "-")}`} />{name}<Explain of={name} /></span>)}</div>;
}

function Banner({ trace }: { trace: Trace }) {
  const t = trace.trace, lines: string[] = [], gap = Number(trace.scheduler.gap_ns ?? 0);
  if (leftOut.length) lines.push(`Left out of this report: ${leftOut.join("; ")}.`);
  if (trace.stale) lines.push(trace.stale);
  if (t.damaged) lines.push(`The trace is damaged in ${t.damaged} place${t.damaged === 1 ? "" : "s"}: what can be read is shown.`);
  if (!t.complete && !t.damaged) lines.push("The trace has no end: it was cut off, or is still being written.");
  if (t.lost_events) lines.push(`${count(t.lost_events)} events were lost: threads made them faster than they were written.`);
  if (t.lost_switches) lines.push(`${count(t.lost_switches)} context switches were lost.`);
  if (t.lost_stacks || t.lost_threads || t.lost_modules) lines.push(`No room for ${count(t.lost_stacks)} stacks, ${count(t.lost_threads)} threads, ${count(t.lost_modules)} modules.`);
  if (t.sched !== "switches") lines.push("There are no context switches in the trace: running and ready times are totals only, and the timeline shows calls.");
  if (gap) lines.push(`The scheduler's records are missing for ${time(gap)}: states in that time are not known, or estimated.`);
  return lines.length ? <div class="banner" role="status">{lines.map((l) => <div>{l}</div>)}</div> : null;
}

function Filters({ trace, where, set }: { trace: Trace; where: Where; set: (w: Where) => void }) {
  const causes = [...new Set(trace.causes.flatMap((c) => [c.category, c.name]))];
  const hints: Record<string, string> = { thread: "worker*, 1234", process: "redis*, 1234", cause: "mutex,io", site: "parse, x.c:12", object: "g_lock", min: "10ms", region: "parse*", task: "request*" };
  return <div class="filters">
    {FILTERS.filter((f) => trace.annotated || where.filters[f] || (f !== "region" && f !== "task")).map((f) => <label>{f}<input value={where.filters[f] ?? ""} placeholder={hints[f]} list={f === "cause" ? "causes" : undefined} onChange={(e) => set({ ...where, filters: { ...where.filters, [f]: e.currentTarget.value } })} /></label>)}
    <datalist id="causes">{causes.map((c) => <option value={c} />)}</datalist>
    {Object.values(where.filters).some(Boolean) && <button onClick={() => set({ ...where, filters: {} })}>no filters</button>}
    {where.mark && <span class="chip">{time(where.mark[0])} – {time(where.mark[1])} <button aria-label="whole time" onClick={() => set({ ...where, mark: null })}>×</button></span>}
  </div>;
}

/* The units of --min. */
function duration(text: string | undefined): number {
  const found = /^([0-9.]+) *(ns|us|µs|ms|s|m)$/.exec(text ?? "");
  return found ? Number(found[1]) * ({ ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9, m: 60e9 } as Record<string, number>)[found[2]] : 0;
}

/* Which regions --region and --task mean. */
function wantedRegions(f: Record<string, string>): ((name: string, task: string) => boolean) | null {
  const region = safe(f.region), task = safe(f.task);
  return region || task ? (name, of) => (!region || region([name])) && (!task || task([of])) : null;
}

/* Which waits the filters select, as far as the picture knows. */
function wantedOf(trace: Trace, f: Record<string, string>, line: { current: Timeline | null }): ((site: Site, length: number, lane: number, start: number) => boolean) | null {
  if (!f.cause && !f.object && !f.min && !f.region && !f.task) return null;
  const region = safe(f.region), task = safe(f.task), inRegion = region && within((r) => !r.name || region([r.name])), inTask = task && within((r) => task([r.task]));
  const inside = (lane: number, start: number) => {
    const t = line.current, known = t?.notesOf(lane);
    return !!known && (!inRegion || inRegion(known, t!.names, start)) && (!inTask || inTask(known, t!.names, start));
  };
  const causes = f.cause ? new Set(f.cause.split(",")) : null, least = duration(f.min);
  let object: RegExp | null = null;
  try { object = f.object ? new RegExp(f.object) : null; } catch { object = null; }
  const known = new Map(trace.causes.map((c) => [c.id, c]));
  return (site, length, lane, start) => {
    const c = known.get(site.cause);
    if ((region || task) && !inside(lane, start)) return false;
    return (!causes || (!!c && (causes.has(c.name) || causes.has(c.category)))) && (!object || object.test(site.object)) && length >= least;
  };
}

/* The waits that a bar of a histogram stands for. */
interface Shown { waits: Found[]; count: number }
const SHOWN_MOST = 5000;

function useShown(where: Where): { shown: Shown | null; no: string } {
  const [shown, setShown] = useState<Shown | null>(null), [no, setNo] = useState(""), show = where.rest.show;
  const q = show ? query(where, { top: String(SHOWN_MOST), ...Object.fromEntries(new URLSearchParams(show)) }) : "";
  useEffect(() => {
    const stop = new AbortController();
    setShown(null); setNo("");
    if (q) view("waits", q, stop.signal).then((d) => setShown({ count: d.count, waits: d.waits.map((w: any) => ({ lane: w.lane, start: w.start_ns, length: w.duration_ns })).sort((a: Found, b: Found) => a.start - b.start) }))
      .catch((e) => { if (e.name !== "AbortError") setNo(e.message); });
    return () => stop.abort();
  }, [q]);
  return { shown, no };
}

/* As a regular expression that matches just that: C++ names have parentheses and stars. */
const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

function words(show: string): string {
  const q = new URLSearchParams(show), as = q.get("as"), ns = (k: string) => time(Number((q.get(k) ?? "0").replace("ns", "")));
  return as ?? `${q.get("cause") ?? ""} ${ns("min")} to ${ns("max")}`;
}

/* The critical path of the marked range, or of all, once it is asked for. */
function usePath(trace: Trace, where: Where): { path: Leg[]; doing: string } {
  const [path, setPath] = useState<{ q: string; legs: Leg[] } | null>(null), [no, setNo] = useState("");
  const q = where.rest.path ? query({ ...where, filters: {} }, { top: "0" }) : "";
  useEffect(() => {
    const stop = new AbortController();
    setNo("");
    if (q) view("path", q, stop.signal).then((d) => setPath({ q, legs: onLanes(trace, d.path.legs ?? []) })).catch((e) => { if (e.name !== "AbortError") setNo(e.message); });
    return () => stop.abort();
  }, [q]);
  const there = !!q && path?.q === q;
  return { path: there ? path!.legs : NO_LEGS, doing: q && !there ? no || "reading the trace…" : "" };
}

function TimelinePage({ trace, where, set }: { trace: Trace; where: Where; set: (w: Where, now?: boolean) => void }) {
  const { path, doing } = usePath(trace, where);
  const canvas = useRef<HTMLCanvasElement>(null), line = useRef<Timeline | null>(null), search = useRef<HTMLInputElement>(null);
  const [sort, setSort] = useRest("lanes", "largest process"), [find, setFind] = useRest("find"), [pins, setPins] = useRest("pin"), [shut, setShut] = useRest("shut");
  const [selected, setSelected] = useState<{ lane: number; bar: Bar; site: Site | null } | null>(null), [by, setBy] = useState<ByCause | null>(null);
  const [help, setHelp] = useState(false), [tip, setTip] = useState<{ x: number; y: number; text: string } | null>(null);
  const wait = useRef<Wait | null>(null), back = useRef<{ lane: number; bar: Bar; site: Site | null }[]>([]), current = useRef(where);
  current.current = where;
  const { shown, no } = useShown(where), only = useMemo(() => (shown ? new Set(shown.waits.map((w) => w.lane)) : null), [shown]);
  const pinned = useMemo(() => new Set(pins ? pins.split(",").map(Number) : []), [pins]), closed = useMemo(() => new Set(shut ? shut.split(",") : []), [shut]);
  const SORTS = sorts(by), needs = SORTS[sort]?.causes ?? false;
  useEffect(() => { if (needs && !by) view("threads", "top=0").then((d) => setBy(byCause(trace, d.threads))).catch(() => {}); }, [needs]);
  const rows = useMemo(() => rowsOf(trace, { sort, words: find, pinned, closed, thread: where.filters.thread, process: where.filters.process, only, by }), [trace, sort, find, pinned, closed, where.filters.thread, where.filters.process, only, by]);
  const wanted = useMemo(() => wantedOf(trace, where.filters, line), [trace, where.filters]);
  const toggle = (text: string, one: string) => { const n = new Set(text ? text.split(",") : []); if (!n.delete(one)) n.add(one); return [...n].join(","); };

  useEffect(() => {
    if (line.current) { line.current.grow(trace); return; }
    const t = (line.current = new Timeline(canvas.current!, trace));
    (window as any).ctraceTimeline = t;
    t.onMove = () => set(t.whole ? { ...current.current, from: 0, to: 0 } : { ...current.current, from: t.from, to: t.to });
    t.onLoad = (ms) => { canvas.current?.setAttribute("data-load-ms", ms.toFixed(1)); canvas.current?.setAttribute("data-loads", String(Number(canvas.current.getAttribute("data-loads") ?? 0) + 1)); };
    const resize = new ResizeObserver(() => { t.draw(); t.load(); });
    resize.observe(canvas.current!);
  }, [trace]);
  useEffect(() => {
    const t = line.current!;
    t.show(rows);
    t.mark = where.mark;
    t.path = path;
    t.selected = selected;
    t.found = shown?.waits ?? [];
    t.wanted = wanted;
    t.wantedRegion = wantedRegions(where.filters);
    if (where.to ? where.from !== t.from || where.to !== t.to : t.from !== 0 || t.to !== t.duration) t.move(where.to ? where.from : 0, where.to || t.duration, true);
    t.draw();
    t.load();
  }, [rows, where, selected, path, shown, wanted]);

  const select = useCallback((s: { lane: number; bar: Bar; site: Site | null } | null) => {
    setSelected(s);
    wait.current = null;
    if (line.current) { line.current.arrows = []; line.current.draw(); }
  }, []);
  const jump = useCallback((lane: number, ns: number) => {
    const t = line.current!;
    if (ns < t.from || ns > t.to) t.move(ns - (t.to - t.from) / 2, ns + (t.to - t.from) / 2);
    t.reveal(lane);
  }, []);
  /* To a wait that is known by its time, and selects it. */
  const goTo = useCallback((lane: number, start: number, length: number) => {
    const t = line.current!;
    if (!trace.lanes[lane]) return; /* of a thread that began since */
    if (start < t.from || start + length > t.to || length < (t.to - t.from) / 400) t.move(start - length * 3, start + length * 4);
    t.reveal(lane);
    select({ lane, bar: { start, length, site: -1, open: false }, site: null });
  }, [select, trace]);
  const reveal = useCallback((pid: number, tid: number) => {
    const t = line.current!, at = current.current.mark ?? [t.from, t.to];
    const l = trace.lanes.find((x) => x.tid === tid && trace.processes[x.process].pid === pid && x.from_ns < at[1] && x.to_ns > at[0]);
    if (l) t.reveal(l.lane);
  }, [trace]);
  const step = (forward: boolean) => {
    const list = shown?.waits ?? [], t = line.current!, at = selected ? selected.bar.start : (t.from + t.to) / 2;
    const next = forward ? list.find((w) => w.start > at) : [...list].reverse().find((w) => w.start < at);
    if (next) goTo(next.lane, next.start, next.length);
  };
  const onWait = useCallback((w: Wait | null) => {
    wait.current = w;
    const t = line.current!;
    t.arrows = w && selected && w.waker_lane !== undefined ? [{ fromLane: w.waker_lane, fromNs: selected.bar.start + w.release_ns, toLane: selected.lane, toNs: selected.bar.start + selected.bar.length }] : [];
    t.draw();
  }, [selected]);

  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      const t = line.current!;
      if ((e.target as HTMLElement).tagName === "INPUT" || (e.target as HTMLElement).tagName === "SELECT") { if (e.key === "Escape") (e.target as HTMLElement).blur(); return; }
      if (e.altKey || e.metaKey || (e.ctrlKey && e.key !== "z" && e.key !== "y")) return;
      const acts: Record<string, () => void> = {
        w: () => t.zoom(0.7), s: () => t.zoom(1 / 0.7), a: () => t.pan(-0.15), d: () => t.pan(0.15), ArrowLeft: () => t.pan(-0.15), ArrowRight: () => t.pan(0.15),
        ArrowUp: () => t.scrollTo(t.scroll - t.rowHeight * 2), ArrowDown: () => t.scrollTo(t.scroll + t.rowHeight * 2),
        f: () => {
          const b = selected?.bar, fit = (from: number, to: number) => { if (Math.abs(t.from - Math.max(0, from)) < 1 && Math.abs(t.to - Math.min(to, t.duration)) < 1) t.move(0, t.duration); else t.move(from, to); };
          if (b) fit(b.start - b.length * 0.2, b.start + b.length * 1.2); else if (where.mark) fit(...where.mark); else t.move(0, t.duration);
        },
        m: () => { const b = selected?.bar; set({ ...current.current, mark: b ? [Math.max(0, b.start), b.start + b.length] : [t.from, t.to] }, true); },
        "/": () => search.current?.focus(), "?": () => setHelp((h) => !h), u: undo, U: redo, z: undo, y: redo, n: () => step(true), N: () => step(false),
        Escape: () => { if (help) setHelp(false); else if (selected) select(null); else if (where.mark) set({ ...current.current, mark: null }, true); else if (where.rest.show) set({ ...current.current, rest: { ...where.rest, show: "" } }, true); },
        p: () => { if (selected) setPins(toggle(pins, String(selected.lane))); },
        "[": () => { const w = wait.current; if (selected && w?.waker_lane !== undefined) { back.current.push(selected); follow(w.waker_lane, selected.bar.start + w.release_ns); } },
        "]": () => { const b = back.current.pop(); if (b) { select(b); jump(b.lane, b.bar.start + b.bar.length); } },
      };
      if (!acts[e.key]) return;
      e.preventDefault();
      acts[e.key]();
    };
    window.addEventListener("keydown", key);
    return () => window.removeEventListener("keydown", key);
  }, [selected, where, help, set, select, jump, shown, pins]);

  /* To the waker's lane: the wait that it was in last before it woke us, wherever that is. A report knows those in sight. */
  const follow = (lane: number, ns: number) => {
    jump(lane, ns);
    const t = line.current!, row = t.rowOf(lane);
    const inSight = () => {
      const y = RULER + row * t.rowHeight + LANE_HEIGHT / 2 - t.scroll;
      for (let x = t.x(ns); x > NAMES_WIDTH; x -= 2) {
        const hit = t.hit(x, y);
        if (hit?.bar && hit.bar.start + hit.bar.length <= ns + 1e6) { select({ lane, bar: hit.bar, site: t.sites.get(hit.bar.site) ?? null }); return; }
      }
    };
    if (isReport) { setTimeout(inSight, 250); return; }
    json<Before>(`api/before?lane=${lane}&time=${Math.floor(Math.min(ns, t.duration))}`).then((w) => {
      if (w.start + w.length < t.from || w.start > t.to || w.length < (t.to - t.from) / 400) t.move(w.start - w.length * 3, w.start + w.length * 4);
      t.reveal(lane);
      select({ lane, bar: { start: w.start, length: w.length, site: w.site, open: false }, site: w.of });
    }, () => { /* it did not wait before */ });
  };

  const said = useRef<{ key: string; text: string; timer: number } | null>(null);
  const drag = useRef<{ x: number; y: number; from: number; to: number; scroll: number; mark: boolean; moved: boolean } | null>(null);
  const position = (e: MouseEvent) => { const r = canvas.current!.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top] as const; };
  const down = (e: MouseEvent) => {
    const [x, y] = position(e), t = line.current!;
    drag.current = { x, y, from: t.from, to: t.to, scroll: t.scroll, mark: !e.shiftKey && x > NAMES_WIDTH, moved: false };
  };
  const moved = (e: MouseEvent) => {
    const [x, y] = position(e), t = line.current!, d = drag.current;
    if (d && e.buttons) {
      d.moved = d.moved || Math.abs(x - d.x) > 4;
      if (!d.moved) return;
      if (d.mark) { t.mark = [t.ns(Math.min(x, d.x)), t.ns(Math.max(x, d.x))].map((v) => Math.max(0, Math.min(v, t.duration))) as [number, number]; t.draw(); }
      else { const by = ((d.x - x) / t.width) * (d.to - d.from); t.move(d.from + by, d.to + by); }
      return;
    }
    const hit = t.hit(x, y), row = t.rowAt(y), show = (text: string) => setTip({ x: e.clientX, y: e.clientY, text });
    if (!hit && row?.kind === "lane" && x < NAMES_WIDTH && y > RULER) { show(about(trace.lanes[row.lane])); return; }
    if (!hit) { setTip(null); return; }
    const site = hit.bar && t.sites.get(hit.bar.site), cause = site && t.cause(site);
    if (hit.lines) showLines(hit.lane, hit.lines, e);
    else if (hit.region) show(`${told(hit.region)}\n${time(hit.region.length)}, at ${time(hit.region.start)}`);
    else show(hit.bar && site ? `${title(cause?.name ?? "", site.object)}\n${site.call}: ${time(hit.bar.length)}${t.known(hit.bar.site) ? `\nwaits for ${t.known(hit.bar.site)!.what}` : ""}` : `${trace.lanes[hit.lane].name} at ${time(hit.ns)}${hit.blank && `\n${hit.blank}`}`);
  };
  /* They are asked for once the pointer rests. */
  const showLines = (lane: number, l: { from: number; to: number; count: number }, e: MouseEvent) => {
    const key = `${lane} ${l.from} ${l.to}`, place = { x: e.clientX, y: e.clientY }, head = `${count(l.count)} log line${l.count === 1 ? "" : "s"} at ${time(l.from)}`;
    const of = said.current;
    if (of?.key === key) { setTip({ ...place, text: of.text || head }); return; }
    clearTimeout(of?.timer);
    const now = (said.current = { key, text: "", timer: window.setTimeout(() => lines(lane, l.from, l.to).then((d) => {
      now.text = [...d.lines.slice(0, LINES_SHOWN).map((x) => `${x.category}: ${x.text}`), ...(l.count > Math.min(LINES_SHOWN, d.lines.length) ? [`… ${count(l.count)} lines`] : [])].join("\n");
      if (said.current === now) setTip((tip) => tip && { ...tip, text: now.text });
    }).catch(() => {}), 120) });
    setTip({ ...place, text: head });
  };
  const up = (e: MouseEvent) => {
    const [x, y] = position(e), t = line.current!, d = drag.current;
    drag.current = null;
    if (d?.moved) { if (d.mark && t.mark) set({ ...current.current, mark: t.mark }, true); return; }
    const row = t.rowAt(y);
    if (row && row.kind !== "lane" && y > RULER) { setShut(toggle(shut, row.key)); return; }
    if (row && x < NAMES_WIDTH && y > RULER) { setPins(toggle(pins, String(row.lane))); return; }
    const hit = t.hit(x, y);
    /* A region's time becomes the marked range: below are the states in it, and all pages are of it. */
    if (hit?.region) { select(null); set({ ...current.current, mark: [Math.max(0, hit.region.start), hit.region.start + hit.region.length] }, true); return; }
    back.current = [];
    select(hit?.bar ? { lane: hit.lane, bar: hit.bar, site: t.sites.get(hit.bar.site) ?? null } : null);
  };
  const wheel = (e: WheelEvent) => {
    const t = line.current!, [x] = position(e);
    e.preventDefault();
    if (e.ctrlKey) t.zoom(Math.exp(e.deltaY * 0.002), t.ns(x));
    else if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) t.pan(((e.deltaX || e.deltaY) / t.width) * 0.8);
    else t.scrollTo(t.scroll + e.deltaY);
  };
  useEffect(() => { const c = canvas.current!; c.addEventListener("wheel", wheel, { passive: false }); return () => c.removeEventListener("wheel", wheel); });

  return <div class="timeline">
    <div class="tools">
      <input ref={search} type="search" placeholder="find a thread ( / )" value={find} onInput={(e) => setFind(e.currentTarget.value, false)} />
      <label>sort by <select value={sort} onChange={(e) => { e.currentTarget.blur(); setSort(e.currentTarget.value); }}>{Object.keys(SORTS).map((s) => <option>{s}</option>)}</select></label>
      <button onClick={() => line.current!.move(0, line.current!.duration)}>all ( f )</button>
      <button class={where.rest.path ? "here" : ""} aria-pressed={!!where.rest.path} title="what ran one after the other, from the begin to the end" onClick={() => set({ ...where, rest: { ...where.rest, path: where.rest.path ? "" : "on" } }, true)}>critical path{doing && `: ${doing}`}</button>
      {where.rest.show && <span class="chip shown">{shown ? `${count(shown.count)} waits: ` : no || "reading the trace: "}{words(where.rest.show)}{shown && shown.count > shown.waits.length ? `, the longest ${count(shown.waits.length)} shown` : ""} <button class="link" onClick={() => step(true)}>next (n)</button> <button aria-label="all waits again" onClick={() => set({ ...where, rest: { ...where.rest, show: "" } }, true)}>×</button></span>}<button onClick={() => setHelp(true)}>keys ( ? )</button>
      <Legend trace={trace} />
    </div>
    <canvas ref={canvas} tabIndex={0} aria-label="timeline: a lane a thread" onMouseDown={down} onMouseMove={moved} onMouseUp={up} onMouseLeave={() => setTip(null)} />
    {tip && <div class="tip" style={{ left: `${tip.x + 12}px`, top: `${tip.y + 14}px` }}>{tip.text}</div>}
    {selected && <Details trace={trace} lane={selected.lane} bar={selected.bar} site={selected.site} jump={jump} go={goTo} onWait={onWait} close={() => select(null)} onSite={(f) => set({ ...where, page: "blocks", filters: { ...where.filters, site: literal(f) } }, true)} />}
    {!selected && !where.mark && <Why trace={trace} where={where} set={set} />}
    {!selected && where.mark && <Range trace={trace} reveal={reveal} />}
    {help && <div class="help" role="dialog" aria-label="keys" onClick={() => setHelp(false)}><table><tbody>{KEYS.map(([k, t]) => <tr><td><kbd>{k}</kbd></td><td>{t}</td></tr>)}</tbody></table></div>}
  </div>;
}

interface Leg { lane: number; from: number; to: number }
const NO_LEGS: Leg[] = [];

/* The legs of the critical path, on the lanes of the threads that they are in. */
function onLanes(trace: Trace, legs: Record<string, any>[]) {
  const by = new Map<string, Lane[]>();
  for (const l of trace.lanes) {
    const key = `${trace.processes[l.process].pid} ${l.tid}`;
    by.set(key, [...(by.get(key) ?? []), l]);
  }
  return legs.flatMap((g) => {
    const lane = (by.get(`${g.pid} ${g.tid}`) ?? []).find((l) => l.from_ns < g.to_ns && g.from_ns < l.to_ns);
    return lane ? [{ lane: lane.lane, from: g.from_ns as number, to: g.to_ns as number }] : [];
  });
}

const LINES_SHOWN = 8;

/* A thread in a few lines. */
function about(l: Lane): string {
  return [`${l.name || "thread"} (${l.tid}), ${time(l.lifetime_ns)}`, `running ${time(l.running_ns)}, ready ${time(l.runnable_ns)}, blocked ${time(l.blocked_ns)}`, `longest wait ${time(l.longest_ns)}`,
    ...(l.lost ? [`${count(l.lost)} events of it were lost: waits may be missing`] : [])].join("\n");
}

const FOLLOW_MS = 2000;

/* A large trace is read for a while when the server starts: how far it is. */
function First() {
  const [far, setFar] = useState("reading the trace…");
  useEffect(() => {
    let timer = 0;
    const ask = async () => {
      try {
        const p = await json<{ ready: boolean; doing: string; percent: number }>("api/progress");
        setFar(p.ready || !p.doing ? "reading the trace…" : `${p.doing}: ${p.percent} %`);
        timer = window.setTimeout(ask, 500);
      } catch { /* then it is not told */ }
    };
    timer = window.setTimeout(ask, 1500);
    return () => clearTimeout(timer);
  }, []);
  return <p class="first" role="status">{far}</p>;
}

function App() {
  const [trace, setTrace] = useState<Trace | null>(null), [no, setNo] = useState(""), [where, setWhere] = useState(parse(location.hash));
  useEffect(() => {
    const moved = () => setWhere(parse(location.hash));
    /* A trace that is still being written grows: asked again a while after the answer, so that there is never more than
     * one request, and none while nobody looks. */
    let timer = 0, stopped = isReport, asking = false, last: Trace | null = null;
    const follow = async () => {
      if (asking) return;
      asking = true;
      clearTimeout(timer);
      try {
        if (!document.hidden || !last) {
          const t = await json<Trace>("api/trace");
          if (stopped && !isReport) return;
          isOf(t.generation, follow);
          if (!last || t.trace.file_bytes !== last.trace.file_bytes || t.generation !== last.generation || t.stale !== last.stale) { last = t; setTrace(t); }
        }
      } catch (e) {
        if (!last) { asking = false; setNo((e as Error).message); return; }
      }
      asking = false;
      if (!stopped && last && !last.trace.complete && !last.trace.damaged) timer = window.setTimeout(follow, FOLLOW_MS);
    };
    follow();
    window.addEventListener("popstate", moved);
    window.addEventListener("hashchange", moved);
    return () => { window.removeEventListener("popstate", moved); window.removeEventListener("hashchange", moved); clearTimeout(timer); stopped = true; };
  }, []);
  const set = useCallback((w: Where, now = false) => { setWhere(w); go(w, now); }, []);
  const address = useMemo(() => ({ where, set }), [where, set]);
  if (no) return <p class="refused" role="alert">{no}</p>;
  if (!trace) return <First />;
  return <AddressContext.Provider value={address}>
    <header>
      <b>ctrace</b> <span class="file" title={trace.file}>{base(trace.file)}</span>
      <nav>{PAGES.filter(([id]) => trace.annotated || where.page === id || (id !== "regions" && id !== "tasks")).map(([id, name]) => <a href={`#${id}`} class={where.page === id ? "here" : ""} onClick={(e) => { e.preventDefault(); set({ ...where, page: id }, true); }}>{name}</a>)}</nav>
    </header>
    <Banner trace={trace} />
    {!isReport && <Filters trace={trace} where={where} set={(w) => set(w, true)} />}
    <main class={where.page}>{where.page === "timeline" ? <TimelinePage trace={trace} where={where} set={set} /> : <Page trace={trace} where={where} showPath={() => set({ ...where, page: "timeline", rest: { ...where.rest, path: "on" } }, true)} />}</main>
  </AddressContext.Provider>;
}

document.querySelector(".left-out")?.remove(); /* the banner says it */
render(<App />, document.getElementById("app")!);
