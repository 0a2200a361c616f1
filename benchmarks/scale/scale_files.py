# SPDX-License-Identifier: Apache-2.0
"""Time per file of `mien.analyze` beyond the analysis of its faces, over clips of one second."""

from __future__ import annotations

import shutil
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from skimage import data

import mien

_FPS = 10
_N_KINDS = 10
_BLOCK = 50


def write_clips(folder: Path, n_clips: int) -> list[Path]:
    """Write clips of one moving face, 240 x 240, of one second each."""
    face = data.astronaut()[0:240, 110:350]
    for kind in range(min(_N_KINDS, n_clips)):
        with av.open(str(folder / f"{kind:04d}.mp4"), "w") as clip:
            stream = clip.add_stream("libx264", rate=_FPS)
            stream.width, stream.height, stream.pix_fmt = 240, 240, "yuv420p"
            for number in range(_FPS):
                moved = np.ascontiguousarray(np.roll(face, number + kind, axis=1))
                frame = av.VideoFrame.from_ndarray(moved, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, _FPS)
                clip.mux(stream.encode(frame))
            clip.mux(stream.encode(None))
    for number in range(_N_KINDS, n_clips):
        copy = folder / f"{number:04d}.mp4"
        shutil.copy(folder / f"{number % _N_KINDS:04d}.mp4", copy)
        with copy.open("ab") as file:  # an empty box, so that no two files are equal
            file.write(b"\x00\x00\x00\x0cfree" + number.to_bytes(4, "big"))
    return sorted(folder.iterdir())


def measure_files(n_clips: int) -> None:
    """Time the analyzer and `mien.analyze` in turns, so that other load slows both alike, and print the difference."""
    seconds = dict.fromkeys(("faces", "all"), 0.0)
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "clips").mkdir()
        clips = write_clips(Path(name) / "clips", n_clips)
        before = time.perf_counter()
        mien.Analyzer(threads=1)
        loading = time.perf_counter() - before  # `analyze` loads the models once per call, and makes many calls here
        for start in range(0, n_clips, _BLOCK):
            block = clips[start : start + _BLOCK]
            analyzer = mien.Analyzer(threads=1)
            before = time.perf_counter()
            for clip in block:
                for _ in analyzer.video(clip):
                    pass
            seconds["faces"] += time.perf_counter() - before
            before = time.perf_counter()
            result = mien.analyze(block, Path(name) / "tables", threads=1)
            seconds["all"] += time.perf_counter() - before - loading
            if not result.complete:
                raise SystemExit(f"analyze failed on {[failure.path for failure in result.failures]}")
    overhead = (seconds["all"] - seconds["faces"]) / n_clips
    print(f"{n_clips} clips of one second: {1000 * overhead:.1f} ms per file beyond the analysis of its faces ", end="")
    print(f"({seconds['faces']:.1f} s for faces, {seconds['all']:.1f} s with tables and records, wall clock)")
