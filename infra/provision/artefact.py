"""Artefacts: folders in `.runtime/` that are either whole and as pinned, or not there.

Each is built under a temporary name and renamed into place, so that an interrupted run leaves nothing half done.
Its stamp holds the digest of everything that it was made from and the size of every file: a changed pin, a
truncated file and a deleted one are all noticed by the next run, for the price of a few `stat` calls.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from pathlib import Path

STAMP = ".stamp.json"


def say(line):
    """One line of progress."""
    print(f"bootstrap: {line}", file=sys.stderr, flush=True)


def digest_of(*parts):
    """Fingerprint of what an artefact is made from: files by content, anything else by its JSON."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else json.dumps(part, sort_keys=True).encode()
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _sizes(folder):
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path.name != STAMP and "__pycache__" not in path.parts
    }


class Artefact:
    """A folder below `root`, made by `build(folder)` from what `made_from` fingerprints."""

    def __init__(self, root, name, made_from, build):
        self.path = root / name
        self.name = name
        self.made_from = made_from
        self.build = build

    def is_current(self):
        """Whether the folder is whole and made from today's pins."""
        try:
            stamp = json.loads((self.path / STAMP).read_text(encoding="utf-8"))
            return stamp["made_from"] == self.made_from and all(
                (self.path / name).stat().st_size == size for name, size in stamp["files"].items()
            )
        except (OSError, ValueError, KeyError):
            return False

    def make(self, scratch):
        """Builds it under `scratch` (same file system) and puts it in place of what was there."""
        started = time.monotonic()
        fresh = scratch / self.path.name
        fresh.mkdir(parents=True)
        self.build(fresh)
        stamp = {"made_from": self.made_from, "files": _sizes(fresh)}
        (fresh / STAMP).write_text(json.dumps(stamp), encoding="utf-8")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self.path.rename(scratch / f"{self.path.name}.old")
        fresh.rename(self.path)
        shutil.rmtree(scratch)
        say(f"{self.name}: ready ({time.monotonic() - started:.1f} s)")


@contextlib.contextmanager
def exclusive(root):
    """Keeps a second bootstrap of the same folder waiting, and clears what a killed one left behind."""
    root.mkdir(parents=True, exist_ok=True)
    with open(root / ".lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another bootstrap of this folder")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in root.glob(".tmp-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        scratch = root / f".tmp-{os.getpid()}"
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
