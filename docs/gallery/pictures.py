# SPDX-License-Identifier: Apache-2.0
"""Makes the pictures of the gallery and of README from the rendered sample, which shows no real person.

    python docs/gallery/pictures.py docs/gallery

The screenshots of the report need Chromium (``chromium`` or ``google-chrome`` on the path, or ``CHROMIUM``); without it
they are left as they are. Needs the extra plot. ``SHA256SUMS`` lists what was made: a test accepts no other picture.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import cv2
import numpy as np

import mien
from mien.core import Image
from mien.media import VideoWriter, load_image, save_image

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
CLIP, PHOTO = "neutral_to_smile.mp4", "two_faces.jpg"  # pictures show these names
SHOWN_S = 2.4
"""Time of the frame that is shown, when both faces smile."""
SUMS = "SHA256SUMS"
GAP_PX, REPORT_SCALE = 20, 0.6


def frame_at(video: Path, time_s: float) -> Image:
    """(H, W, 3) RGB, the frame of a video that is shown at a time."""
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= time_s:
                return np.asarray(frame.to_ndarray(format="rgb24"))
    raise SystemExit(f"{video} ends before {time_s} s")


def find_browser() -> str | None:
    """Path of a Chromium, or None."""
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    return next((path for name in names if name and (path := shutil.which(name))), None)


def screenshot(browser: str, page: Path, picture: Path, width_px: int, height_px: int) -> None:
    """Write a picture of a page as a browser shows it, without a network."""
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--window-size={width_px},{height_px}", f"--screenshot={picture}", page.resolve().as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def enlarged(clip: Path, out: Path) -> None:
    """Write a clip at twice its size, so that what is drawn on it is sharp."""
    with av.open(str(clip)) as container:
        rate = float(container.streams.video[0].average_rate or 1)
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    height, width = pictures[0].shape[:2]
    with VideoWriter(out, 2 * width, 2 * height, fps=rate, threads=1) as writer:
        for index, picture in enumerate(pictures):
            large = cv2.resize(picture, (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
            writer.write(np.asarray(large, np.uint8), index / rate)


def side_by_side(overlay: Image, report: Image) -> Image:
    """A frame and the top of a report on white, the frame in the middle of the height."""
    shown = cv2.resize(report, None, fx=REPORT_SCALE, fy=REPORT_SCALE, interpolation=cv2.INTER_AREA)
    height, width = max(len(overlay), len(shown)), overlay.shape[1] + GAP_PX + shown.shape[1]
    canvas = np.full((height, width, 3), 255, np.uint8)
    top = (height - len(overlay)) // 2
    canvas[top : top + len(overlay), : overlay.shape[1]] = overlay
    canvas[: len(shown), overlay.shape[1] + GAP_PX :] = shown
    return canvas


def make_pictures(folder: Path) -> None:
    """Write all pictures, and the list of their sums, into a folder."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, contextlib.chdir(work):
        enlarged(SAMPLE / CLIP, Path(CLIP))
        shutil.copy(SAMPLE / PHOTO, PHOTO)
        mien.analyze(CLIP, out="table.parquet", overlay="overlay.mp4", report="report.html")
        overlay = frame_at(Path("overlay.mp4"), SHOWN_S)
        save_image(folder / "overlay.jpg", overlay)
        mien.plot_table("table.parquet").savefig(folder / "timeline.png", dpi=70)
        browser = find_browser()
        if browser is None:
            print("no Chromium found: the pictures of the report are left as they are", file=sys.stderr)
        else:
            screenshot(browser, Path("report.html"), folder / "report.png", 860, 1000)
            screenshot(browser, Path("report.html"), folder / "report-phone.png", 500, 900)
            save_image(folder / "first-screen.jpg", side_by_side(overlay, load_image(folder / "report.png")))
        faces = mien.Analyzer().image(PHOTO)
        faces.save(folder / "photo.jpg", PHOTO)
        faces.plot(PHOTO).savefig(folder / "faces.png", dpi=70)
    made = sorted(path for path in folder.iterdir() if path.suffix in {".jpg", ".png"})
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in made]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    make_pictures(Path(sys.argv[1]))
