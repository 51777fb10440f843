"""Check the prose of documents, docstrings and comments.

Documents are the tracked Markdown files and `.env.example`: their phrases, line lengths, links and paths are checked.
In the source files of the `clean` folders, the phrases of docstrings and comments and the first words of docstrings are
checked. Prints `file:line: message` for each problem, and exits with 1 if there is one. `phrases.toml` next to this
file has the phrases to avoid; `docs/writing.md` explains the rules.
"""

import os
import re
import subprocess
import sys
import tomllib
import unicodedata
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
RULES = Path(__file__).with_name("phrases.toml")
SETTINGS = ".env.example"
COLUMNS = 100

Rules = dict[str, Any]

_FENCE = re.compile(r"^\s*(```|~~~)")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*$")
_LINK = re.compile(r"(\]\()([^()\s]+)(\))")
_IMAGE = re.compile(r"<img\b[^>]*\bsrc=\"([^\"]+)\"")
_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_URL = re.compile(r"\b[a-z][a-z+.-]*://\S+")
_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)")
_PATH = re.compile(r"[\w.@*-]+(?:/[\w.@*-]+)*/?")
_NAME = re.compile(r"test_\w+|[\w-]+(?:\.test)?\.(?:py|ts|tsx|css|mjs|lua)")
_TEST = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)
_STRING = re.compile(r'(^[ \t]*)?[rf]?"""(.*?)"""', re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"(?:^|[ \t])#[ \t](.*)$", re.MULTILINE)
_SOURCES = {".py", ".sh", ".yaml", ".yml", ".conf", ".template", ".toml", ".env", ".properties", ".Dockerfile"}


class Problem(NamedTuple):
    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def check(root: Path, names: list[str], rules: Rules, known: Collection[str] | None = None) -> list[Problem]:
    """Return the problems of the named files, in the order of files and lines.

    `known`: the names of files and tests that documents may mention. None: such names are not checked.
    """
    found: set[Problem] = set()
    for name in names:
        text = (root / name).read_text(encoding="utf-8")
        if is_source(name):
            docstrings = _docstrings(text) if name.endswith(".py") else []
            found.update(_openings(name, text, docstrings, rules))
            found.update(_phrases(name, _source_prose(text, docstrings), rules))
            continue
        prose = _comments_of(text) if name == SETTINGS else _without_blocks(text)
        found.update(_phrases(name, prose, rules))
        found.update(_long_lines(name, prose))
        found.update(_broken_links(root, name, prose))
        found.update(_missing_paths(root, name, prose, rules))
        if known is not None:
            found.update(_unknown_names(name, prose, known))
    return sorted(found, key=lambda problem: (names.index(problem.file), problem.line, problem.message))


def is_source(name: str) -> bool:
    return Path(name).suffix in _SOURCES or Path(name).name == "Makefile"


def _docstrings(text: str) -> list[tuple[int, str]]:
    """Return the offset and the text of each triple-quoted string that begins a line."""
    return [(match.start(2), match[2]) for match in _STRING.finditer(text) if match[1] is not None]


def _source_prose(text: str, docstrings: list[tuple[int, str]]) -> str:
    """Return the docstrings and comments on their lines. Marks replace the code between them."""
    lines = ["·"] * (text.count("\n") + 1)
    for match in _COMMENT.finditer(_STRING.sub(lambda string: _blank(string[0]), text)):
        lines[_line_of(text, match.start(1)) - 1] = match[1]
    for offset, docstring in docstrings:
        first = _line_of(text, offset) - 1
        own = docstring.split("\n")
        lines[first : first + len(own)] = own
    return "\n".join(lines)


def _openings(name: str, text: str, docstrings: list[tuple[int, str]], rules: Rules) -> Iterator[Problem]:
    for offset, docstring in docstrings:
        first = docstring.lstrip().partition(" ")[0].rstrip(",.:;")
        if first in rules["openings"]:
            message = f'a docstring that begins with "{first}": begin with a verb or a noun phrase'
            yield Problem(name, _line_of(text, offset), message)


def _phrases(name: str, prose: str, rules: Rules) -> Iterator[Problem]:
    instead = {phrase["text"]: phrase["instead"] for phrase in rules["phrase"]}
    text = _without_code_and_targets(prose)
    for match in _pattern(tuple(instead)).finditer(text):
        phrase = " ".join(match[0].lower().split())
        yield Problem(name, _line_of(text, match.start()), f'"{phrase}": write {instead[phrase]}')


