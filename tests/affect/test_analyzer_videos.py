# SPDX-License-Identifier: Apache-2.0
"""`Analyzer` with the models that are shipped, on videos of a real face."""

import gc
import os
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import psutil
import pytest

from mien.affect import Analyzer, Smoothing, smooth_tracks
from mien.core import AnalyzerConfig, ConfigError, InputError
from mien.inference import Session, create_session
from mien.media import VideoFrame, open_video
from mien.pipeline import analyze, extract_features
from tests.helpers.face_clips import FPS, N_FRAMES
from tests.helpers.same_faces import assert_same

Image = npt.NDArray[np.uint8]


def moving(face: Image, n_frames: int, taken: list[int] | None = None) -> Iterator[VideoFrame]:
    """Frames that note in ``taken`` when they are asked for."""
    for index in range(n_frames):
        if taken is not None:
            taken.append(index)
        yield VideoFrame(index=index, time_s=index / FPS, image=np.roll(face, index % 10, axis=1))


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of threads of each session of a bundle that is created from now on."""
    created: list[int] = []

    def counted(graph: bytes, *, runtime: str, threads: int) -> Session:
        created.append(threads)
        return create_session(graph, runtime=runtime, threads=threads)

    monkeypatch.setattr("mien.inference.bundle.create_session", counted)
    return created


def test_a_video_loads_the_affect_bundle_once_and_photos_once_more(loads: list[int], clip: Path, face: Image) -> None:
    analyzer = Analyzer(threads=2, landmark_model="none")
    assert loads == []
    for _ in range(2):
        assert len(list(analyzer.video(clip, stop_s=0.1))) > 1
        assert loads == [1]
    assert (len(analyzer.image(face)), len(analyzer.crops([face]))) == (1, 1)
    assert loads == [1, 2]


def test_one_thread_loads_once_for_videos_and_photos(loads: list[int], clip: Path, face: Image) -> None:
    analyzer = Analyzer(threads=1, landmark_model="none")
    list(analyzer.video(clip, stop_s=0.1))
    analyzer.image(face)
    assert loads == [1]


def test_a_run_over_a_video_loads_each_network_once(loads: list[int], clip: Path, tmp_path: Path) -> None:
    analyze([clip], tmp_path / "faces.csv", analyzer=AnalyzerConfig(threads=2))
    assert loads == [1, 1]  # landmarks and affect


def test_features_of_a_video_load_the_affect_bundle_once(loads: list[int], clip: Path, tmp_path: Path) -> None:
    extract_features([clip], tmp_path / "features", analyzer=AnalyzerConfig(threads=2, landmark_model="none"))
    assert loads == [1]


def test_a_detector_of_its_own_is_loaded_once(loads: list[int], clip: Path) -> None:
    list(Analyzer(threads=1, landmark_model="none", detector="mien-faces").video(clip, stop_s=0.1))
    assert len(loads) == 2


def test_a_still_video_is_its_image(analyzer: Analyzer, face: Image) -> None:
    still = (VideoFrame(index=i, time_s=i / FPS, image=face) for i in range(12))
    alone = analyzer.image(face)
    frames = list(analyzer.frames(still))
    assert len(frames) == 12
    for frame in frames:
        assert frame.faces.track_ids.tolist() == [0]
        np.testing.assert_allclose(frame.faces.boxes, alone.boxes, rtol=0, atol=15)
        assert_same(frame.faces, alone, rtol=0, atol=0.15)


def test_a_video_in_order_with_true_times(analyzer: Analyzer, clip: Path) -> None:
    frames = list(analyzer.video(clip))
    assert [frame.index for frame in frames] == list(range(N_FRAMES))
    assert [frame.time_s for frame in frames] == pytest.approx([i / FPS for i in range(N_FRAMES)])
    assert {tuple(frame.faces.track_ids) for frame in frames} == {(0,)}
    assert all(frame.image is None for frame in frames)


def test_images_ranges_and_every(analyzer: Analyzer, clip: Path) -> None:
    frames = list(analyzer.video(clip, start_s=0.2, stop_s=0.6, every=4, images=True))
    assert [frame.index for frame in frames] == [8, 12]
    assert all(frame.image is not None and frame.image.shape == (240, 240, 3) for frame in frames)


@pytest.mark.parametrize("settings", [{"every": 0}, {"start_s": 2.0, "stop_s": 1.0}, {"start_s": -1.0}])
def test_ranges_that_make_no_sense(analyzer: Analyzer, clip: Path, settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        list(analyzer.video(clip, **settings))  # type: ignore[arg-type]  # a mix of int and float settings


def test_a_smoothed_video_is_the_smoothed_table_of_the_video(analyzer: Analyzer, clip: Path) -> None:
    raw, got = list(analyzer.video(clip)), list(analyzer.video(clip, smooth="expr=2,au=1", images=True))
    assert [frame.index for frame in got] == [frame.index for frame in raw]
    assert all(frame.image is not None for frame in got)
    tracks = np.concatenate([frame.faces.track_ids for frame in raw])
    numbers = np.repeat([frame.index for frame in raw], [len(frame.faces) for frame in raw])
    probabilities = np.concatenate([frame.faces.expression for frame in raw])
    expected = smooth_tracks(tracks, numbers, probabilities, 2, Smoothing())
    assert np.concatenate([frame.faces.expression for frame in got]) == pytest.approx(expected, abs=1e-6)
    assert not np.allclose(probabilities, expected)
    assert np.array_equal(
        np.concatenate([frame.faces.valence for frame in got]), np.concatenate([frame.faces.valence for frame in raw])
    )


def test_smoothing_that_makes_no_sense(analyzer: Analyzer, clip: Path) -> None:
    with pytest.raises(ConfigError, match="fps"):
        next(analyzer.video(clip, smooth="fps=3"))
    with pytest.raises(ConfigError, match="nothing is to be smoothed"):
        next(analyzer.frames([], smooth="kernel=median"))


def test_few_frames_are_read_ahead(analyzer: Analyzer, face: Image) -> None:
    taken: list[int] = []
    furthest = 0
    frames = analyzer.frames(moving(face, 300, taken))
    assert taken == []
    for n_seen, _ in enumerate(frames, start=1):
        furthest = max(furthest, len(taken) - n_seen)
        if n_seen == 100:
            break
    frames.close()
    # A batch on its way out, those that wait before and after the search for faces, and those in the threads' hands.
    assert furthest <= 8 + 12 + 4 + 4
    assert len(taken) <= 100 + 8 + 12 + 4 + 4


@pytest.mark.parametrize("size", [1, 3])
def test_batches_of_frames_do_not_change_results(
    clip: Path, analyzer: Analyzer, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = list(analyzer.video(clip))
    monkeypatch.setattr("mien.affect.analyzer._FRAMES_PER_BATCH", size)
    for one, other in zip(analyzer.video(clip), expected, strict=True):
        np.testing.assert_array_equal(one.faces.boxes, other.faces.boxes)
        np.testing.assert_array_equal(one.faces.track_ids, other.faces.track_ids)
        assert_same(one.faces, other.faces)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_a_video(clip: Path, analyzer: Analyzer, threads: int) -> None:
    for one, other in zip(Analyzer(threads=threads).video(clip), analyzer.video(clip), strict=True):
        assert (one.index, one.time_s) == (other.index, other.time_s)
        np.testing.assert_array_equal(one.faces.track_ids, other.faces.track_ids)
        np.testing.assert_allclose(one.faces.boxes, other.faces.boxes, rtol=0, atol=1e-2)
        assert_same(one.faces, other.faces)


def test_answers_at_once_are_those_of_batches(clip: Path, analyzer: Analyzer) -> None:
    with open_video(clip) as video:
        at_once = list(analyzer.frames(video, live=True))
    for one, other in zip(at_once, analyzer.video(clip), strict=True):
        np.testing.assert_array_equal(one.faces.boxes, other.faces.boxes)
        assert_same(one.faces, other.faces)


def test_only_frames_that_are_wanted_carry_pixels_past_the_search_for_faces(analyzer: Analyzer, face: Image) -> None:
    alive: list[weakref.ref[VideoFrame]] = []

    def noted() -> Iterator[VideoFrame]:
        for frame in moving(face, 60):
            alive.append(weakref.ref(frame))
            yield frame

    frames = analyzer.frames(noted())
    most = 0
    for _ in range(20):
        next(frames)
        most = max(most, sum(one() is not None for one in alive))
    frames.close()
    # Four wait, and each thread holds one or two.
    assert most <= 4 + 4


def test_leaving_early_releases_file_and_thread(analyzer: Analyzer, clip: Path) -> None:
    n_threads = threading.active_count()
    frames = analyzer.video(clip)
    next(frames)
    assert str(clip) in {file.path for file in psutil.Process().open_files()}
    frames.close()
    assert str(clip) not in {file.path for file in psutil.Process().open_files()}
    assert threading.active_count() == n_threads


def test_a_forgotten_video_is_released_too(analyzer: Analyzer, clip: Path) -> None:
    n_threads = threading.active_count()
    frames = analyzer.video(clip)
    next(frames)
    del frames
    gc.collect()
    assert threading.active_count() == n_threads


def test_two_videos_at_once(analyzer: Analyzer, clip: Path) -> None:
    expected = list(analyzer.video(clip))
    for one, other, alone in zip(analyzer.video(clip), analyzer.video(clip), expected, strict=True):
        np.testing.assert_array_equal(one.faces.boxes, alone.faces.boxes)
        np.testing.assert_array_equal(other.faces.boxes, alone.faces.boxes)


def test_an_error_of_the_source_comes_out(analyzer: Analyzer, face: Image) -> None:
    def breaking() -> Iterator[VideoFrame]:
        yield from moving(face, 8)
        raise InputError("the cable is out")

    frames = analyzer.frames(breaking())
    assert [next(frames).index for _ in range(8)] == list(range(8))
    with pytest.raises(InputError, match="the cable is out"):
        next(frames)


def test_frames_before_a_break_are_given_out(analyzer: Analyzer, face: Image) -> None:
    def breaking() -> Iterator[VideoFrame]:
        yield from moving(face, 13)
        raise InputError("the cable is out")

    frames = analyzer.frames(breaking())
    assert [next(frames).index for _ in range(13)] == list(range(13))
    with pytest.raises(InputError, match="the cable is out"):
        next(frames)


def test_a_real_video_follows_one_face(analyzer: Analyzer, shared_data: Path) -> None:
    frames = list(analyzer.video(shared_data / "video" / "single_face.mp4", stop_s=1.5))
    assert {tuple(frame.faces.track_ids) for frame in frames} == {(0,)}
    assert all(frame.faces.expression.sum() == pytest.approx(1, abs=1e-5) for frame in frames)


@pytest.mark.slow
def test_memory_is_flat(analyzer: Analyzer, clip: Path) -> None:
    """A short clip, looped: after the first thousand frames nothing may be kept of any frame."""

    def looped(n_loops: int) -> Iterator[VideoFrame]:
        index = 0
        for _ in range(n_loops):
            with open_video(clip) as frames:
                for frame in frames:
                    yield VideoFrame(index=index, time_s=index / FPS, image=frame.image)
                    index += 1

    process = psutil.Process(os.getpid())
    resident: list[int] = []
    for frame in analyzer.frames(looped(250)):
        if frame.index % 500 == 499:
            gc.collect()
            resident.append(process.memory_info().rss)
    growth_mb = [(size - resident[1]) / 2**20 for size in resident[2:]]
    print(f"{len(resident) * 500} frames: {resident[0] / 2**20:.0f} MB, then {[round(mb, 1) for mb in growth_mb]} more")
    # One frame is 0.17 MB: keeping each hundredth of the 4,000 would be seen.
    assert max(growth_mb) < 6


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("live", [False, True])
def test_a_video_that_is_left_early_leaves_no_trace(live: bool) -> None:
    def frames() -> Iterator[VideoFrame]:
        for index in range(40):
            yield VideoFrame(index=index, time_s=index / 25, image=np.zeros((48, 64, 3), np.uint8))

    stream = Analyzer(threads=1).frames(frames(), live=live)
    next(stream)
    assert cv2.getNumThreads() == 1
    stream.close()
    assert cv2.getNumThreads() == 3
