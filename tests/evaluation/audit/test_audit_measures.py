# SPDX-License-Identifier: Apache-2.0
"""What `predict_for_audit` finds, and the logits of smiles."""

import cv2
import numpy as np

from mien import Analyzer
from mien.affect import prototype_tiles
from mien.evaluation.audit.audit_measures import predict_for_audit, smile_logits


def test_detector_and_crops_are_read_side_by_side() -> None:
    tiles = [cv2.resize(tile, (224, 224)) for label, tile in prototype_tiles() if label in ("neutral", "happiness")]
    found = predict_for_audit(Analyzer(threads=1), [*tiles, np.full((224, 224, 3), 128, np.uint8)])
    assert found.found[:-1].mean() > 0.8
    assert not found.found[-1]
    known = found.landmarks[found.found]
    assert ((known > 0) & (known < 1)).mean() > 0.95
    logits = smile_logits(found.faces)
    assert set(logits) == {"logit of AU12", "log odds of happiness"}
    assert logits["logit of AU12"][8:16].mean() > logits["logit of AU12"][:8].mean()
