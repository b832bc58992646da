"""Settings of a worker: defaults, a TOML file, and the environment, in that order."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from agents.worker.security import REFERENCES, problem_of_security
from streams.address import read_servers
from streams.policy import PolicyError, default_policy, read_policy
from streams.topics import INPUTS
from streams.trouble import Trouble
from tables.head import FORMATS
from tables.rules import STATE_FORMAT, Rules, Timing, rules_for

ENVIRONMENT_PREFIX: Final = "LINESIDE_"
NOT_SETTINGS: Final = ("LINESIDE_TEST_", "LINESIDE_CONFIG", "LINESIDE_CORE")
"""Of the environment: what tests use, the name of the TOML file, how the core was built."""

PARTITIONS_MAX: Final = 1_024
STANDBYS_MAX: Final = 3
SESSION_SECONDS_MAX: Final = 39
"""Below the time after which a request counts as lost."""

GROUP: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
"""It becomes part of topic names, which Kafka bounds at 249 characters."""

INSTANCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Kafka takes what it takes for topic names; it becomes a host's name in a URL, too."""


class SettingsError(Trouble):
    """A setting that can't be; its text names it and its value."""

    exit_code = 2


class Settings(Timing, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a worker goes by; the contract's lengths of time are in `Timing`."""

    broker: str = ""
    """`kafka://host:port[,host:port...]`; empty: the embedded log in `data_dir`."""
    group: str = "lineside"
    """The consumer group; workers of one group share the work. Names changelogs and producers."""
    instance: str = ""
    """This worker's name in its group, no other's: it keeps its partitions over a restart."""
    guarantee: Literal["at_least_once", "exactly_once"] = "at_least_once"
    """On Kafka: see docs/at-least-once.md and docs/exactly-once.md."""
    standbys: int = 0
    """Of each state: so many other workers keep a copy up to date, so that they can take over."""
    session_timeout_seconds: float = 8
    """A worker that hasn't been heard of for so long has lost its partitions."""
    broker_security: Literal["plaintext", "ssl", "sasl_ssl"] = "plaintext"
    """What the brokers' listener speaks, in Kafka's words."""
    broker_ca: str = ""
    """PEM files: who may have signed the brokers' certificates; the worker's own, and its key."""
    broker_certificate: str = ""
    broker_key: str = ""
    broker_user: str = ""
    broker_password: str = ""
    """Where it is: `file:PATH` or `env:NAME`."""
    plaintext_brokers: tuple[str, ...] = ()
    """Hosts that may be spoken to in plaintext, besides this one."""
    skip_deleted: bool = False
    """Go on where an input topic has deleted records before they were processed."""
    same_log: bool = False
    """Go on with a copy of an input topic, under another id, where it has the same last record."""
    data_dir: str = "lineside-data"
    state_format: int = STATE_FORMAT
    """In which states are written: docs/upgrading.md says when to raise it."""
    partitions: int = 4
    """Of each topic of the embedded log; on Kafka the topics tell."""
    host: str = "127.0.0.1"
    port: int = 8080
    """Of the web page; 0 takes a free one."""
    read_tokens: str = ""
    """Where the tokens are, one a line, that open the page: `file:PATH` or `env:NAME`."""
    metrics_tokens: str = ""
    """Where those are that open the metrics only."""
    no_progress_seconds_max: float = 300
    """A worker whose partitions have stood still for longer, with lag, fails `/livez`."""
    log_format: Literal["text", "json"] = "text"
    """Of the log on standard error."""
    tick_seconds: float = 10
    """Between two ticks of the clock; 0 writes none."""
    policy: str = ""
    """A TOML file in place of the policy that ships with lineside."""
    time_zones: dict[str, str] = msgspec.field(default_factory=dict)
    """Posting dates are in the plant's time zone (IANA name); UTC unless named here."""


def read_settings(environment: Mapping[str, str], file: Path | None = None) -> Settings:
    """Return the settings, or raise `SettingsError` on the first that is wrong or unknown."""
    given: dict[str, Any] = {}
    path = file or (
        Path(environment["LINESIDE_CONFIG"]) if environment.get("LINESIDE_CONFIG") else None
    )
    if path is not None:
        given.update(_read_file(path))
    for name in given:
        _check_known(name, name)
    for variable, value in environment.items():
        if variable.startswith(ENVIRONMENT_PREFIX) and not variable.startswith(NOT_SETTINGS):
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            _check_known(name, variable)
            given[name] = _from_text(name, variable, value)
    settings = _converted(given)
    problem = _problem(settings)
    if problem is not None:
        raise SettingsError(problem)
    return settings


def rules_of(settings: Settings) -> dict[str, Rules]:
    """Return the rules for each input topic."""
    policy = default_policy()
    if settings.policy:
        try:
            policy = read_policy(Path(settings.policy).read_text("utf-8"))
        except OSError as error:
            raise SettingsError(
                f"policy {settings.policy!r} can't be read: {error.strerror}"
            ) from None
        except PolicyError as error:
            raise SettingsError(f"policy {settings.policy!r}: {error}") from None
    zones = {plant: _zone(plant, name) for plant, name in settings.time_zones.items()}
    return {
        topic: rules_for(topic, settings, policy, zones, settings.state_format) for topic in INPUTS
    }


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"settings file {path} can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} isn't TOML: {error}") from None


