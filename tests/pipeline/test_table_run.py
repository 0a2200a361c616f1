# SPDX-License-Identifier: Apache-2.0
"""One table of a run: what is opened, what its metadata and its manifest say."""

from __future__ import annotations

import pickle
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.core import AnalyzerConfig, ConfigError, Outputs, VideoOptions
from mien.faces import Detections, create_detector
from mien.jobs import FakeEngine
from mien.pipeline import RunResult, analyze
from mien.pipeline import table_run as run
from mien.pipeline.resume import WORK_KEY
from mien.pipeline.table_run import RunSettings
from mien.results import RunManifest, read_table, table_metadata
from tests.helpers.face_clips import N_FRAMES, write_clip

OPTIONS: dict[str, Any] = {"threads": 1, "landmark_model": "none"}


def metadata(table: Path) -> dict[str, str]:
    return table_metadata(read_table(table).schema)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the inputs in the order in which they are opened."""
    names: list[str] = []
    original = run.open_run

    @contextmanager
    def counting(media: Any, video: Any) -> Generator[Any, None, None]:
        names.append(Path(media.name).name)
        with original(media, video) as opened_run:
            yield opened_run

    original_images = run.image_runs

    def counting_images(media: Any, analyzer: Any) -> Generator[Any, None, None]:
        for one, image_run in zip(media, original_images(media, analyzer), strict=True):
            names.append(Path(one.name).name)
            yield image_run

    monkeypatch.setattr(run, "open_run", counting)
    monkeypatch.setattr(run, "image_runs", counting_images)
    return names


def test_every_input_is_opened_once(photo: Path, clip: Path, tmp_path: Path, opened: list[str]) -> None:
    analyze(clip, tmp_path / "one.parquet", **OPTIONS)
    assert opened == ["clip.mp4"]
    analyze([photo, clip], tmp_path / "both.parquet", **OPTIONS)
    assert opened[1:] == ["photo.jpg", "clip.mp4"]
    assert "stream_offset_s" in metadata(tmp_path / "one.parquet")
    assert "stream_offset_s" not in metadata(tmp_path / "both.parquet"), "two sources have no common clock"


def test_the_video_is_decoded_by_one_reader(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.pipeline import media_run

    readers: list[Any] = []
    original = media_run.open_video

    def counting(*arguments: Any, **options: Any) -> Any:
        readers.append(original(*arguments, **options))
        return readers[-1]

    monkeypatch.setattr(media_run, "open_video", counting)
    analyze(clip, tmp_path / "t.parquet", **OPTIONS)
    assert len(readers) == 1


def test_a_video_that_cannot_be_opened_leaves_no_table(tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    result = analyze(bad, tmp_path / "out" / "t.parquet", **OPTIONS)
    assert (result.tables, len(result.failures)) == ((), 1)
    assert not (tmp_path / "out").exists()


def test_settings_are_in_the_metadata(clip: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    analyze(clip, table, smooth="va=2", adaptive="5,1", min_quality=0.25, **OPTIONS)
    about = metadata(table)
    assert about["smoothing"].startswith("expr=0,va=2,au=0")
    assert (about["adaptive"], about["min_quality"]) == ("5,1@0.8", "0.25")
    analyze(clip, table, **OPTIONS)
    assert not {"smoothing", "adaptive", "min_quality"} & set(metadata(table))


class CentreDetector:
    """A detector of the caller's: mien's own, under a name that says nothing of what it computes."""

    def __init__(self) -> None:
        self._detector = create_detector("mtcnn", threads=1)

    def detect(self, image: np.ndarray) -> Detections:
        return self._detector.detect(image)


def run_with(detector: Any, clip: Path, out: Path) -> RunResult:
    return analyze(clip, out, detector=detector, **OPTIONS)


def test_a_detector_may_be_an_object_and_is_never_taken_for_another(tmp_path: Path, face: np.ndarray) -> None:
    clip = write_clip(tmp_path / "clip.mp4", face, 4)
    (table,) = run_with(CentreDetector(), clip, tmp_path / "out").tables
    assert read_table(table)["success"].to_pylist() == [True] * 4
    assert RunManifest.load(table).arguments["detector"] == "CentreDetector"
    assert WORK_KEY not in metadata(table)
    assert run_with(CentreDetector(), clip, tmp_path / "out").skipped == ()


def test_an_object_that_cannot_reach_other_processes_is_refused(photo: Path, clip: Path, tmp_path: Path) -> None:
    class LocalDetector(CentreDetector):
        pass

    with pytest.raises(ConfigError, match="several workers need models that can be pickled"):
        analyze([photo, clip], tmp_path / "out", detector=LocalDetector(), workers=2, **OPTIONS)
    assert not (tmp_path / "out").exists()


def test_settings_travel_to_other_processes() -> None:
    settings = RunSettings(
        analyzer=AnalyzerConfig(faces="largest"),
        video=VideoOptions(every=2),
        outputs=Outputs(table="t.parquet"),
        arguments={"every": 2},
        rows={"every": 2},
        n_inputs=1,
    )
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert settings.choice.rule == "largest"


def test_another_engine_is_given_the_same_work(clip: Path, photo: Path, tmp_path: Path) -> None:
    result = analyze([clip, photo], tmp_path / "out", engine=FakeEngine(), **OPTIONS)
    assert [record.n_rows for record in result.inputs] == [N_FRAMES, 1]
    assert RunManifest.load(result.tables[0]).arguments["engine"] == "FakeEngine"


@pytest.mark.parametrize(("gray", "said"), [(4, True), (120, False)])
def test_a_dark_image_without_a_face_is_named(tmp_path: Path, gray: int, said: bool) -> None:
    image = tmp_path / "image.png"
    Image.fromarray(np.full((120, 160, 3), gray, np.uint8)).save(image)
    result = analyze(image, out=tmp_path / "table.csv", threads=1)
    assert result.complete
    messages = result.inputs[0].messages
    assert any("no face was found, and the picture is very dark" in message for message in messages) is said
