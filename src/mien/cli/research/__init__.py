# SPDX-License-Identifier: Apache-2.0
"""Commands for researchers: train, evaluate, export and submit."""
