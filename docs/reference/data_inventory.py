# SPDX-License-Identifier: Apache-2.0
"""Prints docs/reference/data-inventory.md."""

from mien.cli.data_inventory import inventory_page

if __name__ == "__main__":
    print(inventory_page(), end="")