def _check_known(name: str, shown: str) -> None:
    known = Settings.__struct_fields__
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {shown[: len(shown) - len(name)]}{_like(near[0], shown)}?"
        raise SettingsError(f"{shown} isn't a setting{hint if near else ''}")


def _like(name: str, shown: str) -> str:
    return name.upper() if shown.isupper() else name


def _converted(given: dict[str, Any]) -> Settings:
    for name, value in given.items():
        try:
            msgspec.convert({name: value}, Settings, strict=False)
        except msgspec.ValidationError as error:
            shown = "of another type" if name in REFERENCES else repr(value)
            raise SettingsError(f"{name} is {shown}: {str(error).partition(' - at')[0]}") from None
    return msgspec.convert(given, Settings, strict=False)


def _from_text(name: str, variable: str, value: str) -> Any:
    if name == "plaintext_brokers":
        return [host.strip() for host in value.split(",") if host.strip()]
    if name != "time_zones":
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        raise SettingsError(
            f'{variable} is {value!r}: not a JSON object like {{"DE01": "Europe/Berlin"}}'
        ) from None


def _problem(settings: Settings) -> str | None:
    if "@" in settings.broker:
        return (
            "broker has an '@' in it, and isn't shown, since what is before that may be a secret: "
            "users and passwords belong in broker_user and broker_password"
        )
    if settings.broker:
        try:
            read_servers(settings.broker)
        except ValueError as error:
            return f"broker is {settings.broker!r}: {error}; a right one is kafka://host:9092"
    if not GROUP.fullmatch(settings.group):
        return f"group is {settings.group!r}: it must be 1 to 100 letters, digits, '.', '_' or '-'"
    if settings.instance and not INSTANCE.fullmatch(settings.instance):
        return (
            f"instance is {settings.instance!r}: it must be 1 to 100 letters, digits, '.', '_' or "
            "'-', and begin with a letter or a digit"
        )
    if not 0 <= settings.standbys <= STANDBYS_MAX:
        return f"standbys is {settings.standbys}: it must be 0 to {STANDBYS_MAX}"
    if not 1 <= settings.session_timeout_seconds <= SESSION_SECONDS_MAX:
        return (
            f"session_timeout_seconds is {settings.session_timeout_seconds}: it must be 1 to "
            f"{SESSION_SECONDS_MAX}, and no less than the broker's group.min.session.timeout.ms"
        )
    if settings.state_format not in FORMATS:
        return f"state_format is {settings.state_format}: it must be {FORMATS[0]} to {FORMATS[-1]}"
    if not 1 <= settings.partitions <= PARTITIONS_MAX:
        return f"partitions is {settings.partitions}: it must be 1 to {PARTITIONS_MAX}"
    if not 0 <= settings.port <= 65_535:
        return f"port is {settings.port}: it must be 0 to 65535"
    if not settings.no_progress_seconds_max > 0:
        return (
            f"no_progress_seconds_max is {settings.no_progress_seconds_max}: it must be more than 0"
        )
    if not settings.tick_seconds >= 0:
        return f"tick_seconds is {settings.tick_seconds}: it must be at least 0"
    for plant, name in settings.time_zones.items():
        _zone(plant, name)
    return problem_of_security(settings) or settings.problem()


def _zone(plant: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(
            f"time_zones: {name!r} of plant {plant!r} isn't an IANA time zone"
        ) from None
