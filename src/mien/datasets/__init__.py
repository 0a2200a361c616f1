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
from mien.datasets.open_faces import (
    FERPLUS_TEMPLATE,
    OpenFaces,
    affect_map,
    load_ferplus,
    load_lfw,
    load_open_faces,
    person,
)
from mien.datasets.samples import FaceSamples, concatenate
from mien.datasets.teaching import AU_RULES, AffectMap, AuRule, action_unit_chances, expression_shares

__all__ = [
    "AU_RULES",
    "FERPLUS_TEMPLATE",
    "VOTES",
    "AffectMap",
    "AuRule",
    "FaceSamples",
    "OpenFaces",
    "Pictures",
    "TeacherAnswers",
    "action_unit_chances",
    "affect_map",
    "concatenate",
    "expression_shares",
    "load_emotions",
    "load_ferplus",
    "load_lfw",
    "load_open_faces",
    "load_pictures",
    "load_ratings",
    "load_teacher",
    "load_votes",
    "person",
]
