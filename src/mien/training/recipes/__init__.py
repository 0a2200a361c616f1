# SPDX-License-Identifier: Apache-2.0
"""Recipes: everything that decides a training besides the data, as TOML files and typed settings."""
