"""Which lineside this is."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("lineside")
"""The tag's; see docs/releasing.md."""
