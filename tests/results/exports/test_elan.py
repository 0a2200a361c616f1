# SPDX-License-Identifier: Apache-2.0
"""Files of ELAN: tiers of each face and signal, on the clock of the recording."""

from pathlib import Path
from xml.etree import ElementTree

from mien.results import summarize_table, write_elan
from tests.helpers.affect_tables import faces, write_frames


def test_tiers_and_times(tmp_path: Path) -> None:
    seen = [("fear" if index < 10 else "anger", 0.9 if index >= 15 else 0.1) for index in range(20)]
    frames = [(index / 10, faces((3, label, 0.1, unit))) for index, (label, unit) in enumerate(seen)]
    events = summarize_table(write_frames(tmp_path / "t.parquet", {"a.mp4": frames})).events.to_pylist()
    (tmp_path / "a b.mp4").write_bytes(b"")
    (tmp_path / "out").mkdir()
    n = write_elan(tmp_path / "out" / "a.eaf", events, media=tmp_path / "a b.mp4", offset_s=0.5)
    root = ElementTree.parse(tmp_path / "out" / "a.eaf").getroot()
    assert n == len(root.findall(".//ALIGNABLE_ANNOTATION")) == 3
    tiers = {tier.attrib["TIER_ID"]: tier for tier in root.iter("TIER")}
    assert set(tiers) == {"track 3 fear", "track 3 anger", "track 3 AU12 lip corner puller"}
    times = {slot.attrib["TIME_SLOT_ID"]: int(slot.attrib["TIME_VALUE"]) for slot in root.iter("TIME_SLOT")}
    (annotation,) = tiers["track 3 AU12 lip corner puller"].iter("ALIGNABLE_ANNOTATION")
    assert times[annotation.attrib["TIME_SLOT_REF1"]] == 2000  # 1.5 s and the offset
    assert times[annotation.attrib["TIME_SLOT_REF2"]] == 2500
    assert annotation.findtext("ANNOTATION_VALUE") == "AU12 lip corner puller 0.90"
    media = root.find(".//MEDIA_DESCRIPTOR")
    assert media is not None
    assert media.attrib["RELATIVE_MEDIA_URL"] == "./../a%20b.mp4"


def test_a_recording_without_events_and_without_its_file(tmp_path: Path) -> None:
    assert write_elan(tmp_path / "a.eaf", [], media=None) == 0
    root = ElementTree.parse(tmp_path / "a.eaf").getroot()
    assert root.find(".//MEDIA_DESCRIPTOR") is None
    assert root.attrib["FORMAT"] == "3.0"


def test_a_name_that_xml_cannot_hold(tmp_path: Path) -> None:
    event = {"person": "a<b>\x07", "track_id": None, "kind": "action_unit", "signal": "AU12", "onset_s": 0.0}
    write_elan(tmp_path / "a.eaf", [{**event, "offset_s": 1.0, "peak": 0.5}], media=None)
    (tier,) = ElementTree.parse(tmp_path / "a.eaf").getroot().iter("TIER")
    assert tier.attrib["PARTICIPANT"] == "a<b>"
