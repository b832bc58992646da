"""The pictures of docs/desk.md are there, small, and each is shown."""

from pathlib import Path

import pytest

from pictures import BYTES_MAX, FOLDER, PICTURES

PAGE = (Path(__file__).parents[2] / "docs" / "desk.md").read_text("utf-8")


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_there_small_and_shown(name: str) -> None:
    picture = FOLDER / f"{name}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < BYTES_MAX
    assert f"](pictures/{name}.png)" in PAGE


def test_no_picture_is_left_that_nobody_makes() -> None:
    assert {each.stem for each in FOLDER.glob("*.png")} == set(PICTURES)
