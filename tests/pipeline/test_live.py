# SPDX-License-Identifier: Apache-2.0
"""Live runs with stand-ins for a camera: nothing lags, nothing is lost without being counted, everything ends."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.core import ConfigError, Faces, Frame, InputError
from mien.media import DecodeReport, VideoFrame, VideoInfo
from mien.pipeline import live
from mien.pipeline import live as live_function
from mien.pipeline.live import NewestFrame
from mien.results import RunManifest, read_table
from tests.helpers.face_clips import FPS, N_FRAMES


class FakeCamera:
    """A `FrameSource` of a camera that gives a frame on request.

    Attributes:
        closed: whether it was let go.
    """

    def __init__(self, image: np.ndarray, n_frames: int, *, wait: Any = lambda _: None) -> None:
        self._image = image
        self._n_frames = n_frames
        self._wait = wait
        self._n_given = 0
        self.closed = False
        height, width = image.shape[:2]
        self.info = VideoInfo(path=None, name="camera 7", width=width, height=height, codec="camera")

    @property
    def report(self) -> DecodeReport:
        return DecodeReport(n_decoded=self._n_given, n_lost=0)

    def __iter__(self) -> Iterator[VideoFrame]:
        for index in range(self._n_frames):
            self._wait(index)
            self._n_given += 1
            yield VideoFrame(index=index, time_s=index / FPS, image=self._image)

    def __enter__(self) -> "FakeCamera":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True


def test_what_comes_meanwhile_is_dropped_and_the_newest_comes_next() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    go_on, all_read = threading.Event(), threading.Event()

    def wait(index: int) -> None:
        if index == 1:
            go_on.wait(60)

    def frames() -> Iterator[VideoFrame]:
        yield from FakeCamera(image, 10, wait=wait)
        all_read.set()

    with NewestFrame(frames()) as newest:
        taken = iter(newest)
        assert next(taken).index == 0
        go_on.set()
        all_read.wait(60)
        assert next(taken).index == 9
        assert newest.n_dropped == 8
        assert list(taken) == []


def test_the_arrival_of_the_frame_given_out_is_known() -> None:
    times = iter([10.0, 20.0])
    with NewestFrame(FakeCamera(np.zeros((4, 4, 3), np.uint8), 1), lambda: next(times)) as newest:
        assert [frame.index for frame in newest] == [0]
        assert newest.arrived_s == 10.0


def test_an_error_of_the_source_comes_out_after_its_frames() -> None:
    def frames() -> Iterator[VideoFrame]:
        yield VideoFrame(index=0, time_s=0.0, image=np.zeros((4, 4, 3), np.uint8))
        raise InputError("camera 0: is gone")

    with NewestFrame(frames()) as newest, pytest.raises(InputError, match="is gone"):
        list(newest)


def test_leaving_early_ends_the_thread() -> None:
    with NewestFrame(FakeCamera(np.zeros((4, 4, 3), np.uint8), 10**9)) as newest:
        assert next(iter(newest)).index >= 0
    assert not [thread for thread in threading.enumerate() if thread.name == "mien-live"]


def test_a_camera_is_analysed_and_written(face: np.ndarray, tmp_path: Path) -> None:
    analysed = threading.Semaphore(1)
    camera = FakeCamera(face, 5, wait=lambda _: analysed.acquire(timeout=60))
    table = tmp_path / "live.parquet"
    results = []
    for result in live(camera, out=table, threads=1):
        results.append(result)
        analysed.release()
    assert camera.closed
    assert [result.frame.index for result in results] == list(range(5))
    assert {result.source for result in results} == {"camera 7"}
    assert all(len(result.frame.faces) == 1 and result.frame.image is not None for result in results)
    assert all(result.latency_s > 0 for result in results)
    last = results[-1].statistics
    assert (last.n_frames, last.n_dropped) == (5, 0)
    assert 0 < last.latency_p50_s <= last.latency_p95_s <= max(result.latency_s for result in results)
    assert read_table(table)["frame"].to_pylist() == list(range(5))
    record = RunManifest.load(table).inputs[0]
    assert (record.path, record.kind, record.n_rows, record.n_faces) == ("camera 7", "camera", 5, 5)


def test_a_fast_camera_is_dropped_from_and_the_manifest_says_so(face: np.ndarray, tmp_path: Path) -> None:
    camera = FakeCamera(face, 400, wait=lambda _: time.sleep(0.001))
    results = list(live(camera, out=tmp_path / "live.csv", threads=1))
    n_dropped = results[-1].statistics.n_dropped
    assert n_dropped > 0
    assert len(results) + n_dropped == 400
    (message,) = RunManifest.load(tmp_path / "live.csv").inputs[0].messages
    assert message == f"{n_dropped} frames came while others were being analysed and were dropped"


def test_closing_early_leaves_a_table(face: np.ndarray, tmp_path: Path) -> None:
    camera = FakeCamera(face, 10**6, wait=lambda _: time.sleep(0.005))
    results = live(camera, out=tmp_path / "live.csv", threads=1)
    next(results)
    next(results)
    results.close()
    assert camera.closed
    assert read_table(tmp_path / "live.csv").num_rows == 2
    assert RunManifest.load(tmp_path / "live.csv").inputs[0].n_rows == 2


def test_a_video_runs_at_its_own_pace(clip: Path) -> None:
    before = time.monotonic()
    results = list(live(clip, threads=1))
    elapsed_s = time.monotonic() - before
    assert elapsed_s >= (N_FRAMES - 1) / FPS
    assert results[-1].frame.index == N_FRAMES - 1, "the newest frame is never dropped"
    assert len(results) + results[-1].statistics.n_dropped == N_FRAMES


def test_a_range_ends_it(clip: Path) -> None:
    assert all(result.frame.time_s < 0.2 for result in live(clip, stop_s=0.2, threads=1))


@pytest.mark.parametrize("which", ["photo", "folder"])
def test_what_is_neither_camera_nor_video(which: str, photo: Path, clip: Path) -> None:
    source = photo if which == "photo" else clip.parent
    with pytest.raises(ConfigError, match="live takes one camera or one video"):
        next(live_function(source))


def test_frames_analysed_at_once_are_the_same(clip: Path) -> None:
    from mien.affect import Analyzer
    from mien.media import open_video

    analyzer = Analyzer(threads=1)
    results = []
    for at_once in (False, True):
        with open_video(clip) as video:
            results.append(list(analyzer.frames(video, live=at_once)))
    for batched, single in zip(*results, strict=True):
        assert isinstance(single, Frame)
        assert isinstance(single.faces, Faces)
        np.testing.assert_allclose(single.faces.expression, batched.faces.expression, atol=1e-5)
        np.testing.assert_array_equal(single.faces.track_ids, batched.faces.track_ids)


def test_views_show_smoothed_values_and_tables_keep_raw_ones(clip: Path, tmp_path: Path) -> None:
    results = list(live(clip, out=tmp_path / "t.parquet", threads=1))
    raw = np.concatenate([result.frame.faces.valence for result in results])
    shown = np.concatenate([result.shown.faces.valence for result in results])
    assert {result.smoothing for result in results} == {"smoothed -0.4 s"}
    assert [result.shown.index for result in results] == [result.frame.index for result in results]
    assert not np.array_equal(raw, shown)
    kept = read_table(tmp_path / "t.parquet")["valence"].drop_null().to_numpy()
    np.testing.assert_array_equal(kept, raw[np.isfinite(raw)])
    (first, *_) = live(clip, threads=1, display_smooth="none", stop_s=0.2)
    assert first.shown is first.frame
