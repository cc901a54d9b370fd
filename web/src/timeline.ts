/* The lanes, on a canvas. Draws what it has at once, scaled, and asks the server for what fits the window. */
import { known, load, notes, picture, SHADES, type Cause, type Known, type LaneNotes, type Load, type Notes, type Picture, type Site, type Trace } from "./api";
import { COLORS } from "./colors";
import { paintNotes, regionAt, type Region } from "./notes";
import { base, fit, mark } from "./text";

/* As a pixel of an ImageData, which is little-endian: alpha, blue, green, red. */
const pixel = (color: string) => (0xff000000 | (parseInt(color.slice(5, 7), 16) << 16) | (parseInt(color.slice(3, 5), 16) << 8) | parseInt(color.slice(1, 3), 16)) >>> 0;
const PIXELS = SHADES.map((s) => pixel(COLORS[s]));
const OFF = pixel(COLORS.unexplained);
const IMAGES_BYTES = 24 << 20; /* that lanes' images may take */

export const LANE_HEIGHT = 26;
const NOTES_HEIGHT = 13; /* what the program says of itself, below the states */
export const NAMES_WIDTH = 190;
const RULER_HEIGHT = 22;
const LOAD_HEIGHT = 46; /* how many threads ran, or were ready */
export const RULER = RULER_HEIGHT + LOAD_HEIGHT;
const STRIP = 5;

export interface Row { kind: "process" | "group" | "lane"; lane: number; label: string; key: string; members: number }
/* lines: of the log, how many from when to when. blank: why nothing is known. */
export interface Hit { lane: number; ns: number; bar: Bar | null; region: Region | null; lines: { from: number; to: number; count: number } | null; blank: string }
export interface Bar { start: number; length: number; site: number; open: boolean }
/* A wait that was asked for, to be found again. */
export interface Found { lane: number; start: number; length: number }
export interface Arrow { fromLane: number; fromNs: number; toLane: number; toNs: number }

export class Timeline {
  rows: Row[] = [];
  from = 0;
  to = 1;
  mark: [number, number] | null = null;
  selected: { lane: number; bar: Bar } | null = null;
  arrows: Arrow[] = [];
  path: { lane: number; from: number; to: number }[] = [];
  found: Found[] = [];
  /* Whether a wait is one of those that the filters select; the others are pale. */
  wanted: ((site: Site, length: number, lane: number, start: number) => boolean) | null = null;
  /* The same of regions. */
  wantedRegion: ((name: string, task: string) => boolean) | null = null;
  scroll = 0;
  onMove: () => void = () => {};
  onLoad: (ms: number) => void = () => {};

  private data: Picture | null = null;
  private notes: Notes | null = null;
  private hatching: CanvasPattern | null = null;
  private sums: Load | null = null;
  private images = new Map<number, { canvas: HTMLCanvasElement; data: Picture; notes: Notes | null }>();
  private abort: AbortController | null = null;
  private timer = 0;
  private frame = 0;
  private asked = "";
  private pictured = false;
  private place = new Map<number, number>(); /* of a lane among the rows */
  private causes = new Map<number, Cause>();
  private places = new Map<number, Known | null>(); /* by site: what is known of it, once asked for */

  constructor(private canvas: HTMLCanvasElement, private trace: Trace) {
    this.to = this.duration;
    for (const c of trace.causes) this.causes.set(c.id, c);
  }

  show(rows: Row[]) {
    if (rows === this.rows) return;
    this.rows = rows;
    this.place = new Map(rows.flatMap((r, i) => (r.kind === "lane" ? [[r.lane, i] as [number, number]] : [])));
    this.scroll = Math.max(0, Math.min(this.scroll, rows.length * this.rowHeight - this.height));
  }

  /* The same trace, longer. */
  grow(trace: Trace) {
    const whole = this.whole;
    /* Sites may have other numbers by now. */
    if (trace.generation !== this.trace.generation) this.places.clear();
    this.trace = trace;
    for (const c of trace.causes) this.causes.set(c.id, c);
    this.asked = "";
    if (whole) this.to = this.duration;
    this.draw();
    this.load();
  }

