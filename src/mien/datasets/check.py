# SPDX-License-Identifier: Apache-2.0
"""Is a data set folder complete and well formed? Every bad file is named; good ones are counted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from mien.core import InputError
from mien.datasets.registry import DATASETS, DataSet, load_dataset, load_splits
from mien.datasets.samples import Samples, SplitCounts, some_names
from mien.datasets.text_files import AnnotationError


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """What a check found.

    Attributes:
        name: of the data set.
        folder: that was read.
        splits: split -> what is in it, in the order of the table; a split that cannot be read is absent.
        problems: everything that is missing or malformed, in reading order.
        notes: what is unusual and yet no fault: gaps, sizes unlike the published ones, shared videos.
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
        """Plain lists, dicts and numbers."""
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
    """Read every split of a data set and collect what is wrong instead of stopping at it.

    Of a malformed file the first fault is named; the rest of the data set is still read.

    Args:
        name: in `DATASETS`.
        folder: as its docs page describes it.

    Raises:
        ConfigError: the name is unknown.
        InputError: there is no such folder.
    """
    folder = Path(folder)
    record = DATASETS[name]
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder of {record.title}")
    # By text, because the one file of several splits is read and found wanting once for each.
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
            # An optional split may be absent; one whose file is there and cannot be read is a fault like any other.
            if split in record.optional_splits and not problem.path.is_file():
                skipped.append(f"{split}: not read ({problem.reason}); this split is optional")
            else:
                found.append(problem)
        problems |= {str(problem): problem for problem in found}
    absent = (path for samples in read.values() for path in samples.absent())
    problems |= {str(path): AnnotationError(path, "no such file") for path in absent}
    counts = {split: samples.counts() for split, samples in read.items()}
    notes = [note for samples in read.values() for note in samples.notes()]
    notes += [*_sizes(record, counts), *_shared(read), *skipped]
    return CheckReport(name=name, folder=folder, splits=counts, problems=tuple(problems.values()), notes=tuple(notes))


def _sizes(record: DataSet, counts: dict[str, SplitCounts]) -> list[str]:
    """Sizes unlike the published ones: an unfinished copy, or another edition."""
    notes = []
    for split, expected in record.published.items():
        if split not in counts:
            continue
        got = counts[split].n_tracks if record.published_unit == "tracks" else counts[split].n_rows
        if got != expected:
            notes.append(f"{split}: {got} {record.published_unit}, published are {expected}; part of it, or an edition")
    return notes


def _shared(read: dict[str, Samples]) -> list[str]:
    """Videos or images that two splits share."""
    notes = []
    for (first, a), (second, b) in combinations(read.items(), 2):
        shared = sorted(a.groups() & b.groups())
        if shared:
            notes.append(f"{first} and {second} share {len(shared)} videos or images: {some_names(shared)}")
    return notes
