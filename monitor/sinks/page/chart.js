// Price and TVL as change since the left edge, with the episodes shaded and the layers marked.

import { Rows, h, say } from "./dom.js";
import { brief, dayOf, percent, usd } from "./format.js";

const HEIGHT = 300;
const NEAR_MARK_MS = 2 * 3600 * 1000;
const GLYPHS = { proposed: "ring", approved: "dot", active: "dot", refused: "cross" };

function changes(values) {
  const first = values.find((value) => value !== null);
  return values.map((value) => (value === null ? null : value / first - 1));
}

// Room above for the names of rules, below for the marks of layers.
function padded(low, high) {
  return [low - 0.17 * (high - low), high + 0.2 * (high - low)];
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return { ink: read("--ink"), soft: read("--soft"), line: read("--line"), price: read("--price"), tvl: read("--tvl"), shade: read("--shade"), propose: read("--propose"), fired: read("--fired"), font: `12px ${style.fontFamily}` };
}

class Entry {
  constructor(item) {
    this.name = h("span", { class: "soft" });
    this.value = h("b");
    this.change = h("b");
    const swatch = item.value ? h("span", { class: "swatch" }) : null;
    this.element = h("span", { "data-of": item.key }, swatch, this.name, this.value, this.change);
  }

  show(item) {
    say(this.name, item.name);
    say(this.value, item.value);
    say(this.change, item.change);
  }
}

export class Chart {
  constructor(section) {
    this.section = section;
    this.plot = section.querySelector(".plot");
    this.legend = new Rows(section.querySelector(".legend"), (item) => item.key, (item) => new Entry(item));
    new ResizeObserver(() => this.resize()).observe(this.plot);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
  }

  show(chart) {
    this.section.hidden = !chart;
    if (!chart || typeof uPlot === "undefined") return;
    const columns = ["price_usd", "tvl_usd"].filter((name) => chart[name]?.some((value) => value !== null));
    const rebuilt = !this.data || columns.join() !== this.columns.join();
    this.data = chart;
    this.columns = columns;
    this.table = [chart.at.map((ms) => ms / 1000), ...columns.map((name) => changes(chart[name]))];
    if (rebuilt) this.build();
    else this.drawn.setData(this.table);
    this.tell(null);
  }

  name(column) {
    return column === "price_usd" ? `${this.data.asset} price` : `TVL of ${this.data.tvl_subject}`;
  }

  tell(index) {
    const at = index ?? this.table[0].length - 1;
    const ms = this.data.at[at];
    const items = this.columns.map((name, i) => {
      const value = this.data[name][at];
      const known = value !== null;
      return { key: name, name: this.name(name), value: known ? usd(value) : "not known", change: known ? percent(this.table[i + 1][at]) : "" };
    });
    const marks = index === null ? [] : this.data.marks.filter((m) => Math.abs(m.at - ms) <= NEAR_MARK_MS).map((m) => m.label);
    const when = { key: "when", name: brief(ms), value: "", change: "" };
    this.legend.show([...items, when, ...[...new Set(marks)].map((label) => ({ key: label, name: label, value: "", change: "" }))]);
  }

  resize() {
    if (this.drawn && this.plot.clientWidth) this.drawn.setSize({ width: this.plot.clientWidth, height: HEIGHT });
  }

  build() {
    if (!this.table) return;
    this.drawn?.destroy();
    const c = (this.colours = colours());
    const stroke = { price_usd: c.price, tvl_usd: c.tvl };
    const axis = { stroke: c.soft, font: c.font, ticks: { show: false } };
    const options = {
      width: this.plot.clientWidth || 600,
      height: HEIGHT,
      padding: [14, 26, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { setScale: false, x: false, y: false }, points: { size: 7 } },
      scales: { x: { time: true }, y: { range: (u, low, high) => padded(Math.min(low, -0.02), Math.max(high, 0.02)) } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      axes: [
        { ...axis, grid: { show: false }, size: 32, space: 70, values: (u, ticks) => ticks.map((s) => dayOf(s * 1000)), incrs: [86400, 2 * 86400, 4 * 86400, 7 * 86400, 14 * 86400] },
        { ...axis, grid: { stroke: c.line, width: 1 }, size: 56, values: (u, ticks) => ticks.map((v) => percent(v, 0)) },
      ],
      series: [{}, ...this.columns.map((name) => ({ stroke: stroke[name], width: 2, points: { show: false }, spanGaps: false }))],
      hooks: { drawAxes: [(u) => this.shade(u)], draw: [(u) => this.marks(u)], setCursor: [(u) => this.tell(u.cursor.idx ?? null)] },
    };
    this.drawn = new uPlot(options, this.table, this.plot);
  }

  // Episodes, from their beginning to their end or to now. Several rules may burn at once: their shades add up.
  shade(u) {
    const open = new Map();
    const bands = [];
    for (const m of this.data.marks) {
      const key = `${m.rule}/${m.subject}`;
      if (m.mark === "fired") open.set(key, m.at);
      if (m.mark === "over") {
        bands.push([m.since ?? open.get(key), m.at]);
        open.delete(key);
      }
    }
    for (const at of open.values()) bands.push([at, this.data.at.at(-1)]);
    const { ctx, bbox } = u;
    ctx.save();
    ctx.fillStyle = this.colours.shade;
    for (const [from, to] of bands) {
      const x = Math.max(bbox.left, u.valToPos(from / 1000, "x", true));
      const end = Math.min(bbox.left + bbox.width, u.valToPos(to / 1000, "x", true));
      if (end > x) ctx.fillRect(x, bbox.top, end - x, bbox.height);
    }
    this.names(ctx, bbox, u);
    ctx.restore();
  }

  // The rule's name where its episode begins; names that would stand on each other are stacked.
  names(ctx, bbox, u) {
    const ratio = devicePixelRatio;
    const used = [];
    ctx.font = `${11 * ratio}px ${getComputedStyle(document.documentElement).fontFamily}`;
    ctx.fillStyle = this.colours.fired;
    ctx.textBaseline = "top";
    for (const m of this.data.marks.filter((one) => one.mark === "fired").slice(-12)) {
      const x = u.valToPos(m.at / 1000, "x", true);
      if (x < bbox.left) continue;
      const width = ctx.measureText(m.rule).width;
      const left = x + width + 6 * ratio > bbox.left + bbox.width ? x - width - 6 * ratio : x + 6 * ratio;
      const row = used.filter(([from, to]) => left < to && left + width > from).length;
      used.push([left, left + width]);
      ctx.fillText(m.rule, left, bbox.top + (6 + 15 * row) * ratio);
    }
  }

  marks(u) {
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    const size = 4.5 * ratio;
    ctx.save();
    ctx.lineWidth = 1.75 * ratio;
    for (const m of this.data.marks) {
      const glyph = GLYPHS[m.mark];
      if (!glyph) continue;
      const x = u.valToPos(m.at / 1000, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      const y = bbox.top + bbox.height - (glyph === "cross" ? 8 : 22) * ratio;
      ctx.strokeStyle = ctx.fillStyle = glyph === "cross" ? this.colours.fired : this.colours.propose;
      ctx.beginPath();
      if (glyph === "cross") {
        ctx.moveTo(x - size, y - size);
        ctx.lineTo(x + size, y + size);
        ctx.moveTo(x + size, y - size);
        ctx.lineTo(x - size, y + size);
        ctx.stroke();
      } else {
        ctx.arc(x, y, size, 0, 2 * Math.PI);
        if (glyph === "dot") ctx.fill();
        ctx.stroke();
      }
    }
    ctx.restore();
  }
}
