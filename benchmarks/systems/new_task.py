# SPDX-License-Identifier: Apache-2.0
"""The half of FER+ that a network never saw, as a new task in another domain, and the frozen vectors of its faces."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.systems.nets import Net, bundle_outputs, net_folder
from benchmarks.systems.stand_in import half_of, hash_of
from mien.core import DIMENSIONS, EXPRESSION_ORDERS, Float32, Indices
from mien.datasets import VOTES, load_ferplus, load_pictures, load_votes, picture_file
from mien.inference import load_bundle

N_VALID = 2000
"""Number of faces of the half on which heads select their epoch and thresholds."""

_OTHER = "other"
_LABELS = EXPRESSION_ORDERS["affwild2_8"]
_SMALL_PX, _NOISE = 24, 8.0


@dataclass(frozen=True, eq=False, kw_only=True)
class NewTask:
    """N faces with the labels of s-Aff-Wild2.

    Attributes:
        names: N names.
        images: (N, 48, 48) gray faces of the other domain.
        expression: (N, 8) one-hot, in the order of Aff-Wild2.
        valence_arousal: (N, 2) mapped from the votes, NaN where most raters named no expression.
        action_units: (N, L) 0 or 1 by a landmark model, NaN where it found no face.
        action_unit_labels: L names.
    """

    names: tuple[str, ...]
    images: npt.NDArray[np.uint8]
    expression: Float32
    valence_arousal: Float32
    action_units: Float32
    action_unit_labels: tuple[str, ...]

    def take(self, rows: Indices) -> NewTask:
        """Some of the faces."""
        return NewTask(
            names=tuple(self.names[row] for row in rows),
            images=self.images[rows],
            expression=self.expression[rows],
            valence_arousal=self.valence_arousal[rows],
            action_units=self.action_units[rows],
            action_unit_labels=self.action_unit_labels,
        )


def load_new_task(data: Path, split: str) -> NewTask:
    """FER+ of a split with other classes: "other" where no expression has a majority of the votes, and for contempt.

    Faces that most raters called no face are left out.
    """
    path = picture_file(data, "ferplus", split)
    votes, pictures = load_votes(path), load_pictures(path)
    kept = np.flatnonzero(votes.argmax(axis=1) != VOTES.index("not_a_face"))
    faces = load_ferplus(data, split)
    row_of = {name: row for row, name in enumerate(faces.names)}
    affect = np.full((len(votes), 2), np.nan, np.float32)
    units = np.full((len(votes), len(faces.action_unit_labels)), np.nan, np.float32)
    for row, name in enumerate(pictures.names):
        if name in row_of:
            affect[row] = np.clip(faces.valence_arousal[row_of[name]], -1, 1)
            units[row] = faces.action_units[row_of[name]]
    units = np.where(np.isnan(units), np.nan, units >= 0.5).astype(np.float32)
    images = np.stack([another_domain(pictures.images[row], pictures.names[row]) for row in kept])
    return NewTask(
        names=tuple(pictures.names[row] for row in kept),
        images=images,
        expression=np.eye(len(_LABELS), dtype=np.float32)[majority_classes(votes)[kept]],
        valence_arousal=affect[kept],
        action_units=units[kept],
        action_unit_labels=faces.action_unit_labels,
    )


def majority_classes(votes: npt.NDArray[np.integer]) -> Indices:
    """(N,) class of Aff-Wild2 that more than half of all votes name, else "other".

    Args:
        votes: (N, 10) in the order of FER+.
    """
    votes = np.asarray(votes)
    top = votes.argmax(axis=1)
    clear = 2 * votes.max(axis=1) > votes.sum(axis=1)
    number = np.array([_LABELS.index(name if name in _LABELS else _OTHER) for name in VOTES])
    return np.where(clear, number[top], _LABELS.index(_OTHER))


def another_domain(encoded: bytes, name: str) -> npt.NDArray[np.uint8]:
    """A face at 24 px, darker or brighter, with noise and a shift of its box: the same every time.

    Args:
        encoded: PNG bytes.
        name: name of the face, the seed of the changes.
    """
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
    rng = np.random.default_rng(int.from_bytes(hash_of(name)[:8], "big"))
    side = image.shape[0]
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), rng.normal(0, 5), 1 + rng.normal(0, 0.06))
    matrix[:, 2] += rng.normal(0, 0.04, 2) * side
    moved = cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(moved, (_SMALL_PX, _SMALL_PX), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.float64)
    curved = 255 * (large / 255) ** np.exp(rng.normal(0, 0.35))
    noisy = np.clip(curved + rng.normal(0, _NOISE, curved.shape), 0, 255)
    return np.asarray(noisy, dtype=np.uint8)


def split_half(task: NewTask, half: str) -> dict[str, NewTask]:
    """The faces of one half of FER+ train as ``"train"`` and ``"valid"`` faces of heads."""
    rows = [row for row, name in enumerate(task.names) if half_of(name) == half]
    order = np.array(sorted(rows, key=lambda row: hash_of(task.names[row])), dtype=np.intp)
    return {"valid": task.take(order[:N_VALID]), "train": task.take(order[N_VALID:])}


def extract_vectors(net: Net, seed: int, splits: dict[str, NewTask], work: Path) -> Path:
    """Write the features and raw scores of a network, and the labels, in the layout of the source ``vectors``.

    Args:
        net: network that never saw the faces of ``train`` and ``valid``.
        seed: seed of its training.
        splits: split -> faces.
        work: folder of the rows.

    Returns:
        Folder of the vectors. One that is complete is left unchanged.
    """
    folder = net_folder(net, seed, work) / "vectors"
    mark = folder / "labels.json"
    if mark.is_file():
        return folder
    bundle = load_bundle(net_folder(net, seed, work) / "bundle", kind="affect", threads=1)
    for split, faces in splits.items():
        outputs = bundle_outputs(bundle, [np.repeat(image[..., None], 3, axis=2) for image in faces.images])
        place = folder / split
        place.mkdir(parents=True, exist_ok=True)
        parts = [outputs[bundle.spec.features or ""], *(outputs[task.output] for task in bundle.spec.tasks)]
        np.save(place / "inputs.npy", np.concatenate(parts, axis=1))
        np.save(place / "expression.npy", faces.expression)
        np.save(place / "valence_arousal.npy", faces.valence_arousal)
        np.save(place / "action_units.npy", faces.action_units)
        np.save(place / "groups.npy", np.array(faces.names))
    labels = {"expression": _LABELS, "valence_arousal": DIMENSIONS, "action_units": faces.action_unit_labels}
    mark.write_text(json.dumps(labels), encoding="utf-8")  # last: it says that the folder is complete
    return folder
