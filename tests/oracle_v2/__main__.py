"""Replays a log from the command line."""

from .replay import main

main()
