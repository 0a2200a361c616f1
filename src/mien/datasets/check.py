# SPDX-License-Identifier: Apache-2.0
"""Check of a data set folder: every missing or malformed file is named, the good ones are counted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from mien.core import InputError, is_folder
from mien.datasets.crop_folders import deeper_crops
from mien.datasets.frame_samples import FrameSamples
from mien.datasets.image_samples import ImageSamples
from mien.datasets.registry import DATASETS, DataSet, load_dataset, load_splits
from mien.datasets.samples import Samples, SplitCounts, some_names
from mien.datasets.text_files import AnnotationError


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """Result of a check.

    Attributes:
        name: Name of the data set.
        folder: Folder that was read.
        splits: Split -> its counts, in the order of the table; a split that cannot be read is absent.
        problems: Everything that is missing or malformed, in reading order.
        notes: What is unusual but not wrong: gaps, sizes unlike the published ones, shared videos.
    """

    name: str
    folder: Path
    splits: dict[str, SplitCounts]
    problems: tuple[AnnotationError, ...]
    notes: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or malformed."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The report as plain lists, dicts and numbers."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "complete": self.complete,
            "splits": {split: asdict(counts) for split, counts in self.splits.items()},
            "problems": [
                {"path": str(item.path), "line": item.line, "field": item.field, "reason": item.reason}
                for item in self.problems
            ],
            "notes": list(self.notes),
        }


def check_dataset(name: str, folder: str | Path) -> CheckReport:
    """Read every split of a data set and collect the problems instead of stopping at the first.

    Only the first fault of a malformed file is reported; the rest of the data set is still read.

    Args:
        name: Name in `DATASETS`.
        folder: Folder of the data set, laid out as its docs page says.

    Raises:
        ConfigError: The name is unknown.
        InputError: The folder does not exist.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("emi", folder)
        ...     report = check_dataset("emi", folder)
        >>> report.complete, {split: counts.n_rows for split, counts in report.splits.items()}
        (True, {'train': 2, 'valid': 1, 'test': 2})
    """
    folder = Path(folder)
    record = DATASETS[name]
    if not is_folder(folder):
        raise InputError(f"{folder}: no such folder; give the folder of {record.title}")
    # Keyed by text: a file that several splits share is read, and its fault reported, once for each of them.
    problems: dict[str, AnnotationError] = {}
    read: dict[str, Samples] = {}
    skipped: list[str] = []
    splits: tuple[str, ...] = (*record.splits, *record.optional_splits)
    if record.reads_all:
        splits = ()
        try:
            read = load_splits(name, folder)
        except AnnotationError as problem:
            problems[str(problem)] = problem
    for split in splits:
        found: list[AnnotationError] = []
        try:
            read[split] = load_dataset(name, folder, split, on_problem=found.append)
        except AnnotationError as problem:
            # An optional split may be absent; a file of it that exists and cannot be read is a problem.
            if split in record.optional_splits and not problem.path.is_file():
                skipped.append(f"{split}: not read ({problem.reason}); this split is optional")
            else:
                found.append(problem)
        problems |= {str(problem): problem for problem in found}
    absent = (path for samples in read.values() for path in samples.absent())
    problems |= {str(path): AnnotationError(path, "no such file") for path in absent}
    counts = {split: samples.counts() for split, samples in read.items()}
    notes = [note for samples in read.values() for note in samples.notes()]
    if any(isinstance(samples, FrameSamples) and samples.crops is None for samples in read.values()):
        notes += [
            f"{place} lies too deep to be read; crops belong into the folder itself" for place in deeper_crops(folder)
        ]
    notes += [*_sizes(record, counts), *_shared(read), *skipped]
    return CheckReport(name=name, folder=folder, splits=counts, problems=tuple(problems.values()), notes=tuple(notes))


def _sizes(record: DataSet, counts: dict[str, SplitCounts]) -> list[str]:
    """Notes on sizes unlike the published ones: an unfinished copy, or another edition."""
    notes = []
    for split, expected in record.published.items():
        if split not in counts:
            continue
        got = counts[split].n_tracks if record.published_unit == "tracks" else counts[split].n_rows
        if got != expected:
            notes.append(
                f"{split}: {got} {record.published_unit}, published {expected}; a part of it, or another edition"
            )
    return notes


def _shared(read: dict[str, Samples]) -> list[str]:
    """Notes on videos or images that two splits share."""
    notes = []
    for (first, a), (second, b) in combinations(read.items(), 2):
        shared = sorted(name for name in a.groups() & b.groups() if not _different_files(a, b, name))
        if shared:
            notes.append(f"{first} and {second} share {len(shared)} videos or images: {some_names(shared)}")
    return notes


def _different_files(a: Samples, b: Samples, name: str) -> bool:
    """Whether two sets of images use one name for two pictures, as the folders of LSD do."""
    if not (isinstance(a, ImageSamples) and isinstance(b, ImageSamples)) or a.folder is None or b.folder is None:
        return False
    first, second = a.folder / name, b.folder / name
    if first == second or not (first.is_file() and second.is_file()):
        return first != second
    return first.stat().st_size != second.stat().st_size or first.read_bytes() != second.read_bytes()
