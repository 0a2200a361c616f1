# SPDX-License-Identifier: Apache-2.0
"""`Analyzer` with the models that are shipped, on photos and crops of a real face."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pil

from mien.affect import Analyzer
from mien.core import ACTION_UNITS, EXPRESSIONS, AnalyzerConfig, ConfigError, Faces, Frame, InputError, ModelError
from mien.faces.detector import FakeDetector, faces_at
from mien.inference import find_bundle
from tests.helpers.bundle_variants import write_variant, write_whole
from tests.helpers.same_faces import assert_same

Image = npt.NDArray[np.uint8]


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


def test_a_large_jpeg_gives_the_same_faces_with_fewer_pixels(analyzer: Analyzer, face: Image) -> None:
    large = cv2.resize(face, (3600, 3600), interpolation=cv2.INTER_CUBIC)
    data = cv2.imencode(".jpg", large[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    quick, exact = analyzer.image(data), analyzer.image(cv2.imdecode(np.frombuffer(data, np.uint8), 1)[..., ::-1])
    assert_same(quick, exact, rtol=0, atol=0.08)
    np.testing.assert_allclose(quick.boxes, exact.boxes, atol=60)
    np.testing.assert_allclose(quick.landmarks, exact.landmarks, atol=40)
    shown = analyzer.photo(data, images=True)
    assert shown.image is not None
    assert shown.image.shape == (3600, 3600, 3)


def test_a_small_face_of_a_large_jpeg_is_read_with_all_pixels(analyzer: Analyzer, face: Image) -> None:
    wide = np.full((2400, 3600, 3), 90, np.uint8)
    wide[1000:1240, 2000:2240] = face
    data = cv2.imencode(".jpg", wide[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    quick, exact = analyzer.image(data), analyzer.image(cv2.imdecode(np.frombuffer(data, np.uint8), 1)[..., ::-1])
    assert len(quick) == 1
    np.testing.assert_array_equal(quick.boxes, exact.boxes)
    np.testing.assert_array_equal(quick.landmarks, exact.landmarks)


@pytest.mark.parametrize("detector", ["mtcnn", "mien-faces"])
def test_a_face_that_the_edge_cuts_off_has_a_lower_quality(
    analyzer: Analyzer, astronaut: npt.NDArray[np.uint8], detector: str
) -> None:
    (whole,) = analyzer.image(astronaut)
    left, right = whole.box[0], whole.box[2]
    shares = (0.35, 0.5) if detector == "mien-faces" else (0.35,)
    for share in shares:
        cut = np.ascontiguousarray(astronaut[:, round(float(left + share * (right - left))) :])
        (seen,) = Analyzer(threads=1, detector=detector).image(cut)
        assert whole.quality > 0.9 > 0.8 > seen.quality


def test_photos_give_an_error_in_the_place_of_a_broken_one(analyzer: Analyzer, astronaut: Image) -> None:
    given = [astronaut, b"no image", np.zeros((60, 80, 3), np.uint8), np.zeros((2, 2, 2, 2), np.uint8), astronaut]
    seen = list(analyzer.photos(given))
    assert [isinstance(one, InputError) for one in seen] == [False, True, False, True, False]
    alone = analyzer.photo(astronaut)
    for frame in (seen[0], seen[4]):
        assert isinstance(frame, Frame)
        assert frame.image is None
        np.testing.assert_allclose(frame.faces.expression, alone.faces.expression, atol=1e-5)
    assert isinstance(seen[2], Frame)
    assert len(seen[2].faces) == 0
    assert len(list(analyzer.photos([b"", b""]))) == 2
    assert list(analyzer.photos([])) == []
