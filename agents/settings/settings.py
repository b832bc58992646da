"""Settings of a worker: defaults, a TOML file, and the environment, in that order."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import structs

from agents.settings.desk import DAYS_MAX, DeskSettings, problem_of_desk
from agents.settings.given import SettingsError as SettingsError
from agents.settings.given import given_settings, read_file
from agents.settings.owning import problem_of_owners
from streams.address import is_name, read_servers
from streams.contract.policy import Policy, PolicyError, default_policy, read_policy
from streams.contract.rejection import shown
from streams.contract.topics import INPUTS
from streams.secret import read_reference
from tables.line.rules import SECONDS_MAX, Rules, rules_for
from tables.partition.head import FORMATS, WRITTEN
from tables.reference.keeping import Terms

PARTITIONS_MAX: Final = 1_024
STANDBYS_MAX: Final = 3
SESSION_SECONDS_MAX: Final = 39
"""Below the time after which a request counts as lost."""

REFERENCES: Final = (
    "broker_password",
    "read_tokens",
    "metrics_tokens",
    "desk_tokens",
    "database_password",
)
"""Settings that say where a secret is."""

DAY_SECONDS: Final = 86_400

RANGES: Final[dict[str, tuple[int, int]]] = {
    "standbys": (0, STANDBYS_MAX),
    "session_timeout_seconds": (1, SESSION_SECONDS_MAX),
    "partitions": (1, PARTITIONS_MAX),
    "port": (0, 65_535),
    "desk_port": (0, 65_535),
    "tick_seconds": (0, DAY_SECONDS),
    "books_days": (1, DAYS_MAX),
}
HINTS: Final = {
    "session_timeout_seconds": ", and no less than the broker's group.min.session.timeout.ms"
}

STATE_FORMATS: Final = (0, *WRITTEN)

GROUP: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
"""It becomes part of topic names, which Kafka bounds at 249 characters."""

INSTANCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Kafka takes what it takes for topic names; it becomes a host's name in a URL, too."""


