# SPDX-License-Identifier: Apache-2.0
"""The source of a detector's training pictures: canvases that are drawn once and kept in the cache."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.core import DatasetError, OutputError, load_array
from mien.results import atomic_write, cache_folder
from mien.training.data.canvases.canvas import CanvasPainter, Pixels
from mien.training.data.canvases.face_targets import FACE_COLUMNS, MAX_FACES
from mien.training.data.canvases.photos import TEACHER_FILE, load_heads, load_photos
from mien.training.data.source_records import LabelOrigin, SourceRecord, WeakLabels
from mien.training.data.training_set import TrainingSet
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import SourceSettings

logger = logging.getLogger(__name__)

_LAYOUT = 1
# A canvas is so much larger than the window that a step sees of it.
_ROOM = 9 / 7
_REPORT_EVERY = 2000

CANVASES = SourceRecord(
    title="canvases of FairFace, LFW and everyday photos",
    role="boxes and keypoints of faces by a teacher detector",
    licence="FairFace CC BY 4.0; LFW and everyday photos collected from the web for research",
    terms="licence",
    weak=(
        WeakLabels(
            task="faces",
            sentence="Boxes and keypoints are predictions of a detector (YuNet) that a second one (MTCNN) confirmed in "
            "everyday photos, not marks of people.",
        ),
    ),
    origins=(
        LabelOrigin(name="YuNet", role="teacher of boxes and keypoints", licence="Apache-2.0"),
        LabelOrigin(name="MTCNN", role="second opinion in everyday photos", licence="MIT"),
    ),
    protocols=(),
)
"""Record of the canvases for cards."""


@dataclass(frozen=True, eq=False)
class CanvasImages:
    """N drawn canvases, memory-mapped: (N, side, side) uint8."""

    pixels: Pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, row: int) -> Pixels:
        return np.asarray(self.pixels[row])


def load_canvases(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """Canvases with the faces on them, drawn at the first use and kept in the cache folder.

    Their number is ``rows`` of the source. Rendered heads join where ``heads`` names a folder of them.

    Raises:
        DatasetError: A file is missing or malformed.
        ModelError: The teacher is missing.
        OutputError: The cache cannot be written.
    """
    side = round(recipe.model.input_px * _ROOM)
    heads = folder / source.heads if source.heads else None
    key = "-".join(str(part) for part in (_LAYOUT, side, source.rows, recipe.seed, heads, _stamp(folder)))
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    pixels, faces = cache_folder("canvases") / f"{name}.u8", cache_folder("canvases") / f"{name}.npy"
    if not faces.is_file():
        photos, scenes = load_photos(folder)
        painter = CanvasPainter(photos, load_heads(heads) if heads else [], scenes, side, recipe.seed)
        logger.info("drawing %d canvases of %d photos and %d scenes", source.rows, len(photos), len(scenes))
        try:
            pixels.parent.mkdir(parents=True, exist_ok=True)
            _write(painter, source.rows, pixels, faces)
        except OSError as error:
            raise OutputError(f"{pixels.parent}: {error.strerror or error}; free some space") from error
    try:
        targets = load_array(faces)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{faces} cannot be read ({error}); delete it, it is drawn again") from error
    n = len(targets)
    return TrainingSet(
        groups=tuple(f"canvas {number}" for number in range(n)),
        inputs=CanvasImages(np.memmap(pixels, np.uint8, "r", shape=(n, side, side))),
        targets={"faces": targets.reshape(n, -1)},
        labels={"faces": tuple(f"face {row} {column}" for row in range(MAX_FACES) for column in range(FACE_COLUMNS))},
        keypoints=np.full((n, 5, 2), np.nan, np.float32),
        primary=np.ones(n, bool),
        records=(CANVASES,),
    )


def _stamp(folder: Path) -> str:
    """Sizes of the files that canvases are made of."""
    names = ("fairface/train.parquet", "fairface/more.parquet", "lfw_expression/photos.parquet")
    files = [folder / name for name in (*names, "scenes/photos.parquet", TEACHER_FILE)]
    return " ".join(str(path.stat().st_size) if path.is_file() else "-" for path in files)


def _write(painter: CanvasPainter, n: int, pixels: Path, faces: Path) -> None:
    targets = np.empty((n, MAX_FACES, FACE_COLUMNS), np.float32)
    with atomic_write(pixels) as file:
        for number in range(n):
            canvas, targets[number] = painter(number)
            file.write(np.ascontiguousarray(canvas).tobytes())
            if (number + 1) % _REPORT_EVERY == 0:
                logger.info("%d canvases drawn", number + 1)
    with atomic_write(faces) as file:
        np.save(file, targets)
