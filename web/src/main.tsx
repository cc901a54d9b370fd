/* The page: head, filters, the timeline with its keys, and the other pages. */
import { render } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { isReport, json, type Lane, type Trace, type Wait } from "./api";
import { Details } from "./details";
import { Page, PAGES } from "./pages";
import { FILTERS, go, parse, type Where } from "./state";
import { Explain } from "./table";
import { base, count, time } from "./text";
import { COLORS, LANE_HEIGHT, NAMES_WIDTH, RULER, Timeline, title, type Bar, type Row } from "./timeline";

const SORTS: Record<string, (l: Lane) => number | string> = {
  "largest process": (l) => l.from_ns, "as started": (l) => l.from_ns, "blocked time": (l) => -l.blocked_ns, "running time": (l) => -l.running_ns, "longest wait": (l) => -l.longest_ns, name: (l) => l.name,
};

const KEYS: [string, string][] = [
  ["W S", "zoom in and out (also ctrl and the wheel)"], ["A D, ← →", "move (also shift and the wheel)"], ["↑ ↓", "scroll"], ["f", "fit the selection, or all"],
  ["m", "mark the selection's time, or what is in sight: all pages are restricted to it"], ["drag", "mark a range"], ["[ ]", "go to who ended the selected wait, and back"],
  ["/", "search for a thread"], ["p", "pin the selected thread on top"], ["u, U", "undo and redo moves"], ["Esc", "let go of selection and mark"], ["?", "this list"],
];

function rowsOf(trace: Trace, sort: string, words: string, pinned: Set<number>, closed: Set<string>): Row[] {
  const wanted = words.toLowerCase(), rows: Row[] = [], value = SORTS[sort];
  const order = (a: Lane, b: Lane) => { const x = value(a), y = value(b); return typeof x === "number" ? x - (y as number) : x.localeCompare(y as string); };
  const label = (l: Lane) => `${l.name || "thread"} ${l.tid}`;
  const matches = (l: Lane) => !wanted || label(l).toLowerCase().includes(wanted) || String(trace.processes[l.process].pid) === wanted;
  for (const n of pinned) rows.push({ kind: "lane", lane: n, label: "● " + label(trace.lanes[n]), key: `pin${n}`, members: 1 });
  const lives = trace.processes.map(() => 0);
  for (const l of trace.lanes) lives[l.process] += l.to_ns - l.from_ns;
  const processes = trace.processes.map((_, i) => i);
  if (sort === "largest process") processes.sort((a, b) => lives[b] - lives[a]);
  processes.forEach((index) => {
    const p = trace.processes[index], lanes = trace.lanes.filter((l) => l.process === index && matches(l) && !pinned.has(l.lane) && l.to_ns > l.from_ns).sort(order);
    if (!lanes.length) return;
    const key = `p${index}`, shut = closed.has(key);
    rows.push({ kind: "process", lane: -1, key, label: `${shut ? "▸" : "▾"} ${base(p.command.split(" ")[0] || p.executable)} (${p.pid})   ${lanes.length} thread${lanes.length === 1 ? "" : "s"}   ${p.command}`, members: lanes.length });
    if (shut) return;
    const groups = new Map<string, Lane[]>();
    for (const l of lanes) {
      const g = l.routine === "0" ? `main\n${l.lane}` : l.routine;
      groups.set(g, [...(groups.get(g) ?? []), l]);
    }
    for (const [routine, members] of groups) {
      const gkey = `${key}g${routine}`, named = members.length > 2 && groups.size > 1;
      if (named) rows.push({ kind: "group", lane: -1, key: gkey, label: `${closed.has(gkey) ? "▸" : "▾"} ${members[0].name.replace(/[-_: #]?\d+$/, "")}: ${members.length} threads of one start routine`, members: members.length });
      if (!named || !closed.has(gkey)) for (const l of members) rows.push({ kind: "lane", lane: l.lane, label: label(l), key: `l${l.lane}`, members: 1 });
    }
  });
  return rows;
}

function Legend() {
  return <div class="legend">{Object.entries(COLORS).map(([name, color]) => <span><i class="swatch" style={{ background: color }} />{name}<Explain of={name} /></span>)}</div>;
}

function Banner({ trace }: { trace: Trace }) {
  const t = trace.trace, lines: string[] = [];
  if (t.damaged) lines.push(`The trace is damaged in ${t.damaged} place${t.damaged === 1 ? "" : "s"}: what can be read is shown.`);
  if (!t.complete && !t.damaged) lines.push("The trace has no end: it was cut off, or is still being written.");
  if (t.lost_events) lines.push(`${count(t.lost_events)} events were lost: threads made them faster than they were written.`);
  if (t.lost_switches) lines.push(`${count(t.lost_switches)} context switches were lost.`);
  if (t.lost_stacks || t.lost_threads || t.lost_modules) lines.push(`No room for ${count(t.lost_stacks)} stacks, ${count(t.lost_threads)} threads, ${count(t.lost_modules)} modules.`);
  if (t.sched !== "switches") lines.push("There are no context switches in the trace: running and ready times are totals only, and the timeline shows calls.");
  return lines.length ? <div class="banner" role="status">{lines.map((l) => <div>{l}</div>)}</div> : null;
}

