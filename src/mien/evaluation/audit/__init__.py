# SPDX-License-Identifier: Apache-2.0
"""The audit of a bundle: groups of people, equal geometry, pairs that differ in one trait, and corruptions."""
