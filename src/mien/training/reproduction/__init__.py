# SPDX-License-Identifier: Apache-2.0
"""One table of all networks, trained under one small budget and measured alike: `mien reproduce`."""

from mien.training.reproduction.fill import PASSES, load_budget, reproduce
from mien.training.reproduction.plan import BUDGET, Budget, Row, list_rows

__all__ = ["BUDGET", "PASSES", "Budget", "Row", "list_rows", "load_budget", "reproduce"]
