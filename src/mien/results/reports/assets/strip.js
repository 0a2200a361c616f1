// The frame strip, the picture beside the values, and the video.
"use strict";

/** The frame of the strip that is nearest to a time; undefined without a strip. */
function frameNear(source, time) {
  let best;
  for (const frame of source.strip) {
    if (!best || Math.abs(frame.time_s - time) < Math.abs(best.time_s - time)) best = frame;
  }
  return best;
}

function drawStrip(strip, source) {
  strip.hidden = !source.strip.length;
  strip.querySelectorAll(":scope > img").forEach((image) => image.remove());
  if (strip.hidden) return;
  const inner = strip.clientWidth - LEFT - RIGHT, ideal = strip.clientHeight * source.strip_ratio;
  const n = Math.max(1, Math.floor(inner / ideal)), each = inner / n;
  for (let k = 0; k < n; k += 1) {
    const time = source.start_s + ((k + .5) / n) * (source.end_s - source.start_s);
    const image = element("img", { src: frameNear(source, time).image, alt: "" });
    image.style.cssText = `left:${LEFT + k * each}px;width:${each - 1}px`;
    strip.append(image);
  }
}

function lookFromStrip(strip, event, source, time) {
  const frame = frameNear(source, time);
  strip.querySelector("figure")?.remove();
  if (!frame) return;
  const look = element("figure", {}, element("img", { src: frame.image, alt: "" }), element("figcaption", {}, clock(frame.time_s)));
  strip.append(look);
  const left = event.clientX - strip.getBoundingClientRect().left - look.offsetWidth / 2;
  look.style.left = `${Math.max(0, Math.min(left, strip.clientWidth - look.offsetWidth))}px`;
}

/** The frame of the strip beside the values under the pointer. */
function showFrame(image, source, time) {
  const frame = time === time ? frameNear(source, time) : undefined;
  image.hidden = !frame;
  if (frame && image.src !== frame.image) image.src = frame.image;
}

function chooseVideo(source) {
  const video = byId("video");
  byId("player").hidden = !source.video;
  byId("stage").classList.toggle("playing", Boolean(source.video));
  document.body.classList.toggle("wide", DATA.sources.some((each) => each.video));
  if (source.video) video.src = source.video; else video.removeAttribute("src");
}

/** Goes to a time of the table; the player's clock is that of the file, on which the frames may begin later. */
function seek(time) {
  if (state.source.video && time === time) byId("video").currentTime = Math.max(0, time + state.source.offset_s);
}

/** The charts follow the video while it plays, and when its own slider is moved. */
function followVideo(video) {
  const follow = () => {
    const time = video.currentTime - state.source.offset_s, { from, to } = state.view;
    if (!video.paused && (time < from || time > to)) show(time, time + to - from);
    point(time);
    if (!video.paused && !video.ended) requestAnimationFrame(follow);
  };
  video.addEventListener("play", follow);
  video.addEventListener("seeked", () => { if (video.paused) point(video.currentTime - state.source.offset_s); });
}
