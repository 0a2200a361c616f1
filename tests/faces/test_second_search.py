# SPDX-License-Identifier: Apache-2.0
"""Faces that a detector misses in the dark, that fill a photo, or that its edge cuts off; and where there is none."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mien.faces import (
    Detections,
    FaceDetector,
    LandmarkNet,
    are_faces,
    create_detector,
    load_landmark_net,
    refine_landmarks,
    search_photo,
    unsettled,
)
from mien.faces.detector import FakeDetector, FakeRefiningDetector, faces_at
from mien.faces.second_search import confirmed_search, filling_face, is_dark, lightened, search_lightened
from mien.media import load_image, open_video

Image = npt.NDArray[np.uint8]
BRIGHT: Image = np.full((60, 80, 3), 120, np.uint8)
DARK: Image = np.full((60, 80, 3), 12, np.uint8)


@pytest.fixture(scope="module")
def net() -> LandmarkNet:
    return load_landmark_net()


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return create_detector("mtcnn", max_side_px=1280, threads=1)


def shaded(image: Image) -> Image:
    """The image in the dark but for a lamp in a corner, and noise of a sensor."""
    noise = np.random.default_rng(0).normal(0, 0.5, image.shape)
    dark = np.clip(image * 0.04 + noise, 0, 255)
    dark[:40, :40] = 255
    return np.asarray(dark, np.uint8)


def test_what_is_dark(astronaut: Image) -> None:
    assert is_dark(DARK)
    assert is_dark(DARK[..., 0])
    assert not is_dark(BRIGHT)
    assert not is_dark(astronaut)
    assert is_dark(shaded(astronaut))
    assert is_dark(np.zeros((1, 5000, 3), np.uint8))


def test_a_lightened_image_shows_what_is_there(astronaut: Image) -> None:
    light = lightened(shaded(astronaut))
    assert (light.shape, light.dtype) == (astronaut.shape, np.uint8)
    assert light[200:].std() > 2 * shaded(astronaut)[200:].std()


@pytest.mark.parametrize(("image", "n_searches"), [(BRIGHT, 1), (DARK, 2)])
def test_only_a_dark_image_without_faces_is_searched_again(net: LandmarkNet, image: Image, n_searches: int) -> None:
    none = FakeDetector(lambda _: Detections.empty())
    assert len(search_lightened(none.detect, image, net)) == 0
    assert none.n_detections == n_searches
    assert len(search_lightened(none.detect, image)) == 0
    assert none.n_detections == n_searches + 1, "without a landmark model there is one search"
    some = FakeDetector(lambda _: faces_at([[10, 10, 30, 30]]))
    assert len(search_lightened(some.detect, image, net)) == 1
    assert some.n_detections == 1


def test_a_face_of_the_lightened_copy_must_be_in_the_image(net: LandmarkNet) -> None:
    fake = FakeDetector(lambda image: Detections.empty() if image is DARK else faces_at([[10, 10, 30, 30]]))
    assert len(search_lightened(fake.detect, DARK, net)) == 0
    assert fake.n_detections == 2


def test_a_face_in_the_dark(detector: FaceDetector, net: LandmarkNet, astronaut: Image) -> None:
    dark = shaded(astronaut)
    assert len(detector.detect(dark)) == 0
    (box,) = search_photo(detector, dark, net).boxes
    np.testing.assert_allclose(box, detector.detect(astronaut).boxes[0], atol=15)


@pytest.mark.parametrize(("top", "bottom", "left", "right"), [(84, 148, 193, 257), (90, 158, 191, 259)])
def test_a_face_that_fills_the_photo(
    detector: FaceDetector, net: LandmarkNet, astronaut: Image, top: int, bottom: int, left: int, right: int
) -> None:
    crop = cv2.resize(astronaut[top:bottom, left:right], (224, 224), interpolation=cv2.INTER_CUBIC)
    assert len(detector.detect(crop)) == 0
    found = search_photo(detector, crop, net)
    assert len(found) == 1
    assert 0.98 < found.confidence[0] <= 1
    eye, other, nose = found.keypoints[0, :3]
    scale = 224 / np.array([right - left, bottom - top])
    for place, expected in ((eye, (203, 101)), (other, (246, 103)), (nose, (223, 127))):
        np.testing.assert_allclose(place, (np.array(expected) - (left, top)) * scale, atol=20)


@pytest.mark.parametrize("turned", [False, True])
def test_faces_of_a_panorama(detector: FaceDetector, net: LandmarkNet, astronaut: Image, turned: bool) -> None:
    face = cv2.resize(astronaut[40:190, 140:310], (85, 75), interpolation=cv2.INTER_AREA)
    wide = np.full((150, 6000, 3), 120, np.uint8)
    for left in (30, 2350, 5800):
        wide[40:115, left : left + 85] = face
    if turned:  # a scroll: the same photos below each other
        wide = np.full((6000, 150, 3), 120, np.uint8)
        for top in (30, 2350, 5800):
            wide[top : top + 75, 40:125] = face
    found = search_photo(detector, wide, net)
    places = np.sort(found.boxes[:, 1 if turned else 0])
    np.testing.assert_allclose(places, np.array([30, 2350, 5800]) + (10 if turned else 20), atol=12)
    assert (np.diff(found.confidence) <= 0).all()


def test_a_thin_strip_takes_few_searches() -> None:
    fake = FakeDetector(lambda _: Detections.empty())
    assert len(search_photo(fake, np.zeros((12, 100_000, 3), np.uint8))) == 0
    assert fake.n_detections < 80


def test_a_face_that_the_edge_cuts_off(detector: FaceDetector, net: LandmarkNet, astronaut: Image) -> None:
    cut = np.ascontiguousarray(astronaut[:300, 208:508])
    assert len(detector.detect(cut)) == 0
    found = search_photo(detector, cut, net)
    assert len(found) == 1
    assert found.boxes[0, 0] < 0 < found.boxes[0, 2]
    width = found.boxes[0, 2] - found.boxes[0, 0]
    assert found.confidence[0] == pytest.approx(found.boxes[0, 2] / width, abs=0.02), (
        "only the share that is seen counts"
    )


def test_where_there_is_no_face_none_is_found(detector: FaceDetector, net: LandmarkNet, astronaut: Image) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (224, 224, 3), dtype=np.uint8)
    for image in (BRIGHT, DARK, noise, noise // 10, astronaut[300:], astronaut[:60, :60], BRIGHT[:1], BRIGHT[:, :1]):
        assert len(search_photo(detector, np.ascontiguousarray(image), net)) == 0


def test_photos_of_dogs_and_a_video_without_faces(detector: FaceDetector, net: LandmarkNet, shared_data: Path) -> None:
    assert len(search_photo(detector, load_image(shared_data / "photos" / "no_face_dogs.jpg"), net)) == 0
    with open_video(shared_data / "video" / "no_face.mp4", every=24) as frames:
        assert not any(len(search_photo(detector, frame.image, net)) for frame in frames)


def test_a_detector_that_cannot_refine_and_no_landmark_model(net: LandmarkNet) -> None:
    fake = FakeDetector(lambda _: Detections.empty())
    assert len(filling_face(fake, BRIGHT, net)) == 0
    assert len(search_photo(FakeRefiningDetector(lambda _: Detections.empty()), BRIGHT)) == 0


class Proposing(FakeDetector):
    """Sees one face surely and proposes two more: one at the astronaut's face and one where there is none."""

    sure_confidence = 0.97
    boxes = np.array([[300, 10, 340, 60], [180, 60, 270, 180], [20, 400, 80, 480]], np.float32)

    def __init__(self) -> None:
        super().__init__(lambda _: faces_at(self.boxes[:1], [0.98]))

    def propose(self, image: Image) -> Detections:  # noqa: ARG002 - a detector
        return faces_at(self.boxes, [0.98, 0.6, 0.6])


