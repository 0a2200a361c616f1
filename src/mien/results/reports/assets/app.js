// The page: the chosen recording and face, the visible stretch of time, and the values under the pointer.
"use strict";

const byId = (id) => document.getElementById(id);
const recordings = DATA.sources.filter((source) => !source.still);
const state = { source: null, subject: null, series: null, view: { from: 0, to: 1 }, now: -1, time: NaN };
const TIMED = ["expressions", "affect", "units", "state", "pose"];

function chooseSource(source) {
  state.source = source;
  const chips = byId("subjects");
  chips.replaceChildren(...source.subjects.map((subject) => {
    const chip = element("button", { type: "button", "aria-pressed": "false" }, ...portrait(subject), subject.name);
    chip.addEventListener("click", () => chooseSubject(subject));
    return chip;
  }));
  if (source.n_hidden) chips.append(element("span", { class: "hint" }, `and ${source.n_hidden} shorter tracks in the table`));
  drawFaces();
  chooseVideo(source);
  const nothing = byId("nothing");
  nothing.hidden = source.subjects.length > 0;
  nothing.textContent = nothing.hidden ? "" : whyNothing(source);
  byId("timelines").hidden = !nothing.hidden;
  byId("summary").hidden = !source.n_faces;
  chooseSubject(source.subjects[0] ?? null);
}

function whyNothing({ n_faces: faces, n_frames: frames, start_s: begin, end_s: end }) {
  if (!faces) return `No face was found in ${frames} frames (${clock(end - begin)}).`;
  return `${faces} faces were found in ${frames} frames, but none was followed over time, so there are no timelines. The table has them all.`;
}

/** The picture of a face; none without one. */
function portrait(subject) {
  return subject?.portrait ? [element("img", { class: "portrait", src: subject.portrait.image, alt: subject.name })] : [];
}

