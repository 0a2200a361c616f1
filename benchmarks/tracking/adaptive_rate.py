# SPDX-License-Identifier: Apache-2.0
"""Cost and accuracy of the adaptive frame rate; writes docs/research/adaptive.md.

    python -m benchmarks adaptive CLIP...

Every clip is analysed once in full; each setting then sees only those results that it asks for. The page in docs is of
``cry_to_laugh.mp4 several_faces.mp4 single_face.mp4 webcam_talk.mp4`` in the video folder of the shared data.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import ROOT, create_parser
from benchmarks.machine import today
from benchmarks.page import measured_by, notice, table, write_page
from mien import __version__
from mien.affect import AdaptiveRate, Analyzer, predict_adaptively
from mien.core import Frame
from mien.inference import machine_name
from mien.metrics import ccc

_NAME = "adaptive"
_CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
# Never refined beyond the first stride: a fixed frame rate, for comparison.
_FIXED = tuple(AdaptiveRate(strides=(stride, 1), confidence=1e-9) for stride in (5, 10, 25))
_INTRODUCTION = """\
# Adaptive frame rate

{notice}

`mien analyze clip.mp4 --adaptive 25,5,1 --out table.parquet`, or `Analyzer().video("clip.mp4", adaptive="25,5,1")`,
runs the affect model in few frames where a face's expression is certain and in more where it is not, after Savchenko,
*Facial Expression Recognition with Adaptive Frame Rate based on Multiple Testing Correction*, ICML 2023. Tracks are cut
into segments of 25 frames, whose first and last frame are analysed; where the mean of the probabilities does not put
0.8 on one expression, each 5th frame is analysed too, then all. `25,5,1@0.9` asks for 0.9 instead. Values between two
analysed frames are interpolated: every frame keeps its row, the metadata of the table say `adaptive`, and short
expressions within a certain segment can be missed.

Faces are found and followed in every frame, so only the affect model runs less often: the slower your bundle, the more
this saves. To search for faces less often too, use `--every N`. In the paper the thresholds of each stride keep false
decisions on labelled videos below 5 %; here one threshold is given, and this table says what it costs against analysing
every frame.

{clips}
"""
_HEADING = ("setting", "faces analysed", "same top expression", "CCC valence", "CCC arousal")


@dataclass(frozen=True, eq=False)
class FullAnalysis:
    """Results for every face of a clip, without an adaptive frame rate.

    Attributes:
        frames: (N,) index of each face's frame.
        track_ids: (N,) track of each face.
        values: name of the output -> (N, ...) values.
    """

    frames: npt.NDArray[np.int64]
    track_ids: npt.NDArray[np.int64]
    values: dict[str, npt.NDArray[np.float32]]

    @classmethod
    def of(cls, frames: list[Frame]) -> FullAnalysis:
        """Collect the faces of all frames."""
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
        """The values that an adaptive rate gives, and the number of faces that it analyses."""
        parts, n_read = [], 0
        for stretch in range(0, int(self.frames[-1]) + 1, rate.strides[0]):
            rows = np.flatnonzero((self.frames >= stretch) & (self.frames < stretch + rate.strides[0]))
            if not len(rows):
                continue
            values, was_read = predict_adaptively(
                rate,
                self.frames[rows],
                self.track_ids[rows],
                np.ones(len(rows), np.bool_),
                lambda asked, rows=rows: {name: column[rows[asked]] for name, column in self.values.items()},
            )
            parts.append(values)
            n_read += int(was_read.sum())
        return {name: np.concatenate([part[name] for part in parts]) for name in self.values}, n_read


def setting_row(name: str, clips: list[FullAnalysis], rate: AdaptiveRate) -> list[str]:
    """Cells of a table row: one setting on all faces of all clips together."""
    results = [clip.adaptively(rate) for clip in clips]
    truth, predicted = (
        {key: np.concatenate([values[key] for values in of]) for key in clips[0].values}
        for of in ([clip.values for clip in clips], [values for values, _ in results])
    )
    share = sum(n_read for _, n_read in results) / len(truth["valence"])
    same = (truth["expression"].argmax(axis=1) == predicted["expression"].argmax(axis=1)).mean()
    agreement = [f"{ccc(predicted[key], truth[key]):.3f}" for key in ("valence", "arousal")]
    return [name, f"{share:.1%}", f"{same:.1%}", *agreement]


def main(arguments: Sequence[str] | None = None) -> int:
    """Analyse the clips, compare the settings and write the page."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("clips", nargs="+", type=Path, help="video files")
    paths = parser.parse_args(arguments).clips
    analyzer = Analyzer(threads=1)
    clips, seconds = [], {"all": 0.0, "some": 0.0}
    for path in paths:
        for kind, rate in (("all", None), ("some", AdaptiveRate())):
            start = time.process_time()
            frames = list(analyzer.video(path, adaptive=rate))
            seconds[kind] += time.process_time() - start
            if rate is None:
                clips.append(FullAnalysis.of(frames))
    n_faces = sum(len(clip.frames) for clip in clips)
    names = ", ".join(f"`{path.name}`" for path in paths)
    about = (
        f"All {n_faces} faces of {names}, analysed with {analyzer.spec.name}. From file to result the default setting "
        f"takes {seconds['some'] / seconds['all']:.2f} of the CPU time of analysing every frame."
    )
    settings = chain(
        ((f"first and last of each {rate.strides[0]} frames, always", rate) for rate in _FIXED),
        ((f"`25,5,1@{confidence:g}`", AdaptiveRate(confidence=confidence)) for confidence in _CONFIDENCES),
    )
    lines = table(_HEADING, [setting_row(name, clips, rate) for name, rate in settings])
    introduction = _INTRODUCTION.format(notice=notice(_NAME, edit="benchmarks/tracking/adaptive_rate.py"), clips=about)
    provenance = measured_by(_NAME, f"mien {__version__}", machine=machine_name(), date=today())
    write_page(ROOT / "docs/research/adaptive.md", [introduction, *lines, "", provenance])
    print(about, *lines, sep="\n")
    return 0
