# SPDX-License-Identifier: Apache-2.0
"""`Analyzer` with the models that are shipped, on a real face."""

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
from PIL import Image as Pil

from mien.affect import Analyzer, Smoothing, smooth_tracks
from mien.affect.opencv_threads import opencv_on_one_thread
from mien.core import ACTION_UNITS, EXPRESSIONS, AnalyzerConfig, ConfigError, Faces, InputError, ModelError
from mien.faces.detector import FakeDetector, faces_at
from mien.inference import find_bundle
from mien.media import VideoFrame, open_video
from tests.helpers.bundle_variants import write_variant, write_whole
from tests.helpers.face_clips import FPS, N_FRAMES, close_up, write_clip

Image = npt.NDArray[np.uint8]

# Other threads, batches or instructions add in another order; nobody sees a difference of this size.
SAME = {"rtol": 0, "atol": 2e-3}


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(threads=1)


@pytest.fixture(scope="module")
def face(astronaut: Image) -> Image:
    """(240, 240, 3) RGB with one smiling face."""
    return close_up(astronaut)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, face: Image) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", face)


def assert_same(one: Faces, other: Faces, **tolerance: float) -> None:
    assert len(one) == len(other)
    for name in ("expression", "valence", "arousal", "action_units"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), **(tolerance or SAME), err_msg=name)


def moving(face: Image, n_frames: int, taken: list[int] | None = None) -> Iterator[VideoFrame]:
    """Frames that note in ``taken`` when they are asked for."""
    for index in range(n_frames):
        if taken is not None:
            taken.append(index)
        yield VideoFrame(index=index, time_s=index / FPS, image=np.roll(face, index % 10, axis=1))


def test_a_face_and_all_that_is_known_of_it(analyzer: Analyzer, astronaut: Image) -> None:
    faces = analyzer.image(astronaut)
    assert len(faces) == 1
    x0, y0, x1, y1 = faces.boxes[0]
    assert 150 < x0 < 195
    assert 250 < x1 < 300
    assert 40 < y0 < 110
    assert 160 < y1 < 220
    assert faces.confidence[0] > 0.9
    assert faces.landmarks.shape == (1, 68, 2)
    assert faces.track_ids.tolist() == [-1]
    assert faces.expression_labels == EXPRESSIONS
    assert faces.expression.sum() == pytest.approx(1, abs=1e-5)
    assert faces.top_expressions() == ["happiness"]
    assert faces.valence[0] > 0.2
    assert -1 <= faces.arousal[0] <= 1
    assert set(faces.action_unit_labels) <= set(ACTION_UNITS.labels)
    assert faces.action_units[0, faces.action_unit_labels.index("AU12")] > 0.5
    assert faces.features.shape == (1, 0)
    pitch, yaw, roll = np.degrees(faces.pose_rad[0])
    assert max(abs(pitch), abs(yaw), abs(roll)) < 15
    assert (faces.eyes_open > 0.5).all()


def test_a_photo_upside_down_is_the_same_face(analyzer: Analyzer, astronaut: Image) -> None:
    """Some detectors find such a face, as an upright one."""
    detector = FakeDetector(lambda _: faces_at([[240, 330, 340, 450]]))
    upright = analyzer.image(astronaut)
    down = Analyzer(detector=detector, threads=1).image(np.ascontiguousarray(astronaut[::-1, ::-1]))
    assert len(upright) == len(down) == 1
    assert abs(upright.pose_rad[0, 2]) < 0.5 < 2.6 < abs(down.pose_rad[0, 2])
    np.testing.assert_allclose(down.expression, upright.expression, atol=0.1)
    np.testing.assert_allclose(down.keypoints, 511 - upright.keypoints, atol=8)


def test_a_photo_that_the_face_fills(analyzer: Analyzer, astronaut: Image) -> None:
    faces = analyzer.image(cv2.resize(astronaut[84:148, 193:257], (224, 224), interpolation=cv2.INTER_CUBIC))
    assert len(faces) == 1
    assert faces.expression_labels[int(faces.expression[0].argmax())] == "happiness"
    assert np.isfinite(faces.landmarks).all()


TIGHT = Path(__file__).parents[3] / "shared" / "cases" / "hard" / "tight"


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("tight_single_0_65_0", "neutral"),
        ("tight_single_2_65_8", "happiness"),
        ("tight_single_2_72_0", "happiness"),
        ("tight_single_3_65_8", "happiness"),
        ("tight_single_3_72_0", "happiness"),
        ("../border_left_60", "happiness"),
    ],
)
def test_shared_cases_of_tight_photos(analyzer: Analyzer, name: str, expression: str) -> None:
    path = TIGHT / f"{name}.jpg"
    if not path.is_file():
        pytest.skip("needs shared/cases")
    faces = analyzer.image(path)
    assert len(faces) == 1
    assert faces.expression_labels[int(faces.expression[0].argmax())] == expression


