# SPDX-License-Identifier: Apache-2.0
"""Named protocols: a data set, a predictor and measures make a report; and challenge submissions."""

from mien.evaluation.challenge.clip_head_predictions import HeadsOnFeatures
from mien.evaluation.challenge.crop_scores import BundleOnCropFolder, own_thresholds
from mien.evaluation.challenge.ensembles import AffectTables
from mien.evaluation.challenge.predictions import read_answers, read_list, validate_answers, write_answers
from mien.evaluation.challenge.submission_formats import ANSWERS, SUBMISSIONS, AnswerForm, Entry, submission_form
from mien.evaluation.challenge.submissions import Submission, write_submission
from mien.evaluation.evaluation_report import Measure, Report, measure, measure_groups
from mien.evaluation.predictors import AnswerFile, BundleOnCrops, Predictor
from mien.evaluation.protocols.au_teacher import implied_by_expression
from mien.evaluation.protocols.registry import PROTOCOLS, Protocol
from mien.evaluation.tuning import (
    ThresholdSearch,
    choose_compound_system,
    search_thresholds,
    search_thresholds_of,
    search_weights,
)

__all__ = [
    "ANSWERS",
    "PROTOCOLS",
    "SUBMISSIONS",
    "AffectTables",
    "AnswerFile",
    "AnswerForm",
    "BundleOnCropFolder",
    "BundleOnCrops",
    "Entry",
    "HeadsOnFeatures",
    "Measure",
    "Predictor",
    "Protocol",
    "Report",
    "Submission",
    "ThresholdSearch",
    "choose_compound_system",
    "implied_by_expression",
    "measure",
    "measure_groups",
    "own_thresholds",
    "read_answers",
    "read_list",
    "search_thresholds",
    "search_thresholds_of",
    "search_weights",
    "submission_form",
    "validate_answers",
    "write_answers",
    "write_submission",
]
