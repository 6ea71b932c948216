"""The bootstrap's promises, without a network: whole or absent, refreshed when a pin changes, checked before use."""

import hashlib
import json
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path
from unittest import mock

INFRA = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(INFRA))

import bootstrap  # noqa: E402
from provision import artefact, machine, wheel  # noqa: E402
from provision.artefact import Artefact, exclusive  # noqa: E402
from provision.machine import Failure  # noqa: E402


class Folder(unittest.TestCase):
    """A test with a folder of its own, and no progress lines."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)
        for module in (artefact, wheel):
            quiet = mock.patch.object(module, "say")
            quiet.start()
            self.addCleanup(quiet.stop)


class Artefacts(Folder):
    """Folders that are whole and as pinned, or not there."""

    def make(self, made_from, content, fail=False):
        def build(folder):
            (folder / "sub").mkdir()
            (folder / "sub" / "file").write_text(content)
            if fail:
                raise KeyboardInterrupt

        one = Artefact(self.root, "one", made_from, build)
        if not one.is_current():
            with exclusive(self.root) as scratch:
                one.make(scratch)
        return one

    def content(self):
        return (self.root / "one" / "sub" / "file").read_text()

    def test_is_made_once(self):
        self.make("pin", "first")
        self.make("pin", "second")
        self.assertEqual(self.content(), "first")

    def test_is_made_again_for_another_pin(self):
        self.make("pin", "first")
        self.make("other pin", "second")
        self.assertEqual(self.content(), "second")

    def test_an_interrupted_build_leaves_what_was_there_and_nothing_else(self):
        self.make("pin", "first")
        with self.assertRaises(KeyboardInterrupt):
            self.make("other pin", "half", fail=True)
        self.assertEqual(self.content(), "first")
        self.assertEqual({path.name for path in self.root.iterdir()}, {"one", ".lock"})
        self.make("other pin", "second")
        self.assertEqual(self.content(), "second")

    def test_what_a_killed_run_left_is_cleared(self):
        (self.root / ".tmp-1" / "one").mkdir(parents=True)
        self.make("pin", "first")
        self.assertFalse((self.root / ".tmp-1").exists())

    def test_a_damaged_or_missing_file_is_noticed(self):
        for damage in (lambda file: file.write_text("cut"), lambda file: file.unlink()):
            one = self.make("pin", "whole")
            damage(self.root / "one" / "sub" / "file")
            self.assertFalse(one.is_current())
            self.make("pin", "whole")
            self.assertEqual(self.content(), "whole")


class Wheels(Folder):
    """What is fetched is checked, and taken apart by rule."""

    def wheel(self, content="text"):
        path = self.root / "package.whl"
        with zipfile.ZipFile(path, "w") as archive:
            tool = zipfile.ZipInfo("package/bin/tool")
            tool.external_attr = 0o755 << 16
            archive.writestr(tool, content)
            archive.writestr("package/data/deep/file", "data")
        return path

    def pin(self, content="text"):
        digest = hashlib.sha256(self.wheel(content).read_bytes()).hexdigest()
        return {"package": "package", "version": "1", "wheel_python": "3.12", "sha256": {"x86_64": digest}}

    def fetch(self, pin, delivered):
        """Fetches with a pip that delivers a wheel of that content."""

        def run_pip(_what, *arguments):
            destination = Path(arguments[arguments.index("--dest") + 1])
            destination.mkdir()
            self.wheel(delivered).rename(destination / "package-1.whl")

        with mock.patch.object(wheel, "run_pip", side_effect=run_pip) as pip:
            return wheel.fetch(pin, "x86_64", self.root), pip.call_count

    def test_a_wheel_is_downloaded_once(self):
        pin = self.pin()
        first, downloads = self.fetch(pin, "text")
        self.assertEqual(downloads, 1)
        self.assertEqual(self.fetch(pin, "text"), (first, 0))

    def test_a_wheel_with_another_hash_is_refused_and_not_kept(self):
        pin = self.pin()
        for _ in range(2):
            with self.assertRaisesRegex(Failure, "not using it"):
                self.fetch(pin, "tampered")
        self.assertEqual(list(self.root.glob("*.whl")), [])

    def test_a_kept_wheel_that_was_damaged_is_downloaded_again(self):
        pin = self.pin()
        kept, _ = self.fetch(pin, "text")
        kept.write_bytes(b"cut")
        again, downloads = self.fetch(pin, "text")
        self.assertEqual((again, downloads), (kept, 1))

    def test_files_are_taken_by_rule_and_stay_executable(self):
        target = self.root / "target"
        wheel.unpack(self.wheel(), {r"package/(bin/.+)": r"\1", r"package/data/(.+)": r"share/\1"}, target)
        self.assertTrue((target / "bin" / "tool").stat().st_mode & 0o111)
        self.assertFalse((target / "share" / "deep" / "file").stat().st_mode & 0o111)

    def test_a_rule_that_matches_nothing_is_a_failure(self):
        with self.assertRaisesRegex(Failure, "layout changed"):
            wheel.unpack(self.wheel(), {r"package/lib/.+": "lib"}, self.root / "target")


class Pins(Folder):
    """What is pinned is pinned for every machine, and taken whole."""

    def test_every_wheel_is_pinned_for_every_architecture(self):
        for name, pin in json.loads((INFRA / "pins.json").read_text(encoding="utf-8")).items():
            self.assertEqual(sorted(pin["sha256"]), sorted(machine.ARCHITECTURES), name)
            for digest in pin["sha256"].values():
                self.assertRegex(digest, "^[0-9a-f]{64}$", name)

    def test_pdfium_comes_with_its_licences_and_nothing_else(self):
        path = self.root / "pypdfium2.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name in (
                "pypdfium2/__init__.py",
                "pypdfium2_raw/libpdfium.so",
                "pypdfium2-5.15.2.dist-info/licenses/LICENSES/BSD-3-Clause.txt",
                "pypdfium2-5.15.2.dist-info/licenses/BUILD_LICENSES/icu.txt",
                "pypdfium2-5.15.2.dist-info/METADATA",
            ):
                archive.writestr(name, name)
        target = self.root / "pdfium"
        wheel.unpack(path, bootstrap.PDFIUM_FILES, target)
        found = sorted(str(file.relative_to(target)) for file in target.rglob("*") if file.is_file())
        self.assertEqual(found, ["BUILD_LICENSES/icu.txt", "LICENSES/BSD-3-Clause.txt", "libpdfium.so"])


class Machines(unittest.TestCase):
    """One line says what to install."""

    def test_everything_missing_is_named_at_once(self):
        with mock.patch.object(machine.shutil, "which", return_value=None), self.assertRaises(Failure) as failure:
            machine.check_tools(["cargo", "cc"])
        line = str(failure.exception)
        self.assertIn("missing cargo, cc", line)
        self.assertIn("apt-get install build-essential", line)
        self.assertIn("rustup.rs", line)
        self.assertNotIn("\n", line)

    def test_an_old_libc_or_another_system_is_refused(self):
        with mock.patch.object(machine.platform, "libc_ver", return_value=("glibc", "2.17")):
            self.assertRaisesRegex(Failure, "2.28", machine.architecture)
        with mock.patch.object(machine.sys, "platform", "darwin"):
            self.assertRaisesRegex(Failure, "Linux", machine.architecture)


class Clients(Folder):
    """The tests' clients: what a machine is too old for is left out, and nothing else."""

    def names(self, version, npm, node="v20.1.0"):
        done = mock.Mock(returncode=0, stdout=node + "\n")
        with mock.patch.object(bootstrap.sys, "version_info", version), \
                mock.patch.object(bootstrap.shutil, "which", lambda name: name if npm else None), \
                mock.patch.object(bootstrap.subprocess, "run", return_value=done):  # fmt: skip
            return [artefact.name for artefact in bootstrap.clients(self.root)]

    def test_a_machine_that_has_everything(self):
        self.assertEqual(self.names((3, 11, 7), npm=True), ["sdk/python", "sdk/frameworks", "sdk/node"])

    def test_an_old_python(self):
        self.assertEqual(self.names((3, 9, 2), npm=True), ["sdk/python", "sdk/node"])

    def test_no_node_or_an_old_one(self):
        self.assertEqual(self.names((3, 12, 0), npm=False), ["sdk/python", "sdk/frameworks"])
        self.assertEqual(self.names((3, 12, 0), npm=True, node="v16.20.0"), ["sdk/python", "sdk/frameworks"])

    def test_locked_node_packages_name_no_host(self):
        lock = json.loads((INFRA.parent / "tests/sdk/node/package-lock.json").read_text())
        packages = {name: entry for name, entry in lock["packages"].items() if name}
        self.assertGreater(len(packages), 5)
        for name, entry in packages.items():
            self.assertTrue(entry["integrity"].startswith("sha512-"), name)
            self.assertNotIn("resolved", entry, name)


if __name__ == "__main__":
    unittest.main()
