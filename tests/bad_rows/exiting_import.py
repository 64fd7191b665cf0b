"""A module that ends the process that imports it, with status 0."""

import sys

sys.exit(0)