  get whole() { return this.from === 0 && this.to === this.duration; }
  cause(site: Site) { return this.causes.get(site.cause); }
  /* All are as high: lanes have more to show where the program is annotated. */
  get rowHeight() { return this.trace.annotated ? LANE_HEIGHT + NOTES_HEIGHT : LANE_HEIGHT; }
  notesOf(lane: number): LaneNotes | undefined { return this.notes?.lanes.get(lane); }
  get names(): Map<number, string> { return this.notes?.names ?? new Map(); }
  get duration() { return Math.max(1, this.trace.trace.duration_ns); }
  get width() { return this.canvas.clientWidth - NAMES_WIDTH; }
  get height() { return this.canvas.clientHeight - RULER; }
  get sites(): Map<number, Site> { return this.data?.sites ?? new Map(); }

  x(ns: number) { return NAMES_WIDTH + ((ns - this.from) / (this.to - this.from)) * this.width; }
  ns(x: number) { return this.from + ((x - NAMES_WIDTH) / Math.max(1, this.width)) * (this.to - this.from); }
  rowAt(y: number): Row | undefined { return this.rows[Math.floor((y - RULER + this.scroll) / this.rowHeight)]; }
  rowOf(lane: number) { return this.place.get(lane) ?? -1; }

  move(from: number, to: number, quiet = false) {
    const least = 100, span = Math.min(Math.max(to - from, least), this.duration);
    from = Math.min(Math.max(from, 0), this.duration - span);
    this.from = from;
    this.to = from + span;
    if (!quiet) this.onMove();
    this.draw();
    this.load();
  }
  zoom(factor: number, at = (this.from + this.to) / 2) {
    this.move(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }
  pan(part: number) {
    const by = (this.to - this.from) * part;
    this.move(this.from + by, this.to + by);
  }
  scrollTo(y: number) {
    this.scroll = Math.max(0, Math.min(y, this.rows.length * this.rowHeight - this.height));
    this.draw();
    this.load();
  }
  /* Brings a lane into sight. */
  reveal(lane: number) {
    const y = this.rowOf(lane) * this.rowHeight;
    if (y >= 0 && (y < this.scroll || y > this.scroll + this.height - this.rowHeight)) this.scrollTo(y - this.height / 2);
  }

  private visible(): number[] {
    const first = Math.max(0, Math.floor(this.scroll / this.rowHeight) - 4), count = Math.ceil(this.height / this.rowHeight) + 8;
    return this.rows.slice(first, first + count).filter((r) => r.kind === "lane").map((r) => r.lane).slice(0, 250);
  }

  /* Half a window more on each side, so that small moves need nothing. */
  load() {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.fetch(), 40);
  }
  private async fetch() {
    const lanes = this.visible(), span = this.to - this.from;
    const from = Math.max(0, this.from - span / 2), to = Math.min(this.duration, this.to + span / 2);
    const pieces = Math.min(4000, Math.max(100, Math.round((this.width * (to - from)) / span)));
    const key = `${from}-${to}-${pieces}-${lanes.join()}`;
    if (!lanes.length || key === this.asked) return;
    this.asked = key;
    this.abort?.abort();
    this.abort = new AbortController();
    const begin = performance.now();
    try {
      const signal = this.abort.signal;
      this.data = await picture(from, to, pieces, lanes, signal);
      this.draw();
      this.onLoad(performance.now() - begin);
      await this.askKnown(this.data, signal);
      if (this.trace.notes) {
        this.notes = await notes(from, to, pieces, lanes, signal);
        this.draw();
      }
      this.sums = await load(from, to, Math.min(2000, pieces), signal);
      this.draw();
    } catch (e) {
      if ((e as Error).name !== "AbortError") this.asked = "";
    }
  }

  private async askKnown(data: Picture, signal: AbortSignal) {
    const ids = [...data.sites.keys()].filter((id) => !this.places.has(id));
    if (!ids.length) return;
    const found = await known(ids, signal);
    for (const id of ids) this.places.set(id, found.get(id) ?? null);
    if (found.size) this.draw();
  }
  known(site: number): Known | null { return this.places.get(site) ?? null; }

