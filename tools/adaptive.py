# SPDX-License-Identifier: Apache-2.0
"""What an adaptive frame rate saves and what it costs; writes docs/adaptive.md.

    python tools/adaptive.py CLIP...     (or: make adaptive)

Every clip is read once in full; each setting then sees only those readings that it asks for.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien import __version__
from mien.affect import AdaptiveRate, Analyzer, read_adaptively
from mien.core import Frame
from mien.metrics import ccc

_ROOT = Path(__file__).resolve().parent.parent
_CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
# Read at the first stride whatever was seen there: a fixed frame rate, for comparison.
_FIXED = tuple(AdaptiveRate(strides=(stride, 1), confidence=1e-9) for stride in (5, 10, 25))
_INTRODUCTION = """\
# Adaptive frame rate

<!-- Written by `make adaptive`; change tools/adaptive.py. -->

`mien analyze clip.mp4 --adaptive 25,5,1 --out table.parquet`, or `Analyzer().video("clip.mp4", adaptive="25,5,1")`,
reads a sure stretch of a face in few frames and an unsure one in more, after Savchenko, *Facial Expression Recognition
with Adaptive Frame Rate based on Multiple Testing Correction*, ICML 2023. Tracks are cut into stretches of 25 frames,
which are read at their first frame and their last; where the mean of the probabilities does not put .8 on one
expression, each 5th frame is read too, then all. `25,5,1@0.9` asks for .9 instead. What lies between two readings is
interpolated: every frame keeps its row, the metadata of the table say `adaptive`, and short expressions within a sure
stretch can be missed.

Faces are found and followed in every frame, so what is saved is the affect net alone: the slower your bundle, the more.
To spare the search for faces too, use `--every N`. In the paper the thresholds of each stride keep false decisions on
labelled videos below 5 %; here one threshold is given, and this table says what it costs against reading every frame.

{clips}

| setting | faces read | same top expression | CCC valence | CCC arousal |
|---|---|---|---|---|
"""


@dataclass(frozen=True, eq=False)
class Readings:
    """All faces of a clip as read in full.

    Attributes:
        frames: (N,) place of each face's frame among the analysed ones.
        track_ids: (N,).
        values: name -> (N, ...).
    """

    frames: npt.NDArray[np.int64]
    track_ids: npt.NDArray[np.int64]
    values: dict[str, npt.NDArray[np.float32]]

    @classmethod
    def of(cls, frames: list[Frame]) -> Readings:
        """The faces of all frames."""
        faces = [frame.faces for frame in frames if len(frame.faces)]
        return cls(
            np.repeat(np.arange(len(frames)), [len(frame.faces) for frame in frames]),
            np.concatenate([each.track_ids for each in faces]),
            {
                name: np.concatenate([getattr(each, name) for each in faces])
                for name in ("expression", "valence", "arousal")
            },
        )

    def adaptively(self, rate: AdaptiveRate) -> tuple[dict[str, npt.NDArray[np.float32]], int]:
        """The values that a rate gives, and how many faces it read."""
        parts, n_read = [], 0
        for stretch in range(0, int(self.frames[-1]) + 1, rate.strides[0]):
            rows = np.flatnonzero((self.frames >= stretch) & (self.frames < stretch + rate.strides[0]))
            if not len(rows):
                continue
            values, was_read = read_adaptively(
                rate,
                self.frames[rows],
                self.track_ids[rows],
                np.ones(len(rows), np.bool_),
                lambda asked, rows=rows: {name: column[rows[asked]] for name, column in self.values.items()},
            )
            parts.append(values)
            n_read += int(was_read.sum())
        return {name: np.concatenate([part[name] for part in parts]) for name in self.values}, n_read


def line(name: str, clips: list[Readings], rate: AdaptiveRate) -> str:
    """A row of the table: all faces of all clips together."""
    answers = [clip.adaptively(rate) for clip in clips]
    truth, guess = (
        {key: np.concatenate([values[key] for values in of]) for key in clips[0].values}
        for of in ([clip.values for clip in clips], [values for values, _ in answers])
    )
    share = sum(n_read for _, n_read in answers) / len(truth["valence"])
    same = (truth["expression"].argmax(axis=1) == guess["expression"].argmax(axis=1)).mean()
    agreement = " | ".join(f"{ccc(guess[key], truth[key]):.3f}" for key in ("valence", "arousal"))
    return f"| {name} | {share:.1%} | {same:.1%} | {agreement} |"


def main() -> None:
    """Read, compare, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    paths = parser.parse_args().clips
    analyzer = Analyzer(threads=1)
    clips, seconds = [], {"all": 0.0, "some": 0.0}
    for path in paths:
        for kind, rate in (("all", None), ("some", AdaptiveRate())):
            start = time.process_time()
            frames = list(analyzer.video(path, adaptive=rate))
            seconds[kind] += time.process_time() - start
            if rate is None:
                clips.append(Readings.of(frames))
    n_faces = sum(len(clip.frames) for clip in clips)
    names = ", ".join(f"`{path.name}`" for path in paths)
    about = (
        f"All {n_faces} faces of {names}, read with {analyzer.spec.name}. From file to result the default setting "
        f"takes {seconds['some'] / seconds['all']:.2f} of the CPU time of reading every frame."
    )
    settings = chain(
        ((f"first and last of each {rate.strides[0]} frames, always", rate) for rate in _FIXED),
        ((f"`25,5,1@{confidence:g}`", AdaptiveRate(confidence=confidence)) for confidence in _CONFIDENCES),
    )
    lines = [line(name, clips, rate) for name, rate in settings]
    made = f"\nMade by `make adaptive` with mien {__version__}.\n"
    page = _INTRODUCTION.format(clips=about) + "\n".join(lines) + "\n" + made
    (_ROOT / "docs/adaptive.md").write_text(page, encoding="utf-8")
    print(about, *lines, sep="\n")


if __name__ == "__main__":
    main()
