# SPDX-License-Identifier: Apache-2.0
"""Named protocols: a data set, a predictor and measures make a report; and challenge submissions."""

from mien.evaluation.action_units import implied_by_expression
from mien.evaluation.answers import read_answers, read_list, validate_answers, write_answers
from mien.evaluation.clip_heads import HeadsOnFeatures
from mien.evaluation.faces_of_crops import BundleOnCropFolder, own_thresholds
from mien.evaluation.forms import ANSWERS, SUBMISSIONS, AnswerForm, Entry, submission_form
from mien.evaluation.predictors import AnswerFile, BundleOnCrops, Predictor
from mien.evaluation.protocols import PROTOCOLS, Protocol
from mien.evaluation.report import Measure, Report, measure, measure_groups
from mien.evaluation.submissions import Submission, write_submission
from mien.evaluation.systems import AffectTables
from mien.evaluation.thresholds import ThresholdSearch, search_thresholds
from mien.evaluation.tuning import choose_compound_system, search_thresholds_of, search_weights

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