class Settings(DeskSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a worker goes by; the contract's lengths of time are in `Timing`, the
    desk's settings in `DeskSettings`."""

    broker: str = ""
    """`kafka://host:port[,host:port...]`; empty: the embedded log in `data_dir`."""
    group: str = "lineside"
    """The consumer group; workers of one group share the work. Names changelogs and producers."""
    instance: str = ""
    """This worker's name in its group, no other's: it keeps its partitions over a restart."""
    guarantee: Literal["at_least_once", "exactly_once"] = "at_least_once"
    """On Kafka: see docs/at-least-once.md and docs/exactly-once.md."""
    standbys: int = 0
    """How many other workers keep a copy of each state up to date, so that they can take over."""
    session_timeout_seconds: float = 8
    """A worker that has sent no heartbeat for this long loses its partitions."""
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
    state_format: int = 0
    """In which states are written, one of `STATE_FORMATS`; 0: in the latest."""
    partitions: int = 4
    """Of each topic of the embedded log; ignored on Kafka."""
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
    owners: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    """By kind and member of master data, the source that says it; `deleted`: that may delete."""


def read_settings(environment: Mapping[str, str], file: Path | None = None) -> Settings:
    """Return the settings, or raise `SettingsError` on the first that is wrong or unknown."""
    settings = _converted(given_settings(environment, file, Settings.__struct_fields__))
    problem = _problem(settings)
    if problem is not None:
        raise SettingsError(problem)
    return settings


def policy_of(settings: Settings) -> Policy:
    """Return the policy: that of the settings' file, or the one that ships with lineside."""
    if not settings.policy:
        return default_policy()
    text = read_file(Path(settings.policy), f"policy {settings.policy!r}")
    try:
        return read_policy(text)
    except PolicyError as error:
        raise SettingsError(f"policy {settings.policy!r}: {error}") from None


def rules_of(settings: Settings) -> dict[str, Rules]:
    """Return the rules for each input topic."""
    policy = policy_of(settings)
    zones = {plant: _zone(plant, name) for plant, name in settings.time_zones.items()}
    return {topic: rules_for(topic, settings, policy, zones) for topic in INPUTS}


def terms_of(settings: Settings) -> Terms:
    """Return what the settings say of master data."""
    shorter = min(settings.mes_retention_seconds, settings.machine_retention_seconds)
    return Terms(owners=settings.owners, grace_max=min(shorter - 1, DAY_SECONDS))


def _converted(given: dict[str, Any]) -> Settings:
    for name, value in given.items():
        try:
            msgspec.convert({name: value}, Settings, strict=False)
        except msgspec.ValidationError as error:
            secret = name in (*REFERENCES, "database")
            what = "of another type" if secret else shown(value)
            raise SettingsError(f"{name} is {what}: {str(error).partition(' - at')[0]}") from None
        except UnicodeEncodeError:  # bytes of the environment that aren't UTF-8
            raise SettingsError(f"{name} is {shown(value)}: it must be UTF-8") from None
    return msgspec.convert(given, Settings, strict=False)


def _problem(settings: Settings) -> str | None:
    for name, value in structs.asdict(settings).items():
        if isinstance(value, str) and not _is_text(value):
            return f"{name} has a character in it that is no text"
    if not settings.data_dir:
        return "data_dir is empty: it must name a folder, e.g. lineside-data"
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
    if not is_name(settings.host):
        return f"host is {shown(settings.host)}: it must be the name of a host, or an address"
    if not GROUP.fullmatch(settings.group):
        return f"group is {settings.group!r}: it must be 1 to 100 letters, digits, '.', '_' or '-'"
    if settings.instance and not INSTANCE.fullmatch(settings.instance):
        return (
            f"instance is {settings.instance!r}: it must be 1 to 100 letters, digits, '.', '_' or "
            "'-', and begin with a letter or a digit"
        )
    for name, (least, most) in RANGES.items():
        value = getattr(settings, name)
        if not least <= value <= most:
            hint = HINTS.get(name, "")
            return f"{name} is {value}: it must be {least} to {most}{hint}"
    if settings.state_format not in STATE_FORMATS:
        return _problem_of_format(settings.state_format)
    if not 0 < settings.no_progress_seconds_max <= SECONDS_MAX:
        return (
            f"no_progress_seconds_max is {settings.no_progress_seconds_max}: it must be more than "
            f"0, and at most {SECONDS_MAX}"
        )
    for plant, name in settings.time_zones.items():
        _zone(plant, name)
    return (
        problem_of_owners(settings.owners)
        or _problem_of_security(settings)
        or problem_of_desk(settings)
        or settings.problem()
    )


def _problem_of_format(format_: int) -> str:
    may_be = " or ".join(map(str, STATE_FORMATS))
    written = " or ".join(map(str, WRITTEN))
    reads = (
        f": this version reads states of format {format_}, and goes on with them in format "
        f"{written}, which earlier versions can't read (docs/upgrading.md)"
    )
    return f"state_format is {format_}: it must be {may_be}{reads if format_ in FORMATS else ''}"


def _problem_of_security(settings: Settings) -> str | None:
    """Return what of the settings can't be, or isn't safe."""
    for name in REFERENCES:
        given: str = getattr(settings, name)
        try:
            if given:
                read_reference(given)
        except ValueError as error:
            return f"{name} isn't a reference: {error}"
    return _login_problem(settings)


def _login_problem(settings: Settings) -> str | None:
    security = settings.broker_security
    login = bool(settings.broker_user), bool(settings.broker_password)
    if security == "sasl_ssl" and not all(login):
        return "broker_security is sasl_ssl: that needs broker_user and broker_password"
    if security != "sasl_ssl" and any(login):
        return f"broker_security is {security}: for broker_user and a password it must be sasl_ssl"
    if bool(settings.broker_certificate) != bool(settings.broker_key):
        return "broker_certificate and broker_key go together, and one of them is missing"
    if security == "plaintext" and (settings.broker_ca or settings.broker_certificate):
        return "broker_security is plaintext: for certificates it must be ssl or sasl_ssl"
    return None


def _is_text(value: str) -> bool:
    """Return whether a value has no control character, and no byte that isn't UTF-8."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in value)


def _zone(plant: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(
            f"time_zones: {name!r} of plant {plant!r} isn't an IANA time zone"
        ) from None
