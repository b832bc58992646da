"""Settings: whatever the environment or a file says ends in settings, or in one sentence."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.settings.settings import Settings, SettingsError, read_settings, rules_of
from streams.trouble import Trouble
from tables.partition.head import FORMATS

NAMES = list(Settings.__struct_fields__)

ODD_TEXTS = st.sampled_from(
    ["", " ", "nan", "-inf", "1e400", "9" * 5_000, "0x" + "f" * 5_000, "-1", "0", "true", "null",
     "\x00", "a\nb", "\udcff", "[]", "{}", '{"DE01": 1}', '{"DE01": "../../x"}', "{" * 5_000,
     '{"DE01": "\\ud800"}', "kafka://", "kafka://[::1", "kafka://h:99999", "kafka://u:p@h", "file:",
     "env:", "file:\x00", "/", ".", "x" * 200]
)  # fmt: skip
TEXTS = st.one_of(ODD_TEXTS, st.text(max_size=20), st.integers().map(str), st.floats().map(str))
"""What a variable may hold: zero bytes can't be there, but come from files."""

TOML_VALUES = st.one_of(
    ODD_TEXTS.filter(lambda text: text.isprintable() and '"' not in text).map(lambda t: f'"{t}"'),
    st.sampled_from(
        ['"a\\u0000b"', '"a\\nb"', '""', "nan", "-inf", "1e999", "9" * 5_000, "0x" + "f" * 5_000,
         "-0", "true", "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "[]", "[1, [2]]", "{}",
         "{a = 1}", '{DE01 = "Europe/Berlin"}', '{DE01 = ""}', '{DE01 = "a\\u0000"}', "{DE01 = 1}",
         '["kafka", 1]', '"kafka://\\u0000"', "[" * 5_000, "= ="]
    ),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(str),
)  # fmt: skip
TOML_NAMES = st.one_of(
    st.sampled_from([*NAMES, *(name.upper() for name in NAMES), "foo", '"a b"', '"a\\nb"', '"\\u0000"',
                     "a.b", "time_zones.DE01", "port.x", '""', "x" * 200])
)  # fmt: skip
VARIABLES = st.one_of(
    st.sampled_from(NAMES).map(lambda name: f"LINESIDE_{name.upper()}"),
    st.sampled_from(["LINESIDE_", "LINESIDE_FOO", "LINESIDE_\n", "LINESIDE_port", "OTHER",
                     "LINESIDE_CONFIG", "LINESIDE_\udcff"]),
    st.text(max_size=10).map(lambda text: f"LINESIDE_{text}"),
)  # fmt: skip


def assert_settings_or_a_sentence(environment: dict[str, str], file: Path | None) -> None:
    try:
        settings = read_settings(environment, file)
        rules_of(settings)
    except Trouble as trouble:
        assert trouble.exit_code == 2
        text = str(trouble)
        assert text
        assert "\n" not in text
        assert len(text) < 1_000


@given(st.dictionaries(VARIABLES, TEXTS, max_size=4))
@example({"LINESIDE_SUMMARY_WINDOW_SECONDS": "\udcff"})
def test_whatever_the_environment_says_ends_in_settings_or_one_sentence(
    environment: dict[str, str],
) -> None:
    assert_settings_or_a_sentence(environment, None)


@given(
    entries=st.lists(st.tuples(TOML_NAMES, TOML_VALUES), max_size=4),
    table=st.sampled_from(["", "[time_zones]\n", "[foo]\n", "[[port]]\n", "[port]\n[port]\n"]),
    odd=st.sampled_from([b"", b"\xff\xfe", b"\x00", b"\xef\xbb\xbf", b"port = ", b"\n" * 100]),
)
def test_whatever_a_file_says_ends_in_settings_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, str]], table: str, odd: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "odd.toml"
    text = "".join(f"{name} = {value}\n" for name, value in entries)
    file.write_bytes((text + table).encode() + odd)
    assert_settings_or_a_sentence({}, file)


