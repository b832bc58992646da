"""What goes wrong outside of lineside, told to the person who can mend it."""

from typing import ClassVar


class Trouble(Exception):
    """Its text is one sentence that names what is wrong and, where there's one, the way out."""

    exit_code: ClassVar[int] = 1
    """Of a command that it ends: 2 where a setting or argument is wrong."""
