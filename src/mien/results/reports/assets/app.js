// The page: the chosen recording and face, the visible stretch of time, and the values under the pointer.
"use strict";

const byId = (id) => document.getElementById(id);
const recordings = DATA.sources.filter((source) => !source.still);
const state = { source: null, subject: null, series: null, view: { from: 0, to: 1 }, now: -1, time: NaN };
const TIMED = ["expressions", "affect", "units"];

function chooseSource(source) {
  state.source = source;
  const chips = byId("subjects");
  chips.replaceChildren(...source.subjects.map((subject) => {
    const chip = element("button", { type: "button", "aria-pressed": "false" }, subject.name);
    chip.addEventListener("click", () => chooseSubject(subject));
    return chip;
  }));
  if (source.n_hidden) chips.append(element("span", { class: "hint" }, `and ${source.n_hidden} shorter tracks in the table`));
  drawFaces();
  chooseSubject(source.subjects[0] ?? null);
}

function chooseSubject(subject) {
  state.subject = subject;
  state.series = new Series(subject ?? { begin_s: "", end_s: "", breaks: "", values: "", channels: [] });
  [...byId("subjects").querySelectorAll("button")].forEach((chip, k) =>
    chip.setAttribute("aria-pressed", String(state.source.subjects[k] === subject)));
  const frames = (subject?.frames ?? []).map((frame) => {
    const look = element("button", { type: "button" }, element("img", { src: frame.image, alt: `${subject.name}, ${frame.label}` }));
    look.addEventListener("click", () => lookAt(frame.time_s));
    return element("figure", {}, look, element("figcaption", {}, `${clock(frame.time_s)} ${frame.label}`));
  });
  byId("frames").replaceChildren(...frames);
  byId("moments").hidden = !frames.length;
  drawTiles();
  show(state.source.start_s, state.source.end_s);
}

function show(from, to) {
  const { start_s: first, end_s: last } = state.source;
  const span = Math.min(Math.max(to - from, .2), Math.max(last - first, .2));
  const begin = Math.min(Math.max(from, first), Math.max(last - span, first));
  state.view = { from: begin, to: begin + span };
  drawAll();
}

function zoom(factor, around) {
  const { from, to } = state.view, centre = around ?? (from + to) / 2;
  show(centre - (centre - from) * factor, centre + (to - centre) * factor);
}

function pan(share) {
  const { from, to } = state.view, step = share * (to - from);
  show(from + step, to + step);
}

function lookAt(time) {
  const span = Math.min(state.view.to - state.view.from, 10);
  show(time - span / 2, time + span / 2);
  point(time);
}

function drawAll() {
  const { series, view } = state;
  drawOverview(byId("overview"), state.source, series, view);
  drawExpressions(byId("expressions"), series, view);
  drawAffect(byId("affect"), series, view);
  drawUnits(byId("units"), series, view);
  drawPlane(byId("plane"), series, view, state.now);
  drawCursor();
}

function point(time) {
  state.time = time;
  state.now = state.series.at(time);
  drawPlane(byId("plane"), state.series, state.view, state.now);
  drawCursor();
  byId("readout").textContent = time === time ? reading(time, state.now) : "";
}

function reading(time, now) {
  if (now < 0) return `${clock(time)}  the face is not in view`;
  const { series } = state, cell = { from: now, to: now + 1 };
  const top = DATA.expressions.filter((label) => series.has(label) && series.value(label, now) >= .1)
    .sort((a, b) => series.value(b, now) - series.value(a, now)).slice(0, 3)
    .map((label) => `${label} ${series.value(label, now).toFixed(2)}`);
  const units = DATA.units.filter((name) => series.high(name, cell) >= state.source.thresholds[name])
    .map((name) => `${name} ${series.high(name, cell).toFixed(2)}`);
  return [clock(time), top.join(", "), `valence ${signed(toAffect(series.value("valence", now)))}`,
    `arousal ${signed(toAffect(series.value("arousal", now)))}`, units.join(", ")].filter(Boolean).join("   ·   ");
}

function drawCursor() {
  for (const id of TIMED) {
    const root = byId(id).querySelector("svg");
    root.querySelector(".cursor")?.remove();
    if (!(state.time >= state.view.from && state.time <= state.view.to)) continue;
    const at = scale(state.view, root.clientWidth)(state.time);
    const line = document.createElementNS(root.namespaceURI, "line");
    root.append(filled(line, { class: "cursor", x1: at, x2: at, y1: 2, y2: root.clientHeight - FOOT }, []));
  }
}

function timeAt(plot, event, view) {
  const box = plot.getBoundingClientRect();
  return view.from + ((event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT)) * (view.to - view.from);
}

