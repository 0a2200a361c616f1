# SPDX-License-Identifier: Apache-2.0
"""Data set folders read into samples with masks; no tensors, no downloads. Each reader is imported when it is used."""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mien.core import ACTION_UNITS_8, ACTION_UNITS_12, COMPOUND_EXPRESSIONS, EMI_EMOTIONS, ERI_EMOTIONS
from mien.datasets.check import CheckReport, check_dataset
from mien.datasets.counts import Samples, SplitCounts
from mien.datasets.problems import AnnotationError, OnProblem
from mien.datasets.registry import DATASETS, DataSet, create_example, load_dataset

if TYPE_CHECKING:
    from mien.datasets.affectnet import load_affectnet, load_affectnet_npy
    from mien.datasets.affwild2 import load_affwild2_au, load_affwild2_expr, load_affwild2_va
    from mien.datasets.affwild2_mtl import load_affwild2_mtl
    from mien.datasets.cexpr import load_cexpr
    from mien.datasets.clips import ClipSamples
    from mien.datasets.columns import UNKNOWN
    from mien.datasets.crops import base_video, crop_files, find_videos
    from mien.datasets.faces_parquet import (
        VOTES,
        Pictures,
        TeacherAnswers,
        load_emotions,
        load_pictures,
        load_ratings,
        load_teacher,
        load_traits,
        load_votes,
    )
    from mien.datasets.fer import load_fer2013, load_ferplus_csv
    from mien.datasets.frame_lists import load_frame_list
    from mien.datasets.frames import FrameSamples
    from mien.datasets.hume import load_emi, load_eri
    from mien.datasets.images import ImageSamples
    from mien.datasets.label_columns import majority, plurality
    from mien.datasets.landmark_faces import LandmarkFaces, load_landmark_faces
    from mien.datasets.lsd import load_lsd
    from mien.datasets.open_faces import (
        FERPLUS_TEMPLATE,
        OpenFaces,
        affect_map,
        load_fairface,
        load_ferplus,
        load_lfw,
        load_open_faces,
        load_set_aside,
        person,
    )
    from mien.datasets.open_sets import load_affectnet_c25, load_open_fairface, load_open_ferplus, load_open_lfw
    from mien.datasets.rafdb import load_rafdb
    from mien.datasets.samples import FaceSamples, concatenate
    from mien.datasets.teaching import AU_RULES, AffectMap, AuRule, action_unit_chances, expression_shares

__all__ = [
    "ACTION_UNITS_8",
    "ACTION_UNITS_12",
    "AU_RULES",
    "COMPOUND_EXPRESSIONS",
    "DATASETS",
    "EMI_EMOTIONS",
    "ERI_EMOTIONS",
    "FERPLUS_TEMPLATE",
    "UNKNOWN",
    "VOTES",
    "AffectMap",
    "AnnotationError",
    "AuRule",
    "CheckReport",
    "ClipSamples",
    "DataSet",
    "FaceSamples",
    "FrameSamples",
    "ImageSamples",
    "LandmarkFaces",
    "OnProblem",
    "OpenFaces",
    "Pictures",
    "Samples",
    "SplitCounts",
    "TeacherAnswers",
    "action_unit_chances",
    "affect_map",
    "base_video",
    "check_dataset",
    "concatenate",
    "create_example",
    "crop_files",
    "expression_shares",
    "find_videos",
    "load_affectnet",
    "load_affectnet_c25",
    "load_affectnet_npy",
    "load_affwild2_au",
    "load_affwild2_expr",
    "load_affwild2_mtl",
    "load_affwild2_va",
    "load_cexpr",
    "load_dataset",
    "load_emi",
    "load_emotions",
    "load_eri",
    "load_fairface",
    "load_fer2013",
    "load_ferplus",
    "load_ferplus_csv",
    "load_frame_list",
    "load_landmark_faces",
    "load_lfw",
    "load_lsd",
    "load_open_faces",
    "load_open_fairface",
    "load_open_ferplus",
    "load_open_lfw",
    "load_pictures",
    "load_rafdb",
    "load_ratings",
    "load_set_aside",
    "load_teacher",
    "load_traits",
    "load_votes",
    "majority",
    "person",
    "plurality",
]

# Module -> names that it gives when one of them is asked for.
_LAZY = MappingProxyType(
    {
        "affectnet": (
            "load_affectnet",
            "load_affectnet_npy",
        ),
        "affwild2": (
            "load_affwild2_au",
            "load_affwild2_expr",
            "load_affwild2_va",
        ),
        "affwild2_mtl": ("load_affwild2_mtl",),
        "cexpr": ("load_cexpr",),
        "clips": ("ClipSamples",),
        "columns": ("UNKNOWN",),
        "crops": (
            "base_video",
            "crop_files",
            "find_videos",
        ),
        "faces_parquet": (
            "VOTES",
            "Pictures",
            "TeacherAnswers",
            "load_emotions",
            "load_pictures",
            "load_ratings",
            "load_teacher",
            "load_traits",
            "load_votes",
        ),
        "fer": (
            "load_fer2013",
            "load_ferplus_csv",
        ),
        "frame_lists": ("load_frame_list",),
        "frames": ("FrameSamples",),
        "hume": (
            "load_emi",
            "load_eri",
        ),
        "images": ("ImageSamples",),
        "label_columns": (
            "majority",
            "plurality",
        ),
        "landmark_faces": (
            "LandmarkFaces",
            "load_landmark_faces",
        ),
        "lsd": ("load_lsd",),
        "open_faces": (
            "FERPLUS_TEMPLATE",
            "OpenFaces",
            "affect_map",
            "load_fairface",
            "load_ferplus",
            "load_lfw",
            "load_open_faces",
            "load_set_aside",
            "person",
        ),
        "open_sets": (
            "load_affectnet_c25",
            "load_open_fairface",
            "load_open_ferplus",
            "load_open_lfw",
        ),
        "rafdb": ("load_rafdb",),
        "samples": (
            "FaceSamples",
            "concatenate",
        ),
        "teaching": (
            "AU_RULES",
            "AffectMap",
            "AuRule",
            "action_unit_chances",
            "expression_shares",
        ),
    }
)


def __getattr__(name: str) -> Any:
    home = next((module for module, names in _LAZY.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'mien.datasets' has no attribute {name!r}")
    value = getattr(import_module(f"mien.datasets.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
