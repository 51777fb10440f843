"""docs/security.md has a row for each requirement of OWASP ASVS 5.0 up to level 2, and names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text()
REQUIREMENTS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1, "3.2": 2, "3.3": 4,
    "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4, "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
    "6.1": 3, "6.2": 11, "6.3": 3, "6.4": 4, "6.5": 5, "6.6": 3, "6.7": 1, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2,
    "7.4": 5, "7.5": 2, "7.6": 2, "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "11.1": 2, "11.2": 3,
    "11.3": 3, "11.4": 3, "11.5": 1, "11.6": 1, "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2,
    "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3, "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1, "16.2": 5, "16.3": 4,
    "16.4": 3, "16.5": 3,
}  # fmt: skip
"""The number of requirements of levels 1 and 2 in each section. They come first in each."""
FOLDERS = {
    "shared": "shared/tests", "deploy": "deploy/tests", "embedded": "deploy/embedded/tests", "e2e": "tests-e2e",
    "logging": "deploy/logging/tests", "web": "web/tests",
    **{name: f"services/{name}/tests" for name in ("auth", "social", "rooms", "media", "chat-gateway")},
}  # fmt: skip
REFERENCE = re.compile(r"((?:[\w-]+, )*[\w-]+):\s+`([\w.-]+)::([^`]+)`")
REFERENCES = [(folder, file, name) for folders, file, name in REFERENCE.findall(TEXT) for folder in folders.split(", ")]


def rows() -> list[tuple[str, str]]:
    """Return the numbers and the answer of each row, in the tables of the chapters."""
    return re.findall(r"^\| (\d+\.\d+[^|]*) \| ([^|]*) \|", TEXT, re.MULTILINE)


def numbers_of(cell: str) -> set[str]:
    found: set[str] = set()
    for first, last in re.findall(r"(\d+\.\d+(?:\.\d+)?)(?:–(\d+\.\d+(?:\.\d+)?))?", cell):
        head, _, low = first.rpartition(".")
        one_of = range(int(low), int((last or first).rpartition(".")[2]) + 1)
        for number in (f"{head}.{one}" for one in one_of):
            of_section = range(1, REQUIREMENTS.get(number, 0) + 1)
            found |= {f"{number}.{one}" for one in of_section} if number.count(".") == 1 else {number}
    return found


def test_each_requirement_has_one_row():
    listed = [number for cell, _ in rows() for number in sorted(numbers_of(cell))]
    wanted = {f"{section}.{one}" for section, count in REQUIREMENTS.items() for one in range(1, count + 1)}
    assert set(listed) == wanted
    assert len(listed) == len(wanted)


def test_each_row_begins_with_an_answer():
    for cell, answer in rows():
        assert re.match(r"met|partly|not met|not applicable|the operator's", answer), cell


def test_every_reference_names_its_folder():
    assert len(REFERENCES) >= TEXT.count("::")


def test_every_test_that_is_named_exists():
    assert [reference for reference in REFERENCES if not exists(*reference)] == []


def exists(folder: str, file: str, name: str) -> bool:
    wanted = f"def {name}(" if name.startswith("test_") else name
    return any(wanted in path.read_text() for path in (ROOT / FOLDERS[folder]).rglob(file))