def test_a_bundle_whose_smoothing_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"bundle: model\.json: smoothing: "):
        Analyzer(write_variant(tmp_path / "bundle", smoothing="expr=often"))


def test_a_path_an_array_and_a_pil_image_are_the_same(analyzer: Analyzer, face: Image, tmp_path: Path) -> None:
    path = tmp_path / "für dich.png"
    Pil.fromarray(face).save(path)
    from_array = analyzer.image(face)
    for image in (path, str(path), Pil.open(path), face[:, ::-1][:, ::-1]):
        other = analyzer.image(image)
        np.testing.assert_array_equal(other.boxes, from_array.boxes)
        assert_same(other, from_array, rtol=0, atol=0)


def test_gray_and_alpha(analyzer: Analyzer, face: Image) -> None:
    gray = np.asarray(Pil.fromarray(face).convert("L"))
    opaque = np.dstack([face, np.full(face.shape[:2], 255, np.uint8)])
    assert analyzer.image(gray).top_expressions() == ["happiness"]
    assert_same(analyzer.image(opaque), analyzer.image(face))


def test_results_and_inputs_cannot_change_each_other(analyzer: Analyzer, face: Image) -> None:
    image = face.copy()
    faces = analyzer.image(image)
    np.testing.assert_array_equal(image, face)
    before = faces.expression.copy()
    image[:] = 0
    analyzer.image(image)
    np.testing.assert_array_equal(faces.expression, before)
    with pytest.raises(ValueError, match="read-only"):
        faces.valence[0] = 0


def test_read_only_arrays(analyzer: Analyzer, face: Image) -> None:
    image = face.copy()
    image.flags.writeable = False
    assert len(analyzer.image(image)) == 1
    assert len(analyzer.crops([image])) == 1


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (500, 1, 3), (11, 11, 3), (64, 64)])
def test_no_face_is_length_zero(analyzer: Analyzer, shape: tuple[int, ...]) -> None:
    faces = analyzer.image(np.full(shape, 128, np.uint8))
    assert len(faces) == 0
    assert faces.expression.shape == (0, 8)
    assert faces.expression_labels == EXPRESSIONS
    assert len(faces.to_pandas()) == 0


BAD_ARRAYS = [
    (np.zeros((9, 9, 3), np.float32), "must be uint8 with values 0 to 255, got float32"),
    (np.full((9, 9, 3), np.nan), "must be uint8 with values 0 to 255, got float64"),
    (np.zeros((9, 9, 3), np.uint16), "must be uint8 with values 0 to 255, got uint16"),
    (np.zeros((9, 9, 3), bool), "must be uint8 with values 0 to 255, got bool"),
    (np.zeros((9, 9, 3), object), "must be uint8 with values 0 to 255, got object"),
    (np.zeros(9, np.uint8), r"must have shape \(H, W, 3\).*got \(9,\)"),
    (np.zeros((2, 9, 9, 3), np.uint8), r"channels last; got \(2, 9, 9, 3\)"),
    (np.zeros((3, 9, 9), np.uint8), r"channels last; got \(3, 9, 9\)"),
    (np.zeros((9, 9, 2), np.uint8), r"channels last; got \(9, 9, 2\)"),
    (np.zeros((0, 9, 3), np.uint8), "has no pixels"),
    (np.broadcast_to(np.uint8(0), (20_000, 20_000, 3)), "20000 x 20000 pixels are more than 100 megapixels"),
    ([[1, 2], [3, 4]], "must be a NumPy array or a PIL image, got list"),
    (None, "must be a NumPy array or a PIL image, got NoneType"),
    (b"\xff\xd8\xff", "cut off before its end"),
    (b"", "not an image of a known format"),
]


@pytest.mark.parametrize(("image", "message"), BAD_ARRAYS)
def test_what_is_no_image_is_said(analyzer: Analyzer, image: object, message: str) -> None:
    with pytest.raises(InputError, match=f"^image.* {message}|^image: {message}|^image {message}"):
        analyzer.image(image)
    with pytest.raises(InputError, match=f"crop 1.*{message}"):
        analyzer.crops([np.zeros((9, 9, 3), np.uint8), image])


