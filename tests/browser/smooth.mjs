// How the timeline feels in Chromium; prints one JSON object. For scripts/bench-page.
//   node smooth.mjs PLAYWRIGHT ADDRESS FOLDER
// Frames are those of the browser's own tracing: the times between DrawFrame events while the window moves, and how long
// the page's script took for each.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [playwright, address, folder] = process.argv.slice(2);
const { chromium } = createRequire(playwright + "/")("playwright-core");
const options = { executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--enable-precise-memory-info"] };
const found = { first_ms: [], pictures_ms: {}, frames: {} };

// From the begin of opening the address to the first picture on the canvas.
for (let i = 0; i < 3; i++) {
  const browser = await chromium.launch(options), page = await browser.newPage({ viewport: { width: 1920, height: 1000 } });
  await page.goto(address);
  for (let k = 0; k < 1200 && !(await page.evaluate("performance.getEntriesByName('first picture').length")); k++) await page.waitForTimeout(25);
  found.first_ms.push(await page.evaluate("performance.getEntriesByName('first picture')[0].startTime"));
  await browser.close();
}

const browser = await chromium.launch(options), context = await browser.newContext({ viewport: { width: 1920, height: 1000 } });
const page = await context.newPage(), cdp = await context.newCDPSession(page);
await cdp.send("Performance.enable");
await page.goto(address);
await page.waitForSelector("canvas");
const line = (e) => page.evaluate(`(() => { const t = window.ctraceTimeline; return (${e}); })()`);
const loads = () => page.evaluate("Number(document.querySelector('canvas').dataset.loads ?? 0)");
while (!(await loads())) await page.waitForTimeout(20);
await page.waitForTimeout(1000);
found.lanes = await line("t.rows.filter((r) => r.kind === 'lane').length");
found.events = await line("t.trace.trace.events");
await page.screenshot({ path: `${folder}/whole.png` });

// What the page's process takes, of its own: lanes' pictures are no JavaScript objects.
const whole = await browser.newBrowserCDPSession();
let heap = 0, resident = 0;
async function measureHeap() {
  const m = (await cdp.send("Performance.getMetrics")).metrics.find((x) => x.name === "JSHeapUsedSize").value;
  heap = Math.max(heap, m);
  for (const p of (await whole.send("SystemInfo.getProcessInfo")).processInfo.filter((x) => x.type === "renderer")) {
    const text = readFileSync(`/proc/${p.id}/status`, "utf8"), kb = ["RssAnon", "RssShmem"].reduce((n, k) => n + Number(new RegExp(`${k}:\\s+(\\d+)`).exec(text)[1]), 0);
    resident = Math.max(resident, kb / 1024);
  }
}
// A move, until its own picture is there: as the user has it, with the pause before the request.
async function moves(name, steps) {
  const all = [], asked = [];
  for (const step of steps) {
    const before = await loads(), begin = Date.now();
    await line(step);
    while ((await loads()) <= before && Date.now() - begin < 20000) await page.waitForTimeout(2);
    all.push(Date.now() - begin);
    asked.push(await page.evaluate("Number(document.querySelector('canvas').dataset.loadMs)"));
    await measureHeap();
    await page.waitForTimeout(60);
  }
  found.pictures_ms[name] = { all, asked };
}
const many = (n, s) => Array.from({ length: n }, () => s);
await moves("zoom in, all of it to 10 µs", many(30, "t.zoom(0.62)"));
await page.screenshot({ path: `${folder}/fine.png` });
await moves("pan at the finest", many(12, "t.pan(0.6)"));
await moves("zoom out", many(30, "t.zoom(1 / 0.62)"));
await line("t.move(t.duration * 0.4, t.duration * 0.45)");
await page.waitForTimeout(1500);
await moves("pan at 1/20", many(12, "t.pan(0.6)"));
await moves("pan at 1/1000", ["t.move(t.duration * 0.5, t.duration * 0.501)", ...many(12, "t.pan(0.6)")]);

// Smooth moves, a step a frame, for three seconds each.
async function smooth(name, step) {
  await line("t.move(t.duration * 0.3, t.duration * 0.35)");
  await page.waitForTimeout(1200);
  await browser.startTracing(page, { path: `${folder}/tracing.json`, categories: ["devtools.timeline", "disabled-by-default-devtools.timeline.frame", "cc", "benchmark"] });
  await page.evaluate(`new Promise((done) => { const t = window.ctraceTimeline, end = performance.now() + 3000; let k = 0; const go = () => { ${step}; k++; if (performance.now() < end) requestAnimationFrame(go); else done(); }; requestAnimationFrame(go); })`);
  await browser.stopTracing();
  const events = JSON.parse(readFileSync(`${folder}/tracing.json`, "utf8")).traceEvents;
  const times = events.filter((e) => e.name === "DrawFrame").map((e) => e.ts / 1000).sort((a, b) => a - b);
  const scripts = events.filter((e) => e.name === "FireAnimationFrame" && e.dur !== undefined).map((e) => e.dur / 1000);
  found.frames[name] = { between_ms: times.slice(1).map((v, i) => v - times[i]), script_ms: scripts };
  await measureHeap();
}
await smooth("pan", "t.pan(k % 120 < 60 ? 0.01 : -0.01)");
await smooth("zoom", "t.zoom(k % 120 < 60 ? 0.97 : 1 / 0.97)");
await smooth("scroll", "t.scrollTo(t.scroll + (k % 60 < 30 ? 12 : -12))");
await cdp.send("HeapProfiler.collectGarbage");
found.heap_after_mb = (await cdp.send("Performance.getMetrics")).metrics.find((x) => x.name === "JSHeapUsedSize").value / 1e6;
found.heap_most_mb = heap / 1e6;
found.resident_mb = resident;
console.log(JSON.stringify(found));
await browser.close();
