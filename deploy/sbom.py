"""Write a software bill of materials (CycloneDX 1.5, JSON) of the Python packages that requirements.lock names.

`sbom.py LOCK` names them all; `sbom.py LOCK FOLDER`, those that are installed in FOLDER, which is site-packages of an
image. Writes to standard output, reads no network, and needs only Python. `npm sbom` does the same for the client.
"""

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NamedTuple

_PACKAGE = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Package(NamedTuple):
    name: str
    version: str
    hashes: list[str]
    """SHA-256 of each file that may be installed: the source and a wheel for each platform."""


def packages_of(lock: str) -> Iterator[Package]:
    for entry in lock.replace("\\\n", " ").splitlines():
        if found := _PACKAGE.match(entry):
            yield Package(normal_form(found["name"]), found["version"], _HASH.findall(entry))
        elif entry.strip():
            raise ValueError(f"not a package with its version: {entry[:80]}")


def normal_form(name: str) -> str:
    """Return the name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def component(package: Package) -> dict[str, Any]:
    address = f"pkg:pypi/{package.name}@{package.version}"
    files = [{"type": "distribution", "url": f"{address}#sha256:{one}",
              "hashes": [{"alg": "SHA-256", "content": one}]} for one in package.hashes]  # fmt: skip
    made = {"bom-ref": address, "type": "library", "name": package.name, "version": package.version, "purl": address}
    return made | {"externalReferences": files}


def document(packages: list[Package], name: str) -> dict[str, Any]:
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"bom-ref": name, "type": "application", "name": name}},
        "components": [component(package) for package in packages],
    }


def main(lock: Path, folder: Path | None = None) -> None:
    packages = list(packages_of(lock.read_text()))
    if folder is not None:
        installed = {(normal_form(one.name), one.version) for one in distributions(path=[str(folder)])}
        packages = [package for package in packages if (package.name, package.version) in installed]
        if not packages:
            raise SystemExit(f"{folder} has no package of {lock}")
    print(json.dumps(document(packages, "webchat"), indent=1))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
