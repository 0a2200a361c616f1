// The gallery of photos, with a numbered box for every face.
"use strict";

const LOW = .08; // of a photo's height: a number over a box above this would be cut off

/** The colour of a face by its number from the left, as in overlays. */
function faceColour(number) {
  return `hsl(${(((.08 + (number - 1) * .618034) % 1) * 360).toFixed(0)} 90% 65%)`;
}

function drawPhoto(photo) {
  const pairs = photo.faces.map((face) => {
    const box = element("span", {}, element("b", {}, String(face.number)));
    const line = element("li", {}, element("b", {}, String(face.number)), face.text,
      element("small", {}, [face.affect, `quality ${face.quality}`].join(" · ")),
      ...(face.units.length ? [element("small", {}, face.units.join(", "))] : []));
    for (const part of [box, line]) {
      part.style.setProperty("--face", faceColour(face.number));
      part.addEventListener("pointerenter", () => [box, line].forEach((each) => each.classList.add("chosen")));
      part.addEventListener("pointerleave", () => [box, line].forEach((each) => each.classList.remove("chosen")));
    }
    if (face.doubtful) box.classList.add("doubtful");
    if (photo.size && face.box) {
      const [width, height] = photo.size, [x0, y0, x1, y1] = face.box;
      box.style.left = `${(100 * Math.max(0, x0)) / width}%`;
      box.style.top = `${(100 * Math.max(0, y0)) / height}%`;
      box.style.width = `${(100 * (Math.min(x1, width) - Math.max(0, x0))) / width}%`;
      box.style.height = `${(100 * (Math.min(y1, height) - Math.max(0, y0))) / height}%`;
      if (y0 < LOW * height) box.classList.add("low");
    }
    return [box, line];
  });
  const look = photo.image
    ? [element("div", { class: "photo" }, element("img", { src: photo.image, alt: photo.name }), ...pairs.map(([box]) => box))]
    : [];
  const more = photo.n_hidden ? [element("p", { class: "hint" }, `${photo.n_hidden} more faces are in the table.`)] : [];
  const list = photo.faces.length
    ? element("ol", { class: "who" }, ...pairs.map(([, line]) => line))
    : element("p", { class: "hint" }, "No face was found.");
  return element("article", {}, element("h3", {}, photo.name), ...look, list, ...more);
}
