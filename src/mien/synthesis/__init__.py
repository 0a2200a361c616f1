# SPDX-License-Identifier: Apache-2.0
"""Synthetic faces with exact labels (extra ``synthesis``): recipes, rendering, data sets, clips and contact sheets.

Recipes, tables and shapes need NumPy alone, drawn bodies OpenCV; what draws a face needs Numba and raises
`mien.core.MissingExtraError` without it. Super-resolution of training images is here, too (extra ``upscale``).
"""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.synthesis.clips import clip_frames
    from mien.synthesis.contact_sheet import preview, unit_preview
    from mien.synthesis.counterfactual_pairs import PAIR_TRAITS, counterfactual_pairs
    from mien.synthesis.dataset import FORMATS, Format, SynthesisReport, label_schema, read_labels, synthesize
    from mien.synthesis.drawn_bodies import StickFigures, stick_figures
    from mien.synthesis.expressions import (
        BASIC_EXPRESSIONS,
        COMPOUND_PROTOTYPES,
        EXPRESSION_VA,
        PROTOTYPES,
        Prototype,
        valence_arousal,
    )
    from mien.synthesis.head.actions import COLLINEAR_UNITS, UNIT_ACTIONS, UnitActions, UnitVector
    from mien.synthesis.head.basis import HeadBasis
    from mien.synthesis.head.makehuman import load_basis
    from mien.synthesis.head.person import Person, sample_person
    from mien.synthesis.outliers import OUTLIERS, Outlier, draw_outliers
    from mien.synthesis.sampling import Expression, sample_expression
    from mien.synthesis.super_resolution.upscaled_data import UpscaleReport, upscale
    from mien.synthesis.super_resolution.upscaler import (
        DEFAULT_SCALE,
        DEFAULT_UPSCALER,
        UPSCALERS,
        Upscaler,
        UpscalerRecord,
        UpscalingCost,
        create_upscaler,
        measure_upscalers,
    )
    from mien.synthesis.synthesis_recipe import (
        CameraRange,
        ClipOptions,
        Degradation,
        ExpressionMix,
        OcclusionShares,
        PoseRange,
        SynthesisRecipe,
        list_synthesis_recipes,
        load_synthesis_recipe,
    )
    from mien.synthesis.synthetic_faces import LABELLED_UNITS, SIDED_UNITS, Identity, SyntheticFace, render_faces

__all__ = [
    "BASIC_EXPRESSIONS",
    "COLLINEAR_UNITS",
    "COMPOUND_PROTOTYPES",
    "DEFAULT_SCALE",
    "DEFAULT_UPSCALER",
    "EXPRESSION_VA",
    "FORMATS",
    "LABELLED_UNITS",
    "OUTLIERS",
    "PAIR_TRAITS",
    "PROTOTYPES",
    "SIDED_UNITS",
    "UNIT_ACTIONS",
    "UPSCALERS",
    "CameraRange",
    "ClipOptions",
    "Degradation",
    "Expression",
    "ExpressionMix",
    "Format",
    "HeadBasis",
    "Identity",
    "OcclusionShares",
    "Outlier",
    "Person",
    "PoseRange",
    "Prototype",
    "StickFigures",
    "SynthesisRecipe",
    "SynthesisReport",
    "SyntheticFace",
    "UnitActions",
    "UnitVector",
    "UpscaleReport",
    "Upscaler",
    "UpscalerRecord",
    "UpscalingCost",
    "clip_frames",
    "counterfactual_pairs",
    "create_upscaler",
    "draw_outliers",
    "label_schema",
    "list_synthesis_recipes",
    "load_basis",
    "load_synthesis_recipe",
    "measure_upscalers",
    "preview",
    "read_labels",
    "render_faces",
    "sample_expression",
    "sample_person",
    "stick_figures",
    "synthesize",
    "unit_preview",
    "upscale",
    "valence_arousal",
]

_LAZY = MappingProxyType(
    {
        "clips": ("clip_frames",),
        "dataset": ("FORMATS", "Format", "SynthesisReport", "label_schema", "read_labels", "synthesize"),
        "expressions": (
            "BASIC_EXPRESSIONS",
            "COMPOUND_PROTOTYPES",
            "EXPRESSION_VA",
            "PROTOTYPES",
            "Prototype",
            "valence_arousal",
        ),
        "synthetic_faces": ("LABELLED_UNITS", "SIDED_UNITS", "Identity", "SyntheticFace", "render_faces"),
        "head.actions": ("COLLINEAR_UNITS", "UNIT_ACTIONS", "UnitActions", "UnitVector"),
        "head.basis": ("HeadBasis",),
        "head.makehuman": ("load_basis",),
        "head.person": ("Person", "sample_person"),
        "counterfactual_pairs": ("PAIR_TRAITS", "counterfactual_pairs"),
        "outliers": ("OUTLIERS", "Outlier", "draw_outliers"),
        "contact_sheet": ("preview", "unit_preview"),
        "synthesis_recipe": (
            "CameraRange",
            "ClipOptions",
            "Degradation",
            "ExpressionMix",
            "OcclusionShares",
            "PoseRange",
            "SynthesisRecipe",
            "list_synthesis_recipes",
            "load_synthesis_recipe",
        ),
        "sampling": ("Expression", "sample_expression"),
        "drawn_bodies": ("StickFigures", "stick_figures"),
        "super_resolution.upscaled_data": ("UpscaleReport", "upscale"),
        "super_resolution.upscaler": (
            "DEFAULT_SCALE",
            "DEFAULT_UPSCALER",
            "UPSCALERS",
            "Upscaler",
            "UpscalerRecord",
            "UpscalingCost",
            "create_upscaler",
            "measure_upscalers",
        ),
    }
)


def __getattr__(name: str) -> Any:
    home = next((module for module, names in _LAZY.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'mien.synthesis' has no attribute {name!r}")
    value = getattr(import_module(f"mien.synthesis.{home}"), name)
    globals()[name] = value
    return value
