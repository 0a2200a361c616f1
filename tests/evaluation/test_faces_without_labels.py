# SPDX-License-Identifier: Apache-2.0
"""Flip rate, action units within one expression, fairness and reliability, on small made-up sets with known answers."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.core import EXPRESSIONS, ConfigError, CropSpec, Faces, InputSpec, MetricValue
from mien.datasets import AU_RULES, FERPLUS_TEMPLATE, VOTES, load_fairface, load_held_out, load_traits, person
from mien.evaluation import PROTOCOLS, Report, implied_by_expression
from mien.evaluation.protocols.au_teacher import ExpressionBaseline, evaluate_au_teacher
from mien.evaluation.protocols.fairness import evaluate_fairness
from mien.evaluation.protocols.ferplus import evaluate_ferplus_mtl
from mien.evaluation.protocols.flip_rate import evaluate_flip_rate
from mien.evaluation.protocols.reliability import evaluate_reliability

# Which blendshapes the teacher raises for what the pictures below encode.
_SHAPES = ("mouthSmileLeft", "mouthSmileRight", "browDownLeft", "browDownRight")
_HAPPY, _NEUTRAL = EXPRESSIONS.index("happiness"), EXPRESSIONS.index("neutral")


def picture(smiles: bool, frowns: bool, shade: int = 0) -> bytes:
    """A flat picture: the brightness of its lower and upper half says what the face does."""
    image = np.zeros((96, 96, 3), np.uint8)
    image[48:] = 200 + shade if smiles else 100 + shade
    image[:48] = 200 + shade if frowns else 100 + shade
    return bytes(cv2.imencode(".png", image)[1])


def points() -> np.ndarray:
    """68 points whose five alignment points are those of the template, so that the crop is the picture."""
    all_points = np.zeros((68, 2))
    for part, point in zip((slice(36, 42), slice(42, 48), 30, 48, 54), FERPLUS_TEMPLATE, strict=True):
        all_points[part] = point
    return all_points


class Eye:
    """A bundle that reads such pictures; ``sees_brow`` says whether AU04 is more to it than the expression."""

    bundle_digest = "0" * 64
    spec = SimpleNamespace(
        name="eye",
        input=InputSpec(name="x", size_px=96, colour="rgb", layout="NHWC", dtype="uint8"),
        crop=CropSpec(template=FERPLUS_TEMPLATE),
        task=lambda _: None,
        action_unit_thresholds={},
    )

    def __init__(self, *, sees_brow: bool = True, blind_when_small: bool = False) -> None:
        self._sees_brow, self._blind_when_small = sees_brow, blind_when_small

    def crops(self, images: Sequence[Any]) -> Faces:
        n = len(images)
        happy = np.array([image[-10:].mean() > 150 for image in images])
        brow = np.array([image[:10].mean() > 150 for image in images])
        if self._blind_when_small and images[0].ndim == 2:
            happy = np.zeros(n, bool)
        expression = np.full((n, 8), 0.02)
        expression[np.arange(n), np.where(happy, _HAPPY, _NEUTRAL)] = 0.86
        units = np.zeros((n, 2))
        units[:, 0] = np.where(brow, 0.9, 0.1) if self._sees_brow else np.where(happy, 0.2, 0.3)
        units[:, 1] = np.where(happy, 0.9, 0.1)
        return Faces(
            boxes=np.zeros((n, 4)),
            expression=expression,
            valence=happy * 0.5,
            arousal=np.zeros(n),
            action_units=units,
            expression_labels=EXPRESSIONS,
            action_unit_labels=("AU04", "AU12"),
        )


def write_teacher(path: Path, names: list[str], smiles: np.ndarray, frowns: np.ndarray, lost: int = 0) -> None:
    shapes = np.stack([smiles, smiles, frowns, frowns], axis=1).astype(np.float32)
    names_of_shapes = sorted({*_SHAPES, *_every_shape()})
    values = np.zeros((len(names), len(names_of_shapes)), np.float32)
    values[:, [names_of_shapes.index(shape) for shape in _SHAPES]] = shapes
    found = np.arange(len(names)) >= lost
    table = pa.table(
        {
            "name": names,
            "found": found,
            "blendshapes": [row.tolist() if ok else None for row, ok in zip(values, found, strict=True)],
            "points": pa.array(
                [points().ravel().tolist() if ok else None for ok in found], type=pa.list_(pa.float32())
            ),
        }
    )
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table.replace_schema_metadata({"blendshapes": json.dumps(names_of_shapes)}), path)


def _every_shape() -> list[str]:
    """The blendshapes that the rules ask for."""
    return [
        "browInnerUp", "browOuterUpLeft", "eyeWideLeft", "eyeSquintLeft", "eyeBlinkLeft", "mouthUpperUpLeft",
        "mouthFrownLeft", "mouthShrugLower", "mouthStretchLeft", "mouthRollLower", "mouthRollUpper", "jawOpen",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FER+, FairFace and LFW of flat faces; smiles and frowns are independent. The teacher misses five of FairFace."""
    folder = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    n = 240
    smiles, frowns = rng.random(n) < 0.5, rng.random(n) < 0.5
    images = [picture(a, b, i % 40) for i, (a, b) in enumerate(zip(smiles, frowns, strict=True))]
    votes = {name: np.zeros(n, np.int64) for name in VOTES}
    votes["happiness"], votes["neutral"] = 10 * smiles, 10 * ~smiles
    for split in ("train", "valid"):
        names = [f"{split}{i}.png" for i in range(n)]
        (folder / "ferplus").mkdir(exist_ok=True)
        pq.write_table(pa.table({"name": names, "image": images, **votes}), folder / f"ferplus/{split}.parquet")
        write_teacher(folder / f"teacher/ferplus_{split}.parquet", names, smiles, frowns)
    names = [f"val/{i}.jpg" for i in range(n)]
    gender = np.where(np.arange(n) % 2, "Female", "Male")
    ages, races = np.array(["3-9", "10-19", "more than 70"])[np.arange(n) % 3], np.repeat("Indian", n)
    (folder / "fairface").mkdir()
    traits = {"age": ages, "gender": gender, "race": races}
    pq.write_table(pa.table({"name": names, "image": images, **traits}), folder / "fairface/val.parquet")
    write_teacher(folder / "teacher/fairface_val.parquet", names, smiles, frowns, lost=5)
    names = [f"Person_{chr(97 + i % 26)}{chr(97 + i // 26)}_000{i}.jpg" for i in range(n)]
    emotions = np.where(smiles, "happiness", "neutral")
    (folder / "lfw_expression").mkdir()
    pq.write_table(
        pa.table({"name": names, "image": images, "emotion": emotions}), folder / "lfw_expression/photos.parquet"
    )
    write_teacher(folder / "teacher/lfw_expression.parquet", names, smiles, frowns)
    votes_of_25 = {name: rng.integers(0, 10, 40) for name in EXPRESSIONS}
    (folder / "affectnet_c25").mkdir()
    ratings = {"valence_mean": rng.uniform(-1, 1, 40), "arousal_mean": rng.uniform(-1, 1, 40), "image_set": [2] * 40}
    pq.write_table(pa.table({**votes_of_25, **ratings}), folder / "affectnet_c25/ratings.parquet")
    return folder