function chooseSubject(subject) {
  state.subject = subject;
  state.series = new Series(subject ?? { begin_s: "", end_s: "", breaks: "", values: "", channels: [] });
  [...byId("subjects").querySelectorAll("button")].forEach((chip, k) =>
    chip.setAttribute("aria-pressed", String(state.source.subjects[k] === subject)));
  const frames = (subject?.frames ?? []).map((frame) => {
    const look = element("button", { type: "button" }, element("img", { src: frame.image, alt: `${subject.name}, ${frame.label}` }));
    look.addEventListener("click", () => { lookAt(frame.time_s); seek(frame.time_s); });
    return element("figure", {}, look, element("figcaption", {}, `${clock(frame.time_s)} ${frame.label}`));
  });
  byId("frames").replaceChildren(...frames);
  byId("moments").hidden = !frames.length;
  byId("state-part").hidden = !STATE_LINES.some(({ name }) => state.series.knows(name));
  byId("pose-part").hidden = !POSE_LINES.some(({ name }) => state.series.knows(name));
  legend("state-legend", linesOf(STATE_LINES));
  legend("pose-legend", linesOf(POSE_LINES));
  legend("affect-legend", linesOf(AFFECT_LINES));
  drawTiles();
  state.time = NaN;
  state.now = -1;
  show(state.source.start_s, state.source.end_s);
  point(NaN);
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

function linesOf(lines) {
  return lines.filter(({ name }) => state.series.knows(name)).map(({ title, colour }) => [title, colour]);
}

function drawAll() {
  const { series, view } = state;
  setMargin(byId("overview").clientWidth);
  drawStrip(byId("strip"), state.source);
  drawOverview(byId("overview"), state.source, series, view);
  drawExpressions(byId("expressions"), series, view);
  drawAffect(byId("affect"), series, view);
  drawUnits(byId("units"), series, view);
  drawState(byId("state"), series, view);
  drawPose(byId("pose"), series, view);
  drawPlane(byId("plane"), series, view, state.now);
  drawCursor();
}

function point(time) {
  state.time = time;
  state.now = state.series.at(time);
  drawPlane(byId("plane"), state.series, state.view, state.now);
  drawCursor();
  byId("readout").textContent = time === time ? reading(time, state.now) : "Point at a chart to read its values.";
  showFrame(byId("now-image"), state.source, time);
}

function reading(time, now) {
  if (now < 0) return `${clock(time)}  the face is not in view`;
  const { series } = state, cell = { from: now, to: now + 1 };
  const top = DATA.expressions.filter((label) => series.has(label) && series.value(label, now) >= .1)
    .sort((a, b) => series.value(b, now) - series.value(a, now)).slice(0, 3)
    .map((label) => `${label} ${series.value(label, now).toFixed(2)}`);
  const units = DATA.units.filter((name) => series.high(name, cell) >= state.source.thresholds[name])
    .map((name) => `${DATA.unit_names[name]} ${series.high(name, cell).toFixed(2)}`);
  const doubt = series.has("quality") ? series.value("quality", now) : NaN;
  return [clock(time), top.join(", "), `valence ${signed(toAffect(series.value("valence", now)))}`,
    `arousal ${signed(toAffect(series.value("arousal", now)))}`, units.join(", "), doubt === doubt ? `quality ${doubt.toFixed(2)}` : ""].filter(Boolean).join("   ·   ");
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
    else { point(time); seek(time); }
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
  const { source } = state, { header, rows, subjects } = source.table;
  const whole = source.strip[Math.floor(source.strip.length / 2)];
  const pictures = subjects.map((at, k) => {
    if (at !== null) return portrait(source.subjects[at]);
    return k === 0 && whole ? [element("img", { class: "portrait wide", src: whole.image, alt: source.name })] : [];
  });
  const pictured = pictures.some((each) => each.length);
  byId("faces").replaceChildren(
    element("tr", { class: "names" }, ...(pictured ? [element("th", {}, "")] : []), ...header.map((name) => element("th", {}, name))),
    ...rows.map((row, k) => element("tr", {}, ...(pictured ? [element("td", { "data-column": "" }, ...pictures[k])] : []),
      ...row.map((text, at) => element("td", { "data-column": header[at] }, text)))));
}

function baseName(path) { return path.split(/[\\/]/).pop(); }

function saveChart(button) {
  const plot = byId(button.dataset.plot), heading = button.parentElement.querySelector("h2").textContent;
  const { source, subject } = state, entries = [...(byId(button.dataset.plot + "-legend")?.children ?? [])].map((item) =>
    [item.textContent, item.dataset.colour]);
  return pngOf(plot, `${heading}: ${source.name}, ${subject.name}`, entries)
    .then((address) => offer(address, fileName(baseName(source.name), subject.name, button.dataset.plot) + ".png"));
}

function legend(id, entries) {
  byId(id).replaceChildren(...entries.map(([name, colour]) => {
    const patch = element("i", {});
    patch.style.background = colour;
    return element("li", { "data-colour": colour }, patch, name);
  }));
}

function start() {
  document.title = DATA.title;
  byId("title").textContent = DATA.title;
  byId("subtitle").textContent = DATA.subtitle;
  byId("binning").textContent = DATA.binning;
  byId("smoothing").textContent = DATA.smoothing;
  byId("smoothing").hidden = !DATA.smoothing;
  byId("facts").replaceChildren(...DATA.facts.map((facts) => element("table", {},
    ...facts.map(([name, value]) => element("tr", {}, element("th", {}, name), element("td", {}, value))))));
  const stills = DATA.sources.filter((source) => source.still);
  byId("photos").hidden = !stills.length && !DATA.n_stills_hidden;
  byId("photos-note").textContent = DATA.n_stills_hidden ? `${DATA.n_stills_hidden} more photos are in the table.` : "";
  byId("gallery").replaceChildren(...stills.map(drawPhoto));
  if (!recordings.length) return;
  byId("recording").hidden = false;
  legend("expressions-legend", DATA.expressions.map((label) => [label, DATA.colours[label]]));
  byId("source-choice").hidden = recordings.length < 2;
  byId("source").replaceChildren(...recordings.map((source, k) => element("option", { value: k }, source.name)));
  byId("source").addEventListener("change", (event) => chooseSource(recordings[event.target.value]));
  TIMED.forEach((id) => listen(byId(id)));
  for (const id of ["overview", "strip"]) {
    const there = (event) => timeAt(byId(id), event, { from: state.source.start_s, to: state.source.end_s });
    byId(id).addEventListener("click", (event) => { lookAt(there(event)); seek(there(event)); });
  }
  byId("strip").addEventListener("pointermove", (event) => {
    const time = timeAt(byId("strip"), event, { from: state.source.start_s, to: state.source.end_s });
    lookFromStrip(byId("strip"), event, state.source, time);
    point(time);
  });
  byId("strip").addEventListener("pointerleave", () => byId("strip").querySelector("figure")?.remove());
  followVideo(byId("video"));
  document.querySelectorAll("button.save").forEach((button) => button.addEventListener("click", () => saveChart(button)));
  byId("save-face").addEventListener("click", () =>
    saveCsv(rowsOf(state.series), fileName(baseName(state.source.name), state.subject.name) + ".csv"));
  byId("save-summary").addEventListener("click", () =>
    saveCsv([state.source.table.header, ...state.source.table.rows], fileName(baseName(state.source.name), "faces") + ".csv"));
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
