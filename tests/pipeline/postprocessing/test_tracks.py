# SPDX-License-Identifier: Apache-2.0
"""Tracks of tables on disk: listed, named in a new table, and shown as strips of faces."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError, InputError, OutputError
from mien.media import load_image, save_image
from mien.pipeline import name_persons_in_file, tracks_of_file, write_thumbnails
from mien.results import read_table
from tests.helpers.affect_tables import faces, write_frames


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Track 0 in three frames and track 1 in the last; the source is a photo of noise beside the table."""
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    save_image(tmp_path / "a.png", noise)
    zero, one = (0, "fear", 0.0, 0.1), (1, "fear", 0.0, 0.1)
    frames = [(0.0, faces(zero)), (0.1, faces(zero)), (0.2, faces(zero, one))]
    return write_frames(tmp_path / "t.parquet", {str(tmp_path / "a.png"): frames})


def test_tracks_are_listed(table: Path) -> None:
    found = tracks_of_file(str(table))
    assert [(track.track_id, track.n_rows) for track in found.tracks] == [(0, 3), (1, 1)]
    assert found.id_switches == ()


def test_naming_writes_a_new_table(table: Path, tmp_path: Path) -> None:
    found = name_persons_in_file(table, str(tmp_path / "n.csv"), {"patient": [0]})
    assert [track.person for track in found.tracks] == ["patient", None]
    assert read_table(tmp_path / "n.csv")["person"].to_pylist() == ["patient"] * 3 + [None]
    with pytest.raises(ConfigError, match=r"--out .* and TABLE .* are the same file"):
        name_persons_in_file(table, table, {"patient": [0]})
    with pytest.raises(ConfigError, match="no track 7"):
        name_persons_in_file(table, tmp_path / "x.csv", {"patient": [7]})
    assert not (tmp_path / "x.csv").exists()


def test_a_strip_shows_the_square_around_the_box(table: Path, tmp_path: Path) -> None:
    (strip,) = write_thumbnails(table, tmp_path / "new" / "strips")
    assert strip.name == "a-track-0.jpg"
    image = load_image(strip)
    assert image.shape == (128, 128, 3)
    assert image[:20].max() < 30, "above the photo there is nothing"
    assert image[60:, 60:].std() > 20


def test_a_video_may_have_moved(table: Path, tmp_path: Path) -> None:
    moved = (tmp_path / "a.png").rename(tmp_path / "b.png")
    with pytest.raises(InputError, match=r"a\.png"):
        write_thumbnails(table, tmp_path / "strips")
    assert len(write_thumbnails(str(table), str(tmp_path / "strips"), video=str(moved))) == 1


def test_a_place_that_cannot_be_written(table: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write_thumbnails(table, tmp_path / "file" / "strips")


def test_one_video_is_not_that_of_several_sources(tmp_path: Path) -> None:
    frames = [(0.0, faces((0, "fear", 0.0, 0.1)))]
    table = write_frames(tmp_path / "t.csv", {"a.mp4": frames, "b.mp4": frames})
    with pytest.raises(ConfigError, match="has 2 sources; leave out the video"):
        write_thumbnails(table, tmp_path / "strips", video="a.mp4")
