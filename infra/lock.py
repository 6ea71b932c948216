#!/usr/bin/env python3
"""Writes a requirements file with the hashes of every wheel that any supported machine may need.

    python3 infra/lock.py infra/requirements-export.in > infra/requirements-export.txt

The input names packages, one a line; `--no-deps NAME` takes a package without its dependencies (for those
that are only needed by parts we do not call), `--oldest-python 3.10` leaves older interpreters out. Each
supported CPython x architecture is resolved on its own, because the newest release that still supports an old
Python differs from the newest of all; the result says so in environment markers. Only whoever changes a version
runs this; `bootstrap.py` reads its output.
"""

import json
import subprocess
import sys
from collections import defaultdict

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

from provision.machine import ARCHITECTURES, wheel_platforms

PYTHONS = ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]


def read_input(path):
    """The packages to resolve fully, those to take alone, and the Pythons to resolve them for."""
    full, alone, pythons = [], [], PYTHONS
    with open(path, encoding="utf-8") as lines:
        for line in (line.partition("#")[0].strip() for line in lines):
            if line.startswith("--no-deps "):
                alone.append(line.split(None, 1)[1])
            elif line.startswith("--oldest-python "):
                pythons = PYTHONS[PYTHONS.index(line.split()[1]) :]
            elif line:
                full.append(line)
    return full, alone, pythons


def pip_report(python, arch, packages, *flags):
    """What pip would install for that interpreter, without installing or (mostly) downloading it."""
    if not packages:
        return []
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    command += ["--only-binary=:all:", "--target", "unused", "--implementation", "cp", "--python-version", python]
    command += [part for tag in wheel_platforms(arch) for part in ("--platform", tag)]
    answer = subprocess.run([*command, *flags, *packages], check=True, stdout=subprocess.PIPE)
    return json.loads(answer.stdout)["install"]


def missing_dependencies(python, arch, report):
    """Requirements that hold for `python` but that pip skipped: it evaluates markers for its own interpreter."""
    environment = {"python_version": python, "python_full_version": python + ".0", "platform_machine": arch, "extra": ""}
    have = {canonicalize_name(item["metadata"]["name"]) for item in report}
    wanted = [Requirement(text) for item in report for text in item["metadata"].get("requires_dist", [])]
    return [
        f"{need.name}{need.specifier}"
        for need in wanted
        if canonicalize_name(need.name) not in have and (need.marker is None or need.marker.evaluate(environment))
    ]


def resolve(python, arch, full, alone):
    """Every wheel for one interpreter as `(name, version, sha256)`."""
    report = pip_report(python, arch, full)
    while more := missing_dependencies(python, arch, report):
        full = [*full, *more]
        report = pip_report(python, arch, full)
    report = report + pip_report(python, arch, alone, "--no-deps")
    for item in report:
        meta, archive = item["metadata"], item["download_info"]["archive_info"]
        yield canonicalize_name(meta["name"]), meta["version"], archive["hashes"]["sha256"]


def marker(pythons, oldest):
    """The environment marker of these of our Pythons, which are neighbours; newer ones count with our newest."""
    first, last = PYTHONS.index(pythons[0]), PYTHONS.index(pythons[-1])
    if pythons != PYTHONS[first : last + 1]:
        raise SystemExit(f"{pythons} are not neighbours: pin that package's version in the input")
    bounds = [f'python_version >= "{pythons[0]}"'] if pythons[0] != oldest else []
    if last + 1 < len(PYTHONS):
        bounds.append(f'python_version < "{PYTHONS[last + 1]}"')
    return " ; " + " and ".join(bounds) if bounds else ""


def main():
    """Prints the locked requirements of the file named on the command line."""
    full, alone, wanted = read_input(sys.argv[1])
    pythons, hashes = defaultdict(list), defaultdict(set)
    for python in wanted:
        for arch in ARCHITECTURES:
            print(f"resolving for CPython {python} on {arch}", file=sys.stderr)
            for name, version, digest in resolve(python, arch, full, alone):
                if python not in pythons[name, version]:
                    pythons[name, version].append(python)
                hashes[name, version].add(digest)
    print(f"# Written by infra/lock.py from {sys.argv[1]}; do not edit.")
    for name, version in sorted(pythons):
        pins = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sorted(hashes[name, version]))
        print(f"{name}=={version}{marker(pythons[name, version], wanted[0])}{pins}")


if __name__ == "__main__":
    main()