@cache
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern for any of the phrases, the longest that matches."""
    words = [r"\s+".join(map(re.escape, phrase.split())) for phrase in sorted(phrases, key=len, reverse=True)]
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE)


def _long_lines(name: str, prose: str) -> Iterator[Problem]:
    for number, line in enumerate(prose.split("\n"), start=1):
        if line.lstrip().startswith(("|", "<")) or _HEADING.match(line):
            continue
        columns = _columns(_URL.sub("", _LINK.sub(r"\1\3", line)))
        if columns > COLUMNS:
            yield Problem(name, number, f"{columns} columns; prose wraps at {COLUMNS}")


def _broken_links(root: Path, name: str, prose: str) -> Iterator[Problem]:
    text = _without_code(prose)
    targets = [(match.start(2), match[2]) for match in _LINK.finditer(text)]
    targets += [(match.start(1), match[1]) for match in _IMAGE.finditer(text)]
    for start, target in targets:
        if _SCHEME.match(target):
            continue
        path, _, anchor = target.partition("#")
        file = root / name if not path else (root / name).parent / path
        if not file.exists():
            yield Problem(name, _line_of(text, start), f"link to {target}: there is no such file")
        elif anchor and file.suffix == ".md" and anchor not in _anchors(file):
            yield Problem(name, _line_of(text, start), f"link to {target}: there is no such heading")


def _missing_paths(root: Path, name: str, prose: str, rules: Rules) -> Iterator[Problem]:
    """Find paths in backticks that do not exist. A README may also name files relative to its own folder."""
    bases = [root, (root / name).parent] if Path(name).name.startswith("README") else [root]
    for match in _CODE.finditer(prose):
        path = match[2]
        first, slash, _ = path.partition("/")
        if not slash or not _PATH.fullmatch(path) or first in {".", "..", "*"}:
            continue
        near = [base for base in bases if (base / first).is_dir()]
        there = any(next(base.glob(path.rstrip("/")), None) for base in near)
        if near and not there and not any(path.rstrip("/").startswith(one) for one in rules["built"]):
            yield Problem(name, _line_of(prose, match.start()), f"`{path}`: there is no such file")


def _unknown_names(name: str, prose: str, known: Collection[str]) -> Iterator[Problem]:
    """Find file names without a folder, and tests, in backticks that do not exist."""
    for match in _CODE.finditer(prose):
        if _NAME.fullmatch(match[2]) and match[2] not in known:
            yield Problem(name, _line_of(prose, match.start()), f"`{match[2]}`: there is no such file or test")


def _comments_of(text: str) -> str:
    """Return the comments of a file of settings. Every other line becomes empty."""
    return "\n".join(f" {line[1:]}" if line.startswith("# ") else "" for line in text.split("\n"))


def _without_blocks(text: str) -> str:
    """Return the text without code blocks, fenced or indented. Their lines become empty."""
    lines: list[str] = []
    fence, before = "", ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        indented = line.startswith("    ") and not before.strip()
        if mark and (not fence or mark[1] == fence):
            fence = "" if fence else mark[1]
            lines.append("")
        elif fence or indented:
            lines.append("")
        else:
            lines.append(line)
        before = "" if indented else line
    return "\n".join(lines)


def _without_code(text: str) -> str:
    return _CODE.sub(lambda match: _blank(match[0]), text)


def _without_code_and_targets(text: str) -> str:
    without = _LINK.sub(lambda match: match[1] + _blank(match[2]) + match[3], _without_code(text))
    return _URL.sub(lambda match: _blank(match[0]), without)


def _blank(text: str) -> str:
    """Return as many marks as the text has characters, so that offsets and lines stay the same."""
    return "".join("\n" if character == "\n" else "·" for character in text)


def _anchors(file: Path) -> set[str]:
    """Return the anchors that GitHub creates for the headings."""
    found: set[str] = set()
    for line in _without_blocks(file.read_text(encoding="utf-8")).split("\n"):
        if heading := _HEADING.match(line):
            words = re.sub(r"[^\w\- ]", "", _LINK.sub("", heading[1]).lower())
            found.add(words.replace(" ", "-"))
    return found


def _columns(text: str) -> int:
    """Return the width on a terminal, where a Korean syllable takes two columns."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def tracked(root: Path, rules: Rules) -> list[str]:
    """Return the tracked documents, except generated ones, and the source files of the clean folders."""
    command = ["git", "-C", os.fspath(root), "ls-files", "-z", "--", "*.md", SETTINGS, *rules["clean"]]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - no input of others
    names = answer.stdout.split("\0")
    generated = rules["generated"]
    wanted = (name for name in names if name.endswith(".md") or name == SETTINGS or is_source(name))
    return sorted(name for name in wanted if not any(Path(name).match(one) for one in generated))


def names_in(root: Path) -> set[str]:
    """Return the names of the tracked files, without their folders, and of all tests."""
    command = ["git", "-C", os.fspath(root), "ls-files", "-z"]
    files = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")  # noqa: S603
    names = {Path(file).name for file in files}
    for file in files:
        if Path(file).name.startswith("test_") and (root / file).is_file():
            names |= {Path(file).stem, *_TEST.findall((root / file).read_text(encoding="utf-8"))}
    return names


def main() -> int:
    rules = tomllib.loads(RULES.read_text(encoding="utf-8"))
    problems = check(ROOT, tracked(ROOT, rules), rules, names_in(ROOT))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
