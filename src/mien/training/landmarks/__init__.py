# SPDX-License-Identifier: Apache-2.0
"""The landmark and pose net of the fast face path: its crops, its network, its training."""
