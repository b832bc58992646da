"""Parts of pages that are written by a program: between two marks, and nothing else is touched."""

import re
from pathlib import Path


def put_between(page: Path, mark: str, text: str) -> None:
    """Write a text between a page's marks `<!-- mark -->` and `<!-- /mark -->`.

    A page that isn't there, or has no such marks, gets them at its end.
    """
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    there = page.read_text("utf-8") if page.exists() else ""
    if begin not in there:
        there += f"{begin}\n{end}\n"
    new = f"{begin}\n\n{text}\n\n{end}"
    page.write_text(re.sub(f"{begin}.*{end}", lambda _: new, there, flags=re.DOTALL), "utf-8")
