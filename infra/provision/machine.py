"""What this machine is, and what it must have before anything can be built on it."""

import importlib.util
import os
import platform
import shutil
import sys

ARCHITECTURES = ["x86_64", "aarch64"]
OLDEST_GLIBC = (2, 28)
OLDEST_PYTHON = (3, 9)

# tool -> (any of these commands, Debian package, where else it comes from)
TOOLS = {
    "cargo": (["cargo"], None, "Rust and cargo from https://rustup.rs"),
    "cc": (["cc", "gcc", "clang"], "build-essential", "a C compiler (gcc or clang)"),
}


class Failure(Exception):
    """Ends the bootstrap with one line that a person can act on."""


def wheel_platforms(arch):
    """The wheel platform tags that we accept, for glibc up to 2.28."""
    return [f"manylinux{tag}_{arch}" for tag in ("_2_28", "_2_27", "_2_17", "2014")]


def architecture():
    """`x86_64` or `aarch64`, or a `Failure` where the pinned binaries cannot run."""
    arch = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    if sys.platform != "linux" or arch not in ARCHITECTURES:
        raise Failure(
            f"no pinned binaries for {sys.platform} on {platform.machine()}: use Linux on x86_64 or aarch64, "
            "or your own Postgres through DATABASE_URL"
        )
    name, version = platform.libc_ver()
    if name == "glibc" and tuple(int(part) for part in version.split(".")[:2]) < OLDEST_GLIBC:
        raise Failure(f"glibc {version} is too old: the pinned binaries need 2.28 (Debian 10, Ubuntu 20.04, RHEL 8)")
    if name != "glibc" and os.path.exists("/etc/alpine-release"):
        raise Failure("musl is not supported by the pinned binaries: use a glibc distribution (Debian, Ubuntu, Fedora)")
    return arch


def check_tools(names):
    """Raises one `Failure` that names everything missing among pip and `names`, and how to install it."""
    if sys.version_info < OLDEST_PYTHON:
        raise Failure(f"Python {platform.python_version()} is too old: install python3 3.9 or newer")
    missing = []
    if importlib.util.find_spec("pip") is None:
        missing.append(("pip", "python3-pip", "pip for python3 (python3 -m ensurepip)"))
    for name in names:
        commands, package, generic = TOOLS[name]
        if not any(shutil.which(command) for command in commands):
            missing.append((name, package, generic))
    if not missing:
        return
    names = ", ".join(name for name, _, _ in missing)
    packages = " ".join(package for _, package, _ in missing if package)
    ways = ([f"apt-get install {packages}"] if packages else []) + [generic for _, package, generic in missing if not package]
    elsewhere = ", ".join(generic for _, package, generic in missing if package)
    raise Failure(f"missing {names}. Install: {'; '.join(ways)}" + (f" (not on Debian: {elsewhere})" if elsewhere else ""))
