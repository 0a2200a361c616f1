# SPDX-License-Identifier: Apache-2.0
"""Commands for people with recordings: analyse, watch, and work with tables."""