def test_a_doubtful_face_counts_where_the_landmark_model_sees_one(net: LandmarkNet, astronaut: Image) -> None:
    detector = Proposing()
    found = confirmed_search(detector, net)(astronaut)
    np.testing.assert_array_equal(found.boxes, detector.boxes[:2])
    assert len(confirmed_search(detector, None)(astronaut)) == 1
    assert len(search_photo(detector, astronaut, net)) == 2
    plain = FakeDetector(lambda _: faces_at(detector.boxes))
    assert len(confirmed_search(plain, net)(astronaut)) == 3


@pytest.mark.parametrize("n_quarters", [1, 2])
def test_doubtful_faces_of_heads_that_lie_or_stand_on_their_head_count(
    net: LandmarkNet, astronaut: Image, n_quarters: int
) -> None:
    turned = np.ascontiguousarray(np.rot90(astronaut, n_quarters))
    half, middle = 62.0, np.array([225.0, 118.0])  # the astronaut's face
    for _ in range(n_quarters):  # as `rot90` moves it
        middle = np.array([middle[1], astronaut.shape[1] - 1 - middle[0]])
    box = [[*(middle - half), *(middle + half)]]
    detector = Proposing()
    detector.propose = lambda _: faces_at(box, [0.6])  # type: ignore[misc, method-assign]
    assert len(confirmed_search(detector, net)(turned)) == 1


