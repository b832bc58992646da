"""Raises the limit of open files and connections to what the system allows."""

import contextlib
import resource


def allow_all() -> int:
    """Raise this process's soft limit of descriptors to the hard one; return the limit.

    RocksDB keeps files of each partition open. The usual soft limit of 1,024 is for programs that
    use select(2), and nothing here does.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # a system may refuse that, too
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
