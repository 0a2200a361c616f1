# SPDX-License-Identifier: Apache-2.0
"""Explanations of a rendered smile, and the sanity check that a map belongs to the weights."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mien import Analyzer
from mien.affect import explain_crop, explain_face, prototype_tiles, target_score
from mien.core import ConfigError
from tests.conftest import REPOSITORY
from tests.helpers.bundle_variants import write_shuffled

PHOTO = REPOSITORY / "docs/sample/two_faces.jpg"


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(threads=1)


def test_a_smile_is_in_the_mouth(analyzer: Analyzer) -> None:
    found = explain_face(analyzer, PHOTO, face=2, n_masks=300)
    assert found.target == "happiness"
    assert found.value > 0.8
    assert max(found.parts, key=lambda name: found.parts[name]) == "mouth"
    assert sum(found.parts.values()) == pytest.approx(found.value - found.without_detail, abs=0.02)
    assert found.deletion_area < found.random_area - 0.15
    assert found.prototypes[0].expression == "happiness"
    assert [one.similarity for one in found.prototypes] == sorted(
        (p.similarity for p in found.prototypes), reverse=True
    )
    assert found.picture().shape == (336, 336 * 5, 3)
    assert str(found).startswith(("happiness 0.", "happiness 1.00"))
    assert set(found.to_dict()) >= {"target", "parts", "prototypes"}


def test_other_weights_have_another_map(tmp_path: Path, analyzer: Analyzer) -> None:
    """Sanity check of Adebayo et al. 2018: with weights that are shuffled within each layer, the map is another one."""
    crop = explain_face(analyzer, PHOTO, face=2, method="occlusion").crop
    real = explain_crop(analyzer, crop, target="happiness", method="occlusion").saliency
    again = explain_crop(analyzer, crop, target="happiness", method="occlusion").saliency
    np.testing.assert_array_equal(real, again)
    other = Analyzer(write_shuffled(tmp_path / "shuffled"), threads=1)
    shuffled = explain_crop(other, crop, target="happiness", method="occlusion").saliency
    assert abs(np.corrcoef(real.ravel(), shuffled.ravel())[0, 1]) < 0.5


def test_every_kind_of_target_is_explained(analyzer: Analyzer) -> None:
    crop = np.full((80, 80), 128, np.uint8)
    for target in ("valence", "AU12", "surprise"):
        found = explain_crop(analyzer, crop, target=target, method="occlusion", n_prototypes=0)
        assert (found.parts, found.prototypes) == ({}, ())
        assert np.isfinite(target_score(analyzer, target)(crop[None])).all()


def test_what_is_not_there_is_one_sentence(analyzer: Analyzer) -> None:
    with pytest.raises(ConfigError, match="no face 3; the image has 2"):
        explain_face(analyzer, PHOTO, face=3)
    with pytest.raises(ConfigError, match="explain one of neutral"):
        explain_face(analyzer, PHOTO, target="AU99")
    with pytest.raises(ConfigError, match="rise or occlusion"):
        explain_face(analyzer, PHOTO, method="gradient")  # type: ignore[arg-type]  # wrong on purpose


def test_the_sheet_holds_a_face_of_every_expression_in_every_row(tmp_path: Path, analyzer: Analyzer) -> None:
    tiles = prototype_tiles()
    assert len(tiles) == 64
    assert {tile.shape for _, tile in tiles} == {(112, 112, 3)}
    happiness = {
        name: float(np.mean(analyzer.crops([tile for label, tile in tiles if label == name])["expression_happiness"]))
        for name in ("happiness", "neutral", "anger")
    }
    assert max(happiness, key=lambda name: happiness[name]) == "happiness"
    happy = [tile for label, tile in tiles if label == "happiness"]
    cv2.imwrite(str(tmp_path / "tile.png"), happy[0])
    assert len(analyzer.image(tmp_path / "tile.png")) == 1
