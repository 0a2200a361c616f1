# SPDX-License-Identifier: Apache-2.0
"""What all kinds of samples share: rows can be taken, columns are checked and read-only."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mien.core import ConfigError, DatasetError
from mien.datasets import ClipSamples, FaceSamples, FrameSamples, ImageSamples, LandmarkFaces, concatenate
from mien.datasets.samples import RowColumns, class_counts, some_names

N = 4


def _faces(labels: tuple[str, ...] = ("AU01", "AU12")) -> FaceSamples:
    rows = np.arange(N, dtype=np.float32)
    return FaceSamples(
        names=tuple("abcd"),
        images=tuple(f"picture {name}".encode() for name in "abcd"),
        expression=np.tile(rows[:, None], 8),
        valence_arousal=np.tile(rows[:, None], 2),
        action_units=np.tile(rows[:, None], len(labels)),
        action_unit_labels=labels,
        keypoints=np.tile(rows[:, None, None], (5, 2)),
    )


def _landmark_faces() -> LandmarkFaces:
    rows = np.arange(N, dtype=np.float32)
    return LandmarkFaces(
        tuple("abcd"),
        (b"",) * N,
        np.array(["ferplus", "fairface", "fairface", "lfw_expression"]),
        np.tile(rows[:, None, None], (68, 2)),
        np.tile(rows[:, None], 3),
        np.tile(rows[:, None], 2),
    )


def _clips() -> ClipSamples:
    return ClipSamples(
        dataset="eri",
        split="train",
        names=tuple("abcd"),
        intensities=np.array([[0.1], [np.nan], [0.3], [0.4]]),
        labels=("fear",),
        videos=(Path("a.mp4"), None, None, Path("d.mp4")),
        videos_found=True,
        countries=("ZA", "US", "US", "ZA"),
    )


def _images() -> ImageSamples:
    pixels = pa.array([str(row) for row in range(N)])
    return ImageSamples(dataset="fer2013", split="train", folder=None, names=tuple("abcd"), pixels=pixels)


def _frames() -> FrameSamples:
    return FrameSamples(dataset="lists", split="test", tracks=("x", "y"), track_index=[0, 0, 1, 1], frame=[1, 2, 1, 2])


KINDS = [_faces, _landmark_faces, _clips, _images, _frames]


@pytest.mark.parametrize("create", KINDS)
@pytest.mark.parametrize(
    ("rows", "chosen"),
    [([3, 0, 3], [3, 0, 3]), ([False, True, True, False], [1, 2]), (np.zeros(N, bool), []), ([-1], [3])],
)
def test_every_kind_takes_rows_in_one_way(
    create: Callable[[], RowColumns], rows: list[int] | np.ndarray, chosen: list[int]
) -> None:
    samples = create()
    taken = samples.take(rows)
    assert type(taken) is type(samples)
    assert len(taken) == len(chosen)
    for name in samples.row_columns:
        before, after = getattr(samples, name), getattr(taken, name)
        if before is None:
            assert after is None
        else:
            assert type(after) is type(before)
            np.testing.assert_array_equal(np.asarray(after), np.asarray(before)[chosen])


@pytest.mark.parametrize("create", KINDS)
def test_row_columns_are_all_columns_of_rows(create: Callable[[], RowColumns]) -> None:
    samples = create()
    long = {name for name, value in vars(samples).items() if hasattr(value, "__len__") and not isinstance(value, str)}
    # Labels and tracks are lists of their own, which no row indexes.
    others = {"expression_labels", "person_labels", "action_unit_labels", "vote_labels", "labels", "tracks"}
    others |= {"n_crop_frames", "remarks"}
    assert long - others == {name for name in samples.row_columns if getattr(samples, name) is not None}


@pytest.mark.parametrize("create", KINDS)
def test_columns_cannot_be_written(create: Callable[[], RowColumns]) -> None:
    samples = create()
    arrays = [value for value in vars(samples).values() if isinstance(value, np.ndarray)]
    assert arrays
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]


@pytest.mark.parametrize(
    ("create", "column", "value", "words"),
    [
        (_faces, "expression", np.zeros((N, 7)), r"expression must have shape \(4, 8\), got \(4, 7\)"),
        (_faces, "images", (b"",), "images must have 4 entries, got 1"),
        (_landmark_faces, "landmarks", np.zeros((N, 5, 2)), r"landmarks must have shape \(4, 68, 2\)"),
        (_clips, "videos", (None,), "videos must have 4 entries, got 1"),
        (_clips, "countries", ("ZA",), "countries must have 4 entries, got 1"),
        (_clips, "intensities", np.zeros((N, 2)), r"intensities must have shape \(4, 1\)"),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    create: Callable[[], RowColumns], column: str, value: object, words: str
) -> None:
    samples = create()
    with pytest.raises(ConfigError, match=words):
        type(samples)(**{**vars(samples), column: value})


def test_sets_are_joined_in_order() -> None:
    joined = concatenate([_faces().take([3]), _faces().take([0, 1])])
    assert joined.names == ("d", "a", "b")
    assert joined.images == (b"picture d", b"picture a", b"picture b")
    assert joined.keypoints[:, 0, 0].tolist() == [3, 0, 1]
    landmarks = concatenate([_landmark_faces().take([3]), _landmark_faces()])
    assert landmarks.source.tolist() == ["lfw_expression", "ferplus", "fairface", "fairface", "lfw_expression"]


def test_sets_with_other_labels_are_not_joined() -> None:
    with pytest.raises(DatasetError, match=r"the same action_unit_labels, got \[\('AU01',\), \('AU01', 'AU12'\)\]"):
        concatenate([_faces(), _faces(("AU01",))])


def test_clips_count_their_videos_once_the_folder_has_any() -> None:
    clips = _clips()
    assert clips.counts().n_media == 2
    assert clips.counts().valid == {"intensities": 3}
    assert [path.name for path in clips.absent()] == ["b.mp4", "c.mp4"]
    assert clips.groups() == set("abcd")
    assert clips.notes() == ()
    without = ClipSamples(**{**vars(clips), "videos": (None,) * N, "videos_found": False})
    assert without.counts().n_media is None
    assert without.absent() == ()
    assert without.notes() == ("train: no videos in the folder, so videos were not searched for",)


def test_unlabelled_rows_are_in_no_class() -> None:
    assert class_counts(("a", "b", "c"), np.array([2, -1, 2, 0])) == {"a": 1, "b": 0, "c": 2}


def test_long_lists_of_names_are_cut() -> None:
    assert some_names(["a", "b", "c"]) == "a, b, c"
    assert some_names(["a", "b", "c", "d"]) == "a, b, c, ..."
