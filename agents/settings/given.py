"""What a TOML file and the environment give as settings: known names, values as they are."""

import difflib
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from streams.contract.rejection import shown
from streams.trouble import Trouble

ENVIRONMENT_PREFIX: Final = "LINESIDE_"
FILE_VARIABLE: Final = "LINESIDE_CONFIG"
NOT_SETTINGS: Final = frozenset(
    {FILE_VARIABLE, "LINESIDE_CORE", "LINESIDE_DESK", "LINESIDE_DESK_TOKEN"}
)
"""Of the environment: the name of the TOML file, how the core was built, and where commands find
the desk and the token for it."""

LISTS: Final = frozenset({"plaintext_brokers", "desk_proxy", "desk_approval", "desk_workers"})
"""Settings that are lists: in the environment their parts are separated by commas."""

OBJECTS: Final[Mapping[str, str]] = {
    "time_zones": '{"DE01": "Europe/Berlin"}',
    "owners": '{"item": {"lot_control": "/qms"}}',
    "desk_groups": '{"plant-it": "work DE01"}',
}
"""Settings that are tables: in the environment they are JSON like this."""

TESTS_PREFIX: Final = "LINESIDE_TEST_"
"""What the tests are told."""

FILE_BYTES_MAX: Final = 1 << 20
"""Of a file with settings or a policy: one that is larger was named by mistake."""

LISTED: Final = "docs/settings.md lists all of them"


class SettingsError(Trouble):
    """A setting that can't be; its text names it and its value."""

    exit_code = 2


def given_settings(
    environment: Mapping[str, str], file: Path | None, known: Collection[str]
) -> dict[str, Any]:
    """Return value by name, the environment before the file, or raise `SettingsError`."""
    given: dict[str, Any] = {}
    if file is None and environment.get(FILE_VARIABLE):
        file = Path(environment[FILE_VARIABLE])
    if file is not None:
        given.update(_read_toml(file))
    for name in given:
        _check_known(name, name, known)
    for variable, value in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable.startswith(TESTS_PREFIX):
            continue
        if variable not in NOT_SETTINGS:
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            _check_known(name, variable, known)
            given[name] = _from_text(name, variable, value)
    return given


def read_file(path: Path, what: str) -> str:
    """Return the text of a small file, or raise `SettingsError` that calls it `what`."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise SettingsError(
                f"{what} has more than {FILE_BYTES_MAX:,} bytes: is it the right one?"
            )
        return data.decode("utf-8")
    except OSError as error:
        raise SettingsError(f"{what} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{what} isn't UTF-8: {error.reason} at byte {error.start}") from None
    except ValueError as error:  # a path with a zero byte in it
        raise SettingsError(f"{what} can't be read: {error}") from None


def _read_toml(path: Path) -> dict[str, Any]:
    name = str(path)
    what = f"settings file {name if name.isprintable() else shown(name)}"  # its end says most
    try:
        return tomllib.loads(read_file(path, what))
    except (ValueError, RecursionError) as error:  # also: an integer of thousands of digits
        raise SettingsError(f"{what} isn't TOML: {error}") from None


def _check_known(name: str, given: str, known: Collection[str]) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, known, 1)
    if not near:
        raise SettingsError(f"{_name(given)} isn't a setting: {LISTED}")
    meant = near[0] if name == given else f"{ENVIRONMENT_PREFIX}{near[0].upper()}"
    raise SettingsError(f"{_name(given)} isn't a setting; did you mean {meant}?")


def _name(text: str) -> str:
    """Return a name as a sentence has it: quoted, and cut, where it's an odd one."""
    quoted = shown(text)
    return text if quoted == f"'{text}'" and " " not in text else quoted


def _from_text(name: str, variable: str, value: str) -> Any:
    if name in LISTS:
        return [part.strip() for part in value.split(",") if part.strip()]
    if name not in OBJECTS:
        return value
    try:
        return msgspec.json.decode(value)
    except (ValueError, RecursionError):
        raise SettingsError(
            f"{variable} is {shown(value)}: not a JSON object like {OBJECTS[name]}"
        ) from None
