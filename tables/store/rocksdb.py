"""EDGE: a partition's state on disk, in RocksDB through rocksdict."""

import gc
import shutil
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import rocksdict

from streams.log.writing import Lost
from streams.trouble import Trouble
from tables.store.store import Change

BLOCK_CACHE_BYTES: Final = 64 << 20
"""Shared by all partitions of a process."""

MEMTABLES_BYTES_MAX: Final = 256 << 20
"""The write buffers of all states of a process; two for each, one filling while one is flushed.

Not RocksDB's `WriteBufferManager`: with that, the buffers of idle states make busy ones flush at
each write.
"""

MEMTABLE_BYTES_MAX: Final = 16 << 20
MEMTABLE_BYTES_MIN: Final = 256 << 10
"""The write buffer of one state. Smaller buffers make more files, and more merging."""

L0_FILES: Final = 20
"""Files of the first level before they are merged. Bloom filters make look-ups in many files cheap,
and merging later costs a fifth less."""

OPEN_FILES_MAX: Final = 256
LOG_FILES_MAX: Final = 2
BLOOM_BITS_PER_KEY: Final = 10
"""One look-up of an unknown key in a hundred reads a block; nearly all ledger look-ups miss."""

SIZES: Final = ("rocksdb.total-sst-files-size", "rocksdb.cur-size-all-mem-tables")
"""The RocksDB properties that add up to the size of a database, without its log."""

DAMAGE: Final = ("Corruption", "No such file or directory")
"""RocksDB's words for damaged files. Other errors (no room, no descriptors, no rights) come from
the machine: a new store would have them, too."""

IN_USE: Final = ("lock hold", "While lock")
"""RocksDB's words for a directory that another process uses."""

LEFT_OPEN: Final = "lock hold by current process"
"""RocksDB's words for a directory that this process still uses."""

_cache: rocksdict.Cache | None = None


class StateError(Trouble):
    """A state directory can't be used."""


class DamagedError(StateError):
    """Files of a state are damaged, and can't be made again from a changelog."""

    def __init__(self, path: Path, error: object) -> None:
        super().__init__(
            f"the state in {path} is damaged ({_words(error)}): restore the folder that it is in "
            "from a backup, or begin anew in another one (data_dir)"
        )


class CopyDamagedError(StateError, Lost):
    """Files of a copy are damaged: the copy is deleted when it is closed, and made again."""

    def __init__(self, path: Path, error: object) -> None:
        super().__init__(
            f"the copy of the state in {path} is damaged ({_words(error)}): it's thrown away, and "
            "made again from its changelog"
        )


