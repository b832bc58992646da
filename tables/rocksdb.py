"""EDGE: a partition's state on disk, in RocksDB through rocksdict."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import rocksdict

from streams.trouble import Trouble
from tables.store import Change

BLOCK_CACHE_BYTES: Final = 64 << 20
"""Shared by all partitions of a process."""

MEMTABLES_BYTES_MAX: Final = 256 << 20
"""What isn't on disk yet, of all states of a process: write buffers, each twice while it's flushed.

Not RocksDB's `WriteBufferManager`: with that, what idle states hold makes those at work flush with
each write.
"""

MEMTABLE_BYTES_MAX: Final = 16 << 20
MEMTABLE_BYTES_MIN: Final = 256 << 10
"""Of one state. Smaller ones make more files, and more to merge."""

L0_FILES: Final = 20
"""Files of the first level before they are merged: bloom filters make look-ups past them cheap, and
merging later costs a fifth less."""

OPEN_FILES_MAX: Final = 256
LOG_FILES_MAX: Final = 2
BLOOM_BITS_PER_KEY: Final = 10
"""One look-up of an unknown key in a hundred reads a block; nearly all ledger look-ups miss."""

SIZES: Final = ("rocksdb.total-sst-files-size", "rocksdb.cur-size-all-mem-tables")
"""RocksDB's names of what adds up to the size of a database; its log is left out."""

_cache: rocksdict.Cache | None = None


class StateError(Trouble):
    """A state directory that can't be used."""


class RocksStore:
    """The store of one partition in a directory of its own.

    With the write-ahead log on, what was written outlives the process (`kill -9`); it isn't synced
    to the medium, so a power cut may take the last moments. Off suits a store that is made anew, or
    whose last moments come from a changelog.
    """

    def __init__(self, path: Path, wal: bool = True, states: int = 1) -> None:
        """Open it, one of so many `states` of the process."""
        self._path = path
        self._wal = wal
        self._memtable_bytes = memtable_bytes(states)
        self._db = self._opened()

    def _opened(self) -> rocksdict.Rdict:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = rocksdict.Rdict(str(self._path), options=_options(self._memtable_bytes))
        except Exception as error:  # rocksdict raises plain Exceptions
            raise StateError(f"the state in {self._path} can't be opened: {error}") from None
        if not self._wal:
            options = rocksdict.WriteOptions()
            options.disable_wal = True  # type: ignore[method-assign,assignment]  # its stub is wrong
            db.set_write_options(options)
        return db

    def clear(self) -> None:
        """Forget everything."""
        self._db.close()
        shutil.rmtree(self._path)
        self._db = self._opened()

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order, None where there's none."""
        found: Any = self._db.get(list(keys)) if keys else []
        values: list[bytes | None] = found
        return values

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of each key with `prefix`, in the order of the keys."""
        key: Any
        for key, value in self._db.items(from_key=prefix):
            if not key.startswith(prefix):
                return
            yield key, value

    def write(self, changes: Iterable[Change]) -> None:
        """Make the changes, all or none."""
        batch = rocksdict.WriteBatch(raw_mode=True)
        # Neighbours go in together: that halves what the write costs, and is worth the sort, which
        # keeps the order of changes of one key.
        for key, value in sorted(changes, key=_key):
            if value is None:
                batch.delete(key)
            else:
                batch[key] = value
        try:
            self._db.write(batch)
        except Exception as error:  # rocksdict raises plain Exceptions
            raise StateError(f"the state in {self._db.path()} can't be written: {error}") from None

    def size_bytes(self) -> int:
        """Return how much the files and the write buffers take."""
        return sum(self._db.property_int_value(name) or 0 for name in SIZES)

    def close(self) -> None:
        """Flush and let go of the directory."""
        try:
            self._db.close()
        except Exception as error:  # rocksdict raises plain Exceptions
            raise StateError(f"the state in {self._path} can't be written: {error}") from None


_key = itemgetter(0)


def memtable_bytes(states: int) -> int:
    """Return how large a write buffer is where a process has so many states."""
    share = MEMTABLES_BYTES_MAX // (2 * max(states, 1))
    return max(min(share, MEMTABLE_BYTES_MAX), MEMTABLE_BYTES_MIN)


def _options(write_buffer_bytes: int) -> rocksdict.Options:
    global _cache
    if _cache is None:
        _cache = rocksdict.Cache(BLOCK_CACHE_BYTES)
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(write_buffer_bytes)
    options.set_max_write_buffer_number(2)
    options.set_memtable_whole_key_filtering(True)
    options.set_memtable_prefix_bloom_ratio(0.1)
    options.set_level_zero_file_num_compaction_trigger(L0_FILES)
    options.set_level_zero_slowdown_writes_trigger(4 * L0_FILES)
    options.set_level_zero_stop_writes_trigger(8 * L0_FILES)
    # What is flushed is merged soon: only what has been is worth compressing.
    options.set_compression_per_level(
        [rocksdict.DBCompressionType.none(), *[rocksdict.DBCompressionType.lz4()] * 6]
    )
    options.set_max_open_files(OPEN_FILES_MAX)
    options.set_keep_log_file_num(LOG_FILES_MAX)
    table = rocksdict.BlockBasedOptions()
    table.set_block_cache(_cache)
    table.set_bloom_filter(BLOOM_BITS_PER_KEY, False)
    table.set_cache_index_and_filter_blocks(False)
    options.set_block_based_table_factory(table)
    return options
