from typing import Any

Scanned = tuple[str, str, str, int, str, str, dict[str, Any]]

def scanned(value: bytes, topic: str) -> Scanned | None: ...
