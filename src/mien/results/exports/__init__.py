# SPDX-License-Identifier: Apache-2.0
"""Affect tables in the formats of other programs: spreadsheets, SPSS and ELAN."""

from mien.results.exports.elan import write_elan
from mien.results.exports.spss import write_spss
from mien.results.exports.xlsx import write_xlsx

__all__ = [
    "write_elan",
    "write_spss",
    "write_xlsx",
]