def by_name(report: Report) -> dict[str, MetricValue]:
    return {measure.name: measure for measure in report.metrics}


def test_nothing_flips_for_who_needs_neither_colour_nor_size(data: Path) -> None:
    report = evaluate_flip_rate(Eye(), data)
    measures = by_name(report)
    assert measures["flip rate, aligned"].value == 0
    assert measures["flip rate, aligned"].n == 235
    assert measures["flip rate, whole image"].n == 240
    assert report.dropped == {"without keypoints, not in the aligned part": 5}


def test_every_smile_flips_for_who_is_blind_to_small_faces(data: Path) -> None:
    measures = by_name(evaluate_flip_rate(Eye(blind_when_small=True), data))
    share = measures["flip rate, whole image"].value
    assert 0.4 < share < 0.6
    assert measures["mean change of valence, whole image"].value == pytest.approx(0.5 * share, abs=1e-6)
    assert measures["mean change of arousal, whole image"].value == 0


def test_a_unit_that_is_seen_beats_the_expression(data: Path) -> None:
    report = evaluate_au_teacher(Eye(), data)
    measures = by_name(report)
    assert measures["FairFace val: AUC within expression AU04"].value == 1
    assert measures["FairFace val: AUC gain over expression AU04"].low > 0.3
    assert measures["FairFace val: F1 AU04"].value == 1
    assert measures["FairFace val: AUC AU04 among neutral"].value == 1
    assert measures["FairFace val: AUC AU12"].value == 1
    assert "FairFace val: AUC AU12 among neutral" not in measures  # no neutral face smiles here: nothing to rank
    assert report.dropped["FairFace val: no keypoints"] == 5
    assert "AU04" not in implied_by_expression(report)


