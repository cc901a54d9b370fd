/* Histograms of how long calls took. A click on a bar shows its calls in the timeline. */
import { share, time, count } from "./text";
import { COLORS } from "./colors";

export interface Bucket { from_ns: number; to_ns: number; count: number }

/* With the empty ones between. */
function all(buckets: Bucket[]): Bucket[] {
  const result: Bucket[] = [];
  for (const b of buckets) {
    for (let last = result[result.length - 1]; last && last.to_ns < b.from_ns; last = result[result.length - 1])
      result.push({ from_ns: last.to_ns, to_ns: last.to_ns * 2, count: 0 });
    result.push(b);
  }
  return result;
}

export function Histogram({ buckets, category, at, onBar }: { buckets: Bucket[]; category: string; at?: number; onBar?: (b: Bucket) => void }) {
  const rows = all(buckets), most = Math.max(1, ...rows.map((b) => b.count)), sum = rows.reduce((n, b) => n + b.count, 0);
  return <div class="histogram" role="img" aria-label="how long they took">{rows.map((b) => (
    <button class={"bar" + (at !== undefined && at >= b.from_ns && at < b.to_ns ? " here" : "")} disabled={!onBar || !b.count} onClick={() => onBar?.(b)} data-from={b.from_ns} data-count={b.count}
      title={`${time(b.from_ns)} to ${time(b.to_ns)}: ${count(b.count)}, ${share(b.count, sum)}`}>
      <i style={{ height: `${b.count ? Math.max(2, (70 * b.count) / most) : 0}px`, background: COLORS[category] ?? COLORS.runtime, filter: category === "idle" ? "brightness(.75)" : undefined }} />
      <span>{time(b.from_ns)}</span>
    </button>))}</div>;
}
