"""A plot as SVG: lines with quartiles over one axis each. Small, and the same bytes for the same figures."""
import html
import math

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 36, 56
COLORS = ("#1b6ca8", "#c0392b", "#2e7d32", "#7b4fa3")


def nice(value):
    """A number as one reads it: 2k, 1.5M."""
    for factor, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:g}{unit}"
    return f"{value:g}"


class Axis:
    def __init__(self, values, logarithmic, begin, end):
        self.log, self.begin, self.end = logarithmic, begin, end
        if logarithmic:
            self.low, self.high = math.floor(math.log10(min(values)) + 1e-9), math.ceil(math.log10(max(values)) - 1e-9)
            self.high = max(self.high, self.low + 1)
            self.ticks = [10.0 ** e for e in range(self.low, self.high + 1)]
        else:
            low, high = min(0, *values), max(0, *values)
            raw = (high - low or 1) / 5
            power = 10 ** math.floor(math.log10(raw))
            step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
            self.low, self.high = math.floor(low / step) * step, math.ceil(high / step) * step
            self.ticks = [round(self.low + i * step, 10) for i in range(int((self.high - self.low) / step + 1.5))]

    def at(self, value):
        v = math.log10(value) if self.log else value
        return self.begin + (v - self.low) / (self.high - self.low) * (self.end - self.begin)


def plot(path, title, xlabel, ylabel, lines, logx=True, logy=False):
    """lines: (name, [(x, low, median, high)])."""
    points = [p for _, line in lines for p in line]
    x = Axis([p[0] for p in points], logx, LEFT, WIDTH - RIGHT)
    y = Axis([v for p in points for v in p[1:]], logy, HEIGHT - BOTTOM, TOP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
           f'<text x="{LEFT}" y="20" font-size="14">{html.escape(title)}</text>']
    for t in x.ticks:
        out.append(f'<path d="M{x.at(t):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>'
                   f'<text x="{x.at(t):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{nice(t)}</text>')
    for t in y.ticks:
        out.append(f'<path d="M{LEFT} {y.at(t):.1f}H{WIDTH - RIGHT}" stroke="{"#999" if t == 0 else "#ddd"}"/>'
                   f'<text x="{LEFT - 6}" y="{y.at(t) + 4:.1f}" text-anchor="end">{nice(t)}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - BOTTOM + 36}" text-anchor="middle">{html.escape(xlabel)}</text>')
    out.append(f'<text transform="translate(16 {(TOP + HEIGHT - BOTTOM) / 2:.0f}) rotate(-90)" text-anchor="middle">{html.escape(ylabel)}</text>')
    for i, (name, line) in enumerate(lines):
        color = COLORS[i % len(COLORS)]
        for px, low, _, high in line:
            out.append(f'<path d="M{x.at(px):.1f} {y.at(low):.1f}V{y.at(high):.1f}" stroke="{color}" stroke-opacity=".4" stroke-width="3"/>')
        out.append('<path d="M' + "L".join(f"{x.at(p[0]):.1f} {y.at(p[2]):.1f}" for p in line) + f'" fill="none" stroke="{color}" stroke-width="1.5"/>')
        for p in line:
            out.append(f'<circle cx="{x.at(p[0]):.1f}" cy="{y.at(p[2]):.1f}" r="2.5" fill="{color}"/>')
        out.append(f'<path d="M{LEFT + 10} {TOP + 12 + 16 * i}h18" stroke="{color}" stroke-width="2"/>'
                   f'<text x="{LEFT + 34}" y="{TOP + 16 + 16 * i}">{html.escape(name)}</text>')
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")
