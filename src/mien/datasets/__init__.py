# SPDX-License-Identifier: Apache-2.0
"""Data set folders read into samples with masks; no tensors, no downloads."""

from mien.datasets.faces_parquet import (
    VOTES,
    Pictures,
    TeacherAnswers,
    load_emotions,
    load_pictures,
    load_ratings,
    load_teacher,
    load_votes,
)
from mien.datasets.samples import FaceSamples, concatenate

__all__ = [
    "VOTES",
    "FaceSamples",
    "Pictures",
    "TeacherAnswers",
    "concatenate",
    "load_emotions",
    "load_pictures",
    "load_ratings",
    "load_teacher",
    "load_votes",
]
