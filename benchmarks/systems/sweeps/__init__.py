# SPDX-License-Identifier: Apache-2.0
"""Half-widths of filters over time, on videos of one person each and on real clips."""
