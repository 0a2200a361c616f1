# SPDX-License-Identifier: Apache-2.0
"""Hysteresis, events and held expressions against values that can be followed by hand."""

from pathlib import Path

import numpy as np
import pytest

from mien.results import read_table
from mien.results.summaries.episodes import SWITCH_MARGIN, expression_states, find_events, is_on
from mien.results.tables.recording import Recording
from tests.helpers.affect_tables import faces, write_frames


def test_a_signal_stays_on_down_to_three_quarters_of_its_threshold() -> None:
    values = np.array([0.40, 0.50, 0.40, 0.375, 0.37, 0.45, 0.60])
    assert is_on(values, 0.5).tolist() == [False, True, True, True, False, False, True]
    assert is_on(np.array([]), 0.5).tolist() == []


def test_events_of_each_face_and_signal(tmp_path: Path) -> None:
    frames = [(index / 10, faces((0, "fear", 0, value), (1, "fear", 0, 0.1))) for index, value in enumerate([0.3] * 4)]
    table = read_table(write_frames(tmp_path / "t.parquet", {"a.mp4": frames}))
    recording = Recording.from_table("a.mp4", table)
    assert list(find_events(recording, {"AU12": "action_unit"}, {})) == []
    (event,) = find_events(recording, {"AU12": "action_unit"}, {"AU12": 0.3 - 1e-6})
    assert (event.subject.track_id, event.kind, event.signal, event.n_frames) == (0, "action_unit", "AU12", 4)
    assert (event.onset_s, event.offset_s) == pytest.approx((0.0, 0.4))
    both = list(find_events(recording, {"expression_fear": "expression"}, {}))
    assert [(event.subject.track_id, event.signal) for event in both] == [(0, "fear"), (1, "fear")]


def test_an_expression_is_held_until_another_one_leads_clearly() -> None:
    lead = SWITCH_MARGIN - 0.01
    rows = np.array([[0.6, 0.4], [0.5 - lead / 2, 0.5 + lead / 2], [0.4, 0.6], [0.5, 0.5], [0.7, 0.3]])
    assert expression_states(rows).tolist() == [0, 0, 1, 1, 0]
    assert expression_states(np.empty((0, 2))).tolist() == []


def test_a_class_that_the_bundle_lacks_is_never_shown() -> None:
    assert expression_states(np.array([[np.nan, 0.2, 0.8], [np.nan, 0.8, 0.2]])).tolist() == [2, 1]
