"""The address of a cluster: as people write it, and what they get wrong."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.address import read_servers

hosts = st.from_regex(
    r"[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?){0,2}", fullmatch=True
) | st.sampled_from(["[::1]", "[2001:db8::7]", "127.0.0.1"])
servers = st.tuples(hosts, st.integers(1, 65_535))


@given(st.lists(st.tuples(servers, st.booleans(), st.booleans()), min_size=1, max_size=4))
def test_servers_are_read_as_they_are_written(
    written: list[tuple[tuple[str, int], bool, bool]],
) -> None:
    """With and without a port, and with the scheme once more or not."""
    url = "kafka://" + ",".join(
        f"{'kafka://' if again else ''}{host}{f':{port}' if named else ''}"
        for (host, port), named, again in written
    )
    expected = tuple(f"{host}:{port if named else 9092}" for (host, port), named, _ in written)
    assert read_servers(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("kafka://broker:9092", ("broker:9092",)),
        ("kafka://broker", ("broker:9092",)),
        ("kafka://a:1,b:2,c", ("a:1", "b:2", "c:9092")),
        ("kafka://a:1,kafka://b:2", ("a:1", "b:2")),
        ("kafka://[::1]:19092", ("[::1]:19092",)),
        ("kafka://[::1]", ("[::1]:9092",)),
        ("kafka://[2001:db8::1],[2001:db8::2]:9093", ("[2001:db8::1]:9092", "[2001:db8::2]:9093")),
        ("kafka://broker:65535", ("broker:65535",)),
        ("kafka://lineside_broker-1.plant.example:9092", ("lineside_broker-1.plant.example:9092",)),
        ("kafka://[fe80::1%eth0]:9092", ("[fe80::1%eth0]:9092",)),
    ],
)
def test_good_addresses(url: str, expected: tuple[str, ...]) -> None:
    assert read_servers(url) == expected


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("", "''"),
        ("broker:9092", "'broker:9092'"),
        ("mqtt://broker:1883", "'mqtt://broker:1883'"),
        ("KAFKA://broker:9092", "'KAFKA://broker:9092'"),
        ("kafka:/broker", "'kafka:/broker'"),
        ("kafka://", "''"),
        ("kafka://:9092", "':9092'"),
        ("kafka://a:1,", "''"),
        ("kafka://a:1,,b:2", "''"),
        ("kafka://broker:", "'broker:'"),
        ("kafka://broker:http", "'broker:http'"),
        ("kafka://broker:-1", "'broker:-1'"),
        ("kafka://broker:+1", "'broker:+1'"),
        ("kafka://broker:9_092", "'broker:9_092'"),
        ("kafka://broker:９０９２", "'broker:９０９２'"),
        ("kafka://broker:0", "0 of"),
        ("kafka://broker:65536", "65536 of"),
        ("kafka://broker:9092/", "'broker:9092/'"),
        ("kafka://broker/topic:9092", "'broker/topic:9092'"),
        ("kafka://a:1,mqtt://b:2", "'mqtt://b:2'"),
        ("kafka://a:1;b:2", "'a:1;b:2'"),
        ("kafka://a:1, b:2", "' b:2'"),
        ("kafka://user:secret@broker:9092", "'user:secret@broker:9092'"),
        ("kafka://::1:9092", "'::1:9092'"),
        ("kafka://::1", "'::1'"),
        ("kafka://2001:db8::1", "'2001:db8::1'"),
        ("kafka://[::1", "'[::1'"),
        ("kafka://::1]:9092", "'::1]:9092'"),
        ("kafka://[]:9092", "'[]:9092'"),
    ],
)
def test_bad_addresses_say_which_part_is_wrong(url: str, named: str) -> None:
    with pytest.raises(ValueError, match=re.escape(named)) as raised:
        read_servers(url)
    assert repr(url) in str(raised.value)