class RocksStore:
    """The store of one partition in a directory of its own.

    With the write-ahead log (`wal`), written changes survive a `kill -9`. They aren't synced to the
    medium, so a power cut may lose the last moments. A store that is made anew, or that gets its
    last moments from a changelog, needs no write-ahead log.

    Damaged files raise `DamagedError` when they are read, and at every write after that. A `copy`
    raises `CopyDamagedError`, and closing it deletes it.
    """

    def __init__(self, path: Path, wal: bool = True, copy: bool = False, states: int = 1) -> None:
        """Open the store; `states` is the number of stores of the process."""
        self._path = path
        self._wal = wal
        self._copy = copy
        self._damage: StateError | None = None
        self._memtable_bytes = memtable_bytes(states)
        self._db = self._opened()

    def _opened(self) -> rocksdict.Rdict:
        there = self._path.exists()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = _database(self._path, self._memtable_bytes)
        except Exception as error:  # rocksdict raises plain Exceptions
            if self._copy and there and not _mentions(error, IN_USE):
                shutil.rmtree(self._path) if self._path.is_dir() else self._path.unlink()
                raise CopyDamagedError(self._path, error) from None
            if _mentions(error, DAMAGE):
                raise DamagedError(self._path, error) from None
            raise StateError(f"the state in {self._path} can't be opened: {error}") from None
        if not self._wal:
            options = rocksdict.WriteOptions()
            options.disable_wal = True  # type: ignore[method-assign,assignment]  # its stub is wrong
            db.set_write_options(options)
        return db

    def clear(self) -> None:
        """Delete all keys."""
        self._db.close()
        shutil.rmtree(self._path)
        self._db = self._opened()

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order, None for a missing key."""
        try:
            found: Any = self._db.get(list(keys)) if keys else []
        except Exception as error:  # rocksdict raises plain Exceptions
            raise self._read_error(error) from None
        values: list[bytes | None] = found
        return values

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of each key with `prefix` behind `after`, in the order of the keys."""
        begin = max(prefix, after + b"\0") if after else prefix
        key: Any = begin
        for key, value in self._db.items(from_key=begin):
            if not key.startswith(prefix):
                return
            yield key, value
        self._check_end(key)

    def _check_end(self, last: bytes) -> None:
        """Raise an error if the scan ended at `last` because a file can't be read.

        rocksdict's iterators end there without an error.
        """
        following = self._db.iter()
        try:
            following.seek(last)
            if following.valid():
                following.next()
            following.status()
        except Exception as error:  # rocksdict raises plain Exceptions
            raise self._read_error(error) from None
        finally:
            del following  # an error keeps its frames, and an iterator keeps the directory

    def write(self, changes: Iterable[Change]) -> None:
        """Make the changes, all or none."""
        if self._damage is not None:
            raise self._damage
        batch = rocksdict.WriteBatch(raw_mode=True)
        # Sorted keys halve the cost of the write, which is more than the sort costs. The sort keeps
        # the order of several changes of one key.
        for key, value in sorted(changes, key=_key):
            if value is None:
                batch.delete(key)
            else:
                batch[key] = value
        try:
            self._db.write(batch)
        except Exception as error:  # rocksdict raises plain Exceptions
            if _mentions(error, DAMAGE):  # found while merging
                raise self._damaged(error) from None
            raise StateError(f"the state in {self._path} can't be written: {error}") from None

    def _read_error(self, error: Exception) -> StateError:
        if _mentions(error, DAMAGE):
            return self._damaged(error)
        return StateError(f"the state in {self._path} can't be read: {error}")

    def _damaged(self, error: Exception) -> StateError:
        """Note that files are damaged, so that nothing more is written."""
        kind = CopyDamagedError if self._copy else DamagedError
        self._damage = kind(self._path, error)
        return self._damage

    @property
    def damaged(self) -> bool:
        """Whether a read or a write has found damaged files."""
        return self._damage is not None

    def size_bytes(self) -> int:
        """Return the size of the files and the write buffers."""
        return sum(self._db.property_int_value(name) or 0 for name in SIZES)

    def close(self) -> None:
        """Flush, and release the directory; delete it if it is a damaged copy."""
        try:
            self._db.close()
        except Exception as error:  # rocksdict raises plain Exceptions
            if self._damage is None and not _mentions(error, DAMAGE):
                raise StateError(f"the state in {self._path} can't be written: {error}") from None
        if self._damage is not None and self._copy:
            shutil.rmtree(self._path, ignore_errors=True)  # the damage may hinder deleting, too


def _database(path: Path, memtable_bytes: int) -> rocksdict.Rdict:
    """Open a directory; try again if an iterator of ours still holds it.

    A closed database holds its directory until its last iterator is gone. An iterator may belong to
    a scan that an error cut short, and that the garbage collector hasn't freed yet.
    """
    try:
        return rocksdict.Rdict(str(path), options=_options(memtable_bytes))
    except Exception as error:  # rocksdict raises plain Exceptions
        if LEFT_OPEN not in str(error):
            raise
    gc.collect()
    return rocksdict.Rdict(str(path), options=_options(memtable_bytes))


_key = itemgetter(0)


def _mentions(error: Exception, words: Sequence[str]) -> bool:
    return any(each in str(error) for each in words)


def _words(error: object) -> str:
    """Return RocksDB's message without the two checksums at its end, which help nobody."""
    return str(error).split(": stored(")[0].strip()


def memtable_bytes(states: int) -> int:
    """Return the size of a write buffer in a process with `states` states."""
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
    # Flushed files are merged soon: only merged ones are worth compressing.
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
