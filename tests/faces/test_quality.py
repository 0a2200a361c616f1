# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mien.core import ConfigError, HidingSpec, ModelError, QualitySpec
from mien.faces import SIGNALS, Detections, QualityModel, align_faces, face_quality, quality_signals, share_inside
from mien.inference import load_spec

Image = npt.NDArray[np.uint8]
TEMPLATE = ((0.320, 0.385), (0.680, 0.385), (0.500, 0.578), (0.352, 0.768), (0.648, 0.768))
FRONTAL = np.array([[100, 100], [140, 100], [120, 121], [104, 142], [136, 142]], np.float32)
ASTRONAUT = np.array([[204, 110], [242, 112], [224, 138], [204, 153], [240, 155]], np.float32)


def fitted() -> QualityModel:
    spec = load_spec("mien-light").quality
    assert spec
    return QualityModel(spec)


def measured(image: Image, points: npt.NDArray[np.float32], score: float = 0.99) -> dict[str, float]:
    faces = Detections(np.zeros((1, 4)), np.array([score]), points[None])
    crops = align_faces(image, points[None], TEMPLATE, 112)
    return dict(zip(SIGNALS, quality_signals(image.shape[:2], faces, crops)[0].tolist(), strict=True))


def quality(image: Image, points: npt.NDArray[np.float32] = ASTRONAUT, score: float = 0.99) -> float:
    signals = np.array([list(measured(image, points, score).values())], np.float32)
    return float(fitted()(signals)[0])


@pytest.fixture
def plain() -> Image:
    return np.full((300, 300, 3), 120, np.uint8)


def test_a_frontal_face_is_not_turned(plain: Image) -> None:
    signals = measured(plain, FRONTAL)
    assert signals["size"] == pytest.approx(np.log2(42))
    for name in ("turn", "nod", "roll", "outside"):
        assert signals[name] == pytest.approx(0, abs=1e-5)


