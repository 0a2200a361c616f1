# SPDX-License-Identifier: Apache-2.0
"""How far the landmark teacher agrees with itself: its points of a face against those of the same picture mirrored.

    python tools/teacher_agreement.py --data DATA --model face_landmarker.task --mediapipe-python PATH

No net that is taught on pictures and their mirrors can come closer to this teacher than about half of that. On the
faces of ``mien evaluate landmarks``, in the same unit. The teacher runs in an environment of its own (docs/training.md
says how to make it), through ``tools/teach.py``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import MIRRORED_POINTS
from mien.datasets import LandmarkFaces, load_landmark_faces, load_teacher
from mien.media import decode_image

Doubles = npt.NDArray[np.float64]


def write_mirrored(faces: LandmarkFaces, path: Path) -> None:
    """The pictures as a mirror shows them, lossless, for ``tools/teach.py``."""
    images = []
    for name, encoded in zip(faces.names, faces.images, strict=True):
        mirrored = decode_image(encoded, name=name)[:, ::-1]
        images.append(
            cv2.imencode(".png", cv2.cvtColor(np.ascontiguousarray(mirrored), cv2.COLOR_RGB2BGR))[1].tobytes()
        )
    pq.write_table(pa.table({"name": list(faces.names), "image": images}), path)


def disagreements(points: Doubles, of_mirrored: Doubles, sizes: Doubles) -> Doubles:
    """(N,) mean distances of (N, 68, 2) points and those of the mirrored pictures, in eye distances.

    Both are fractions of the pictures' (N, 2) width and height; NaN where the mirrored picture has no face.
    """
    back = of_mirrored[:, list(MIRRORED_POINTS)] * (-1, 1) + (1, 0)
    there, again = points * sizes[:, None], back * sizes[:, None]
    eyes = np.linalg.norm(there[:, 36:42].mean(axis=1) - there[:, 42:48].mean(axis=1), axis=1)
    return np.asarray(np.linalg.norm(there - again, axis=2).mean(axis=1) / eyes)


def main(arguments: list[str] | None = None) -> int:
    """Print one line for each set; the exit code of the teacher where that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--model", type=Path, required=True, help="face_landmarker.task, from MediaPipe's model page")
    parser.add_argument("--mediapipe-python", required=True, help="the interpreter that has mediapipe")
    chosen = parser.parse_args(arguments)
    faces = load_landmark_faces(chosen.data, "test")
    with tempfile.TemporaryDirectory() as folder:
        pictures, labels = Path(folder) / "pictures.parquet", Path(folder) / "labels.parquet"
        write_mirrored(faces, pictures)
        teach = Path(__file__).with_name("teach.py")
        command = [chosen.mediapipe_python, teach, pictures, "--model", chosen.model, "--out", labels]
        done = subprocess.run(command, check=False)
        if done.returncode:
            return done.returncode
        of_mirrored = load_teacher(labels, faces.names).points
    sizes = np.array([decode_image(image).shape[1::-1] for image in faces.images], np.float64)
    apart = disagreements(faces.points.astype(np.float64), of_mirrored.astype(np.float64), sizes)
    for source in np.unique(faces.source):
        rows = (faces.source == source) & np.isfinite(apart)
        print(f"{source}: {apart[rows].mean():.4f} (median {np.median(apart[rows]):.4f}), n {rows.sum()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