class Looking(Proposing):
    """Looks at its proposed faces again, and sees each place as told."""

    def __init__(self, looks: dict[int, tuple[float, float]]) -> None:
        super().__init__()
        self.looks = looks
        self.looked: list[int] = []

    def look_again(self, image: Image, found: Detections) -> npt.NDArray[np.float32]:  # noqa: ARG002 - a detector
        rows = [int(np.flatnonzero((self.boxes == box).all(axis=1))[0]) for box in found.boxes]
        self.looked += rows
        return np.array([self.looks[row] for row in rows], np.float32).reshape(-1, 2)


def test_second_looks_decide_with_the_landmark_model(net: LandmarkNet, astronaut: Image) -> None:
    nothing, sure = (-5.0, -5.0), (9.0, 8.0)
    for looks, expected in (({0: nothing, 2: nothing}, [1]), ({0: nothing, 2: sure}, [1, 2])):
        detector = Looking(looks)
        found = confirmed_search(detector, net)(astronaut)
        np.testing.assert_array_equal(found.boxes, detector.boxes[expected])
        # The landmark model is sure of the astronaut's face, and of no other, however sure the detector is.
        assert detector.looked == [0, 2]


def test_a_known_face_is_confirmed_no_second_time(net: LandmarkNet, astronaut: Image) -> None:
    detector = Looking({1: (-5.0, -5.0), 2: (-5.0, -5.0)})
    known = detector.boxes[:1] + 3  # it has moved a little
    found = confirmed_search(detector, net, known)(astronaut)
    np.testing.assert_array_equal(found.boxes, detector.boxes[:2])
    assert detector.looked == [2]
    assert np.isnan(found.landmarks[0]).all()


def test_landmarks_of_the_search_are_read_no_second_time(
    net: LandmarkNet, astronaut: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = confirmed_search(Looking({0: (-5.0, -5.0), 2: (-5.0, -5.0)}), net)(astronaut)
    assert not np.isnan(found.landmarks).any()
    read: list[int] = []
    monkeypatch.setattr(
        LandmarkNet, "read", lambda self, *given, _read=LandmarkNet.read: read.append(1) or _read(self, *given)
    )
    refined = refine_landmarks(net, astronaut, found)
    assert len(read) == 1
    plain = refine_landmarks(net, astronaut, faces_at(found.boxes, [0.6]))
    np.testing.assert_allclose(refined.landmarks, plain.landmarks, atol=1e-4)
    np.testing.assert_array_equal(refined.boxes, found.boxes)


def test_faces_of_both_kinds_are_told_from_places_by_evidence() -> None:
    unknown, large = np.nan, 4.4
    front, profile = [2.0, 6.5, unknown, unknown, unknown, 1, 1, large], [4.5, 1, 6, 4.5, 3, 1, 1, large]
    sky, empty = [2, -5, -2, 0, -2, 1, 1, large], [1.0, -5, unknown, -4, -5, 1, 1, large]
    assert are_faces(np.array([front, profile, sky, empty])).tolist() == [True, True, False, False]
    assert unsettled(np.array([front, profile, sky, empty])).tolist() == [1, 2]