@pytest.mark.parametrize("what", ["settings", "policy"])
@pytest.mark.parametrize("kind", ["missing", "folder", "latin-1", "endless", "zero"])
def test_a_file_that_cannot_be_read_is_one_sentence_that_names_it(
    tmp_path: Path, kind: str, what: str
) -> None:
    file = tmp_path / "odd.toml"
    if kind == "folder":
        file.mkdir()
    elif kind == "latin-1":
        file.write_bytes("# Schichtübergabe\n".encode("latin-1"))
    elif kind == "endless":
        file = Path("/dev/zero")
    elif kind == "zero":
        file = Path("a\x00b")
    with pytest.raises(SettingsError) as error:
        rules_of(read_settings({}, file) if what == "settings" else Settings(policy=str(file)))
    assert f"{what} " in str(error.value)
    assert "odd.toml" in str(error.value) or file.name in ("zero", "a\x00b")
    assert "\n" not in str(error.value)


def test_the_name_of_a_file_is_told_whole_however_long_it_is(tmp_path: Path) -> None:
    file = tmp_path / ("a" * 100) / "odd.toml"
    with pytest.raises(SettingsError, match=f"settings file {file} can't be read"):
        read_settings({}, file)


@pytest.mark.parametrize(
    "name", ["LOG_LEVEL", "X", "", "CORES", "CONFIGURATION", "CONFIG_FILE", "CORE_", "TESTS"]
)
def test_an_unknown_variable_is_refused_with_the_way_out(name: str) -> None:
    with pytest.raises(SettingsError) as error:
        read_settings({f"LINESIDE_{name}": "x"})
    text = str(error.value)
    assert text.startswith(f"LINESIDE_{name} isn't a setting")
    assert "did you mean LINESIDE_" in text or "docs/settings.md" in text


def test_what_is_no_setting_is_let_be() -> None:
    given = {"LINESIDE_CORE": "plain", "LINESIDE_TEST_BROKER": "x", "LINESIDE_CONFIG": ""}
    assert read_settings(given) == Settings()


def test_an_unknown_name_in_a_file_is_refused_with_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "lineside.toml"
    for text, sentence in (
        ("foo = 1", "foo isn't a setting: docs/settings.md lists all of them"),
        ("grace_second = 1", "grace_second isn't a setting; did you mean grace_seconds?"),
        ("GRACE_SECONDS = 1", "GRACE_SECONDS isn't a setting"),
        ('"a\\nb" = 1', r"'a\nb' isn't a setting"),
    ):
        file.write_text(text)
        with pytest.raises(SettingsError) as error:
            read_settings({}, file)
        assert str(error.value).startswith(sentence)


SECONDS: list[tuple[str, Any]] = [
    (name, value)
    for name in NAMES
    if name.endswith(("_seconds", "_seconds_max"))
    for value in (10**13, "inf", "nan", -1)
]


@pytest.mark.parametrize(("name", "value"), SECONDS)
def test_a_length_of_time_that_cannot_be_is_refused(name: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings({f"LINESIDE_{name.upper()}": str(value)})


# The state's format.


@pytest.mark.parametrize("value", [0, FORMATS[-1]])
def test_the_latest_format_may_be_named(value: int) -> None:
    assert read_settings({"LINESIDE_STATE_FORMAT": str(value)}).state_format == value


@pytest.mark.parametrize("value", FORMATS[:-1])
def test_an_earlier_format_is_refused_before_a_state_is_changed(value: int) -> None:
    """Who names one wants to go back: that has to be known before the first write."""
    with pytest.raises(SettingsError) as error:
        read_settings({"LINESIDE_STATE_FORMAT": str(value)})
    assert str(error.value) == (
        f"state_format is {value}: it must be 0 or 4: this version reads states of format {value}, "
        "and goes on with them in format 4, which earlier versions can't read (docs/upgrading.md)"
    )


@pytest.mark.parametrize("value", [-1, FORMATS[-1] + 1])
def test_a_format_that_there_is_not_is_refused(value: int) -> None:
    with pytest.raises(SettingsError, match=f"state_format is {value}: it must be 0 or 4$"):
        read_settings({"LINESIDE_STATE_FORMAT": str(value)})
