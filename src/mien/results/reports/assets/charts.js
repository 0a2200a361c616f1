// Drawing: SVG for lines and areas, a canvas for the heat strip.
"use strict";

const NARROW = 44, RIGHT = 8, FOOT = 20;
let LEFT = NARROW; // one left margin for all charts, so that a moment is at the same place in each

/** A wide page has room for the names of action units beside their rows. */
function setMargin(width) { LEFT = width >= 620 ? 168 : NARROW; }

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  return filled(made, attributes, children);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** An SVG of a plot's width; its children are made in the namespace that the parser gave it. */
function drawing(plot, height) {
  plot.querySelector("svg")?.remove();
  plot.insertAdjacentHTML("afterbegin", "<svg></svg>");
  const root = plot.firstElementChild;
  const width = Math.max(plot.clientWidth, 120);
  filled(root, { width, height, viewBox: `0 0 ${width} ${height}` }, []);
  return {
    root, width, height,
    add(name, attributes, text) {
      const made = document.createElementNS(root.namespaceURI, name);
      filled(made, attributes, text === undefined ? [] : [text]);
      return root.appendChild(made);
    },
  };
}

function scale(view, width) {
  const span = Math.max(view.to - view.from, 1e-6);
  return (time) => LEFT + ((time - view.from) / span) * (width - LEFT - RIGHT);
}