  hit(x: number, y: number): Hit | null {
    const row = this.rowAt(y);
    if (!row || row.kind !== "lane" || x < NAMES_WIDTH) return null;
    const ns = this.ns(x), bars = this.data?.lanes.get(row.lane)?.bars;
    let bar: Bar | null = null;
    for (let i = 0; bars && i < bars.length; i += 4)
      if (bars[i] <= ns && ns < bars[i] + bars[i + 1] && (!bar || bars[i + 1] < bar.length))
        bar = { start: bars[i], length: bars[i + 1], site: bars[i + 2], open: bars[i + 3] > 0 };
    const known = this.notesOf(row.lane), below = (y - RULER + this.scroll) % this.rowHeight > LANE_HEIGHT - 4, near = this.ns(x + 4) - ns;
    let lines: Hit["lines"] = null;
    for (let i = 0; known && below && i < known.lines.length; i += 3)
      if (known.lines[i] <= ns + near && known.lines[i + 1] >= ns - near) lines = { from: known.lines[i], to: known.lines[i + 1], count: known.lines[i + 2] };
    const region = known && below ? regionAt(known.regions, this.names, ns) : null;
    return { lane: row.lane, ns, bar: lines || region ? null : bar, region, lines, blank: bar ? "" : this.blankAt(row.lane, ns) };
  }

  /* Why it is not known what a thread did. */
  private blankAt(lane: number, ns: number): string {
    const b = this.notesOf(lane)?.blanks, life = this.trace.lanes[lane], gaps = this.notes?.gaps ?? [];
    for (let i = 0; b && i < b.length; i += 3) if (b[i] <= ns && ns < b[i] + b[i + 1]) return b[i + 2] ? "not recorded: the trace is damaged here" : "not recorded: recording was switched off";
    if (ns < life.from_ns || ns >= life.to_ns) return "";
    for (let i = 0; i < gaps.length; i += 2) if (gaps[i] <= ns && ns < gaps[i] + gaps[i + 1]) return "records of the scheduler are missing here";
    return "";
  }
  /* From when to when that is so, of a lane. */
  private blanksOf(lane: number): [number, number][] {
    const b = this.notesOf(lane)?.blanks, life = this.trace.lanes[lane], gaps = this.notes?.gaps ?? [], result: [number, number][] = [];
    for (let i = 0; b && i < b.length; i += 3) result.push([b[i], b[i] + b[i + 1]]);
    for (let i = 0; i < gaps.length; i += 2) if (gaps[i] < life.to_ns && gaps[i] + gaps[i + 1] > life.from_ns) result.push([Math.max(gaps[i], life.from_ns), Math.min(gaps[i] + gaps[i + 1], life.to_ns)]);
    return result;
  }

