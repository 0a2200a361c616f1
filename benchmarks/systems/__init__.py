# SPDX-License-Identifier: Apache-2.0
"""The published systems tested by the orderings that their papers report, on faces that are available."""
