# SPDX-License-Identifier: Apache-2.0
"""Speed, memory and precision of mien beside its peers."""
