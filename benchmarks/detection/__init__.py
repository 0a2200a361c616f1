# SPDX-License-Identifier: Apache-2.0
"""Face detectors beside each other, on people and scenes that trained none of mien's."""