def test_each_pose_moves_its_own_signal(plain: Image) -> None:
    turned, nodding = FRONTAL.copy(), FRONTAL.copy()
    turned[2, 0] += 21
    nodding[2, 1] -= 10.5
    assert measured(plain, turned)["turn"] == pytest.approx(0.5)
    assert measured(plain, turned)["nod"] == pytest.approx(0, abs=1e-5)
    assert measured(plain, nodding)["nod"] == pytest.approx(0.25)
    assert measured(plain, nodding)["turn"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("degrees", [-90, -30, 30, 90, 180])
def test_roll_is_told_and_changes_nothing_else(plain: Image, degrees: float) -> None:
    matrix = cv2.getRotationMatrix2D((120, 120), degrees, 1)
    tilted = (FRONTAL @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    before, after = measured(plain, FRONTAL), measured(plain, tilted)
    assert after.pop("roll") == pytest.approx(1 - np.cos(np.radians(degrees)), abs=1e-5)
    before.pop("roll")
    assert after == pytest.approx(before, abs=1e-4)


def test_half_a_face_beyond_the_edge_is_outside(plain: Image) -> None:
    assert measured(plain, FRONTAL - (120, 0))["outside"] == pytest.approx(0.5)
    assert measured(plain, FRONTAL - (400, 0))["outside"] == 1


def test_a_flat_face_has_a_sharpness_and_no_contrast(plain: Image) -> None:
    signals = measured(plain, FRONTAL)
    assert signals["contrast"] == pytest.approx(0, abs=1e-6)
    assert np.isfinite(list(signals.values())).all()


def test_a_point_without_extent_or_a_sure_score_gives_finite_signals(plain: Image) -> None:
    for score in (0.0, 1.0):
        assert np.isfinite(list(measured(plain, np.zeros((5, 2), np.float32), score).values())).all()


def test_what_makes_a_face_worse_lowers_its_quality(astronaut: Image) -> None:
    clean = quality(astronaut)
    assert quality(cv2.GaussianBlur(astronaut, (0, 0), 6)) < clean - 0.05
    small = cv2.resize(astronaut, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    assert quality(small, ASTRONAUT / 4) < clean
    assert quality((astronaut * 0.08).astype(np.uint8)) < clean - 0.05
    assert quality(astronaut, score=0.7) < clean


def test_gray_and_colour_crops_are_measured_alike(astronaut: Image) -> None:
    faces = Detections(np.zeros((1, 4)), np.array([0.9]), ASTRONAUT[None])
    crops = align_faces(astronaut, ASTRONAUT[None], TEMPLATE, 112)
    gray = cv2.cvtColor(crops[0], cv2.COLOR_RGB2GRAY)[None]
    shape = astronaut.shape[:2]
    np.testing.assert_allclose(quality_signals(shape, faces, crops), quality_signals(shape, faces, gray), rtol=1e-6)


def test_no_face_has_no_signals_and_no_quality() -> None:
    signals = quality_signals((10, 10), Detections.empty(), np.empty((0, 112, 112), np.uint8))
    assert signals.shape == (0, len(SIGNALS))
    assert fitted()(signals).shape == (0,)


def test_crops_of_other_faces_are_refused() -> None:
    with pytest.raises(ConfigError, match="0 faces need as many crops, got 2"):
        quality_signals((10, 10), Detections.empty(), np.empty((2, 112, 112), np.uint8))


def made_up(**changes: object) -> QualitySpec:
    n = len(SIGNALS)
    content: dict[str, object] = {
        "intercept": 0.5,
        "signals": SIGNALS,
        "weights": (2.0, *[0.0] * (n - 1)),
        "mean": (1.0,) * n,
        "deviation": (1.0,) * n,
        "data": "",
        "n": 1,
        "command": "",
    }
    return QualitySpec(**(content | changes))  # type: ignore[arg-type]  # keyword table of a test


def test_the_logistic_formula_and_its_bounds() -> None:
    signals = np.zeros((4, len(SIGNALS)), np.float32)
    signals[:, 0] = [1, 2, 100, np.nan]
    expected = [1 / (1 + np.exp(-0.5)), 1 / (1 + np.exp(-2.5)), 1 / (1 + np.exp(-6.5)), np.nan]
    np.testing.assert_allclose(QualityModel(made_up())(signals), expected, rtol=1e-5)


def test_signals_are_found_by_name_and_some_may_be_absent() -> None:
    signals = np.random.default_rng(0).normal(size=(5, len(SIGNALS))).astype(np.float32)
    changes = {"weights": (1.5, -0.7), "mean": (0.1, 0.2), "deviation": (2.0, 3.0)}
    model = QualityModel(made_up(signals=("doubt", "size"), **changes))
    logits = 0.5 + 1.5 * (signals[:, 8] - 0.1) / 2 - 0.7 * (signals[:, 0] - 0.2) / 3
    np.testing.assert_allclose(model(signals), 1 / (1 + np.exp(-logits)), rtol=1e-5)


def test_sureness_moves_the_log_odds_of_the_image() -> None:
    changes = {"weights": (1.5, 0.8), "mean": (0.1, 0.2), "deviation": (2.0, 3.0)}
    model = QualityModel(made_up(signals=("size", "sureness"), **changes))
    signals = np.zeros((4, len(SIGNALS)), np.float32)
    signals[:, 0] = [1, 2, 3, 4]
    top = np.array([0.5, 0.9, np.nan, 1.0], np.float32)
    image = 0.5 + 1.5 * (signals[:, 0] - 0.1) / 2
    own = np.array([0.8 * (0 - 0.2) / 3, 0.8 * (np.log(9) - 0.2) / 3, 0, 0.8 * (np.log(9999) - 0.2) / 3])
    np.testing.assert_allclose(model(signals), 1 / (1 + np.exp(-image)), rtol=1e-5)
    np.testing.assert_allclose(model.with_sureness(model(signals), top), 1 / (1 + np.exp(-image - own)), rtol=1e-4)
    assert np.isnan(model.with_sureness(np.full(1, np.nan, np.float32), top[:1])).all()
    plain = QualityModel(made_up())
    np.testing.assert_array_equal(plain.with_sureness(plain(signals), top), plain(signals))


def test_the_image_counts_less_once_the_expression_is_known() -> None:
    changes = {"weights": (1.5, 0.8), "mean": (0.1, 0.2), "deviation": (2.0, 3.0), "image_share": 0.25}
    model = QualityModel(made_up(signals=("size", "sureness"), **changes))
    signals = np.zeros((3, len(SIGNALS)), np.float32)
    signals[:, 0] = [1, 2, 3]
    top = np.array([0.5, 0.9, np.nan], np.float32)
    image = 1.5 * (signals[:, 0] - 0.1) / 2
    own = 0.5 + 0.25 * image + 0.8 * (np.log([1, 9, 1]) - 0.2) / 3
    expected = 1 / (1 + np.exp(-np.where(np.isnan(top), 0.5 + image, own)))
    np.testing.assert_allclose(model.with_sureness(model(signals), top), expected, rtol=1e-4)
    for wrong in (-0.1, 1.1):
        with pytest.raises(ConfigError, match="image_share must be within"):
            made_up(image_share=wrong)


def test_more_blur_lowers_the_quality_further(astronaut: Image) -> None:
    values = [
        quality(astronaut),
        *(quality(cv2.GaussianBlur(astronaut, (0, 0), sigma)) for sigma in (1, 2, 3, 4, 6, 9)),
    ]
    assert (np.diff(values) < 0).all()


def test_a_covered_mouth_has_little_detail(astronaut: Image) -> None:
    faces = Detections(np.zeros((1, 4)), np.array([0.9]), ASTRONAUT[None])
    crop = align_faces(astronaut, ASTRONAUT[None], TEMPLATE, 112)
    covered = crop.copy()
    covered[0, 66:] = 150
    plain, hidden = (
        dict(zip(SIGNALS, quality_signals((512, 512), faces, crops)[0].tolist(), strict=True))
        for crops in (crop, covered)
    )
    assert hidden["mouth_detail"] < plain["mouth_detail"] - 1
    assert hidden["eye_detail"] > plain["eye_detail"] - 1


def test_an_unknown_signal_is_refused() -> None:
    one = {"weights": (1.0,), "mean": (0.0,), "deviation": (1.0,)}
    with pytest.raises(ModelError, match=r"unknown signals \['glare'\]; update mien"):
        QualityModel(made_up(signals=("glare",), **one))


def hiding(**changes: object) -> HidingSpec:
    content: dict[str, object] = {
        "name": "detail",
        "weights": (2.0, -1.0),
        "bias": 0.25,
        "signals": ("contrast", "size"),
        "signal_weights": (0.5, 0.1),
        "mean": (5.0, 4.0),
        "deviation": (2.0, 1.0),
        "shares": (0.4, 0.8),
        "factors": (0.5, 1.0),
        "data": "",
        "n": 1,
        "command": "",
    }
    return HidingSpec(**(content | changes))  # type: ignore[arg-type]  # keyword table of a test


def test_hidden_faces_lose_a_factor_by_the_share_that_is_left() -> None:
    signals = np.zeros((5, len(SIGNALS)), np.float32)
    signals[:, SIGNALS.index("contrast")], signals[:, SIGNALS.index("size")] = [3, 5, 7, 99, 5], 4
    signals[4, SIGNALS.index("contrast")] = np.nan
    features = np.array([[0, 0.6], [0, 0], [1, 0], [-2, 0], [0, 0]], np.float32)
    logits = 0.25 + np.array([-0.6, 0, 2, -4]) + 0.5 * np.array([-1, 0, 1, 3])
    share = 1 / (1 + np.exp(-logits))
    one = np.interp(share, (0.4, 0.8), (0.5, 1.0))
    factor = QualityModel(made_up(hiding=(hiding(),))).hiding_factor(signals, features)
    assert factor is not None
    np.testing.assert_allclose(factor[:4], one, rtol=1e-5)
    assert np.isnan(factor[4])
    both = QualityModel(made_up(hiding=(hiding(), hiding(name="cover", shares=(0.5,), factors=(0.75,)))))
    again = both.hiding_factor(signals, features)
    assert again is not None
    np.testing.assert_allclose(again[:4], np.minimum(one, 0.75), rtol=1e-5)
    assert QualityModel(made_up()).hiding_factor(signals, features) is None


def test_a_hidden_face_keeps_its_rank_and_is_below_its_factor() -> None:
    quality = np.linspace(0, 1, 50, dtype=np.float32)
    for factor in (0.5, 0.8, 1.0):
        lowered = QualityModel.with_hiding(quality, np.full(50, factor, np.float32))
        assert (np.diff(lowered) > 0).all()
        assert lowered[-1] == pytest.approx(factor)
        np.testing.assert_allclose(lowered[:3], quality[:3], atol=0.001)
    np.testing.assert_array_equal(QualityModel.with_hiding(quality, None), quality)
    np.testing.assert_array_equal(QualityModel.with_hiding(quality, np.full(50, np.nan, np.float32)), quality)


def test_hidden_faces_with_an_unknown_signal_are_refused() -> None:
    with pytest.raises(ModelError, match=r"unknown signals \['glare'\]; update mien"):
        QualityModel(made_up(hiding=(hiding(signals=("glare", "size")),)))


def test_without_a_model_quality_is_nan(astronaut: Image) -> None:
    faces = Detections(np.zeros((1, 4)), np.array([0.9]), ASTRONAUT[None])
    crops = align_faces(astronaut, ASTRONAUT[None], TEMPLATE, 112)
    assert np.isnan(face_quality(None, (512, 512), faces, crops)).tolist() == [True]
    expected = fitted()(quality_signals((512, 512), faces, crops))
    assert face_quality(fitted(), (512, 512), faces, crops) == pytest.approx(expected, abs=0)


@pytest.mark.parametrize("angle_deg", [0, 25, 180])
def test_the_share_of_a_face_inside_the_image(angle_deg: float) -> None:
    face = np.array([[30, 40], [70, 40], [50, 61], [34, 82], [66, 82]], np.float32) - (50, 61)
    angle = np.deg2rad(angle_deg)
    turned = face @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    places = np.array([[100, 100], [0, 100], [-300, 100]])
    faces = Detections(np.zeros((3, 4)), np.ones(3), (turned + places[:, None]).astype(np.float32))
    whole, half, none = share_inside((200, 200), faces)
    assert whole == 1
    assert 0.35 < half < 0.65
    assert none == 0
    assert share_inside((9, 9), Detections.empty()).shape == (0,)
