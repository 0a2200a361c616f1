# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mien.affect import prototype_tiles


def test_the_shipped_sheet_is_the_one_that_the_code_renders(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    pytest.importorskip("anny")
    from mien.synthesis import prototypes

    monkeypatch.setattr(prototypes, "PROTOTYPES_PER_ROW", 1)
    monkeypatch.setattr(prototypes, "PROTOTYPE_EXPRESSIONS", ("neutral",))
    fresh = prototypes.prototype_sheet().astype(int)
    shipped = prototype_tiles()[0][1].astype(int)
    assert np.abs(fresh - shipped).mean() < 4  # JPEG
