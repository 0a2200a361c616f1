# SPDX-License-Identifier: Apache-2.0
"""Label images with MediaPipe: blendshapes, 68 landmarks and head matrix of each face.

    teacher/bin/python -m benchmarks landmark-teacher PICTURES --model face_landmarker.task --out labels.parquet

It needs an environment of its own, because mediapipe brings another OpenCV than mien's (docs/how-to/training.md says
how). So it imports nothing of mien; the two sides exchange Parquet. The file also runs as a script.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Image = npt.NDArray[np.uint8]

# Vertices of MediaPipe's face mesh at the 68 landmarks of 300-W, in their order: jaw, brows, nose, eyes, lips.
MESH_OF_68 = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87),
)

_ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
_TINY_PX = 96
_DETECTION, _PRESENCE = 0.2, 0.2  # low, because a tight crop hardly looks like a face to the detector


@dataclass(frozen=True)
class Framing:
    """Preparation of an image for the teacher, whose detector needs a margin around the face.

    Attributes:
        side_px: side to which the image is enlarged; 0 keeps its size.
        pad_px: border on each side, which repeats the edge.
    """

    side_px: int
    pad_px: int


def framing(height: int, width: int) -> Framing:
    """A fourfold enlargement and a wide margin for tiny images (FER+ has 48 px), a small margin for others."""
    return Framing(192, 48) if max(height, width) < _TINY_PX else Framing(0, 24)


def schema(blendshapes: list[str]) -> pa.Schema:
    """Columns of the label file, as `mien.datasets.load_teacher` reads them."""
    return pa.schema(
        [
            ("name", pa.string()),
            ("found", pa.bool_()),
            ("blendshapes", pa.list_(pa.float16())),
            ("points", pa.list_(pa.float16())),
            ("matrix", pa.list_(pa.float32())),
        ],
        metadata={
            "blendshapes": json.dumps(blendshapes),
            "points": "300-W 68, fractions of the picture's width and height",
        },
    )


def encoded_images(source: Path) -> Iterator[tuple[str, bytes]]:
    """Names and encoded images of a folder (names are relative paths) or of a Parquet file (``name``, ``image``)."""
    if source.is_dir():
        for path in sorted(path for path in source.rglob("*") if path.suffix.lower() in _ENDINGS):
            yield path.relative_to(source).as_posix(), path.read_bytes()
        return
    for batch in pq.ParquetFile(source).iter_batches(64, columns=["name", "image"]):
        yield from zip(batch["name"].to_pylist(), batch["image"].to_pylist(), strict=True)


def unframed(points: npt.NDArray[np.float64], height: int, width: int, pad_px: int) -> npt.NDArray[np.float64]:
    """Convert points (N, 2) from fractions of the padded ``height`` x ``width`` image to fractions of the image."""
    size = np.array([width, height], dtype=np.float64)
    return (points * size - pad_px) / (size - 2 * pad_px)


def decode(encoded: bytes) -> Image | None:
    """Decode an image to upright RGB (H, W, 3); None where it cannot be decoded."""
    from PIL import Image as Pillow
    from PIL import ImageOps

    try:
        with Pillow.open(io.BytesIO(encoded)) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError):  # what Pillow raises for damaged images
        return None


def frame(image: Image, prepared: Framing) -> Image:
    """The image as the teacher receives it."""
    from PIL import Image as Pillow

    if prepared.side_px:
        # Pillow's bicubic, not OpenCV's, which is sharper: the labels of 48-px faces depend on it.
        side = (prepared.side_px, prepared.side_px)
        image = np.asarray(Pillow.fromarray(image).resize(side, Pillow.Resampling.BICUBIC), dtype=np.uint8)
    pad = (prepared.pad_px, prepared.pad_px)
    return np.ascontiguousarray(np.pad(image, (pad, pad, (0, 0)), mode="edge"))


class Teacher:
    """MediaPipe's Face Landmarker on single images.

    Args:
        model: path of ``face_landmarker.task``.
    """

    def __init__(self, model: Path) -> None:
        import mediapipe
        from mediapipe.tasks import python as tasks
        from mediapipe.tasks.python import vision

        self._image, self._rgb = mediapipe.Image, mediapipe.ImageFormat.SRGB
        options = vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(model)),
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
            num_faces=1,
            min_face_detection_confidence=_DETECTION,
            min_face_presence_confidence=_PRESENCE,
        )
        self._task = vision.FaceLandmarker.create_from_options(options)
        self.blendshapes: list[str] = []

    def __call__(self, name: str, image: Image) -> dict[str, Any]:
        """The row of an image; ``found`` is False and the rest None where no face is found."""
        prepared = framing(*image.shape[:2])
        shown = frame(image, prepared)
        result = self._task.detect(self._image(image_format=self._rgb, data=shown))
        if not result.face_blendshapes:
            return no_face(name)
        shapes, mesh = result.face_blendshapes[0], result.face_landmarks[0]
        self.blendshapes = [shape.category_name for shape in shapes]
        points = np.array([(mesh[index].x, mesh[index].y) for index in MESH_OF_68])
        return {
            "name": name,
            "found": True,
            "blendshapes": np.array([shape.score for shape in shapes], np.float16),
            "points": unframed(points, *shown.shape[:2], prepared.pad_px).astype(np.float16).ravel(),
            "matrix": np.asarray(result.facial_transformation_matrixes[0], np.float32).ravel(),
        }


def no_face(name: str) -> dict[str, Any]:
    """The row of an image without a face."""
    return {"name": name, "found": False, "blendshapes": None, "points": None, "matrix": None}


def main(arguments: list[str] | None = None) -> int:
    """Label every image.

    Returns:
        0 all images were read; 1 some could not be read (they are named, and have rows without a face); 3 there is
        nothing to label.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, help="folder of images, or a Parquet file with name and image")
    parser.add_argument("--model", type=Path, required=True, help="face_landmarker.task, from MediaPipe's model page")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file of labels")
    chosen = parser.parse_args(arguments)
    for path in (chosen.pictures, chosen.model):
        if not path.exists():
            print(f"{path}: no such file or folder", file=sys.stderr)
            return 3
    teacher = Teacher(chosen.model)
    rows, unreadable = [], []
    for name, encoded in encoded_images(chosen.pictures):
        image = decode(encoded)
        if image is None:
            unreadable.append(name)
        rows.append(no_face(name) if image is None else teacher(name, image))
    if not rows or not teacher.blendshapes:
        print(f"{chosen.pictures}: no face in {len(rows)} images; nothing was written", file=sys.stderr)
        return 3
    # Written beside and renamed: a crash leaves no partial file under the final name.
    part = chosen.out.with_name(chosen.out.name + ".part")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema(teacher.blendshapes)), part, compression="zstd")
    part.replace(chosen.out)
    print(f"{chosen.out}: {len(rows)} images, {sum(row['found'] for row in rows)} with a face")
    for name in unreadable:
        print(f"cannot be read: {name}", file=sys.stderr)
    return 1 if unreadable else 0


if __name__ == "__main__":
    sys.exit(main())
