# SPDX-License-Identifier: Apache-2.0
"""Cards carry the hash of the weights, and audits of other weights are refused."""

import hashlib
import json
from pathlib import Path

import pytest

from mien.core import InputError, ModelError, OutputError
from mien.inference import find_bundle, list_bundles, load_geometry, load_spec
from mien.pipeline import audit_summary, data_card, list_all_bundles, provenance_manifest, write_cards

VERDICT = {
    "measure": "logit of AU12, equal geometry",
    "column": "gender",
    "group": "Female",
    "gap": 0.3,
    "low": 0.2,
    "high": 0.4,
    "limit": 0.2,
    "verdict": "above",
}


def audit_of(name: str) -> dict[str, object]:
    return {
        "weights_sha256": load_spec(name).sha256,
        "verdicts": [VERDICT],
        "notes": ["A note."],
        "data": "FairFace val",
        "n": 9,
        "command": "mien audit DATA",
        "mean_corruption_error": 0.125,
    }


def test_every_card_of_every_bundle_carries_the_hash_of_its_weights(tmp_path: Path) -> None:
    for name in list_bundles("affect"):
        (tmp_path / "audits" / name).mkdir(parents=True)
        (tmp_path / "audits" / name / "audit.json").write_text(json.dumps(audit_of(name)), "utf-8")
    written = write_cards(list_all_bundles(), tmp_path / "cards", audits=tmp_path / "audits")
    for name in list_all_bundles():
        cards = [path for path in written if path.parent.name == name]
        assert len(cards) == (4 if name in list_bundles("affect") else 3)
        for path in cards:
            spec = load_geometry(name).spec if name == "mien-geometry" else load_spec(name)
            assert spec.sha256 in path.read_text("utf-8"), path
    sums = (tmp_path / "cards/SHA256SUMS").read_text("utf-8").splitlines()
    assert len(sums) == 2 * len(list_all_bundles())
    for line in sums:
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((find_bundle("mien-light").parent / name).read_bytes()).hexdigest() == digest


def test_the_sums_of_other_bundles_stay_while_their_cards_do(tmp_path: Path) -> None:
    write_cards(["mien-light", "mien-points"], tmp_path)
    both = (tmp_path / "SHA256SUMS").read_text("utf-8")
    assert [line.partition("  ")[2].partition("/")[0] for line in both.splitlines()] == [
        *["mien-light"] * 2,
        *["mien-points"] * 2,
    ]
    stale = "0" * 64
    (tmp_path / "SHA256SUMS").write_text(
        both.replace(load_spec("mien-light").sha256, stale) + f"{stale}  gone/model.onnx\n", "utf-8"
    )
    write_cards(["mien-light"], tmp_path)
    assert (tmp_path / "SHA256SUMS").read_text("utf-8") == both
    (tmp_path / "SHA256SUMS").write_bytes(b"\xff")
    with pytest.raises(OutputError, match="SHA256SUMS cannot be continued"):
        write_cards(["mien-light"], tmp_path)


def test_sources_have_licences_and_commands_are_listed() -> None:
    manifest = provenance_manifest("mien-light")
    assert manifest["weights_sha256"] == manifest["files_sha256"]["model.onnx"]
    assert all(source["licence"] for source in manifest["sources"])
    assert any(command.startswith("mien evaluate ferplus") for command in manifest["commands"])
    assert "FairFace" in data_card(load_spec("mien-light"))


def test_an_audit_of_other_weights_is_refused(tmp_path: Path) -> None:
    spec = load_spec("mien-light")
    assert "+0.300" in audit_summary(audit_of("mien-light"), spec)
    with pytest.raises(ModelError, match="audit it again"):
        audit_summary(audit_of("mien-light") | {"weights_sha256": "0" * 64}, spec)
    (tmp_path / "mien-light").mkdir()
    (tmp_path / "mien-light/audit.json").write_text("[]", "utf-8")
    with pytest.raises(InputError, match="is no audit"):
        write_cards(["mien-light"], tmp_path / "cards", audits=tmp_path)


def test_small_changes_of_the_crop_are_in_the_summary() -> None:
    top = {"name": "another top expression", "n": 150, "value": 0.0421, "low": 0.0219, "high": 0.0671}
    valence = top | {"name": "valence", "value": 0.9}
    jitters = [
        {"jitter": "shifted by 5 %", "level": "crop", "changes": [top, valence]},
        {"jitter": "mirrored", "level": "image", "changes": [top]},
        {"jitter": "scaled by 5 %", "level": "crop", "changes": [valence]},
    ]
    spec = load_spec("mien-light")
    summary = audit_summary(audit_of("mien-light") | {"jitters": jitters}, spec)
    assert "| shifted by 5 % | 0.042 | 0.022 to 0.067 | 150 |" in summary
    assert "mirrored" not in summary
    assert "scaled" not in summary
    assert "change of the crop" not in audit_summary(audit_of("mien-light"), spec)


def test_a_summary_of_other_weights_is_removed_and_one_of_these_stays(tmp_path: Path) -> None:
    spec, summary = load_spec("mien-light"), tmp_path / "mien-light/audit.md"
    summary.parent.mkdir()
    summary.write_text(f"of {spec.sha256}", "utf-8")
    write_cards(["mien-light"], tmp_path)
    assert summary.is_file()
    summary.write_text("of 0000", "utf-8")
    write_cards(["mien-light"], tmp_path, audits=tmp_path / "none")
    assert not summary.exists()
