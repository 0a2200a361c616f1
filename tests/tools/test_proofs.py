# SPDX-License-Identifier: Apache-2.0
"""The scripts of the proofs: their formulae against those of mien, their labels, their plot, at small size."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from mien.core import EXPRESSIONS
from mien.datasets import FaceSamples
from mien.metrics import LabelCounts, Moments, macro_f1


def test_pooled_measures_are_those_of_mien() -> None:
    pytest.importorskip("lightning", reason="the workshop is an extra: pip install 'mien[train]'")
    from proof_heads import concordance_of, f1_of

    rng = np.random.default_rng(0)
    once = np.ones((1, 60))
    x, y = rng.normal(size=(2, 60, 2))
    assert concordance_of(x, y)(once)[0] == pytest.approx(float(Moments.of(x, y).ccc.mean()), abs=1e-12)
    present, guess = rng.random((2, 60, 4)) < 0.4
    everything = np.ones_like(present)
    assert f1_of(present, guess, everything)(once)[0] == pytest.approx(LabelCounts.of_flags(present, guess).macro_f1)
    twice = np.concatenate([np.full((1, 30), 2.0), np.zeros((1, 30))], axis=1)
    half = LabelCounts.of_flags(present[:30], guess[:30]).macro_f1
    assert f1_of(present, guess, everything)(twice)[0] == pytest.approx(half)


def faces(n: int) -> FaceSamples:
    rng = np.random.default_rng(1)
    return FaceSamples(
        names=tuple(map(str, range(n))),
        images=(b"",) * n,
        expression=np.eye(8, dtype=np.float32)[np.arange(n) % 3],
        valence_arousal=rng.uniform(-1, 1, (n, 2)).astype(np.float32),
        action_units=np.empty((n, 0), np.float32),
        action_unit_labels=(),
        landmarks=np.full((n, 5, 2), np.nan, np.float32),
    )


def test_a_pseudo_video_changes_slowly_and_perfect_eyes_are_perfect() -> None:
    from proof_videos import Seen, make_video, sweep

    samples = faces(150)
    video = make_video(samples, 1200, 40, np.random.default_rng(0))
    label = samples.expression.argmax(axis=1)[video.face]
    assert 8 <= (np.diff(label) != 0).sum() <= 60
    assert 0.02 < video.lost.mean() < 0.4
    everything = np.arange(1200)
    truth = samples.expression[video.face].astype(float), samples.valence_arousal[video.face].astype(float)
    points = list(sweep(samples, video, Seen(everything, *truth)))
    assert (points[0].f1, points[0].ccc) == pytest.approx((1, 1))
    assert points[-1].f1 < 1  # a box of 241 frames is longer than an expression lasts


def test_compounds_of_votes() -> None:
    from proof_labels import compound_labels, compounds, six_classes

    place = {name: EXPRESSIONS.index(name) for name in EXPRESSIONS}
    votes = np.zeros((4, 10), int)
    votes[0, [place["fear"], place["surprise"]]] = 4, 5
    votes[1, [place["sadness"], place["anger"], place["fear"]]] = 4, 3, 3  # a third as strong as the second
    votes[2, [place["happiness"], place["surprise"]]] = 8, 1
    votes[3, [place["happiness"], place["neutral"]]] = 5, 5
    assert compound_labels(votes).tolist() == [0, -1, -1, -1]
    many = np.repeat(votes[:1], 30, axis=0)
    probabilities = np.full((30, 8), 0.0)
    probabilities[:, [place["fear"], place["surprise"]]] = 0.5
    report = compounds(many, probabilities)
    assert report.f1.value == 1
    assert [(own.name, own.n, own.value) for own in report.recalls] == [("fearfully surprised", 30, 1)]
    label = np.arange(8).repeat(5)
    assert six_classes(label, np.eye(8)[label]).value == 1
    assert six_classes(label, np.eye(8)[(label + 1) % 8]).value < 0.5
    assert six_classes(label, np.eye(8)[label]).n == 30
    assert macro_f1(label, label, 8) == 1


def test_the_plot_is_svg() -> None:
    from line_chart import line_chart

    root = ElementTree.fromstring(line_chart("a < b", "d", (0, 1, 5), {"F1": (0.1, 0.2, 0.3)}))
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 1


def test_a_page_keeps_what_stands_around_its_tables(tmp_path: Path) -> None:
    pytest.importorskip("lightning", reason="the workshop is an extra: pip install 'mien[train]'")
    from proofs import _fill

    page = tmp_path / "page.md"
    page.write_text("before\n<!-- a -->\nold\n<!-- end of a -->\nafter\n")
    _fill(page, {"a": "new"})
    assert page.read_text() == "before\n<!-- a -->\n\nnew\n\n<!-- end of a -->\nafter\n"
    assert "proofs" in sys.modules


def test_a_head_learns_from_rows_on_the_disk(tmp_path: Path) -> None:
    pytest.importorskip("lightning", reason="the workshop is an extra: pip install 'mien[train]'")
    from scale_heads import train_rows, write_rows

    assert train_rows(write_rows(tmp_path, 1_100), tmp_path / "work") == 11_000
