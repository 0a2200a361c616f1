# SPDX-License-Identifier: Apache-2.0
"""GoEmotions, EmoBank and MUStARD as folders of utterances, and features with a planted signal."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mien.core import DatasetError
from mien.results import atomic_write

COLUMNS = ("id", "split", "speaker", "text", "emotion", "sentiment", "sarcasm")
_VALID_SHARE = 0.33
_MIDDLE, _HALF_RANGE = 3.0, 2.0  # EmoBank rates valence from 1 to 5

Row = dict[str, str]


def write_tables(texts: Path, folder: Path, *, n_train: int, n_valid: int, seed: int) -> None:
    """Write ``goemotions``, ``emobank`` and ``mustard``, each with the labels of its own task, below a folder.

    Args:
        texts: folder with the files of the three sets.
        folder: that gets one folder per set.
        n_train: number of training utterances of GoEmotions and EmoBank, drawn by the seed; MUStARD gives all.
        n_valid: number of validation utterances of both, the first ones.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    labels = (texts / "goemotions_ekman_labels.txt").read_text("utf-8").split()
    for name, rows in (
        ("goemotions", _goemotions(texts, labels)),
        ("emobank", _emobank(texts)),
        ("mustard", _mustard(texts)),
    ):
        train = [row for row in rows if row["split"] == "train"]
        valid = [row for row in rows if row["split"] == "valid"]
        if not train or not valid:
            raise DatasetError(f"{texts}: {name} has no utterances of one of the splits")
        if name != "mustard":
            train, valid = [train[i] for i in rng.permutation(len(train))[:n_train]], valid[:n_valid]
        write_utterances(folder / name / "utterances.csv", [*train, *valid])


def write_utterances(path: Path, rows: Iterable[Row]) -> None:
    """Write a table of utterances; blank labels are unknown."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        lines = [",".join(COLUMNS)]
        for row in rows:
            cells = [row.get(name, "").replace('"', "'").replace("\n", " ") for name in COLUMNS]
            lines.append(",".join(f'"{cell}"' if "," in cell else cell for cell in cells))
        file.write(("\n".join(lines) + "\n").encode())


def plant_features(folder: Path, modalities: Sequence[tuple[str, int]], *, strength: float, seed: int) -> None:
    """Write feature files whose steps are noise plus a direction of their own for each emotion of the utterance.

    Args:
        folder: of a table of utterances with emotions.
        modalities: names and lengths of vectors.
        strength: length of the directions; the noise of each value has deviation 1.
        seed: of directions and noise.
    """
    with (folder / "utterances.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted({label for row in rows for label in row["emotion"].split("|") if label})
    rng = np.random.default_rng(seed)
    for modality, n in modalities:
        directions = {label: rng.normal(size=n) / np.sqrt(n) * strength for label in names}
        (folder / "features" / modality).mkdir(parents=True, exist_ok=True)
        for row in rows:
            signal = sum((directions[label] for label in row["emotion"].split("|") if label), np.zeros(n))
            values = rng.normal(size=(int(rng.integers(3, 12)), n)) + signal
            np.save(folder / "features" / modality / f"{row['id']}.npy", values.astype(np.float32))


def _goemotions(texts: Path, labels: Sequence[str]) -> list[Row]:
    rows = []
    for split, name in (("train", "goemotions_ekman_train.tsv"), ("valid", "goemotions_ekman_dev.tsv")):
        for line in (texts / name).read_text("utf-8").splitlines():
            text, numbers, identity = line.split("\t")
            emotion = "|".join(labels[int(number)] for number in numbers.split(","))
            rows.append({"id": identity, "split": split, "text": text, "emotion": emotion})
    return [row for row in rows if row["text"].strip()]


def _emobank(texts: Path) -> list[Row]:
    names = {"train": "train", "dev": "valid"}
    with (texts / "emobank.csv").open(encoding="utf-8", newline="") as file:
        return [
            {
                "id": row["id"],
                "split": names[row["split"]],
                "text": row["text"],
                "sentiment": f"{(float(row['V']) - _MIDDLE) / _HALF_RANGE:.3f}",
            }
            for row in csv.DictReader(file)
            if row["split"] in names and row["text"].strip()
        ]


def _mustard(texts: Path) -> list[Row]:
    """All utterances; speakers are in one split each, by a hash of their names."""
    content = json.loads((texts / "mustard.json").read_text("utf-8"))
    rows = []
    for identity, item in content.items():
        share = int.from_bytes(hashlib.sha256(item["speaker"].encode()).digest()[:6], "big") / 2**48
        split = "valid" if share < _VALID_SHARE else "train"
        row = {"id": identity, "split": split, "speaker": item["speaker"], "text": item["utterance"]}
        rows.append(row | {"sarcasm": str(int(item["sarcasm"]))})
    return rows
