# SPDX-License-Identifier: Apache-2.0
"""Events of a recording as annotations of ELAN."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from mien.core import ACTION_UNITS
from mien.results.files import atomic_write, output_errors

_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mpg": "video/mpeg",
    ".avi": "video/avi",
}
_LINGUISTIC_TYPE = "mien"


def write_elan(path: Path, events: Sequence[Mapping[str, Any]], *, media: Path | None, offset_s: float = 0.0) -> int:
    """Writes the events of one recording as a file of ELAN (.eaf, format 3.0), a tier for each face and signal.

    The text of an annotation is the signal with its highest probability, such as ``AU12 lip corner puller 0.93``.

    Args:
        path: Path of the file, in an existing folder.
        events: Rows of `mien.results.Summary.events` of one source.
        media: Path of the recording, which ELAN opens beside the tiers; None if it is not there.
        offset_s: Time on the clock of the file at second 0 of the events, in seconds.

    Returns:
        Number of annotations.

    Raises:
        OutputError: The place cannot be written.
    """
    document = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "mien",
            "DATE": datetime.now(UTC).isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
        },
    )
    header = ElementTree.SubElement(document, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    if media is not None:
        ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", _descriptor(path, media))
    order = ElementTree.SubElement(document, "TIME_ORDER")
    tiers: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        tiers.setdefault(_tier(event), []).append(event)
    n_slots = n_annotations = 0
    for name, own in tiers.items():
        tier = ElementTree.SubElement(
            document, "TIER", {"LINGUISTIC_TYPE_REF": _LINGUISTIC_TYPE, "PARTICIPANT": _face(own[0]), "TIER_ID": name}
        )
        for event in sorted(own, key=lambda one: one["onset_s"]):
            slots = []
            for time_s in (event["onset_s"], event["offset_s"]):
                n_slots += 1
                slots.append(f"ts{n_slots}")
                milliseconds = max(0, round(1000 * (time_s + offset_s)))
                ElementTree.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slots[-1], "TIME_VALUE": str(milliseconds)})
            n_annotations += 1
            annotation = ElementTree.SubElement(
                ElementTree.SubElement(tier, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                {"ANNOTATION_ID": f"a{n_annotations}", "TIME_SLOT_REF1": slots[0], "TIME_SLOT_REF2": slots[1]},
            )
            ElementTree.SubElement(annotation, "ANNOTATION_VALUE").text = f"{_signal(event)} {event['peak']:.2f}"
    ElementTree.SubElement(
        document,
        "LINGUISTIC_TYPE",
        {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": _LINGUISTIC_TYPE, "TIME_ALIGNABLE": "true"},
    )
    ElementTree.indent(document)
    with output_errors(path, "choose a folder with room that you may write"), atomic_write(path) as file:
        file.write(ElementTree.tostring(document, encoding="UTF-8", xml_declaration=True) + b"\n")
    return n_annotations


def _descriptor(path: Path, media: Path) -> dict[str, str]:
    where = {"MEDIA_URL": media.resolve().as_uri(), "MIME_TYPE": _TYPES.get(media.suffix.lower(), "unknown")}
    try:
        relative = os.path.relpath(media.resolve(), path.resolve().parent).replace(os.sep, "/")
    except ValueError:  # Windows: another drive
        return where
    return {**where, "RELATIVE_MEDIA_URL": "./" + quote(os.fsencode(relative))}


def _face(event: Mapping[str, Any]) -> str:
    return _xml_text(event["person"] or f"track {event['track_id']}")


def _signal(event: Mapping[str, Any]) -> str:
    return _xml_text(ACTION_UNITS.full(event["signal"]))


def _tier(event: Mapping[str, Any]) -> str:
    """Each signal has a tier of its own: annotations of one tier may not overlap, and events of two signals do."""
    return f"{_face(event)} {_signal(event)}"


def _xml_text(text: str) -> str:
    """The text without the signs that XML cannot hold."""
    return "".join(sign for sign in text if sign.isprintable() or sign in "\t\n")
