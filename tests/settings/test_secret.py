"""Secrets by reference: read when they are needed, and shown nowhere."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.cli.main import main
from agents.settings.cluster import cluster_of
from agents.settings.settings import Settings, SettingsError, read_settings
from streams.kafka.security import Security
from streams.secret import BYTES_MAX, Secret, SecretError, read_reference

PASSWORD = "hunter2-hunter2"
LOGIN = {
    "LINESIDE_BROKER": "kafka://broker:9093",
    "LINESIDE_BROKER_SECURITY": "sasl_ssl",
    "LINESIDE_BROKER_USER": "worker",
}


def test_a_file_is_read_each_time_and_loses_its_lines_end(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    secret = read_reference(f"file:{file}")
    assert secret.reveal() == PASSWORD
    assert secret.encode("utf-8") == PASSWORD.encode()
    file.write_bytes(b" another \r\n")
    assert secret.reveal() == " another "


def test_a_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", PASSWORD)
    assert read_reference("env:KAFKA_PASSWORD").reveal() == PASSWORD


def test_what_cant_be_had_is_a_sentence_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe" + PASSWORD.encode())
    (tmp_path / "huge").write_bytes(b"x" * (BYTES_MAX + 1))
    for reference, words in (
        ("env:NO_SUCH_VARIABLE", "there is no such variable"),
        (f"file:{tmp_path / 'nothing'}", "No such file"),
        (f"file:{tmp_path}", "Is a directory"),
        (f"file:{tmp_path / 'empty'}", "is empty"),
        (f"file:{tmp_path / 'bytes'}", "isn't UTF-8"),
        (f"file:{tmp_path / 'huge'}", "has more than 65,536 bytes"),
    ):
        with pytest.raises(SecretError, match=words) as error:
            read_reference(reference).reveal()
        assert reference in str(error.value)
        assert PASSWORD not in str(error.value)
        assert error.value.__cause__ is None


@pytest.mark.parametrize("text", [PASSWORD, "file:", "env:", "FILE:/x", " file:/x"])
def test_what_isnt_a_reference_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match="it must be file:PATH or env:NAME") as error:
        read_reference(text)
    assert PASSWORD not in str(error.value)


def test_nothing_that_has_a_secret_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", PASSWORD)
    settings = read_settings({**LOGIN, "LINESIDE_BROKER_PASSWORD": "env:KAFKA_PASSWORD"})
    cluster = cluster_of(settings)
    shown = [
        repr(settings), str(settings), repr(cluster), f"{cluster.security}",
        repr(Security(password=Secret("env:KAFKA_PASSWORD"))),
        repr(cluster.security.options()),
    ]  # fmt: skip
    assert not [text for text in shown if PASSWORD in text]


@pytest.mark.parametrize("name", ["broker_password", "read_tokens", "metrics_tokens"])
def test_a_secret_where_a_reference_belongs_isnt_told(name: str, tmp_path: Path) -> None:
    given = {**LOGIN, f"LINESIDE_{name.upper()}": PASSWORD}
    with pytest.raises(SettingsError, match=f"{name} isn't a reference") as error:
        read_settings(given)
    assert PASSWORD not in str(error.value)
    for value in (f'["{PASSWORD}"]', f'{{secret = "{PASSWORD}"}}', "20261121"):
        config = tmp_path / "lineside.toml"
        config.write_text(f"{name} = {value}\n")
        with pytest.raises(SettingsError) as error:
            read_settings({}, config)
        assert PASSWORD not in str(error.value)
        assert "20261121" not in str(error.value)


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError, match="broker has an '@' in it") as error:
        read_settings({"LINESIDE_BROKER": f"kafka://worker:{PASSWORD}@broker:9092"})
    assert PASSWORD not in str(error.value)


def test_no_option_takes_a_secret() -> None:
    for command in ("worker", "simulate", "audit", "topics create"):
        help_text = CliRunner().invoke(main, [*command.split(), "--help"]).output
        assert "password" not in help_text
        assert "token" not in help_text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"broker_security": "sasl_ssl"}, "needs broker_user and broker_password"),
        ({"broker_security": "sasl_ssl", "broker_user": "w"}, "needs broker_user and broker_passw"),
        ({"broker_security": "ssl", "broker_user": "w"}, "it must be sasl_ssl"),
        ({"broker_user": "w", "broker_password": "env:P"}, "it must be sasl_ssl"),
        ({"broker_security": "ssl", "broker_key": "k"}, "go together, and one of them is missing"),
        ({"broker_ca": "ca.crt"}, "for certificates it must be ssl or sasl_ssl"),
        ({"broker_security": "tls"}, "broker_security is 'tls'"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read_settings({f"LINESIDE_{name.upper()}": value for name, value in given.items()})


def test_the_settings_of_a_login_make_a_cluster(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    cluster = cluster_of(
        Settings(
            broker="kafka://one:9093,two:9093",
            broker_security="sasl_ssl",
            broker_user="worker",
            broker_password=f"file:{tmp_path / 'password'}",
        )
    )
    options = cluster.security.options()
    assert cluster.servers == ("one:9093", "two:9093")
    assert (options["security_protocol"], options["sasl_mechanism"]) == (
        "SASL_SSL",
        "SCRAM-SHA-512",
    )
    assert options["sasl_plain_password"].encode("utf-8") == PASSWORD.encode()
