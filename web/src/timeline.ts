/* The lanes, on a canvas. Draws what it has at once, scaled, and asks the server for what fits the window. */
import { load, picture, SHADES, type Cause, type Load, type Picture, type Site, type Trace } from "./api";
import { COLORS } from "./colors";
import { time } from "./text";

/* As a pixel of an ImageData, which is little-endian: alpha, blue, green, red. */
const pixel = (color: string) => (0xff000000 | (parseInt(color.slice(5, 7), 16) << 16) | (parseInt(color.slice(3, 5), 16) << 8) | parseInt(color.slice(1, 3), 16)) >>> 0;
const PIXELS = SHADES.map((s) => pixel(COLORS[s]));
const OFF = pixel(COLORS.unexplained);
const IMAGES_BYTES = 24 << 20; /* that lanes' images may take */

export const LANE_HEIGHT = 26;
export const NAMES_WIDTH = 190;
const RULER_HEIGHT = 22;
const LOAD_HEIGHT = 46; /* how many threads ran, or were ready */
export const RULER = RULER_HEIGHT + LOAD_HEIGHT;
const STRIP = 5;

export interface Row { kind: "process" | "group" | "lane"; lane: number; label: string; key: string; members: number }
export interface Hit { lane: number; ns: number; bar: Bar | null }
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
  wanted: ((site: Site, length: number) => boolean) | null = null;
  scroll = 0;
  onMove: () => void = () => {};
  onLoad: (ms: number) => void = () => {};

  private data: Picture | null = null;
  private sums: Load | null = null;
  private images = new Map<number, { canvas: HTMLCanvasElement; data: Picture }>();
  private abort: AbortController | null = null;
  private timer = 0;
  private frame = 0;
  private asked = "";
  private pictured = false;
  private place = new Map<number, number>(); /* of a lane among the rows */
  private causes = new Map<number, Cause>();

  constructor(private canvas: HTMLCanvasElement, private trace: Trace) {
    this.to = this.duration;
    for (const c of trace.causes) this.causes.set(c.id, c);
  }

  show(rows: Row[]) {
    if (rows === this.rows) return;
    this.rows = rows;
    this.place = new Map(rows.flatMap((r, i) => (r.kind === "lane" ? [[r.lane, i] as [number, number]] : [])));
    this.scroll = Math.max(0, Math.min(this.scroll, rows.length * LANE_HEIGHT - this.height));
  }

  /* The same trace, longer. */
  grow(trace: Trace) {
    const whole = this.whole;
    this.trace = trace;
    for (const c of trace.causes) this.causes.set(c.id, c);
    this.asked = "";
    if (whole) this.to = this.duration;
    this.draw();
    this.load();
  }

  get whole() { return this.from === 0 && this.to === this.duration; }
  cause(site: Site) { return this.causes.get(site.cause); }
  get duration() { return Math.max(1, this.trace.trace.duration_ns); }
  get width() { return this.canvas.clientWidth - NAMES_WIDTH; }
  get height() { return this.canvas.clientHeight - RULER; }
  get sites(): Map<number, Site> { return this.data?.sites ?? new Map(); }

  x(ns: number) { return NAMES_WIDTH + ((ns - this.from) / (this.to - this.from)) * this.width; }
  ns(x: number) { return this.from + ((x - NAMES_WIDTH) / Math.max(1, this.width)) * (this.to - this.from); }
  rowAt(y: number): Row | undefined { return this.rows[Math.floor((y - RULER + this.scroll) / LANE_HEIGHT)]; }
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
    this.scroll = Math.max(0, Math.min(y, this.rows.length * LANE_HEIGHT - this.height));
    this.draw();
    this.load();
  }
  /* Brings a lane into sight. */
  reveal(lane: number) {
    const y = this.rowOf(lane) * LANE_HEIGHT;
    if (y >= 0 && (y < this.scroll || y > this.scroll + this.height - LANE_HEIGHT)) this.scrollTo(y - this.height / 2);
  }

  private visible(): number[] {
    const first = Math.max(0, Math.floor(this.scroll / LANE_HEIGHT) - 4), count = Math.ceil(this.height / LANE_HEIGHT) + 8;
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
      this.sums = await load(from, to, Math.min(2000, pieces), signal);
      this.draw();
    } catch (e) {
      if ((e as Error).name !== "AbortError") this.asked = "";
    }
  }

  hit(x: number, y: number): Hit | null {
    const row = this.rowAt(y);
    if (!row || row.kind !== "lane" || x < NAMES_WIDTH) return null;
    const ns = this.ns(x), bars = this.data?.lanes.get(row.lane)?.bars;
    let bar: Bar | null = null;
    for (let i = 0; bars && i < bars.length; i += 4)
      if (bars[i] <= ns && ns < bars[i] + bars[i + 1] && (!bar || bars[i + 1] < bar.length))
        bar = { start: bars[i], length: bars[i + 1], site: bars[i + 2], open: bars[i + 3] > 0 };
    return { lane: row.lane, ns, bar };
  }

  draw() {
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.paint(); });
  }

  /* Each column of a lane is a stack of what the thread did in that piece of time. */
  private image(lane: number): HTMLCanvasElement | null {
    const data = this.data, known = this.images.get(lane);
    if (!data?.lanes.has(lane)) return known?.canvas ?? null;
    if (known?.data === data) return known.canvas;
    const height = LANE_HEIGHT - 6, n = SHADES.length, shares = data.lanes.get(lane)!.shares;
    const canvas = document.createElement("canvas");
    canvas.width = data.pieces;
    canvas.height = height;
    const image = canvas.getContext("2d")!.createImageData(data.pieces, height), pixels = new Uint32Array(image.data.buffer), life = this.trace.lanes[lane];
    const piece = (data.to - data.from) / data.pieces;
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
      while (y > 0) pixels[--y * data.pieces + i] = OFF;
    }
    canvas.getContext("2d")!.putImageData(image, 0, 0);
    this.images.delete(lane);
    this.images.set(lane, { canvas, data });
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
    const first = Math.floor(this.scroll / LANE_HEIGHT);
    for (let i = first; i < this.rows.length; i++) {
      const y = RULER + i * LANE_HEIGHT - this.scroll;
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
    g.rect(NAMES_WIDTH, Math.max(RULER, y), w - NAMES_WIDTH, LANE_HEIGHT);
    g.clip();
    act();
    g.restore();
  }

  private paintRow(g: CanvasRenderingContext2D, row: Row, y: number, w: number) {
    if (row.kind !== "lane") {
      g.fillStyle = row.kind === "process" ? "#e8ecf1" : "#f3f5f8";
      g.fillRect(0, y, w, LANE_HEIGHT);
      g.fillStyle = "#223";
      g.font = row.kind === "process" ? "600 12px system-ui, sans-serif" : "12px system-ui, sans-serif";
      g.fillText(row.label, row.kind === "process" ? 6 : 16, y + LANE_HEIGHT / 2);
      g.font = "12px system-ui, sans-serif";
      return;
    }
    const image = this.image(row.lane), data = this.images.get(row.lane)?.data;
    this.clip(g, y, w, () => {
      if (image && data) {
        g.imageSmoothingEnabled = false;
        const a = this.x(data.from), b = this.x(data.to);
        g.drawImage(image, a, y + 3, b - a, LANE_HEIGHT - 6);
      }
      this.paintBars(g, row.lane, y);
    });
    g.fillStyle = "#fff";
    g.fillRect(0, y, NAMES_WIDTH, LANE_HEIGHT);
    g.fillStyle = this.selected?.lane === row.lane ? "#b03a00" : "#334";
    g.fillText(fit(g, row.label, NAMES_WIDTH - 30), 24, y + LANE_HEIGHT / 2);
    g.fillStyle = "#eceff3";
    g.fillRect(0, y + LANE_HEIGHT - 1, w, 1);
  }

  private paintBars(g: CanvasRenderingContext2D, lane: number, y: number) {
    const known = this.data?.lanes.get(lane);
    if (!known || !this.data) return;
    const fine = this.data.fine, top = y + 3 + (fine ? STRIP : 0), height = LANE_HEIGHT - 6 - (fine ? STRIP : 0);
    for (let i = 0; i < known.bars.length; i += 4) {
      const a = Math.max(this.x(known.bars[i]), NAMES_WIDTH - 2), b = this.x(known.bars[i] + known.bars[i + 1]);
      if (b < NAMES_WIDTH || a > this.canvas.clientWidth || b - a < 2) continue;
      const site = this.data.sites.get(known.bars[i + 2])!, cause = this.cause(site);
      if (this.wanted && !this.wanted(site, known.bars[i + 1])) {
        g.fillStyle = "rgba(255,255,255,.72)";
        g.fillRect(a, top, b - a, height);
        continue;
      }
      const color = COLORS[cause?.category ?? ""] ?? COLORS.runtime;
      if (fine || b - a > 30) {
        g.fillStyle = color;
        if (fine) g.fillRect(a, top, b - a, height);
        g.strokeStyle = "rgba(255,255,255,.8)";
        g.lineWidth = 1;
        g.strokeRect(a + 0.5, top + 0.5, b - a - 1, height - 1);
      }
      if (b - a > 46) {
        g.fillStyle = cause?.category === "idle" ? "#445" : "#fff";
        if (!fine) { g.shadowColor = cause?.category === "idle" ? "#fff" : "#000"; g.shadowBlur = 2; }
        g.fillText(fit(g, title(cause?.name ?? site.call, site.object), b - a - 8), Math.max(a, NAMES_WIDTH) + 4, top + height / 2 + 1);
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
      g.fillText(time(Math.round(t)), x + 3, RULER_HEIGHT / 2);
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
    for (let i = first; i < last; i++) {
      const a = this.x(s.from + i * piece), b = this.x(s.from + (i + 1) * piece);
      const running = (s.threads[i * n] / most) * high, ready = (s.threads[i * n + 1] / most) * high;
      g.fillStyle = COLORS.running;
      g.fillRect(a, bottom - running, Math.max(1, b - a + 0.3), running);
      g.fillStyle = COLORS.ready;
      g.fillRect(a, bottom - running - ready, Math.max(1, b - a + 0.3), ready);
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
    for (const p of this.path) {
      const row = this.rowOf(p.lane), y = RULER + row * LANE_HEIGHT - this.scroll;
      if (row < 0 || y < RULER - LANE_HEIGHT || y > h) continue;
      const a = Math.max(NAMES_WIDTH, this.x(p.from)), b = this.x(p.to);
      if (b <= NAMES_WIDTH) continue;
      g.fillStyle = "#000";
      g.fillRect(a, y + LANE_HEIGHT - 4, Math.max(1, b - a), 3);
    }
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
      const row = this.rowOf(f.lane), y = RULER + row * LANE_HEIGHT - this.scroll;
      if (row < 0 || y < RULER - LANE_HEIGHT || y > h) continue;
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
      const y0 = RULER + (r0 + 0.5) * LANE_HEIGHT - this.scroll, y1 = RULER + (r1 + 0.5) * LANE_HEIGHT - this.scroll;
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

/* "mutex g_lock": the object's label may name what it is itself. */
export const title = (cause: string, object: string) => (!object ? cause : object.startsWith(cause) ? object : `${cause} ${object}`);

function fit(g: CanvasRenderingContext2D, text: string, width: number): string {
  if (g.measureText(text).width <= width) return text;
  let n = Math.floor((text.length * width) / g.measureText(text).width);
  while (n > 1 && g.measureText(text.slice(0, n) + "…").width > width) n--;
  return n > 1 ? text.slice(0, n) + "…" : "";
}
