# SPDX-License-Identifier: Apache-2.0
"""The landmark teacher that labels images, and how well it agrees with itself."""
