# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pyarrow as pa

from mien.core import Faces, Frame
from mien.pipeline import in_words
from mien.results import table_schema
from mien.results.tables.row_encoder import RowEncoder

LABELS = ("neutral", "happiness", "fear")


def table(tops: list[int | None], step_s: float = 0.04) -> pa.Table:
    """A table of one source with the top expression of each frame; None has no face."""
    schema = table_schema(expression_labels=LABELS)
    frames = []
    for index, top in enumerate(tops):
        faces = Faces.empty(LABELS)
        if top is not None:
            faces = Faces(boxes=np.zeros((1, 4)), track_ids=[0], expression=[np.eye(3)[top]], expression_labels=LABELS)
        frames.append(("a.mp4", Frame(index=index, time_s=index * step_s, faces=faces)))
    return pa.Table.from_batches([RowEncoder(schema).encode(frames)])


def test_shares_are_of_the_time_with_a_face() -> None:
    assert list(in_words(table([0] * 60 + [1] * 15 + [2] * 5 + [None] * 20), smooth="none")) == [
        ("a.mp4", "a face in 80 % of 4 s: mostly neutral (75 %), happiness 19 %")
    ]


def test_flicker_is_not_told() -> None:
    flickering = table([0, 0, 0, 1] * 20)
    assert [text for _, text in in_words(flickering)] == ["a face in 100 % of 3.2 s: mostly neutral (100 %)"]
    assert "happiness 25 %" in next(text for _, text in in_words(flickering, smooth="none"))


def test_no_face_is_said_and_not_an_expression() -> None:
    assert [text for _, text in in_words(table([None] * 95))] == ["no face in 95 frames"]
    assert [text for _, text in in_words(table([None]))] == ["no face"]


def test_a_photo_has_no_time() -> None:
    assert [text for _, text in in_words(table([1]))] == ["1 face: mostly happiness (100 %)"]