function Filters({ where, set }: { where: Where; set: (w: Where) => void }) {
  return <div class="filters">
    {FILTERS.map((f) => <label>{f}<input value={where.filters[f] ?? ""} onChange={(e) => set({ ...where, filters: { ...where.filters, [f]: e.currentTarget.value } })} /></label>)}
    {where.mark && <span class="chip">{time(where.mark[0])} – {time(where.mark[1])} <button aria-label="whole time" onClick={() => set({ ...where, mark: null })}>×</button></span>}
  </div>;
}

function TimelinePage({ trace, where, set, path }: { trace: Trace; where: Where; set: (w: Where, now?: boolean) => void; path: { lane: number; from: number; to: number }[] }) {
  const canvas = useRef<HTMLCanvasElement>(null), line = useRef<Timeline | null>(null), search = useRef<HTMLInputElement>(null);
  const [sort, setSort] = useState("largest process"), [words, setWords] = useState(""), [pinned, setPinned] = useState(new Set<number>());
  const [closed, setClosed] = useState(new Set<string>()), [selected, setSelected] = useState<{ lane: number; bar: Bar } | null>(null);
  const [help, setHelp] = useState(false), [tip, setTip] = useState<{ x: number; y: number; text: string } | null>(null);
  const wait = useRef<Wait | null>(null), back = useRef<{ lane: number; bar: Bar }[]>([]), current = useRef(where);
  current.current = where;
  const rows = useMemo(() => rowsOf(trace, sort, words, pinned, closed), [trace, sort, words, pinned, closed]);

  useEffect(() => {
    if (line.current) { line.current.grow(trace); return; }
    const t = (line.current = new Timeline(canvas.current!, trace));
    (window as any).ctraceTimeline = t;
    t.onMove = () => set({ ...current.current, from: t.from, to: t.to });
    t.onLoad = (ms) => { canvas.current?.setAttribute("data-load-ms", ms.toFixed(1)); canvas.current?.setAttribute("data-loads", String(Number(canvas.current.getAttribute("data-loads") ?? 0) + 1)); };
    const resize = new ResizeObserver(() => { t.draw(); t.load(); });
    resize.observe(canvas.current!);
  }, [trace]);
  useEffect(() => {
    const t = line.current!;
    t.rows = rows;
    t.mark = where.mark;
    t.path = path;
    t.selected = selected;
    if (where.to ? where.from !== t.from || where.to !== t.to : t.from !== 0 || t.to !== t.duration) t.move(where.to ? where.from : 0, where.to || t.duration, true);
    t.draw();
    t.load();
  }, [rows, where, selected, path]);

  const select = useCallback((s: { lane: number; bar: Bar } | null) => {
    setSelected(s);
    wait.current = null;
    if (line.current) { line.current.arrows = []; line.current.draw(); }
  }, []);
  const jump = useCallback((lane: number, ns: number) => {
    const t = line.current!;
    if (ns < t.from || ns > t.to) t.move(ns - (t.to - t.from) / 2, ns + (t.to - t.from) / 2);
    t.reveal(lane);
  }, []);
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
        ArrowUp: () => t.scrollTo(t.scroll - LANE_HEIGHT * 2), ArrowDown: () => t.scrollTo(t.scroll + LANE_HEIGHT * 2),
        f: () => { if (selected) { const b = selected.bar; t.move(b.start - b.length * 0.2, b.start + b.length * 1.2); } else if (where.mark) t.move(...where.mark); else t.move(0, t.duration); },
        m: () => { const b = selected?.bar; set({ ...current.current, mark: b ? [Math.max(0, b.start), b.start + b.length] : [t.from, t.to] }, true); },
        "/": () => search.current?.focus(), "?": () => setHelp((h) => !h), u: () => history.back(), U: () => history.forward(), z: () => history.back(), y: () => history.forward(),
        Escape: () => { if (help) setHelp(false); else if (selected) select(null); else if (where.mark) set({ ...current.current, mark: null }, true); },
        p: () => { if (selected) setPinned((old) => { const n = new Set(old); if (!n.delete(selected.lane)) n.add(selected.lane); return n; }); },
        "[": () => { const w = wait.current; if (selected && w?.waker_lane !== undefined) { back.current.push(selected); follow(w.waker_lane, selected.bar.start + w.release_ns); } },
        "]": () => { const b = back.current.pop(); if (b) { select(b); jump(b.lane, b.bar.start + b.bar.length); } },
      };
      if (!acts[e.key]) return;
      e.preventDefault();
      acts[e.key]();
    };
    window.addEventListener("keydown", key);
    return () => window.removeEventListener("keydown", key);
  }, [selected, where, help, set, select, jump]);

  /* To the waker's lane: the wait that it was in last before it woke us, if it is in sight. */
  const follow = (lane: number, ns: number) => {
    jump(lane, ns);
    const t = line.current!, row = t.rowOf(lane);
    setTimeout(() => {
      const y = RULER + (row + 0.5) * LANE_HEIGHT - t.scroll;
      for (let x = t.x(ns); x > NAMES_WIDTH; x -= 2) {
        const hit = t.hit(x, y);
        if (hit?.bar && hit.bar.start + hit.bar.length <= ns + 1e6) { select({ lane, bar: hit.bar }); return; }
      }
    }, 250);
  };

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
    const hit = t.hit(x, y);
    if (!hit) { setTip(null); return; }
    const site = hit.bar && t.sites.get(hit.bar.site), cause = site && trace.causes.find((c) => c.id === site.cause);
    setTip({ x: e.clientX, y: e.clientY, text: hit.bar && site ? `${title(cause?.name ?? "", site.object)}\n${site.call}: ${time(hit.bar.length)}` : `${trace.lanes[hit.lane].name} at ${time(hit.ns)}` });
  };
  const up = (e: MouseEvent) => {
    const [x, y] = position(e), t = line.current!, d = drag.current;
    drag.current = null;
    if (d?.moved) { if (d.mark && t.mark) set({ ...current.current, mark: t.mark }, true); return; }
    const row = t.rowAt(y);
    if (row && row.kind !== "lane" && y > RULER) { setClosed((old) => { const n = new Set(old); if (!n.delete(row.key)) n.add(row.key); return n; }); return; }
    const hit = t.hit(x, y);
    back.current = [];
    select(hit?.bar ? { lane: hit.lane, bar: hit.bar } : null);
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
      <input ref={search} type="search" placeholder="find a thread ( / )" value={words} onInput={(e) => setWords(e.currentTarget.value)} />
      <label>sort by <select value={sort} onChange={(e) => setSort(e.currentTarget.value)}>{Object.keys(SORTS).map((s) => <option>{s}</option>)}</select></label>
      <button onClick={() => line.current!.move(0, line.current!.duration)}>all ( f )</button><button onClick={() => setHelp(true)}>keys ( ? )</button>
      <Legend />
    </div>
    <canvas ref={canvas} tabIndex={0} aria-label="timeline: a lane a thread" onMouseDown={down} onMouseMove={moved} onMouseUp={up} onMouseLeave={() => setTip(null)} />
    {tip && !selected && <div class="tip" style={{ left: `${tip.x + 12}px`, top: `${tip.y + 14}px` }}>{tip.text}</div>}
    {selected && <Details trace={trace} lane={selected.lane} bar={selected.bar} jump={jump} onWait={onWait} close={() => select(null)} onSite={(f) => set({ ...where, page: "blocks", filters: { ...where.filters, site: f } }, true)} />}
    {help && <div class="help" role="dialog" aria-label="keys" onClick={() => setHelp(false)}><table><tbody>{KEYS.map(([k, t]) => <tr><td><kbd>{k}</kbd></td><td>{t}</td></tr>)}</tbody></table></div>}
  </div>;
}

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

