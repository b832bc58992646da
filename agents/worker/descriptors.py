"""How many files and connections a worker may have open: as many as its system allows."""

import contextlib
import resource


def allow_all() -> int:
    """Raise this process's soft limit of descriptors to the hard one; return what it is then.

    RocksDB keeps files of each partition open, and a usual soft limit of 1,024 is that of programs
    that use select(2), which none here does.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # a system may refuse even that
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
