# SPDX-License-Identifier: Apache-2.0
"""Every file that a command writes, and what of people it holds: the data behind the page of the data inventory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Content = Literal["pixels", "faces", "names", "summary", "none"]
"""Images of people; numbers about faces; names that a user entered; numbers about recordings; nothing of people."""

MEANINGS: dict[Content, str] = {
    "pixels": "images that may show people",
    "faces": "numbers about single faces: boxes, landmarks, predictions, embeddings",
    "names": "numbers about single faces, and names of persons that a user entered",
    "summary": "numbers about whole recordings or groups, names of files",
    "none": "nothing of people: weights, settings, drawn faces",
}
"""Content class -> what it means."""


@dataclass(frozen=True, kw_only=True)
class WrittenFile:
    """One kind of file that a command writes.

    Attributes:
        command: Name of the command.
        option: Option that asks for it.
        files: Its name or pattern.
        content: Content class.
        note: What else a reader should know.
    """

    command: str
    option: str
    files: str
    content: Content
    note: str = ""


def _file(command: str, option: str, files: str, content: Content, note: str = "") -> WrittenFile:
    return WrittenFile(command=command, option=option, files=files, content=content, note=note)


_MANIFEST = "names of inputs, their SHA-256, options"
_PART = "rows until the run ends, in a folder that is closed to others"

WRITTEN_FILES: tuple[WrittenFile, ...] = (
    _file("analyze", "--out", "TABLE", "faces", "no image; landmarks with --landmarks"),
    _file("analyze", "--out", "TABLE.manifest.json", "summary", _MANIFEST),
    _file("analyze", "--out", "failures.csv", "summary", "names of inputs that failed"),
    _file("analyze", "--out", "TABLE.parts/, TABLE.recovered", "faces", _PART),
    _file(
        "analyze",
        "--overlay",
        "video or image",
        "pixels",
        "--overlay-anonymous hides the faces that are found; the voice with --overlay-sound",
    ),
    _file("analyze", "--report", "page", "pixels", "faces and frames; none with --no-frames and --no-pixels"),
    _file("analyze", "--openface", "CSV, CSV.about.json", "faces"),
    _file("live", "--out", "TABLE, TABLE.manifest.json", "faces"),
    _file("summarize", "--out", "table of summaries", "summary"),
    _file("summarize", "--events", "table of events", "faces"),
    _file("summarize", "--transitions", "table of transitions", "summary"),
    _file(
        "report",
        "--out",
        "page",
        "pixels",
        "faces and frames, the whole video with --playback embed; none with --no-frames",
    ),
    _file("smooth", "--out", "TABLE", "faces"),
    _file("tracks", "--out", "TABLE", "names"),
    _file("tracks", "--thumbnails", "SOURCE-track-ID.jpg", "pixels"),
    _file("tracks", "--forget", "TABLE", "names", "the table itself, without the rows of a person"),
    _file("compound", "--out", "TABLE", "faces"),
    _file("convert", "--out", "TABLE, .xlsx, .sav, .eaf, or CSV of OpenFace", "faces"),
    _file("explain", "--out", "image", "pixels", "the face and its map; the faces beside it are rendered"),
    _file("features", "--out", "shards", "faces", "embeddings: a face may be recognised by them"),
    _file("adapt", "--out", "overlay (.json)", "faces", "what a person or site differs by, without name and image"),
    _file("utterances", "--out", "table of scores", "faces", "predictions for each utterance, without its text"),
    _file("audit", "--out", "audit.html, audit.csv, audit.json", "summary", "groups of at least 20 faces"),
    _file("models", "--out", "cards, SHA256SUMS", "none"),
    _file("train", "--out", "bundle, checkpoint, log", "none", "weights may remember faces that they were trained on"),
    _file("train", "--work", "checkpoints", "none"),
    _file("train", "--cache", "decoded pictures", "pixels", "those of the data sets; in the user's cache by default"),
    _file("export", "--out", "bundle", "none"),
    _file("import", "--out", "bundle or start weights", "none"),
    _file("submit", "--out", "submission", "faces", "predictions by the names of the challenge's files"),
    _file("synthesize", "--out", "images, labels, videos", "none", "rendered faces, which show no one"),
    _file("synthesize", "--preview", "image", "none"),
    _file("synthesize", "--preview-units", "image", "none"),
    _file("upscale", "--out", "images", "pixels", "those of the data set that is enlarged"),
)
"""Every kind of file that commands write; a test compares it with the options of the commands."""

WRITES_NOTHING = ("bench", "blend", "data", "evaluate")
"""Commands that print and write no file."""


def inventory_page() -> str:
    """The page of the data inventory as Markdown."""
    lines = [
        "# Data inventory",
        "",
        "<!-- Written by `make docs` from mien.cli.data_inventory; change it there. -->",
        "",
        "Every file that a command writes, with what it holds of people. Nothing else is written: temporary files are",
        "beside their target and hold the same as the target. `analyze --no-pixels` refuses everything of the class",
        "pixels.",
        "",
        "| content | meaning |",
        "|---|---|",
        *(f"| {name} | {meaning} |" for name, meaning in MEANINGS.items()),
        "",
        "| command | option | files | content | note |",
        "|---|---|---|---|---|",
        *(f"| `{one.command}` | `{one.option}` | {one.files} | {one.content} | {one.note} |" for one in WRITTEN_FILES),
        "",
        f"These commands print and write no file: {', '.join(f'`{name}`' for name in WRITES_NOTHING)}.",
        "",
    ]
    return "\n".join(lines)
