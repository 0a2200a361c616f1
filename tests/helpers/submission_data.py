# SPDX-License-Identifier: Apache-2.0
"""Official lists, headers, tables and crops for tests of submissions."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mien.core import EXPRESSIONS, Faces, Frame
from mien.datasets import ACTION_UNITS_12, create_example
from mien.results import TableWriter, table_schema

HEADERS = {
    "expr": "image_location,Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other",
    "va": "image_location,valence,arousal",
    "au": "image_location,AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26",
    "mtl": "image,valence,arousal,expression,aus",
    "lsd": "image,expression",
    "ce": "image_location,Fearfully_Surprised,Happily_Surprised,Sadly_Surprised,Disgustedly_Surprised,"
    "Angrily_Surprised,Sadly_Fearful,Sadly_Angry",
    "emi": "Filename,Admiration,Amusement,Determination,Empathic Pain,Excitement,Joy",
}


def random_faces(rng: np.random.Generator, tracks: Sequence[int]) -> Faces:
    """One face per track with random scores."""
    n = len(tracks)
    return Faces(
        boxes=np.tile(np.float32([0, 0, 9, 9]), (n, 1)),
        track_ids=np.array(tracks, dtype=np.int64),
        expression=rng.dirichlet(np.ones(8), n),
        valence=rng.uniform(-1, 1, n),
        arousal=rng.uniform(-1, 1, n),
        action_units=rng.uniform(size=(n, 12)),
        expression_labels=EXPRESSIONS,
        action_unit_labels=ACTION_UNITS_12,
    )


def write_table(path: Path, frames: Sequence[tuple[str, int, Faces]]) -> None:
    """An affect table of (source, frame index, faces)."""
    with TableWriter(path, table_schema(action_unit_labels=ACTION_UNITS_12)) as writer:
        for source, index, faces in frames:
            writer.append(source, Frame(index=index, time_s=index / 30, faces=faces))


def write_list(path: Path, header: str, names: Sequence[str], *, end: str = "") -> Path:
    """An official list; ``end`` follows each name."""
    path.write_text("\n".join([header, *(name + end for name in names)]) + "\n")
    return path


NOBODY = Faces.empty(EXPRESSIONS, ACTION_UNITS_12)


def write_example_tables(folder: Path) -> dict[int, Faces]:
    """``a.mp4`` with faces in frames 1, 2, 5 and a second person, ``b.mp4`` without any, crops of ``a_left``.

    Returns:
        Frame of ``a.mp4``, from 1 -> its main face.
    """
    rng = np.random.default_rng(0)
    folder.mkdir()
    main = {frame: random_faces(rng, [4]) for frame in (1, 2, 5)}
    crowd = random_faces(rng, [9, 4])
    main[2] = crowd[1]
    shown = {1: main[1], 2: crowd, 3: NOBODY, 4: NOBODY, 5: main[5]}
    write_table(folder / "a.parquet", [("clips/a.mp4", frame - 1, faces) for frame, faces in shown.items()])
    write_table(folder / "b.parquet", [("clips/b.mp4", index, NOBODY) for index in range(2)])
    crops = [(f"cropped/a_left/{frame:05d}.jpg", 0, random_faces(rng, [-1])) for frame in (2, 3)]
    write_table(folder / "crops.csv", crops)
    return main


NAMES = [*(f"a/{frame:05d}.jpg" for frame in range(1, 8)), "b/00001.jpg", "b/00002.jpg", "a_left/00001.jpg"]


def write_crops(folder: Path) -> Path:
    """The example of Aff-Wild2 valence and arousal with random crops."""
    create_example("affwild2-va", folder)
    rng = np.random.default_rng(0)
    for path in sorted(folder.glob("cropped_aligned/*/*.jpg")):  # no two alike, so that filters change something
        cv2.imwrite(str(path), rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    return folder
