# SPDX-License-Identifier: Apache-2.0
"""Cost of runs over many files and many rows."""
