"""What the desk answers when it can't answer: a code, a sentence, and which member is wrong."""

from typing import ClassVar, Final, Literal

from streams.trouble import Trouble

Code = Literal[
    "invalid",
    "unauthorized",
    "forbidden",
    "not_found",
    "conflict",
    "too_large",
    "too_many",
    "unavailable",
    "broken",
]

STATUSES: Final[dict[Code, int]] = {
    "invalid": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "too_many": 429,
    "unavailable": 503,
    "broken": 500,
}
"""HTTP's status of each code."""

CODES: Final[dict[int, Code]] = {
    **{status: code for code, status in STATUSES.items()},
    405: "invalid",
    415: "invalid",
    421: "forbidden",
}
"""The code of each of HTTP's statuses."""

RETRY_SECONDS: Final = 2
"""After this long it's worth to ask again, where the desk or its database was busy or away."""


class DeskError(Trouble):
    """A request that the desk refuses, or can't answer now."""

    exit_code: ClassVar[int] = 1

    def __init__(
        self, code: Code, message: str, member: str | None = None, *, status: int | None = None
    ) -> None:
        """Take a code, a sentence, the member that is wrong, and a status other than the code's."""
        super().__init__(message)
        self.code: Code = code
        self.member = member
        self.status = STATUSES[code] if status is None else status

    def headers(self) -> dict[str, str]:
        """Return the headers that belong to the answer."""
        if self.status == 401:
            return {"WWW-Authenticate": 'Bearer realm="lineside"'}
        if self.status in (429, 503):
            return {"Retry-After": str(RETRY_SECONDS)}
        return {}

    def document(self) -> dict[str, object]:
        """Return the answer's JSON."""
        return {"error": {"code": self.code, "message": str(self), "member": self.member}}


def invalid(member: str, message: str) -> DeskError:
    """Return the refusal of a request one member of which is wrong."""
    return DeskError("invalid", message, member)
