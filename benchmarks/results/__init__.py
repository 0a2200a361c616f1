# SPDX-License-Identifier: Apache-2.0
"""One table of all networks, trained under one small budget and measured alike."""