def test_a_unit_that_says_the_expression_twice_is_found_out(data: Path) -> None:
    report = evaluate_au_teacher(Eye(sees_brow=False), data)
    within = by_name(report)["FairFace val: AUC within expression AU04"]
    assert within.value == pytest.approx(0.5)  # one score for all faces of an expression: pairs are ties
    assert "AU04" in implied_by_expression(report)


def test_the_baseline_recovers_a_linear_map_and_ignores_unknown_rows() -> None:
    rng = np.random.default_rng(0)
    probabilities, weights = rng.dirichlet(np.ones(8), 100), rng.random((8, 2))
    units = probabilities @ weights
    units[:40, 1] = np.nan
    baseline = ExpressionBaseline.fit(probabilities, units, ("AU04", "AU12"))
    assert baseline(probabilities, "AU12") == pytest.approx(probabilities @ weights[:, 1])


def test_fairness_compares_groups_with_all_others(data: Path) -> None:
    measures = by_name(evaluate_fairness(Eye(), data))
    assert measures["happiness where the teacher sees a smile, gender Female"].value == 1
    assert measures["happiness where it sees none, gender Female"].value == 0
    assert measures["AU12 agrees with the teacher, age 3-9, minus others"].value == 0
    assert measures["action units agree with the teacher, race Indian"].value == 1
    female, male = measures["happiness, gender Female"], measures["happiness, gender Male"]
    difference = measures["happiness, gender Female, minus others"]
    assert difference.value == pytest.approx(female.value - male.value)
    assert difference.low < difference.value < difference.high
    assert "happiness, gender Male, minus others" not in measures  # two groups have one difference
    assert "happiness, race Indian, minus others" not in measures  # one group has none
    ages = [name.split("age ")[1] for name in measures if name.startswith("flip rate, age") and "minus" not in name]
    assert ages == ["3-9", "10-19", "more than 70"]


def test_reliability_finds_the_known_gap(data: Path) -> None:
    report = evaluate_reliability(Eye(), data)
    measures = by_name(report)
    assert measures["calibration error, plurality"].value == pytest.approx(0.14, abs=1e-6)  # always right, .86 sure
    assert measures["accuracy minus confidence, official majority"].value == pytest.approx(0.14, abs=1e-6)
    assert measures["gap at 0.80 to 0.87, plurality"].n == 240


def test_people_are_resampled_and_aside_is_a_prefix(data: Path) -> None:
    measures = by_name(PROTOCOLS.load("lfw")(Eye(), data))
    assert measures["AUC of AU12, happiness against neutral"].value == 1
    assert person("Person_a_0001.jpg") == person("Person_a_0002.jpg")
    assert load_held_out(data, 20).names[:10] == load_held_out(data, 10).names
    assert set(load_traits(data / "fairface/val.parquet", ("race",))["race"]) == {"Indian"}
    assert np.isnan(load_fairface(data, "valid").expression).all()
    assert "AU12" in AU_RULES


@pytest.mark.parametrize("name", ["flip-rate", "au-teacher", "fairness", "reliability"])
def test_absent_data_are_named(name: str, tmp_path: Path) -> None:
    from mien.core import DatasetError

    with pytest.raises(DatasetError, match="no such file"):
        PROTOCOLS.load(name)(Eye(), tmp_path)


class FlatEye(Eye):
    """The same without valence and arousal."""

    def crops(self, images: Sequence[Any]) -> Faces:
        unknown = np.full(len(images), np.nan)
        return dataclasses.replace(super().crops(images), valence=unknown, arousal=unknown)


def test_p_mtl_is_the_sum_of_its_parts(data: Path) -> None:
    report = evaluate_ferplus_mtl(Eye(), data)
    measures = by_name(report)
    assert measures["P_MTL"].value == pytest.approx(sum(measures[name].value for name in ("P_VA", "P_EXPR", "P_AU")))
    assert measures["P_EXPR"].value == pytest.approx(2 / 8)  # both expressions that occur, of eight
    votes = PROTOCOLS.load("ferplus")(Eye(), data)
    by = by_name(votes)
    assert measures["P_AU"].value == by["mean AU F1 against the teacher"].value
    assert measures["P_VA"].value == pytest.approx((by["CCC valence"].value + by["CCC arousal"].value) / 2)
    assert measures["P_MTL"].low < measures["P_MTL"].value < measures["P_MTL"].high
    with pytest.raises(ConfigError, match="does not have all three tasks"):
        evaluate_ferplus_mtl(FlatEye(), data)
