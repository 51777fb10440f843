"""The software bills of materials name every locked package, and those of an image what is installed in it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
PACKAGE_LOCK = ROOT / "web" / "package-lock.json"
NPM = Path(sys.executable).with_name("npm")


def written(*arguments: Path) -> Any:
    command = [sys.executable, "-P", ROOT / "deploy" / "sbom.py", *arguments]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)


def named(bill: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["name"], one["version"]) for one in bill["components"]}


def test_every_locked_python_package_is_named_with_its_hashes():
    bill = written(LOCK)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    pins = [line.split(" ")[0] for line in LOCK.read_text().splitlines() if line[0] not in " #"]
    assert len(pins) > 50
    assert named(bill) == {tuple(pin.split("==")) for pin in pins}
    hashes = [file["hashes"][0]["content"] for one in bill["components"] for file in one["externalReferences"]]
    assert len(hashes) == LOCK.read_text().count("--hash=sha256:")
    assert all(one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}" for one in bill["components"])


def test_the_bill_of_an_image_names_what_is_installed_in_it(tmp_path: Path):
    name, version = min(named(written(LOCK)))
    for package in (f"{name}-{version}", "another-1.0", "aiohttp-0.0.1"):
        metadata = tmp_path / f"{package}.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text("Metadata-Version: 2.1\nName: {}\nVersion: {}\n".format(*package.rsplit("-", 1)))
    assert named(written(LOCK, tmp_path)) == {(name, version)}


def test_a_line_that_is_no_pin_is_an_error(tmp_path: Path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("aiohttp==3.14.5\naioboto3>=15\n")
    with pytest.raises(subprocess.CalledProcessError):
        written(lock)


def test_a_folder_without_packages_is_an_error(tmp_path: Path):
    with pytest.raises(subprocess.CalledProcessError):
        written(LOCK, tmp_path)


@pytest.mark.skipif(not NPM.exists(), reason="npm is not installed in the virtual environment: make lint installs it")
def test_every_locked_package_of_the_client_is_named():
    command = [NPM, "--silent", "sbom", "--offline", "--package-lock-only", "--sbom-format", "cyclonedx"]
    path = f"{NPM.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=PACKAGE_LOCK.parent, env=os.environ | {"PATH": path}, capture_output=True, check=True, timeout=60
    )
    packages = json.loads(PACKAGE_LOCK.read_text())["packages"]
    locked = {
        (one.get("name", path.rpartition("node_modules/")[2]), one["version"]) for path, one in packages.items() if path
    }
    assert len(locked) > 100
    assert named(json.loads(done.stdout)) == locked