  draw() {
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.paint(); });
  }

  /* Each column of a lane is a stack of what the thread did in that piece of time. */
  private image(lane: number): HTMLCanvasElement | null {
    const data = this.data, known = this.images.get(lane);
    if (!data?.lanes.has(lane)) return known?.canvas ?? null;
    if (known?.data === data && known.notes === this.notes) return known.canvas;
    const height = LANE_HEIGHT - 6, n = SHADES.length, shares = data.lanes.get(lane)!.shares;
    const canvas = document.createElement("canvas");
    canvas.width = data.pieces;
    canvas.height = height;
    const image = canvas.getContext("2d")!.createImageData(data.pieces, height), pixels = new Uint32Array(image.data.buffer), life = this.trace.lanes[lane];
    const piece = (data.to - data.from) / data.pieces, blank = new Uint8Array(data.pieces);
    for (const [from, to] of this.blanksOf(lane)) blank.fill(1, Math.max(0, Math.round((from - data.from) / piece)), Math.max(0, Math.round((to - data.from) / piece)));
    for (let i = 0; i < data.pieces; i++) {
      const at = data.from + i * piece;
      if (at + piece <= life.from_ns || at >= life.to_ns) continue;
      let sum = 0;
      for (let k = 0; k < n; k++) sum += shares[i * n + k];
      const scale = height / Math.max(255, sum);
      let y = height;
      for (let k = 0; k < n; k++) {
        const share = shares[i * n + k], rows = share ? Math.max(1, Math.round(share * scale)) : 0;
        for (let r = 0; r < rows && y > 0; r++) pixels[--y * data.pieces + i] = PIXELS[k];
      }
      /* What is below is seen through it. */
      while (y > 0) pixels[--y * data.pieces + i] = blank[i] ? 0 : OFF;
    }
    canvas.getContext("2d")!.putImageData(image, 0, 0);
    this.images.delete(lane);
    this.images.set(lane, { canvas, data, notes: this.notes });
    while (this.images.size > 8 && this.images.size * canvas.width * height * 4 > IMAGES_BYTES) this.images.delete(this.images.keys().next().value!);
    return canvas;
  }

  private paint() {
    const ratio = window.devicePixelRatio || 1, g = this.canvas.getContext("2d")!;
    const w = this.canvas.clientWidth, h = this.canvas.clientHeight;
    if (this.canvas.width !== Math.round(w * ratio) || this.canvas.height !== Math.round(h * ratio)) {
      this.canvas.width = Math.round(w * ratio);
      this.canvas.height = Math.round(h * ratio);
    }
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.fillStyle = "#fff";
    g.fillRect(0, 0, w, h);
    g.font = "12px system-ui, sans-serif";
    g.textBaseline = "middle";
    const first = Math.floor(this.scroll / this.rowHeight);
    for (let i = first; i < this.rows.length; i++) {
      const y = RULER + i * this.rowHeight - this.scroll;
      if (y > h) break;
      this.paintRow(g, this.rows[i], y, w);
    }
    this.paintMarks(g, w, h);
    this.paintRuler(g, w);
    this.paintArrows(g);
    /* For who measures: tests/browser/smooth.mjs. */
    if (this.data && !this.pictured) performance.mark("first picture");
    this.pictured = this.data !== null;
  }

  private clip(g: CanvasRenderingContext2D, y: number, w: number, act: () => void) {
    g.save();
    g.beginPath();
    g.rect(NAMES_WIDTH, Math.max(RULER, y), w - NAMES_WIDTH, this.rowHeight);
    g.clip();
    act();
    g.restore();
  }

  private paintRow(g: CanvasRenderingContext2D, row: Row, y: number, w: number) {
    if (row.kind !== "lane") {
      g.fillStyle = row.kind === "process" ? "#e8ecf1" : "#f3f5f8";
      g.fillRect(0, y, w, this.rowHeight);
      g.fillStyle = "#223";
      g.font = row.kind === "process" ? "600 12px system-ui, sans-serif" : "12px system-ui, sans-serif";
      g.fillText(row.label, row.kind === "process" ? 6 : 16, y + this.rowHeight / 2);
      g.font = "12px system-ui, sans-serif";
      return;
    }
    const image = this.image(row.lane), data = this.images.get(row.lane)?.data;
    this.clip(g, y, w, () => {
      if (image && data) {
        g.imageSmoothingEnabled = false;
        const a = this.x(data.from), b = this.x(data.to);
        this.hatch(g, row.lane, y);
        g.drawImage(image, a, y + 3, b - a, LANE_HEIGHT - 6);
      }
      this.paintBars(g, row.lane, y);
      const known = this.notesOf(row.lane);
      if (known && this.trace.annotated) paintNotes(g, known, this.names, { x: (v) => this.x(v), left: NAMES_WIDTH, right: w, top: y + LANE_HEIGHT - 2, height: NOTES_HEIGHT - 1, wanted: this.wantedRegion });
    });
    g.fillStyle = "#fff";
    g.fillRect(0, y, NAMES_WIDTH, this.rowHeight);
    g.fillStyle = this.selected?.lane === row.lane ? "#b03a00" : "#334";
    g.fillText(fit(g, row.label, NAMES_WIDTH - 30), 24, y + this.rowHeight / 2);
    if (this.trace.lanes[row.lane].lost) {
      g.fillStyle = "#b03a00";
      g.fillText("!", 14, y + this.rowHeight / 2);
    }
    g.fillStyle = "#eceff3";
    g.fillRect(0, y + this.rowHeight - 1, w, 1);
  }

  private hatch(g: CanvasRenderingContext2D, lane: number, y: number) {
    for (const [from, to] of this.blanksOf(lane)) {
      const a = Math.max(this.x(from), NAMES_WIDTH), b = Math.min(this.x(to), this.canvas.clientWidth);
      if (b <= a && (b < NAMES_WIDTH || a > this.canvas.clientWidth)) continue;
      this.hatching ??= hatching(g);
      g.fillStyle = this.hatching ?? HATCHED.line;
      g.fillRect(a, y + 3, Math.max(1, b - a), LANE_HEIGHT - 6);
    }
  }

  private paintBars(g: CanvasRenderingContext2D, lane: number, y: number) {
    const known = this.data?.lanes.get(lane);
    if (!known || !this.data) return;
    const fine = this.data.fine, top = y + 3 + (fine ? STRIP : 0), height = LANE_HEIGHT - 6 - (fine ? STRIP : 0);
    for (let i = 0; i < known.bars.length; i += 4) {
      const a = Math.max(this.x(known.bars[i]), NAMES_WIDTH - 2), b = this.x(known.bars[i] + known.bars[i + 1]);
      if (b < NAMES_WIDTH || a > this.canvas.clientWidth || b - a < 2) continue;
      const site = this.data.sites.get(known.bars[i + 2])!, cause = this.cause(site);
      if (this.wanted && !this.wanted(site, known.bars[i + 1], lane, known.bars[i])) {
        g.fillStyle = "rgba(255,255,255,.72)";
        g.fillRect(a, top, b - a, height);
        continue;
      }
      /* A wait that looks idle and is one for a lock that the program has built itself is drawn as that. */
      const place = this.known(known.bars[i + 2]), category = place?.contention ? "contention" : cause?.category ?? "", color = COLORS[category] ?? COLORS.runtime;
      if (place?.contention) {
        g.fillStyle = color;
        g.fillRect(a, y + 3, b - a, LANE_HEIGHT - 6);
      }
      if (fine || b - a > 30) {
        g.fillStyle = color;
        if (fine) g.fillRect(a, top, b - a, height);
        g.strokeStyle = "rgba(255,255,255,.8)";
        g.lineWidth = 1;
        g.strokeRect(a + 0.5, top + 0.5, b - a - 1, height - 1);
      }
      if (b - a > 46) {
        const left = Math.max(a, NAMES_WIDTH), room = Math.min(b, this.canvas.clientWidth) - left - 8;
        g.fillStyle = category === "idle" ? "#445" : "#fff";
        if (!fine) { g.shadowColor = category === "idle" ? "#fff" : "#000"; g.shadowBlur = 2; }
        g.fillText(fit(g, label(site, cause, place), room), left + 4, top + height / 2 + 1);
        g.shadowBlur = 0;
      }
      if (this.selected?.lane === lane && this.selected.bar.start === known.bars[i] && this.selected.bar.length === known.bars[i + 1]) {
        g.strokeStyle = "#000";
        g.lineWidth = 2;
        g.strokeRect(a, top, b - a, height);
      }
    }
    for (let i = 0; i < known.strips.length; i += 3) {
      const a = this.x(known.strips[i]), b = this.x(known.strips[i] + known.strips[i + 1]);
      g.fillStyle = known.strips[i + 2] < 0 ? COLORS.ready : COLORS.running;
      g.fillRect(a, y + 3, Math.max(1, b - a), STRIP);
    }
  }

  private paintRuler(g: CanvasRenderingContext2D, w: number) {
    g.fillStyle = "#fff";
    g.fillRect(0, 0, w, RULER);
    g.fillStyle = "#667";
    g.fillText("time since the begin", 6, RULER_HEIGHT / 2);
    const span = this.to - this.from, target = (span * 110) / Math.max(1, this.width);
    const power = 10 ** Math.floor(Math.log10(target)), step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= target)!;
    for (let t = Math.ceil(this.from / step) * step; t <= this.to; t += step) {
      const x = this.x(t);
      g.fillStyle = "#dfe3e9";
      g.fillRect(x, RULER_HEIGHT - 5, 1, 5);
      g.fillStyle = "#445";
      g.fillText(mark(t, step, this.to), x + 3, RULER_HEIGHT / 2);
    }
    this.paintLoad(g, w);
    g.fillStyle = "#c8ced6";
    g.fillRect(0, RULER - 1, w, 1);
  }

  /* Running threads, and on top of them those that were ready: above the line there was work for more CPUs. */
  private paintLoad(g: CanvasRenderingContext2D, w: number) {
    const s = this.sums, n = SHADES.length;
    g.fillStyle = "#667";
    g.fillText("running and ready threads", 6, RULER_HEIGHT + 14);
    if (!s) return;
    let most = 1;
    const piece = (s.to - s.from) / s.pieces, first = Math.max(0, Math.floor((this.from - s.from) / piece)), last = Math.min(s.pieces, Math.ceil((this.to - s.from) / piece));
    for (let i = first; i < last; i++) most = Math.max(most, s.threads[i * n] + s.threads[i * n + 1]);
    const high = LOAD_HEIGHT - 6, bottom = RULER - 1;
    g.save();
    g.beginPath();
    g.rect(NAMES_WIDTH, RULER_HEIGHT, w - NAMES_WIDTH, LOAD_HEIGHT);
    g.clip();
    /* Whole pixels: no seams. */
    const ratio = window.devicePixelRatio || 1, edge = (i: number) => Math.floor(this.x(s.from + i * piece) * ratio) / ratio;
    for (let i = first; i < last; i++) {
      const a = edge(i), b = Math.max(a + 1 / ratio, edge(i + 1));
      const running = (s.threads[i * n] / most) * high, ready = (s.threads[i * n + 1] / most) * high;
      g.fillStyle = COLORS.running;
      g.fillRect(a, bottom - running, b - a, running);
      g.fillStyle = COLORS.ready;
      g.fillRect(a, bottom - running - ready, b - a, ready);
    }
    g.restore();
    g.fillStyle = "#667";
    g.fillText(`at most ${most.toFixed(most < 10 ? 1 : 0)}`, 6, RULER_HEIGHT + 30);
  }

  private paintMarks(g: CanvasRenderingContext2D, w: number, h: number) {
    if (this.mark) {
      const a = Math.max(NAMES_WIDTH, this.x(this.mark[0])), b = Math.max(NAMES_WIDTH, this.x(this.mark[1]));
      g.fillStyle = "rgba(20,30,50,.12)";
      g.fillRect(NAMES_WIDTH, RULER, a - NAMES_WIDTH, h);
      g.fillRect(b, RULER, w - b, h);
      g.fillStyle = "#223";
      g.fillRect(a, RULER, 1, h);
      g.fillRect(b, RULER, 1, h);
    }
    this.paintFound(g, h);
    this.paintPath(g, h);
  }

  /* A line below what is on it, and up or down where it goes on in another thread. */
  private paintPath(g: CanvasRenderingContext2D, h: number) {
    g.save();
    g.beginPath();
    g.rect(NAMES_WIDTH, RULER, this.width, h);
    g.clip();
    g.fillStyle = "#000";
    const foot = (lane: number) => RULER + this.rowOf(lane) * this.rowHeight + LANE_HEIGHT - 3 - this.scroll;
    let before: { lane: number; from: number; to: number } | null = null, drawn = -1;
    for (const p of this.path) {
      const last = before, a = this.x(p.from), b = this.x(p.to);
      before = p;
      if (b < NAMES_WIDTH || a > this.canvas.clientWidth || this.rowOf(p.lane) < 0) continue;
      g.fillRect(a, foot(p.lane), Math.max(1, b - a), 3);
      /* Not more of them than there are pixels. */
      if (!last || last.lane === p.lane || this.rowOf(last.lane) < 0 || a - drawn < 3) continue;
      const y0 = foot(last.lane), y1 = foot(p.lane);
      g.fillRect(a - 0.5, Math.min(y0, y1), 1, Math.abs(y1 - y0) + 3);
      drawn = a;
    }
    g.restore();
  }

  /* A frame around each, and a notch that is seen at any size. */
  private paintFound(g: CanvasRenderingContext2D, h: number) {
    g.save();
    g.beginPath();
    g.rect(NAMES_WIDTH, RULER, this.width, h);
    g.clip();
    g.fillStyle = g.strokeStyle = "#000";
    g.lineWidth = 1.5;
    for (const f of this.found) {
      const row = this.rowOf(f.lane), y = RULER + row * this.rowHeight - this.scroll;
      if (row < 0 || y < RULER - this.rowHeight || y > h) continue;
      const a = this.x(f.start), b = this.x(f.start + f.length);
      if (b < NAMES_WIDTH || a > this.canvas.clientWidth) continue;
      if (b - a > 3) g.strokeRect(a, y + 3, b - a, LANE_HEIGHT - 6);
      const m = Math.max((a + b) / 2, NAMES_WIDTH);
      g.beginPath();
      g.moveTo(m - 4, y);
      g.lineTo(m + 4, y);
      g.lineTo(m, y + 6);
      g.fill();
    }
    g.restore();
  }

  private paintArrows(g: CanvasRenderingContext2D) {
    for (const a of this.arrows) {
      const r0 = this.rowOf(a.fromLane), r1 = this.rowOf(a.toLane);
      if (r0 < 0 || r1 < 0) continue;
      const y0 = RULER + (r0 + 0.5) * this.rowHeight - this.scroll, y1 = RULER + (r1 + 0.5) * this.rowHeight - this.scroll;
      const x0 = this.x(a.fromNs), x1 = this.x(a.toNs);
      g.strokeStyle = g.fillStyle = "#000";
      g.lineWidth = 1.5;
      g.beginPath();
      g.moveTo(x0, y0);
      g.bezierCurveTo(x0 + 30, y0, x1 - 30, y1, x1, y1);
      g.stroke();
      g.beginPath();
      g.moveTo(x1, y1);
      g.lineTo(x1 - 7, y1 - 4);
      g.lineTo(x1 - 7, y1 + 4);
      g.fill();
    }
  }
}

