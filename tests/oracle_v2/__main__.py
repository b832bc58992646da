"""Replays a log from the command line."""

from .replay import main

if __name__ == "__main__":
    main()
