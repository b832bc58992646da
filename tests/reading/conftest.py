"""The databases of these tests."""

from books.databases import *  # noqa: F403
