# SPDX-License-Identifier: Apache-2.0
"""A whole audit of a bundle on rendered faces, and of a predictor that is unfair on purpose."""

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest

from mien import Analyzer
from mien.affect import prototype_tiles
from mien.evaluation import AuditSamples, FacePair, audit, audit_page, load_audit_samples, pair_changes
from mien.evaluation.audit.audit_measures import AuditPredictions, audit_measures, landmark_errors, mouth_geometry
from mien.evaluation.audit.group_gaps import group_results
from mien.media import encode_jpeg

TILES = prototype_tiles()


def write_csv(folder: Path) -> Path:
    """64 rendered faces with their expressions, two groups and eight people."""
    rows = ["image,expression,site,person,AU12"]
    for number, (label, tile) in enumerate(TILES):
        (folder / f"{number}.jpg").write_bytes(encode_jpeg(tile, quality=90))
        rows.append(
            f"{number}.jpg,{label},{'north' if number % 2 else 'south'},p{number % 8},{int(label == 'happiness')}"
        )
    path = folder / "faces.csv"
    path.write_text("\n".join(rows), "utf-8")
    return path


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> AuditSamples:
    return load_audit_samples(write_csv(tmp_path_factory.mktemp("audit")))


def test_a_whole_audit_has_verdicts_a_page_and_a_raw_table(samples: AuditSamples) -> None:
    pairs = [FacePair(trait="skin tone", first=TILES[k][1], second=TILES[k][1], expression="neutral") for k in range(4)]
    report = audit(samples, Analyzer(threads=1), pairs=pairs, corruptions=False, command="mien audit <x>")
    measures = {one.measure for one in report.results}
    assert {"accuracy", "macro F1", "calibration error", "faces found"} <= measures
    assert {"logit of AU12, equal geometry", "log odds of happiness, equal geometry"} <= measures
    assert {one.column for one in report.verdicts} == {"site", "skin tone"}
    assert {one.group for one in report.results} == {"north", "south"}
    same = [one for one in report.verdicts if one.column == "skin tone"]
    assert {one.verdict for one in same} == {"within"}
    assert {one.gap for one in same} == {0.0}
    page = audit_page(report)
    assert "mien audit &lt;x&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<svg" in page
    rows = list(csv.DictReader(io.StringIO(report.raw_table())))
    assert len(rows) == len(report.results)
    json.dumps(report.to_json(), allow_nan=False)
    assert math.isnan(report.mean_corruption_error)


def test_a_predictor_that_misses_one_group_is_caught(samples: AuditSamples) -> None:
    analyzer = Analyzer(threads=1)
    faces = analyzer.crops(samples.pictures())
    truth = np.eye(8)[samples.expression] * 0.86 + 0.02
    wrong = np.roll(truth, 1, axis=1)
    unfair = np.where((samples.groups["site"] == "north")[:, None], wrong, truth).astype(np.float32)
    from dataclasses import replace

    predicted = AuditPredictions(
        faces=replace(faces, expression=unfair),
        found=np.ones(len(samples), bool),
        landmarks=np.full((len(samples), 68, 2), np.nan, np.float32),
    )
    measures = {one.name: one for one in audit_measures(samples, predicted, analyzer)}
    accuracy = measures["accuracy"]
    found = group_results(
        "accuracy", accuracy.statistic, accuracy.defined, "site", samples.groups["site"], samples.people
    )
    assert {one.group: one.value for one in found} == {"north": 0.0, "south": 1.0}
    assert measures["macro F1"].statistic(np.flatnonzero(samples.groups["site"] == "south")) == 1.0
    assert np.isnan(mouth_geometry(samples, predicted)[0]).all()


def test_changes_between_pairs_have_their_sign() -> None:
    happy = [tile for label, tile in TILES if label == "happiness"]
    neutral = [tile for label, tile in TILES if label == "neutral"]
    pairs = [FacePair(trait="age", first=a, second=b, expression="") for a, b in zip(neutral, happy, strict=True)]
    changes = {one.name: one for one in pair_changes(Analyzer(threads=1), pairs)}
    assert changes["change of logit of AU12, age"].value > 0.5
    assert changes["absolute change of logit of AU12, age"].value >= changes["change of logit of AU12, age"].value
    assert changes["change of valence, age"].n == 8
    assert pair_changes(Analyzer(threads=1), []) == []


def test_landmark_errors_are_in_distances_of_the_eyes() -> None:
    reference = np.zeros((2, 68, 2))
    reference[:, 42:48, 0] = 0.5
    found = reference + np.array([0.05, 0.0])
    found[1] = np.nan
    errors = landmark_errors(found, reference)
    assert errors[0] == pytest.approx(0.1)
    assert np.isnan(errors[1])
