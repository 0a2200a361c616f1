# SPDX-License-Identifier: Apache-2.0
"""Distance between the landmark teacher's points of a face and those of the mirrored image; prints it.

    python -m benchmarks teacher-agreement --data DATA --model face_landmarker.task --mediapipe-python PATH

A model trained on images and their mirror images cannot come closer to this teacher than about half of that distance.
The faces and the unit are those of ``mien evaluate landmarks``. The teacher runs in an environment of its own, through
``landmark_teacher.py`` (docs/how-to/training.md says how to make it).
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import create_parser
from mien.core import MIRRORED_LANDMARKS
from mien.datasets import LandmarkFaces, load_landmark_faces, load_teacher
from mien.media import decode_image

Doubles = npt.NDArray[np.float64]


def write_mirrored(faces: LandmarkFaces, path: Path) -> None:
    """Write the mirrored images, lossless, as input of ``landmark_teacher.py``."""
    images = []
    for name, encoded in zip(faces.names, faces.images, strict=True):
        mirrored = decode_image(encoded, name=name)[:, ::-1]
        images.append(
            cv2.imencode(".png", cv2.cvtColor(np.ascontiguousarray(mirrored), cv2.COLOR_RGB2BGR))[1].tobytes()
        )
    pq.write_table(pa.table({"name": list(faces.names), "image": images}), path)


def disagreements(points: Doubles, of_mirrored: Doubles, sizes: Doubles) -> Doubles:
    """Mean distance between the points of images and of their mirror images, in eye distances.

    Args:
        points: (N, 68, 2) as fractions of the image's width and height.
        of_mirrored: (N, 68, 2) of the mirrored images; NaN where no face was found.
        sizes: (N, 2) width and height of the images in px.

    Returns:
        (N,) distances; NaN where the mirrored image has no face.
    """
    back = of_mirrored[:, list(MIRRORED_LANDMARKS)] * (-1, 1) + (1, 0)
    there, again = points * sizes[:, None], back * sizes[:, None]
    eyes = np.linalg.norm(there[:, 36:42].mean(axis=1) - there[:, 42:48].mean(axis=1), axis=1)
    return np.asarray(np.linalg.norm(there - again, axis=2).mean(axis=1) / eyes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per data set; the exit code is the teacher's where it fails."""
    parser = create_parser("teacher-agreement", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--model", type=Path, required=True, help="face_landmarker.task, from MediaPipe's model page")
    parser.add_argument("--mediapipe-python", required=True, help="Python interpreter of an environment with mediapipe")
    chosen = parser.parse_args(arguments)
    faces = load_landmark_faces(chosen.data, "test")
    with tempfile.TemporaryDirectory() as folder:
        pictures, labels = Path(folder) / "pictures.parquet", Path(folder) / "labels.parquet"
        write_mirrored(faces, pictures)
        script = Path(__file__).with_name("landmark_teacher.py")
        command = [chosen.mediapipe_python, script, pictures, "--model", chosen.model, "--out", labels]
        done = subprocess.run(command, check=False)
        if done.returncode:
            return done.returncode
        of_mirrored = load_teacher(labels, faces.names).landmarks
    sizes = np.array([decode_image(image).shape[1::-1] for image in faces.images], np.float64)
    apart = disagreements(faces.landmarks.astype(np.float64), of_mirrored.astype(np.float64), sizes)
    for source in np.unique(faces.source):
        rows = (faces.source == source) & np.isfinite(apart)
        print(f"{source}: {apart[rows].mean():.4f} (median {np.median(apart[rows]):.4f}), n {rows.sum()}")
    return 0
