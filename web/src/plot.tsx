/* How many threads ran, were ready, or waited, over time: stacked areas. */
import { useEffect, useRef, useState } from "preact/hooks";
import { load, SHADES, type Load, type Shade } from "./api";
import { COLORS } from "./colors";
import { moment, time } from "./text";

const LEFT = 44, BOTTOM = 20, TOP = 6;

function paint(canvas: HTMLCanvasElement, s: Load, shades: Shade[], line: number | null) {
  const ratio = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight, g = canvas.getContext("2d")!;
  canvas.width = Math.round(w * ratio);
  canvas.height = Math.round(h * ratio);
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.font = "12px system-ui, sans-serif";
  const n = SHADES.length, at = shades.map((x) => SHADES.indexOf(x)), high = h - BOTTOM - TOP, wide = w - LEFT;
  let most = line ?? 1;
  for (let i = 0; i < s.pieces; i++) most = Math.max(most, at.reduce((sum, k) => sum + s.threads[i * n + k], 0));
  const y = (v: number) => TOP + high * (1 - v / most), x = (i: number) => LEFT + (wide * i) / s.pieces;
  for (let i = 0; i < s.pieces; i++) {
    let below = 0;
    at.forEach((k, j) => {
      const v = s.threads[i * n + k];
      g.fillStyle = COLORS[shades[j]];
      /* Whole pixels: no seams. */
      const left = Math.floor(x(i) * ratio) / ratio, right = Math.max(left + 1 / ratio, Math.floor(x(i + 1) * ratio) / ratio);
      g.fillRect(left, y(below + v), right - left, y(below) - y(below + v));
      below += v;
    });
  }
  g.fillStyle = "#445";
  g.textAlign = "right";
  g.textBaseline = "middle";
  for (const v of [0, most / 2, most]) g.fillText(v < 10 ? v.toFixed(1) : v.toFixed(0), LEFT - 5, y(v));
  if (line !== null) {
    g.setLineDash([4, 3]);
    g.strokeStyle = "#000";
    g.beginPath();
    g.moveTo(LEFT, y(line));
    g.lineTo(w, y(line));
    g.stroke();
    g.setLineDash([]);
  }
  g.textBaseline = "bottom";
  for (let i = 0; i <= 4; i++) {
    g.textAlign = i === 4 ? "right" : i ? "center" : "left";
    g.fillText(time(s.from + ((s.to - s.from) * i) / 4), LEFT + (wide * i) / 4, h - 2);
  }
}

/* The averages of what is drawn. */
export function averages(s: Load): Record<Shade, number> {
  const n = SHADES.length;
  return Object.fromEntries(SHADES.map((name, k) => {
    let sum = 0;
    for (let i = 0; i < s.pieces; i++) sum += s.threads[i * n + k];
    return [name, sum / s.pieces];
  })) as Record<Shade, number>;
}

export function useLoad(from: number, to: number, pieces = 600) {
  const [data, setData] = useState<Load | null>(null), [no, setNo] = useState("");
  useEffect(() => {
    const stop = new AbortController();
    load(from, to, pieces, stop.signal).then(setData).catch((e) => { if (e.name !== "AbortError") setNo(e.message); });
    return () => stop.abort();
  }, [from, to, pieces]);
  return { data, no };
}

/* line: how many CPUs there are, or null. */
export function Plot({ data, shades, line, label, high = 150 }: { data: Load; shades: Shade[]; line: number | null; label: string; high?: number }) {
  const canvas = useRef<HTMLCanvasElement>(null), [tip, setTip] = useState("");
  useEffect(() => {
    const c = canvas.current!, draw = () => paint(c, data, shades, line), seen = new ResizeObserver(draw);
    seen.observe(c);
    return () => seen.disconnect();
  }, [data, shades.join(), line]);
  const over = (e: MouseEvent) => {
    const r = canvas.current!.getBoundingClientRect(), i = Math.floor(((e.clientX - r.left - LEFT) / (r.width - LEFT)) * data.pieces);
    if (i < 0 || i >= data.pieces) { setTip(""); return; }
    setTip(`${moment(data.from + ((data.to - data.from) * i) / data.pieces)}: ${shades.map((s) => `${s} ${data.threads[i * SHADES.length + SHADES.indexOf(s)].toFixed(2)}`).join(", ")}`);
  };
  return <div class="plot"><canvas ref={canvas} role="img" aria-label={label} style={{ height: `${high}px` }} onMouseMove={over} onMouseLeave={() => setTip("")} /><div class="faint plot-tip">{tip || label}</div></div>;
}