function listen(plot) {
  let start = NaN;
  plot.addEventListener("pointerdown", (event) => { if (event.pointerType === "mouse") start = timeAt(plot, event, state.view); });
  plot.addEventListener("pointermove", (event) => {
    const time = timeAt(plot, event, state.view);
    point(time);
    if (start === start && event.buttons) drawBrush(plot, start, time);
  });
  plot.addEventListener("pointerup", (event) => {
    const time = timeAt(plot, event, state.view), from = start;
    start = NaN;
    plot.querySelector(".brush")?.remove();
    if (Math.abs(time - from) > (state.view.to - state.view.from) / 100) show(Math.min(from, time), Math.max(from, time));
    else if (event.pointerType !== "mouse") point(time);
  });
  plot.addEventListener("pointerleave", () => { start = NaN; plot.querySelector(".brush")?.remove(); });
  plot.addEventListener("dblclick", () => show(state.source.start_s, state.source.end_s));
  plot.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return; // without it the page scrolls
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : .8, timeAt(plot, event, state.view));
  }, { passive: false });
  plot.addEventListener("keydown", (event) => {
    const act = { ArrowLeft: () => pan(-.2), ArrowRight: () => pan(.2), "+": () => zoom(.5), "-": () => zoom(2),
      0: () => show(state.source.start_s, state.source.end_s) }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
}

function drawBrush(plot, from, to) {
  const root = plot.querySelector("svg"), x = scale(state.view, root.clientWidth);
  root.querySelector(".brush")?.remove();
  const made = document.createElementNS(root.namespaceURI, "rect"), left = Math.min(x(from), x(to));
  root.append(filled(made, { class: "brush", x: left, y: 0, width: Math.abs(x(to) - x(from)), height: root.clientHeight - FOOT }, []));
}

function drawTiles() {
  const { source, subject } = state, tiles = [["duration", clock(source.end_s - source.start_s)], ["frames", String(source.n_frames)],
    ["with a face", source.coverage_share]];
  if (source.unseen_s >= .05) tiles.push(["without frames", `${source.unseen_s.toFixed(1)} s`]);
  if (subject) tiles.push([`${subject.name}: in view`, subject.coverage], ["most often", subject.most], ["valence", subject.valence], ["arousal", subject.arousal]);
  byId("tiles").replaceChildren(...tiles.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function drawFaces() {
  const { header, rows } = state.source.table;
  byId("faces").replaceChildren(
    element("tr", {}, ...header.map((name) => element("th", {}, name))),
    ...rows.map((row) => element("tr", {}, ...row.map((text) => element("td", {}, text)))));
}

function legend(id, entries) {
  byId(id).replaceChildren(...entries.map(([name, colour]) => {
    const patch = element("i", {});
    patch.style.background = colour;
    return element("li", {}, patch, name);
  }));
}

function start() {
  document.title = `mien report: ${DATA.title}`;
  byId("title").textContent = DATA.title;
  byId("subtitle").textContent = DATA.subtitle;
  byId("binning").textContent = DATA.binning;
  byId("facts").replaceChildren(...DATA.facts.map((facts) => element("table", {},
    ...facts.map(([name, value]) => element("tr", {}, element("th", {}, name), element("td", {}, value))))));
  const stills = DATA.sources.filter((source) => source.still);
  byId("photos").hidden = !stills.length && !DATA.n_stills_hidden;
  byId("photos-note").textContent = DATA.n_stills_hidden ? `${DATA.n_stills_hidden} more photos are in the table.` : "";
  byId("gallery").replaceChildren(...stills.map((still) => element("figure", {},
    ...(still.image ? [element("img", { src: still.image, alt: still.name })] : []),
    element("figcaption", {}, element("b", {}, still.name), ...still.lines.flatMap((line) => [element("br", {}), line])))));
  if (!recordings.length) return;
  byId("recording").hidden = false;
  legend("expression-legend", DATA.expressions.map((label) => [label, DATA.colours[label]]));
  legend("affect-legend", [["valence", "var(--valence)"], ["arousal (dashed)", "var(--arousal)"]]);
  byId("source-choice").hidden = recordings.length < 2;
  byId("source").replaceChildren(...recordings.map((source, k) => element("option", { value: k }, source.name)));
  byId("source").addEventListener("change", (event) => chooseSource(recordings[event.target.value]));
  TIMED.forEach((id) => listen(byId(id)));
  byId("overview").addEventListener("click", (event) =>
    lookAt(timeAt(byId("overview"), event, { from: state.source.start_s, to: state.source.end_s })));
  byId("zoom-in").addEventListener("click", () => zoom(.5));
  byId("zoom-out").addEventListener("click", () => zoom(2));
  byId("earlier").addEventListener("click", () => pan(-.5));
  byId("later").addEventListener("click", () => pan(.5));
  byId("zoom-all").addEventListener("click", () => show(state.source.start_s, state.source.end_s));
  chooseSource(recordings[0]);
  let width = document.body.clientWidth;
  new ResizeObserver(() => {
    if (document.body.clientWidth !== width) { width = document.body.clientWidth; drawAll(); }
  }).observe(document.body);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
}

start();
document.documentElement.dataset.ready = "yes";
