"""One writer at a time: a lock on a file beside the store, with the holder's name in it."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from monitor.errors import StoreError


class StoreInUse(StoreError):
    """Another process is the writer of this store."""


class WriterLock:
    """Held from `acquire` until `release` or the end of the process, however it ends."""

    def __init__(self, store_path: Path) -> None:
        self._path = store_path.with_name(store_path.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self, role: str) -> None:
        """Take the lock. Raises StoreError that names the holder when another process has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(descriptor)
            raise StoreInUse(f"the store is in use by {holder}: stop it first, or use another --store") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{role}, process {os.getpid()}".encode(), 0)
        self._descriptor = descriptor

    def must_be_held(self) -> None:
        """Raise StoreInUse if the lock's file is another one by now: somebody has removed it, and whoever came after holds the new one."""
        if self._descriptor is None:
            raise StoreInUse("the store's lock was given up")
        try:
            ours = os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except FileNotFoundError:
            ours = False
        if not ours:
            raise StoreInUse(f"{self._path} is no longer the file that was locked: another process may be the writer now")

    def release(self) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> "WriterLock":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()
