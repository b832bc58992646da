"""Settings of the desk: what can't work is one sentence that names the setting, and no password."""

from pathlib import Path

import pytest

from agents.settings.desk import is_proxy
from agents.settings.settings import Settings, SettingsError, read_settings


def refusal(name: str, value: str) -> str:
    with pytest.raises(SettingsError) as refused:
        read_settings({f"LINESIDE_{name.upper()}": value})
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("database", "mysql://u:hunter2@h/n", "database is 'mysql': it must be sqlite:///PATH"),
        ("database", "hunter2", "database is without a scheme"),
        ("database", "sqlite://host/file", "database names no file"),
        ("database", "postgresql://host", "database names no database"),
        ("database_password", "hunter2", "database_password isn't a reference"),
        ("desk_tokens", "hunter2", "desk_tokens isn't a reference"),
        ("desk_port", "70000", "desk_port is 70000: it must be 0 to 65535"),
        ("books_days", "0", "books_days is 0: it must be 1 to 36500"),
        ("desk_proxy", "10.0.0.7,nowhere", "desk_proxy has 'nowhere'"),
        ("desk_proxy_user", "X User", "desk_proxy_user is 'X User'"),
        ("desk_groups", '{"it": "write *"}', "desk_groups.'it' is 'write *': the scope 'write'"),
        ("desk_groups", '{"it": "read"}', "it must be a scope and plants"),
        ("desk_groups", '{"it": "read DE01,"}', "a plant is empty"),
        ("desk_workers", "ftp://worker", "desk_workers has 'ftp://worker'"),
    ],
)
def test_what_cannot_work_is_refused_by_name(name: str, value: str, words: str) -> None:
    said = refusal(name, value)
    assert words in said
    assert "hunter2" not in said


def test_a_password_of_another_type_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "lineside.toml"
    file.write_text('database = ["postgresql://u:hunter2@h/n"]\n')
    with pytest.raises(SettingsError) as refused:
        read_settings({}, file)
    assert "hunter2" not in str(refused.value)


def test_lists_and_tables_come_from_the_environment() -> None:
    settings = read_settings(
        {
            "LINESIDE_DATABASE": "postgresql://lineside@db/lineside",
            "LINESIDE_DESK_PROXY": "10.0.0.7, 2001:db8::/32",
            "LINESIDE_DESK_GROUPS": '{"plant-it": "work DE01,DE02", "finance": "read *"}',
            "LINESIDE_DESK_APPROVAL": "DE01",
            "LINESIDE_DESK_WORKERS": "http://w0:8080,https://w1",
        }
    )
    assert settings.desk_proxy == ("10.0.0.7", "2001:db8::/32")
    assert settings.desk_groups["plant-it"] == "work DE01,DE02"
    assert settings.desk_workers == ("http://w0:8080", "https://w1")
    assert settings.desk_approval == ("DE01",)


def test_only_the_proxies_that_are_named_may_say_who_somebody_is() -> None:
    proxies = ("10.0.0.7", "2001:db8::/32")
    assert is_proxy("10.0.0.7", proxies)
    assert is_proxy("::ffff:10.0.0.7", proxies)
    assert is_proxy("2001:db8::1", proxies)
    assert not is_proxy("10.0.0.8", proxies)
    assert not is_proxy("not an address", proxies)
    assert not is_proxy("10.0.0.7", Settings().desk_proxy)
