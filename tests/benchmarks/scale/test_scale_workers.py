# SPDX-License-Identifier: Apache-2.0
"""The workers part of the scale benchmark, at small size."""

from pathlib import Path

import pytest

from benchmarks.scale.scale_workers import in_turns, write_films, write_photos
from mien.media import open_video


def test_films_have_their_length_and_photos_differ(tmp_path: Path) -> None:
    films = sorted(write_films(tmp_path, 2).iterdir())
    assert len(films) == 4
    with open_video(films[0]) as film:
        assert film.info.duration_s == pytest.approx(2, abs=0.1)
    photos = [photo.read_bytes() for photo in write_photos(tmp_path).iterdir()]
    assert len(set(photos)) == len(photos) == 100


def test_commands_take_turns_and_a_failure_ends_the_measurement(tmp_path: Path) -> None:
    photo = next(write_photos(tmp_path).iterdir())
    assert [len(times) for times in in_turns({"a": [str(photo)]}, 1).values()] == [1]
    with pytest.raises(SystemExit, match="mien analyze ended with 3"):
        in_turns({"a": [str(tmp_path / "absent.jpg")]}, 1)
