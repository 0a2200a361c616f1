# SPDX-License-Identifier: Apache-2.0
"""Every shipped bundle has its cards, and every card carries the hash of the weights that are shipped."""

import hashlib

import pytest

from mien.inference import list_bundles, load_spec
from mien.pipeline import list_all_bundles
from tests.helpers.repository import ROOT

CARDS = ROOT / "docs/reference/cards"
PAGES = {"mien-light": "model-card.md", "mien-accurate": "model-card-accurate.md"}
QUICK = "run: make docs cards"
WHOLE = "run: python -m benchmarks trust --data DATA --model NAME"


WEIGHTS = {name: "geometry.bin" if name == "mien-geometry" else "model.onnx" for name in list_all_bundles()}


@pytest.mark.parametrize("name", WEIGHTS)
def test_cards_carry_the_hash_of_the_weights(name: str) -> None:
    found = {path.name: path.read_text("utf-8") for path in (CARDS / name).iterdir()}
    assert {"model-card.md", "data-card.md", "provenance.json"} <= set(found), QUICK
    digest = hashlib.sha256((ROOT / "src/mien/bundles" / name / WEIGHTS[name]).read_bytes()).hexdigest()
    assert [card for card, text in found.items() if digest not in text] == [], QUICK
    if name in PAGES:
        assert digest in (ROOT / "docs/reference" / PAGES[name]).read_text("utf-8"), QUICK


@pytest.mark.parametrize("name", list_bundles("affect"))
def test_new_weights_are_calibrated_and_audited(name: str) -> None:
    missing = [] if (CARDS / name / "audit.md").is_file() else ["audit"]
    missing += [] if load_spec(name).uncertainty is not None else ["calibration"]
    if missing:
        pytest.skip(f"{name} has no {' and no '.join(missing)} of its weights yet; {WHOLE}")


@pytest.mark.parametrize("place", ["docs/reference/cards", "src/mien/bundles"])
def test_sums_are_those_of_the_files(place: str) -> None:
    lines = (ROOT / place / "SHA256SUMS").read_text("utf-8").splitlines()
    names = [line.partition("  ")[2] for line in lines]
    folder = ROOT / "src/mien/bundles"
    shipped = {f"{file.parent.name}/{file.name}" for file in folder.glob("*/*") if file.is_file()}
    assert (set(names), len(names)) == (shipped, len(shipped)), QUICK
    for line in lines:
        digest, _, file = line.partition("  ")
        content = (folder / file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, (file, QUICK)
