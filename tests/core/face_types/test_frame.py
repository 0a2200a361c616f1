# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from mien.core import Faces, Frame, InputError
from mien.media import load_image

FACES = Faces(boxes=[[40, 20, 100, 100]], valence=[0.5])


def test_a_frame_with_pixels_is_drawn_and_saved(tmp_path: Path) -> None:
    frame = Frame(index=3, time_s=0.125, faces=FACES, image=np.zeros((120, 160, 3), np.uint8))
    np.testing.assert_array_equal(frame.draw(), FACES.draw(frame.image))
    frame.save(tmp_path / "frame.png")
    np.testing.assert_array_equal(load_image(tmp_path / "frame.png"), frame.draw())


def test_a_frame_without_pixels_says_how_to_get_them(tmp_path: Path) -> None:
    frame = Frame(index=3, time_s=0.125, faces=FACES)
    for call in (frame.draw, frame.show, lambda: frame.save(tmp_path / "frame.png")):
        with pytest.raises(InputError, match="images=True"):
            call()


def test_the_repr_has_no_pixels() -> None:
    frame = Frame(index=3, time_s=0.125, faces=FACES, image=np.zeros((120, 160, 3), np.uint8))
    assert repr(frame) == "Frame(index=3, time_s=0.125, faces=Faces(n=1: unknown))"
    assert "frame 3, 0.125 s" in frame._repr_html_()
