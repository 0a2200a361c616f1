# SPDX-License-Identifier: Apache-2.0
"""The best offsets are a bound for every correction, and the figures of a row are those of known errors."""

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("numba", reason="needs the extra synthesis: pip install 'mien[synthesis]'")

from benchmarks.trust.adaptation import Faces, Trial, best_offsets, errors, origin_rows, rows_of
from mien import Analyzer
from mien.affect import prototype_tiles


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(threads=1)


def test_no_other_offset_has_less_error(analyzer: Analyzer) -> None:
    tiles = prototype_tiles()
    crops = np.stack([np.full((80, 80), 20 * number, np.uint8) for number in range(12)])
    rng = np.random.default_rng(0)
    outputs = {
        name: values + rng.normal(0, 0.1 if name == "valence_arousal" else 1.0, values.shape).astype(np.float32)
        for name, values in analyzer.bundle.run(crops).items()
    }
    values = {
        "AU12": rng.integers(0, 2, 12).astype(float),
        "valence": rng.uniform(-1, 1, 12),
        "arousal": rng.uniform(-1, 1, 12),
    }
    names = tuple(tiles[8 * (number % 8)][0] for number in range(12))
    faces = Faces(people=np.array(["a"] * 12), outputs=outputs, expression=names, values=values)
    rows = np.arange(12)
    best = best_offsets(analyzer, faces, rows)
    plain, after = (errors(analyzer, faces, rows, one) for one in (None, best))
    assert after["expression"].mean() < plain["expression"].mean()
    assert np.abs(after["valence and arousal"].mean(axis=0)).max() < 0.05
    own = (after["action units"] ** 2).mean()
    assert own <= (plain["action units"] ** 2).mean()


def test_a_row_says_what_is_removed(analyzer: Analyzer) -> None:  # noqa: ARG001
    def trial(person: str, plain: float, adapted: float) -> Trial:
        ways = [{"action units": np.full((4, 2), value)} for value in (plain, adapted, 0.2)]
        return Trial(person, *ways)

    found = [trial("a", 0.4, 0.3), trial("a", 0.4, 0.3), trial("b", 0.4, 0.5)]
    (row,) = rows_of("toy", 10, found)
    assert row[:4] == ["toy", "action units", "10", "2, 3"]
    before, after = 0.16, (0.09 + 0.09 + 0.25) / 3
    assert row[4:7] == [f"{before:.4f}", f"{after:.4f}", "0.0400"]
    assert row[7].startswith(f"{(before - after) / (before - 0.04):.0%} (")
    assert row[10].startswith(f"{1 - (after**0.5) / 0.4:.0%} (")
    assert row[11] == "33%"


def test_errors_are_split_into_what_all_share_and_what_people_differ_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """60 people of 200 faces whose errors are 0.3, plus 0.1 between people, plus 0.5 within them."""
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(60), 200).astype(str)
    values = 0.3 + np.repeat(rng.normal(0, 0.1, 60), 200) + rng.normal(0, 0.5, len(people))
    monkeypatch.setattr(
        "benchmarks.trust.adaptation.errors",
        lambda _analyzer, _faces, rows, _none: {"action units": values[rows, None], "expression": values[rows, None]},
    )
    faces = Faces(people=people, outputs={}, expression=(), values={})
    (row,) = origin_rows("toy", None, faces, 10)  # type: ignore[arg-type]
    assert row[:3] == ["toy", "action units", "60"]
    assert float(row[3]) == pytest.approx(0.3, abs=0.03)
    assert float(row[4]) == pytest.approx(0.1, abs=0.02)
    assert float(row[5]) == pytest.approx(0.5 / 10**0.5, abs=0.01)
    own, chance = float(row[3]) ** 2 + float(row[4]) ** 2, float(row[5]) ** 2
    assert row[7] == f"{1 - np.sqrt(chance / (own + chance)):.0%}"
