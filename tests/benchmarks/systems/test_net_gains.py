# SPDX-License-Identifier: Apache-2.0
"""Networks are compared seed by seed, as far as both are trained."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.systems import net_gains
from benchmarks.systems.conditions import CONDITIONS
from benchmarks.systems.nets import NETS


class Faces(SimpleNamespace):
    """The labels of some faces."""

    def __len__(self) -> int:
        return len(self.expression)


def test_nets_are_compared_seed_by_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    label = np.arange(80) % 8
    faces = Faces(expression=np.eye(8)[label], valence_arousal=np.zeros((80, 2)))
    right = {("base", 1): 60, ("base", 2): 64, ("base", 3): 62, ("adam", 1): 56, ("adam", 2): 56}

    def outputs(net: str, seed: int, _work: Path) -> dict[str, np.ndarray] | None:
        if (net, seed) not in right:
            return None
        return {"expression": np.eye(8)[np.where(np.arange(80) < right[net, seed], label, (label + 1) % 8)]}

    monkeypatch.setattr(net_gains, "load_ferplus", lambda *_: faces)
    monkeypatch.setattr(net_gains, "load_outputs", outputs)
    found = net_gains.net_gains(Path(), Path(), (1, 2, 3))
    assert set(found) == {"sam-adam"}
    assert found["sam-adam"][0].per_seed == pytest.approx((4 / 80, 8 / 80))
    rows = {row[0]: row for row in net_gains.net_rows(Path(), Path(), (1, 2, 3))}
    assert rows["`base`"][3:5] == ["3", "0.775 (0.750 to 0.800)"]
    assert rows["`plain`"][3] == "not run"


def test_orderings_are_conditions_of_nets() -> None:
    names = {net.name for net in NETS}
    assert set(net_gains.ORDERINGS) <= {condition.key for condition in CONDITIONS}
    assert {name for better, other, _ in net_gains.ORDERINGS.values() for name in (better, other)} <= names
