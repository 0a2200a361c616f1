# SPDX-License-Identifier: Apache-2.0
"""The contents of a report, piece by piece."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mien.results import Moment, RunManifest, read_table
from mien.results.reports import report_content as content
from mien.results.summaries.source_parts import iter_parts
from mien.results.tables.recording import Recording
from tests.helpers.affect_tables import NOBODY, faces, write_frames


def recording_of(path: Path, frames: list, source: str = "a.mp4", **metadata: str) -> Recording:
    return Recording.from_table(source, read_table(write_frames(path, {source: frames}, **metadata)))


def test_numbers_as_text() -> None:
    row = {"coverage": 0.834, "valence_mean": 0.081, "valence_sd": 0.5249, "arousal_mean": -0.2, "arousal_sd": None}
    assert content.coverage_text(row) == "83%"
    assert content.mean_text(row, "valence") == "+0.08 ± 0.52"
    assert content.mean_text(row, "arousal") == "\N{MINUS SIGN}0.20"
    assert content.mean_text({}, "valence") == content.coverage_text({"coverage": None}) == "\N{EN DASH}"
    assert content.most_text({"expression_fear_share": 0.3, "expression_anger_share": 0.52}) == "anger 52%"
    assert content.most_text({"expression_fear_share": 0.01}) == "\N{EN DASH}"


def test_a_photo_in_lines(tmp_path: Path) -> None:
    crowd = recording_of(tmp_path / "t.parquet", [(0.0, faces(*[(-1, "fear", 0.5, 0.1)] * 10))])
    lines = content.still_lines(crowd)
    assert lines[0] == "fear 0.86 (V +0.50, A +0.00)"
    assert lines[-1] == "and 2 more faces"
    assert content.still_lines(recording_of(tmp_path / "u.parquet", [(0.0, NOBODY)])) == ["no face"]


def test_the_whole_image_of_a_photo(tmp_path: Path) -> None:
    whole = content.whole_image(recording_of(tmp_path / "t.parquet", [(0.0, faces((0, "fear", 0, 0)))]))
    assert (whole.frame, whole.box) == (0, None)


def test_what_the_manifest_says_of_a_table(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 5, 1, tzinfo=UTC)
    table = tmp_path / "t.csv"
    assert content.manifest_facts(table)[1][0] == "manifest"
    manifest = RunManifest(
        bundle_name="tiny", bundle_sha256="ab" * 32, arguments={"every": 2, "smooth": None}, started=now, finished=now
    )
    manifest.save(table)
    facts = dict(content.manifest_facts(table))
    assert facts["model"] == "tiny (abababababab)"
    assert facts["arguments"] == "every 2"


def test_pictures_are_asked_for_and_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_MAX_IMAGES", 3)
    asked: list[tuple[str, int]] = []

    def pictures(table: Path, source: str, moments: Sequence[Moment]) -> Mapping[Moment, bytes]:
        asked.append((f"{table.name}: {source}", len(moments)))
        return dict.fromkeys(moments, b"jpeg")

    gathered = content.ReportContent(9, pictures)
    for name in ("a", "b", "c"):
        frames = [(0.0, faces((0, "fear", 0, 0))), (0.1, faces((0, "anger", 0, 0)))]
        table = write_frames(tmp_path / f"{name}.parquet", {name: frames})
        gathered.add(table, iter_parts(table), {"AU12": 0.3})
    assert asked == [("a.parquet: a", 2), ("b.parquet: b", 1), ("c.parquet: c", 0)]
    values = gathered.values()
    assert values["sources"][0]["thresholds"] == {"AU01": 0.5, "AU12": 0.3}
    assert values["expressions"][0] == "neutral"
    assert values["sources"][0]["subjects"][0]["frames"][0]["image"] == "data:image/jpeg;base64,anBlZw=="
