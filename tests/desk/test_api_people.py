"""Who somebody is to the desk: by a token, by the word of a proxy, or from this machine."""

from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from agents.desk.access import access_of
from agents.desk.errors import DeskError
from agents.desk.people import LOCAL, SCOPES, Grant, Person, merged, read_grant, read_plants
from agents.desk.proxy import Proxy
from agents.desk.tokens import Tokens
from agents.settings.cluster import AccessError
from agents.settings.settings import Settings
from streams.secret import Secret

ANNA = "anna-" + "a" * 30
BEN = "ben-" + "b" * 30
PROXY = "10.1.2.3"


def proxied(groups: str = "", *, user: str | None = "anna", address: str = PROXY) -> Person | None:
    """Return whom a request from this address with these headers is from."""
    proxy = Proxy(
        Settings(
            desk_proxy=(PROXY, "fd00::/8"),
            desk_groups={
                "readers": "read *",
                "desk-de": "work DE01,DE02",
                "heads-fr": "approve FR01",
            },
        )
    )
    headers = {"X-Forwarded-Groups": groups} | ({} if user is None else {"X-Forwarded-User": user})
    request = make_mocked_request("GET", "/", headers=headers)
    return proxy.person(request.clone(remote=address))  # type: ignore[return-value]


# What somebody may.


def test_a_scope_has_all_that_those_before_it_have() -> None:
    for at, scope in enumerate(SCOPES):
        person = Person("anna", (Grant(scope, frozenset({"DE01"})),))
        assert person.scope == scope
        assert [one for one in SCOPES if person.may(one, "DE01")] == list(SCOPES[: at + 1])
        assert not any(person.may(one, "DE02") for one in SCOPES)


def test_two_grants_never_add_up_to_more_than_both() -> None:
    person = Person("anna", (Grant("read", None), Grant("work", frozenset({"DE01"}))))
    assert person.plants is None
    assert person.plants_of("work") == {"DE01"}
    assert person.may("work", "DE01")
    assert not person.may("work", "DE02")
    assert person.plants_of("approve") == frozenset()


def test_what_has_no_plant_is_for_those_who_see_all() -> None:
    assert LOCAL.may("admin", None)
    assert not Person("anna", (Grant("admin", frozenset({"DE01"})),)).may("read", None)


def test_who_has_no_grant_has_no_scope_and_sees_nothing() -> None:
    nobody = Person("nobody", ())
    assert nobody.scope is None
    assert nobody.plants == frozenset()
    assert nobody.scopes == frozenset()


def test_grants_are_read_and_merged() -> None:
    assert read_grant("work DE01, DE02") == Grant("work", frozenset({"DE01", "DE02"}))
    grants = [read_grant("read DE01"), read_grant("work DE02"), read_grant("read FR01")]
    assert merged(grants) == (
        Grant("read", frozenset({"DE01", "DE02", "FR01"})),
        Grant("work", frozenset({"DE02"})),
    )


@pytest.mark.parametrize("text", ["", ",", "DE01,", "*,DE01", "D\x00", "x" * 129])
def test_plants_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="plant"):
        read_plants(text)


# Tokens.


def tokens_of(path: Path, *lines: str) -> Tokens:
    path.write_text("\n".join(lines))
    return Tokens(Secret(f"file:{path}"), clock=lambda: 0.0)


def test_a_token_is_a_persons(tmp_path: Path) -> None:
    tokens = tokens_of(
        tmp_path / "tokens",
        "# who works at the desk",
        f"{ANNA} anna work DE01,DE02",
        "",
        f"{BEN}   ben.b@example.com\tadmin *",
    )
    assert tokens.person(ANNA) == Person("anna", (read_grant("read DE01,DE02"), read_grant("work DE01,DE02")))  # fmt: skip
    ben = tokens.person(BEN)
    assert ben is not None
    assert ben.name == "ben.b@example.com"
    assert ben.may("admin", None)
    for guess in ("", "anna", ANNA[:-1], ANNA + "a", BEN.upper(), "ß" * 30):
        assert tokens.person(guess) is None


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (f"{ANNA} anna work", "3 words"),
        (f"{ANNA} anna work DE01 DE02", "5 words"),
        ("short anna work DE01", "20 ASCII"),
        (f"{'ä' * 30} anna work DE01", "20 ASCII"),
        (f"{ANNA} anna boss DE01", "'boss' is no scope"),
        (f"{ANNA} anna work DE01,,DE02", "'' is no plant"),
        (f"{ANNA} {'n' * 101} work DE01", "a name must be"),
        (f"{BEN} eve admin *", "the token is there twice"),
    ],
)
def test_a_wrong_line_is_told_without_its_token(tmp_path: Path, line: str, word: str) -> None:
    with pytest.raises(AccessError, match=word) as refused:
        tokens_of(tmp_path / "tokens", f"{BEN} ben read *", line)
    assert "line 2" in str(refused.value)
    assert ANNA not in str(refused.value)
    assert BEN not in str(refused.value)


