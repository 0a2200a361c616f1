# SPDX-License-Identifier: Apache-2.0
"""The confidence of a detector is fitted to what its detections are worth."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import FACE_GRID, ConfigError
from mien.inference import FakeSession
from mien.training import load_recipe
from mien.training.data.canvases.face_targets import FACE_COLUMNS
from mien.training.export import detector_calibration
from mien.training.export.detector_calibration import fit_confidence
from tests.helpers.grid_bundles import cells_with
from tests.helpers.synthetic_data import create_canvas_samples


def fitted(monkeypatch: pytest.MonkeyPatch, *, faceless: bool = True) -> Any:
    """The fit of a network that says logit 1.5 at true faces, 0.5 to 2 at half of the empty canvases."""
    recipe = load_recipe("mien-faces")
    recipe = replace(recipe, model=replace(recipe.model, input_px=128))
    samples = create_canvas_samples(60)
    targets = samples.targets["faces"].copy()
    if faceless:
        targets[1::2] = np.nan
    samples = replace(samples, targets={"faces": targets})
    numbers = iter(range(60))

    def run(inputs: Any) -> dict[str, Any]:
        cells = []
        for _ in inputs["crops"]:
            number = next(numbers)
            if number % 2 and faceless:  # canvases 1, 5, 9 ... have a false face, surer and surer
                found = cells_with((128, 128), [(40.0, 40.0, 30.0)] if number % 4 == 1 else [], logit=number / 30)
            else:
                found = cells_with((128, 128), [(49.0, 44.0, 54.0)], logit=1.5)
            cells.append(found)
        return {"cells": np.stack(cells)}

    session = FakeSession(run, input_names=("crops",), output_names=("cells",))
    monkeypatch.setattr(detector_calibration, "create_session", lambda *_, **__: session)
    assert targets.shape[1] % FACE_COLUMNS == 0
    return fit_confidence(b"", samples, recipe, FACE_GRID)


def test_confidence_and_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = fitted(monkeypatch)

    def confidence(logit: float) -> float:
        return float(1 / (1 + np.exp(-(grid.scale * logit + grid.offset))))

    assert grid.scale > 0
    assert confidence(1.5) > confidence(0.2)
    # No false face of the thirty empty canvases is allowed: the surest has a logit of 57 / 30.
    assert grid.threshold == pytest.approx(min(confidence(57 / 30), 0.9), abs=1e-3)


def test_without_empty_canvases_there_is_nothing_to_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="without faces"):
        fitted(monkeypatch, faceless=False)
