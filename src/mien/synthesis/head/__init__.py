# SPDX-License-Identifier: Apache-2.0
"""The parametric head: its shapes, the table of action units, and sampled persons."""
