# SPDX-License-Identifier: Apache-2.0
"""Named protocols: a data set, a predictor and measures make a report."""

from mien.evaluation.protocols import PROTOCOLS, Protocol
from mien.evaluation.report import Measure, Report, measure

__all__ = ["PROTOCOLS", "Measure", "Protocol", "Report", "measure"]