/* What is not recorded is hatched. */
export const HATCHED = { ground: "#f4f1ea", line: "#a79a83" };
function hatching(g: CanvasRenderingContext2D): CanvasPattern | null {
  const tile = document.createElement("canvas"), t = tile.getContext("2d")!;
  tile.width = tile.height = 8;
  t.fillStyle = HATCHED.ground;
  t.fillRect(0, 0, 8, 8);
  t.strokeStyle = HATCHED.line;
  t.lineWidth = 1.5;
  for (const k of [-8, 0, 8]) { t.beginPath(); t.moveTo(k - 1, 9); t.lineTo(k + 9, -1); t.stroke(); }
  return g.createPattern(tile, "repeat");
}

/* What stands in a bar. The call says more than the cause where that has many calls; of a path the end does. */
function label(site: Site, cause: Cause | undefined, place: Known | null): string {
  /* "Python's global interpreter lock (the GIL)": who knows it knows it by that. */
  if (place?.contention) return /\(the ([^)]+)\)/.exec(place.what)?.[1] ?? place.what;
  if (cause?.category !== "io" || !site.call) return title(cause?.name ?? site.call, site.object);
  return `${site.call} ${site.object.startsWith("/") ? base(site.object) : site.object}`;
}

/* "mutex g_lock": the object's label may name what it is itself. */
export const title = (cause: string, object: string) => (!object ? cause : object.startsWith(cause) ? object : `${cause} ${object}`);