function App() {
  const [trace, setTrace] = useState<Trace | null>(null), [no, setNo] = useState(""), [where, setWhere] = useState(parse(location.hash));
  const [path, setPath] = useState<{ lane: number; from: number; to: number }[]>([]);
  useEffect(() => {
    json<Trace>("api/trace").then(setTrace).catch((e) => setNo(e.message));
    const moved = () => setWhere(parse(location.hash));
    /* A trace that is still being written grows. */
    const live = isReport ? 0 : window.setInterval(() => setTrace((old) => {
      if (old && !old.trace.complete && !old.trace.damaged)
        json<Trace>("api/trace").then((t) => { if (t.trace.file_bytes !== old.trace.file_bytes) setTrace(t); }).catch(() => {});
      return old;
    }), 2000);
    window.addEventListener("popstate", moved);
    window.addEventListener("hashchange", moved);
    return () => { window.removeEventListener("popstate", moved); window.removeEventListener("hashchange", moved); clearInterval(live); };
  }, []);
  const set = useCallback((w: Where, now = false) => { setWhere(w); go(w, now); }, []);
  if (no) return <p class="refused" role="alert">{no}</p>;
  if (!trace) return <p class="faint">reading the trace…</p>;
  return <>
    <header>
      <b>ctrace</b> <span class="file" title={trace.file}>{base(trace.file)}</span>
      <nav>{PAGES.map(([id, name]) => <a href={`#${id}`} class={where.page === id ? "here" : ""} onClick={(e) => { e.preventDefault(); set({ ...where, page: id }, true); }}>{name}</a>)}</nav>
    </header>
    <Banner trace={trace} />
    {where.page !== "timeline" && <Filters where={where} set={(w) => set(w, true)} />}
    <main class={where.page}>{where.page === "timeline" ? <TimelinePage trace={trace} where={where} set={set} path={path} /> : <Page trace={trace} where={where} showPath={(legs) => { setPath(onLanes(trace, legs)); set({ ...where, page: "timeline" }, true); }} />}</main>
  </>;
}

render(<App />, document.getElementById("app")!);