def test_a_file_that_changes_is_read_again_and_a_broken_one_lets_nobody_in(tmp_path: Path) -> None:
    file, now = tmp_path / "tokens", [0.0]
    file.write_text(f"{ANNA} anna read *")
    tokens = Tokens(Secret(f"file:{file}"), clock=lambda: now[0])
    file.write_text(f"{BEN} ben read *")
    assert tokens.person(ANNA) is not None  # within the second
    now[0] = 1.1
    assert tokens.person(ANNA) is None
    assert tokens.person(BEN) is not None
    file.write_text("nonsense")
    now[0] = 2.2
    assert tokens.person(BEN) is None
    file.write_text(f"{BEN} ben read *")
    now[0] = 3.3
    assert tokens.person(BEN) is not None


# A proxy that logs people in.


def test_a_proxy_says_who_somebody_is_and_the_groups_say_what_they_may() -> None:
    person = proxied("desk-de, heads-fr ,unknown")
    assert person is not None
    assert person.name == "anna"
    assert person.plants == {"DE01", "DE02", "FR01"}
    assert person.plants_of("work") == {"DE01", "DE02", "FR01"}
    assert person.plants_of("approve") == {"FR01"}


def test_headers_from_elsewhere_are_nothing() -> None:
    for address in ("10.1.2.4", "127.0.0.1", "::1", "", "fe80::1"):
        assert proxied("readers", address=address) is None
    assert proxied("readers", address="fd00::17") is not None
    assert proxied("readers", address=f"::ffff:{PROXY}") is not None


def test_somebody_without_groups_is_known_and_may_nothing() -> None:
    person = proxied("")
    assert person is not None
    assert person.scope is None


def test_a_request_of_a_proxy_without_a_person_is_nobodys() -> None:
    assert proxied("readers", user=None) is None


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "an\x1bna"])
def test_a_name_that_cant_be_is_refused(name: str) -> None:
    with pytest.raises(DeskError, match="X-Forwarded-User"):
        proxied("readers", user=name)


def test_a_name_that_is_said_twice_is_refused() -> None:
    from multidict import CIMultiDict

    proxy = Proxy(Settings(desk_proxy=(PROXY,), desk_groups={"readers": "read *"}))
    headers = CIMultiDict([("X-Forwarded-User", "anna"), ("x-forwarded-user", "root")])
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=PROXY)
    with pytest.raises(DeskError, match="2 times"):
        proxy.person(request)  # type: ignore[arg-type]


# What the settings have to say.


def test_a_desk_that_others_reach_needs_tokens_or_a_proxy(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="set desk_tokens or desk_proxy"):
        access_of(Settings(host="0.0.0.0"))
    file = tmp_path / "tokens"
    file.write_text(f"{ANNA} anna read *")
    assert access_of(Settings(host="0.0.0.0", desk_tokens=f"file:{file}")).guarded
    assert access_of(Settings(host="0.0.0.0", desk_proxy=(PROXY,))).guarded
    assert not access_of(Settings()).guarded


def test_groups_without_a_proxy_are_refused() -> None:
    with pytest.raises(AccessError, match="nobody would say the groups"):
        access_of(Settings(desk_groups={"readers": "read *"}))


def test_groups_that_grant_nothing_known_are_refused() -> None:
    with pytest.raises(AccessError, match=r"desk_groups\.x"):
        access_of(Settings(desk_proxy=(PROXY,), desk_groups={"x": "read *,DE01"}))
