# SPDX-License-Identifier: Apache-2.0
"""Cards of bundles that are not in the wheel go into a folder of their own."""

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.trust import trust_cards
from mien.inference import find_bundle, load_spec
from tests.pipeline.test_cards import audit_of


def test_cards_of_a_folder_leave_the_checkout_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Path(shutil.copytree(find_bundle("mien-light"), tmp_path / "bundle"))
    audits, cards = tmp_path / "audits", tmp_path / "cards"
    (audits / "mien-light").mkdir(parents=True)
    (audits / "mien-light/audit.json").write_text(json.dumps(audit_of("mien-light")), "utf-8")
    monkeypatch.setattr(trust_cards, "ROOT", tmp_path / "no checkout")
    given = ["--data", str(tmp_path), "--keep", "--model", str(bundle), "--audits", str(audits), "--out", str(cards)]
    assert trust_cards.main(given) == 0
    names = {path.name for path in (cards / "mien-light").iterdir()}
    assert names == {"model-card.md", "data-card.md", "provenance.json", "audit.md"}
    assert "for the group Female" in load_spec(bundle).limitations[-1]
    assert "for the group Female" in (cards / "mien-light/model-card.md").read_text("utf-8")
    assert not (tmp_path / "no checkout").exists()
