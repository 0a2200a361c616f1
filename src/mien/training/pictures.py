# SPDX-License-Identifier: Apache-2.0
"""Pictures that teach, wherever they are kept: encoded bytes, files, or pixels in a table."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import DatasetError, InputError
from mien.faces import to_colour
from mien.media import cut_box, decode_image, load_image

Image = npt.NDArray[np.uint8]
Origin = bytes | str | Image
"""An encoded picture, the path of a file, or pixels (H, W)."""


class PictureReader(Protocol):
    """N pictures, decoded one at a time."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int) -> Image:
        """(H, W) uint8 for gray, (H, W, 3) RGB for colour."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Pictures:
    """N pictures as they are kept; each is decoded when it is asked for.

    Attributes:
        names: N names, for messages.
        origins: where each comes from.
        colour: ``"gray"`` or ``"rgb"``.
        boxes: (N, 4) xyxy in pixels, the part that is shown; NaN rows show the whole picture.
    """

    names: tuple[str, ...]
    origins: tuple[Origin, ...]
    colour: str
    boxes: npt.NDArray[np.float32]

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        origins: Sequence[Origin],
        colour: str,
        boxes: npt.NDArray[np.float32] | None = None,
    ) -> Pictures:
        """The same from any sequences; whole pictures unless boxes are given."""
        if boxes is None:
            boxes = np.full((len(names), 4), np.nan, dtype=np.float32)
        return cls(names=tuple(names), origins=tuple(origins), colour=colour, boxes=boxes)

    def __len__(self) -> int:
        return len(self.origins)

    def __getitem__(self, row: int) -> Image:
        """Decode one.

        Raises:
            DatasetError: it is missing or damaged; the message names it.
        """
        origin = self.origins[row]
        try:
            if isinstance(origin, np.ndarray):
                picture = origin if self.colour == "gray" else np.repeat(origin[..., None], 3, axis=2)
            elif isinstance(origin, bytes):
                picture = _decode(origin, self.colour, self.names[row])
            else:
                picture = to_colour(load_image(origin), self.colour)
        except InputError as error:
            raise DatasetError(f"{self.names[row]}: {error}") from error
        return cut_box(picture, self.boxes[row])

    def take(self, rows: npt.NDArray[np.intp]) -> Pictures:
        """The chosen rows, in that order."""
        return replace(
            self,
            names=tuple(self.names[row] for row in rows),
            origins=tuple(self.origins[row] for row in rows),
            boxes=self.boxes[rows],
        )

    def digest(self) -> str:
        """SHA-256 that changes with any picture: of the bytes where they are at hand, of path, size and time for files.

        Raises:
            DatasetError: a file is missing.
        """
        total = hashlib.sha256(f"{self.colour} {len(self)}\n".encode())
        for name, origin in zip(self.names, self.origins, strict=True):
            if isinstance(origin, str):
                total.update(_stamp(origin, name))
            else:
                total.update(hashlib.sha256(bytes(origin)).digest())
        total.update(np.ascontiguousarray(self.boxes).tobytes())
        return total.hexdigest()


def join_pictures(parts: Sequence[Pictures]) -> Pictures:
    """All pictures of several sets of one colour, in order."""
    return Pictures(
        names=sum((part.names for part in parts), ()),
        origins=sum((part.origins for part in parts), ()),
        colour=parts[0].colour,
        boxes=np.concatenate([part.boxes for part in parts]),
    )


def _decode(data: bytes, colour: str, name: str) -> Image:
    if colour != "gray":
        return decode_image(data, name=name)
    # The luma that a JPEG file holds already, in half the time.
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    if picture is None:
        raise InputError(f"{name} is no image that OpenCV can read")
    return np.asarray(picture, dtype=np.uint8)


def _stamp(path: str, name: str) -> bytes:
    try:
        found = Path(path).stat()
    except OSError as error:
        raise DatasetError(f"{name}: {path} cannot be read ({error.strerror})") from error
    return f"{path} {found.st_size} {found.st_mtime_ns}\n".encode()
