# SPDX-License-Identifier: Apache-2.0
"""Evaluation by named protocols, challenge submissions, and searches on validation data."""

from mien.evaluation.audit.audit import AT_EQUAL_GEOMETRY, AuditReport, FacePair, Verdict, audit, pair_changes
from mien.evaluation.audit.audit_page import audit_page
from mien.evaluation.audit.audit_samples import AuditSamples, load_audit_samples
from mien.evaluation.challenge.clip_head_predictions import HeadsOnFeatures
from mien.evaluation.challenge.crop_scores import BundleOnCropFolder
from mien.evaluation.challenge.ensembles import TablePredictor
from mien.evaluation.challenge.head_scores import HeadOnFrames, sound_rows
from mien.evaluation.challenge.post_processing import PostProcessing, own_thresholds
from mien.evaluation.challenge.predictions import read_list, read_predictions, validate_predictions, write_predictions
from mien.evaluation.challenge.submission_formats import (
    PREDICTION_FORMATS,
    SUBMISSIONS,
    SubmissionField,
    SubmissionFormat,
    submission_format,
)
from mien.evaluation.challenge.submissions import Submission, validate_submission, write_submission
from mien.evaluation.conformal import (
    binomial_band,
    expression_limits,
    half_widths,
    in_first_half,
    unit_offsets,
)
from mien.evaluation.evaluate import evaluate
from mien.evaluation.evaluation_report import Report, bootstrap_group_metric, bootstrap_metric
from mien.evaluation.predictors import BundleOnCrops, PredictionFile, Predictor
from mien.evaluation.protocols.action_units.au_teacher import implied_by_expression
from mien.evaluation.protocols.registry import PROTOCOLS, Protocol
from mien.evaluation.subjects import create_predictor
from mien.evaluation.tuning import (
    ThresholdSearch,
    choose_compound_model,
    search_thresholds,
    search_thresholds_on,
    search_weights,
    small_set_note,
)

__all__ = [
    "AT_EQUAL_GEOMETRY",
    "PREDICTION_FORMATS",
    "PROTOCOLS",
    "SUBMISSIONS",
    "AuditReport",
    "AuditSamples",
    "BundleOnCropFolder",
    "BundleOnCrops",
    "FacePair",
    "HeadOnFrames",
    "HeadsOnFeatures",
    "PostProcessing",
    "PredictionFile",
    "Predictor",
    "Protocol",
    "Report",
    "Submission",
    "SubmissionField",
    "SubmissionFormat",
    "TablePredictor",
    "ThresholdSearch",
    "Verdict",
    "audit",
    "audit_page",
    "binomial_band",
    "bootstrap_group_metric",
    "bootstrap_metric",
    "choose_compound_model",
    "create_predictor",
    "evaluate",
    "expression_limits",
    "half_widths",
    "implied_by_expression",
    "in_first_half",
    "load_audit_samples",
    "own_thresholds",
    "pair_changes",
    "read_list",
    "read_predictions",
    "search_thresholds",
    "search_thresholds_on",
    "search_weights",
    "small_set_note",
    "sound_rows",
    "submission_format",
    "unit_offsets",
    "validate_predictions",
    "validate_submission",
    "write_predictions",
    "write_submission",
]
