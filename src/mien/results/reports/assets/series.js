// The data of the page: points of every face, packed as base64, and their values at any zoom.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const MISSING = 255;

function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** A face's points: begin and end in seconds, whether a line breaks before them, and 0..1 or NaN per channel. */
class Series {
  constructor(subject) {
    const starts = bytesOf(subject.begin_s), ends = bytesOf(subject.end_s);
    this.begin = new Float32Array(starts.buffer);
    this.end = new Float32Array(ends.buffer);
    this.breaks = bytesOf(subject.breaks);
    this.length = this.begin.length;
    const all = bytesOf(subject.values);
    this.channels = {};
    subject.channels.forEach((name, at) => {
      this.channels[name] = all.subarray(at * this.length, (at + 1) * this.length);
    });
  }

  has(name) { return name in this.channels; }

  value(name, at) {
    const code = this.channels[name][at];
    return code === MISSING ? NaN : code / 250;
  }

  /** The point at or just before a time; -1 if the face is not in view then. */
  at(time) {
    let low = 0, high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.begin[middle] <= time) low = middle + 1; else high = middle;
    }
    return low && time <= this.end[low - 1] + 1e-3 ? low - 1 : -1;
  }

  /** Points between two times, merged so that there are at most about ``n``: [{from, to, begin, end, breaks}]. */
  cells(from, to, n) {
    let first = 0, stop = this.length;
    while (first < stop && this.end[first] < from) first += 1;
    while (stop > first && this.begin[stop - 1] > to) stop -= 1;
    const each = stop - first > n ? (to - from) / n : 0;
    const cells = [];
    let last = null;
    for (let i = first; i < stop; i += 1) {
      if (last && !this.breaks[i] && this.begin[i] - last.begin < each) {
        last.to = i + 1;
        last.end = this.end[i];
      } else {
        last = { from: i, to: i + 1, begin: this.begin[i], end: this.end[i], breaks: this.breaks[i] === 1 };
        cells.push(last);
      }
    }
    return cells;
  }

  mean(name, cell) {
    let sum = 0, n = 0;
    for (let i = cell.from; i < cell.to; i += 1) {
      const value = this.value(name, i);
      if (value === value) { sum += value; n += 1; }
    }
    return n ? sum / n : NaN;
  }

  extreme(name, cell, pick) {
    let best = NaN;
    for (let i = cell.from; i < cell.to; i += 1) {
      const value = this.value(name, i);
      if (value === value) best = best === best ? pick(best, value) : value;
    }
    return best;
  }

  /** Whether a channel, or the highest or lowest values that stand for it, has a known value. */
  knows(name) {
    const own = [name, name + "_high", name + "_low"].find((each) => this.has(each));
    return own !== undefined && this.channels[own].some((code) => code !== MISSING);
  }

  low(name, cell) { return this.extreme(this.has(name + "_low") ? name + "_low" : name, cell, Math.min); }

  high(name, cell) { return this.extreme(this.has(name + "_high") ? name + "_high" : name, cell, Math.max); }
}

function clock(time) {
  const sign = time < 0 ? "-" : "", all = Math.abs(time), minutes = Math.floor(all / 60);
  const seconds = (all - 60 * minutes).toFixed(all < 600 ? 2 : 1).padStart(all < 600 ? 5 : 4, "0");
  return `${sign}${minutes}:${seconds}`;
}

function signed(value) {
  return value !== value ? "–" : (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
}

function toAffect(share) { return 2 * share - 1; }

/** Degrees of an angle of the head from its share 0..1. */
function toDegrees(name, share) { return DATA.pose_ranges[name] * toAffect(share); }
