# SPDX-License-Identifier: Apache-2.0
"""Networks: backbones, heads, and the module that combines them."""
