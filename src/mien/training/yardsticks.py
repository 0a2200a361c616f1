# SPDX-License-Identifier: Apache-2.0
"""What a smaller variant of a bundle is calibrated on and measured by: faces' affect, or points on faces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer
from mien.core import ModelSpec
from mien.datasets import load_landmark_faces, load_set_aside
from mien.evaluation import PROTOCOLS, Report
from mien.faces import five_points, load_landmark_net, resize_face, to_colour
from mien.inference import Bundle
from mien.media import decode_image

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Yardstick:
    """How variants of one kind of bundle are judged.

    Attributes:
        crops: n crops as the bundle takes them, of faces below a data folder.
        load: a bundle's folder to what the protocols measure.
        protocols: names in `mien.evaluation.PROTOCOLS`.
        decisive: measures that the verdict rests on.
    """

    crops: Callable[[Bundle, Path, int], Image]
    load: Callable[[Path], object]
    protocols: tuple[str, ...]
    decisive: tuple[str, ...]

    def measure(self, folder: Path, data: Path) -> list[Report]:
        """Every protocol of the bundle in a folder."""
        return [PROTOCOLS.load(name)(self.load(folder), data) for name in self.protocols]


def yardstick_of(spec: ModelSpec) -> Yardstick:
    """The yardstick of landmark nets for a bundle that gives points, else that of affect."""
    return POINTS if spec.task("landmarks") else AFFECT


def worth(measure: str) -> float:
    """What one unit of a measure is worth: 1, or -1 of an error; of one in degrees, what that is in radians."""
    if "degrees" in measure:
        return -np.pi / 180
    return -1.0 if "error" in measure else 1.0


def _aside(bundle: Bundle, data: Path, n: int) -> Image:
    """FER+ training faces that were set aside, as `Analyzer.crops` prepares them."""
    taken = bundle.spec.input
    samples = load_set_aside(data, n)
    faces = [
        resize_face(decode_image(image, name=name), taken.size_px)
        for name, image in zip(samples.names, samples.images, strict=True)
    ]
    return to_colour(np.stack(faces), taken.colour)


def _about_points(bundle: Bundle, data: Path, n: int) -> Image:
    """Faces of the open training sets, each cut about the teacher's points as `LandmarkNet` cuts them."""
    net = load_landmark_net(bundle.folder)
    faces = load_landmark_faces(data, "teaching")
    faces = faces.take(np.random.default_rng(0).permutation(len(faces))[:n])
    crops = []
    for name, encoded, points in zip(faces.names, faces.images, faces.points, strict=True):
        picture = decode_image(encoded, name=name)
        places = points[None].astype(np.float64) * picture.shape[1::-1] - 0.5
        crops.append(net.crops(picture, five_points(places).astype(np.float32)))
    return np.concatenate(crops)


AFFECT = Yardstick(
    crops=_aside,
    load=Analyzer,
    protocols=("ferplus", "lfw"),
    decisive=(
        "accuracy, plurality",
        "macro F1, plurality",
        "accuracy, official majority",
        "macro F1, official majority",
        "CCC valence",
        "CCC arousal",
        "recall of happiness",
        "recall of neutral",
        "AUC of AU12, happiness against neutral",
        "mean AU F1 against the teacher",
    ),
)

POINTS = Yardstick(
    crops=_about_points,
    load=load_landmark_net,
    protocols=("landmarks",),
    decisive=tuple(
        f"{measure}: {people}"
        for people in ("FairFace val", "LFW test people")
        for measure in (
            "point error, first look",
            "point error, followed",
            "rotation error in degrees, followed",
            "eye openness error, followed",
            "faces believed, first look",
            "places without a face refused",
        )
    ),
)