@pytest.mark.parametrize(("content", "message"), [(b"", "empty"), (b"words", "not an image"), (None, "no such file")])
def test_bad_paths(analyzer: Analyzer, tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "photo.jpg"
    if content is not None:
        path.write_bytes(content)
    for call in (lambda: analyzer.image(path), lambda: analyzer.crops([path]), lambda: list(analyzer.video(path))):
        with pytest.raises(InputError, match=rf"photo\.jpg.*{message}|photo\.jpg: (not|cannot)"):
            call()


def test_crops_of_mixed_sizes_are_read_one_by_one(analyzer: Analyzer, face: Image) -> None:
    head = face[50:190, 50:190]
    images = [head, head[::2, ::2], face, np.asarray(Pil.fromarray(head).convert("L")), head[:, 20:120]]
    together = analyzer.crops(images)
    assert len(together) == len(images)
    assert np.isnan(together.confidence).all()
    np.testing.assert_array_equal(together.boxes, [(0, 0, i.shape[1], i.shape[0]) for i in images])
    for index, image in enumerate(images):
        assert_same(together[index], analyzer.crops([image]))


def test_no_crops(analyzer: Analyzer) -> None:
    faces = analyzer.crops([])
    assert len(faces) == 0
    assert faces.expression_labels == EXPRESSIONS


def test_more_crops_than_a_batch(analyzer: Analyzer, face: Image) -> None:
    head = np.ascontiguousarray(face[50:190, 50:190])
    faces = analyzer.crops([np.roll(head, index, axis=1) for index in range(70)])
    assert len(faces) == 70
    assert_same(faces[69], analyzer.crops([np.roll(head, 69, axis=1)]))


@pytest.mark.parametrize("image", [np.zeros((48, 48, 3), np.uint8), np.zeros((48, 48), np.uint8), "photo.jpg"])
def test_one_image_is_no_list_of_crops(analyzer: Analyzer, image: object) -> None:
    with pytest.raises(InputError, match="list"):
        analyzer.crops(image)  # type: ignore[arg-type]  # the mistake under test


def test_the_largest_face(face: Image) -> None:
    scene = np.zeros((240, 420, 3), np.uint8)
    scene[60:180, :120] = face[::2, ::2]
    scene[:, 180:] = face
    everyone, largest = (Analyzer(threads=1, faces=which).image(scene) for which in ("all", "largest"))
    assert len(everyone) == 2
    assert len(largest) == 1
    assert largest.boxes[0, 0] > 180


def test_features_on_request(face: Image) -> None:
    faces = Analyzer(threads=1, features=True).image(face)
    assert faces.features.shape[0] == 1
    assert faces.features.shape[1] > 100


def test_threads_do_not_change_results(analyzer: Analyzer, face: Image) -> None:
    other = Analyzer(threads=2).image(face)
    faces = analyzer.image(face)
    np.testing.assert_allclose(other.boxes, faces.boxes, rtol=0, atol=1e-2)
    assert_same(other, faces)


def test_batches_do_not_change_results(analyzer: Analyzer, face: Image) -> None:
    head = face[50:190, 50:190]
    alone = analyzer.crops([head])
    among = analyzer.crops([np.full((50, 50, 3), 7, np.uint8), head, *[face] * 40])
    assert_same(among[1], alone)


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


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"faces": "best"}, ConfigError, "faces must be all, largest"),
        ({"detector": "mtcnm"}, ConfigError, "did you mean 'mtcnn'"),
        ({"runtime": "onnxruntim"}, ConfigError, "did you mean 'onnxruntime'"),
        ({"threads": 0}, ConfigError, "threads must be from 1 to"),
        ({"min_quality": 1.1}, ConfigError, "min_quality must be from 0 to 1, got 1.1"),
        ({"thread": 1}, TypeError, "unknown option 'thread'; did you mean 'threads'?"),
        ({"model": "mien-light2"}, ModelError, "did you mean 'mien-light'"),
        ({"model": Path("nowhere")}, ModelError, "nowhere: no bundle of that name"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Analyzer(**arguments)  # type: ignore[arg-type]  # the mistake under test


def test_a_config_and_shortcuts_build_the_same_analyzer() -> None:
    config = AnalyzerConfig(threads=1, faces="largest", landmark_model=None)
    assert Analyzer(config).config == Analyzer(threads=1, faces="largest", landmark_model="none").config == config
    assert Analyzer(config, faces="all").config == AnalyzerConfig(threads=1, landmark_model=None)


def test_a_bundle_of_landmarks_is_refused_by_name_and_by_folder() -> None:
    for model in ("mien-points", find_bundle("mien-points")):
        with pytest.raises(
            ModelError, match=r"mien-points predicts landmarks, .* affect is needed; name mien-accurate or mien-light"
        ):
            Analyzer(model)
    with pytest.raises(ModelError, match=r"mien-light predicts affect, .* landmarks is needed; name mien-points"):
        Analyzer(landmark_model="mien-light")


def test_without_a_quality_model_quality_is_nan_and_affect_stays(
    tmp_path: Path, analyzer: Analyzer, face: Image, clip: Path
) -> None:
    folder = write_variant(tmp_path / "plain", quality=None)
    plain = Analyzer(folder, threads=1)
    assert plain.quality_model is None
    assert analyzer.quality_model is not None
    faces = plain.image(face)
    assert np.isnan(faces.quality).tolist() == [True]
    assert analyzer.image(face).quality[0] > 0.5
    assert_same(faces, analyzer.image(face), rtol=0, atol=0)
    for one, other in zip(plain.video(clip, adaptive="4,1"), analyzer.video(clip, adaptive="4,1"), strict=True):
        assert_same(one.faces, other.faces, rtol=0, atol=0)
    with pytest.raises(ConfigError, match=r"min_quality=0\.5 needs a quality model, .* mien-light has none"):
        Analyzer(folder, min_quality=0.5)


def test_given_crops_are_read_as_the_bundle_says(tmp_path: Path, face: Image) -> None:
    folder = write_whole(tmp_path / "whole")
    aligned, whole = Analyzer(threads=1, features=True), Analyzer(folder, threads=1, features=True)
    head, no_face = np.ascontiguousarray(face[40:200, 20:190]), np.full((80, 60, 3), 127, np.uint8)
    photo, resized, cut = whole.image(face), whole.crops([head, no_face]), aligned.crops([head, no_face])

    def distance(one: Faces) -> float:
        return float(np.linalg.norm(one.features[0] - photo.features[0]))

    # At its own landmarks a crop gives nearly what the photo gives; resized it gives something else.
    assert distance(cut) < 0.3 * distance(resized)
    assert_same(cut[1], resized[1], rtol=0, atol=0)
    np.testing.assert_array_equal(cut.boxes, resized.boxes)
    assert_same(aligned.crops([head], aligned=True), resized[0], rtol=0, atol=0)
    assert_same(aligned.crops([head], given="whole"), resized[0], rtol=0, atol=0)
    assert_same(whole.crops([head], given="aligned"), cut[0], rtol=0, atol=0)
    without = Analyzer(threads=1, features=True, landmark_model=None)
    assert_same(without.crops([head]), resized[0], rtol=0, atol=0)
    with pytest.raises(ConfigError, match="given must be 'whole' or 'aligned', got 'square'"):
        whole.crops([head], given="square")  # type: ignore[arg-type]  # the mistake under test


def test_a_given_crop_that_is_aligned_has_pose_and_quality(analyzer: Analyzer, face: Image) -> None:
    head, no_face = np.ascontiguousarray(face[40:200, 20:190]), np.full((80, 60, 3), 127, np.uint8)
    photo, faces = analyzer.image(face), analyzer.crops([no_face, head])
    np.testing.assert_allclose(faces.pose_rad[1], photo.pose_rad[0], atol=0.1)
    np.testing.assert_allclose(faces.landmarks[1] + (20, 40), photo.landmarks[0], atol=8)
    assert faces.quality[1] == pytest.approx(float(photo.quality[0]), abs=0.1)
    assert np.isnan(faces.confidence).all()
    for values in (faces.pose_rad, faces.landmarks, faces.keypoints, faces.eyes_open, faces.quality):
        assert np.isnan(values[0]).all()
    doubtful = Analyzer(threads=1, min_quality=0.999).crops([no_face, head])
    assert np.isnan(doubtful.expression).all(axis=1).tolist() == [False, True]


def test_an_object_that_is_no_detector() -> None:
    with pytest.raises(ConfigError, match=r"a detector has a method detect\(image\)"):
        Analyzer(detector=7)


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


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("three_threads")
def test_the_setting_of_others_comes_back_with_the_last() -> None:
    first, second = opencv_on_one_thread(), opencv_on_one_thread()
    first.__enter__()
    second.__enter__()
    assert cv2.getNumThreads() == 1
    first.__exit__(None, None, None)
    assert cv2.getNumThreads() == 1
    second.__exit__(None, None, None)
    assert cv2.getNumThreads() == 3


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
