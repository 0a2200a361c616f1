# SPDX-License-Identifier: Apache-2.0
"""Compound labels come from the two leading votes of a face."""

import numpy as np

from benchmarks.proofs.label_proofs import compound_labels, compounds, six_classes
from mien.core import EXPRESSIONS
from mien.metrics import macro_f1


def test_compounds_of_votes() -> None:
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