function tickStep(span, n) {
  const steps = [.05, .1, .2, .5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
  return steps.find((step) => span / step <= n) ?? 28800;
}

function timeAxis(chart, view) {
  const x = scale(view, chart.width), step = tickStep(view.to - view.from, chart.width / 90);
  for (let k = Math.ceil(view.from / step); k * step <= view.to; k += 1) {
    const at = x(k * step);
    chart.add("line", { class: "grid", x1: at, x2: at, y1: 4, y2: chart.height - FOOT });
    const label = step < 1 ? clock(k * step) : clock(k * step).replace(/\.\d+$/, "");
    chart.add("text", { x: at, y: chart.height - 6, "text-anchor": at > chart.width - 24 ? "end" : "middle" }, label);
  }
}

function levels(chart, values, y, label) {
  for (const value of values) {
    chart.add("line", { class: "grid", x1: LEFT, x2: chart.width - RIGHT, y1: y(value), y2: y(value) });
    chart.add("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, label(value));
  }
}

/** Cells cut into runs without a break and without a missing value. */
function runs(cells, known) {
  const found = [];
  let open = null;
  cells.forEach((cell) => {
    if (!known(cell)) { open = null; return; }
    if (!open || cell.breaks) { open = []; found.push(open); }
    open.push(cell);
  });
  return found;
}

const at = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;

function bandPath(run, x, upper, lower) {
  // To the end of the last cell, so that a single frame is a visible bar.
  const there = run.flatMap((cell) => [at(x(cell.begin), upper(cell)), at(x(cell.end), upper(cell))]);
  const back = [...run].reverse().flatMap((cell) => [at(x(cell.end), lower(cell)), at(x(cell.begin), lower(cell))]);
  return `M${there.join("L")}L${back.join("L")}Z`;
}

function drawExpressions(plot, series, view) {
  const chart = drawing(plot, plot.clientWidth < 500 ? 170 : 220), x = scale(view, chart.width);
  const y = (share) => 6 + (1 - share) * (chart.height - FOOT - 8);
  const labels = DATA.expressions.filter((label) => series.has(label));
  const cells = series.cells(view.from, view.to, chart.width - LEFT - RIGHT);
  timeAxis(chart, view);
  levels(chart, [0, .5, 1], y, (value) => String(value));
  const clip = runs(cells, (cell) => labels.some((label) => series.mean(label, cell) >= 0));
  for (const run of clip) {
    const floor = new Map(run.map((cell) => [cell, 0]));
    for (const label of labels) {
      const top = new Map(run.map((cell) => [cell, floor.get(cell) + (series.mean(label, cell) || 0)]));
      chart.add("path", {
        d: bandPath(run, x, (cell) => y(Math.min(1, top.get(cell))), (cell) => y(Math.min(1, floor.get(cell)))),
        fill: DATA.colours[label], "data-label": label,
      });
      run.forEach((cell) => floor.set(cell, top.get(cell)));
    }
  }
  plot.dataset.points = cells.length;
}

const AFFECT_LINES = [
  { name: "valence", title: "valence", colour: "var(--valence)" },
  { name: "arousal", title: "arousal (dashed)", colour: "var(--arousal)", dash: "5 2" },
];
const POSE_LINES = [
  { name: "pitch", title: "pitch, up", colour: "var(--pitch)" },
  { name: "yaw", title: "yaw, to the right (dashed)", colour: "var(--yaw)", dash: "5 2" },
  { name: "roll", title: "roll, to the right (dotted)", colour: "var(--roll)", dash: "2 2" },
];
const STATE_LINES = [
  { name: "quality", title: "quality", colour: "var(--quality)" },
  { name: "AU45", title: "AU45 blink (dashed)", colour: "var(--blink)", dash: "5 2", pick: "high" },
  { name: "eyes_open", title: "eyes open (dotted)", colour: "var(--eyes)", dash: "2 2", pick: "low" },
];

/** Lines with bands from the lowest to the highest value, of channels whose shares `place` puts on the chart. */
function drawLines(plot, series, view, lines, height, values, label, place = (name, share) => share) {
  const chart = drawing(plot, height), x = scale(view, chart.width);
  const y = (share) => 6 + (1 - share) * (chart.height - FOOT - 10);
  const cells = series.cells(view.from, view.to, chart.width - LEFT - RIGHT);
  timeAxis(chart, view);
  levels(chart, values, y, label);
  for (const { name, colour, dash, pick } of lines) {
    if (!series.knows(name)) continue;
    const middle = (cell) => place(name, pick ? series[pick](name, cell) : series.mean(name, cell));
    for (const run of runs(cells, (cell) => !Number.isNaN(middle(cell)))) {
      if (!pick) {
        const edge = (end) => (cell) => y(place(name, series[end](name, cell)));
        chart.add("path", { d: bandPath(run, x, edge("high"), edge("low")), fill: colour, opacity: .28 });
      }
      const line = run.map((cell) => at(x((cell.begin + cell.end) / 2), y(middle(cell))));
      chart.add("path", {
        d: `M${line.join("L")}${line.length === 1 ? "h1" : ""}`, fill: "none", stroke: colour, "data-line": name,
        "stroke-width": 1.7, "stroke-dasharray": dash ?? "none", "stroke-linejoin": "round",
      });
    }
  }
  plot.dataset.points = cells.length;
}

function drawAffect(plot, series, view) {
  drawLines(plot, series, view, AFFECT_LINES, 170, [0, .5, 1], (value) => ["−1", "0", "+1"][2 * value]);
}

function drawState(plot, series, view) {
  drawLines(plot, series, view, STATE_LINES, 120, [0, .5, 1], (value) => String(value));
}

/** The widest of 30, 60, 90 and 180 degrees that the head needs. */
function poseReach(series) {
  let widest = 0;
  for (const { name } of POSE_LINES) {
    if (!series.has(name)) continue;
    for (const code of series.channels[name]) {
      if (code !== MISSING) widest = Math.max(widest, Math.abs(toDegrees(name, code / 250)));
    }
  }
  return [30, 60, 90].find((reach) => widest <= reach) ?? 180;
}

function drawPose(plot, series, view) {
  const reach = poseReach(series);
  drawLines(plot, series, view, POSE_LINES, 150, [0, .5, 1], (value) => `${signedInteger(reach * toAffect(value))}°`,
    (name, share) => (toDegrees(name, share) / reach + 1) / 2);
}

function signedInteger(value) { return (value > 0 ? "+" : value < 0 ? "−" : "") + Math.abs(value); }

function drawUnits(plot, series, view) {
  const names = DATA.units.filter((name) => series.has(name) || series.has(name + "_high"));
  // Without room beside them, names stand above their rows.
  const above = LEFT === NARROW, row = above ? 30 : 18, top = above ? 15 : 1;
  const chart = drawing(plot, names.length * row + FOOT + 6), x = scale(view, chart.width);
  timeAxis(chart, view);
  names.forEach((name, k) => {
    chart.add("text", above ? { x: 6, y: 4 + k * row + 12 } : { x: LEFT - 6, y: 4 + k * row + 13, "text-anchor": "end" },
      DATA.unit_names[name] ?? name);
  });
  let canvas = plot.querySelector("canvas");
  if (!canvas) canvas = plot.appendChild(document.createElement("canvas"));
  const inner = chart.width - LEFT - RIGHT, height = names.length * row, dense = window.devicePixelRatio || 1;
  canvas.style.cssText = `position:absolute;left:${LEFT}px;top:4px;width:${inner}px;height:${height}px;pointer-events:none`;
  canvas.width = inner * dense;
  canvas.height = height * dense;
  const pen = canvas.getContext("2d");
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--heat");
  const cells = series.cells(view.from, view.to, inner);
  for (const cell of cells) {
    const left = (x(cell.begin) - LEFT) * dense, width = Math.max(1, (x(cell.end) - LEFT) * dense - left + .5);
    names.forEach((name, k) => {
      const value = series.high(name, cell);
      if (!(value > 0)) return;
      pen.fillStyle = `rgba(${ink},${value.toFixed(3)})`;
      pen.fillRect(left, (k * row + top) * dense, width, (row - top - 1) * dense);
    });
  }
  plot.dataset.points = cells.length;
}

function drawPlane(plot, series, view, now) {
  const side = Math.min(plot.clientWidth, 340), chart = drawing(plot, side), pad = 24;
  const place = (share) => pad + share * (side - 2 * pad);
  const x = (share) => place(share), y = (share) => side - place(share);
  for (const k of [0, .5, 1]) {
    chart.add("line", { class: "grid", x1: x(k), x2: x(k), y1: y(0), y2: y(1) });
    chart.add("line", { class: "grid", x1: x(0), x2: x(1), y1: y(k), y2: y(k) });
  }
  chart.add("text", { x: x(1), y: y(.5) - 5, "text-anchor": "end" }, "pleasant");
  chart.add("text", { x: x(0), y: y(.5) - 5 }, "unpleasant");
  chart.add("text", { x: x(.5), y: y(1) - 8, "text-anchor": "middle" }, "excited");
  chart.add("text", { x: x(.5), y: y(0) + 16, "text-anchor": "middle" }, "calm");
  const known = (cell) => series.mean("valence", cell) >= 0 && series.mean("arousal", cell) >= 0;
  const cells = series.cells(view.from, view.to, 500);
  const where = (cell) => [x(series.mean("valence", cell)), y(series.mean("arousal", cell))];
  for (const run of runs(cells, known)) {
    chart.add("path", { d: "M" + run.map((cell) => at(...where(cell))).join("L"), fill: "none", stroke: "var(--faint)", opacity: .45 });
  }
  const span = Math.max(view.to - view.from, 1e-6);
  cells.filter(known).forEach((cell) => {
    const [cx, cy] = where(cell), age = (cell.begin - view.from) / span;
    chart.add("circle", { cx, cy, r: 2.4, fill: "var(--accent)", opacity: (.2 + .75 * age).toFixed(2) });
  });
  if (now >= 0 && series.value("valence", now) >= 0) {
    const [cx, cy] = [x(series.value("valence", now)), y(series.value("arousal", now))];
    chart.add("circle", { cx, cy, r: 6, fill: "var(--arousal)", stroke: "var(--card)", "stroke-width": 2 });
  }
  chart.add("text", { x: 6, y: side - 4 }, "later is stronger");
  plot.dataset.points = cells.length;
}

function drawOverview(plot, source, series, view) {
  const chart = drawing(plot, 58 + FOOT), whole = { from: source.start_s, to: source.end_s }, x = scale(whole, chart.width);
  timeAxis(chart, whole);
  const share = bytesOf(source.coverage), each = (whole.to - whole.from) / share.length;
  share.forEach((code, k) => {
    if (code === MISSING || !code) return;
    const height = 20 * code / 250, left = x(whole.from + k * each);
    chart.add("rect", { x: left, width: Math.max(x(whole.from + (k + 1) * each) - left + .3, .5), y: 26 - height, height, fill: "var(--faint)", opacity: .65 });
  });
  chart.add("text", { x: LEFT - 6, y: 20, "text-anchor": "end" }, "any");
  chart.add("text", { x: LEFT - 6, y: 46, "text-anchor": "end" }, "this");
  for (const run of runs(series.cells(whole.from, whole.to, 800), () => true)) {
    const left = x(run[0].begin), right = x(run[run.length - 1].end);
    chart.add("rect", { x: left, y: 34, width: Math.max(right - left, 1.5), height: 16, rx: 2, fill: "var(--accent)" });
  }
  const left = x(Math.max(view.from, whole.from)), right = x(Math.min(view.to, whole.to));
  if (view.from > whole.from || view.to < whole.to)
    chart.add("rect", { class: "brush", x: left, y: 2, width: Math.max(right - left, 3), height: chart.height - FOOT });
}
