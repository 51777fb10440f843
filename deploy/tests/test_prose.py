"""The prose linter: each rule finds a bad text and ignores texts outside its scope."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "prose.py"
RULES: dict[str, Any] = {
    "phrase": [{"text": "goes on", "instead": "continues"}, {"text": "of its own", "instead": "separate"}],
    "generated": ["generated/*.md"],
    "built": ["src/dist"],
    "clean": ["src"],
    "openings": ["What", "Whether"],
}
WORD = "word "


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prose", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


prose = load()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "there.py").touch()
    (tmp_path / "docs" / "other.md").write_text("# A title\n\n## Some `code`, and more\n")
    return tmp_path


def found_in(root: Path, text: str, name: str = "docs/page.md") -> list[tuple[int, str]]:
    (root / name).write_text(text)
    return [(problem.line, problem.message) for problem in prose.check(root, [name], RULES)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("It goes on.\n", 1),
        ("Goes on, it.\n", 1),
        ("# A title\n\nIt works and goes\non with more.\n", 3),
        ("| a | goes on |\n", 1),
        ("[it goes on](other.md)\n", 1),
        ("```sh\ngoes on\n```\n\nIt goes on.\n", 5),
    ],
)
def test_a_phrase_is_found_on_its_line(root: Path, text: str, line: int):
    assert found_in(root, text) == [(line, '"goes on": write continues')]


@pytest.mark.parametrize(
    "text",
    [
        "It foregoes one.\n",
        "It goes `on`.\n",
        "`goes on`\n",
        "```\nIt goes on.\n```\n",
        "A page:\n\n    It goes on.\n",
        "It goes https://example.org/goes on.\n",
        "[it](other.md#some-code-and-more)\n",
    ],
)
def test_words_in_code_links_and_other_words_are_ignored(root: Path, text: str):
    assert found_in(root, text) == []


def test_each_phrase_is_found(root: Path):
    messages = [message for _, message in found_in(root, "It goes on by a way of its own.\n")]
    assert messages == ['"goes on": write continues', '"of its own": write separate']


def test_a_long_line_of_prose_is_found(root: Path):
    assert found_in(root, WORD * 20 + "\n") == []
    assert found_in(root, "short\n" + WORD * 20 + "x\n") == [(2, "101 columns; prose wraps at 100")]
    assert found_in(root, "- " + WORD * 20 + "\n") == [(1, "102 columns; prose wraps at 100")]


def test_a_korean_syllable_takes_two_columns(root: Path):
    assert found_in(root, "가" * 50 + "\n") == []
    assert found_in(root, "가" * 51 + "\n") == [(1, "102 columns; prose wraps at 100")]


@pytest.mark.parametrize(
    "line",
    [
        "| " + WORD * 30 + "|",
        "## " + WORD * 30,
        "<img alt='" + WORD * 30 + "'>",
        "[page](" + "x" * 100 + ")",
        "https://example.org/" + "x" * 100,
        "```\n" + WORD * 30 + "\n```",
    ],
)
def test_tables_headings_code_and_addresses_may_be_long(root: Path, line: str):
    assert [problem for problem in found_in(root, line + "\n") if "columns" in problem[1]] == []


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("[page](missing.md)", "link to missing.md: there is no such file"),
        ("[page](missing.md#a-title)", "link to missing.md#a-title: there is no such file"),
        ("[page](other.md#no-title)", "link to other.md#no-title: there is no such heading"),
        ("[here](#no-title)", "link to #no-title: there is no such heading"),
        ("![picture](missing.png)", "link to missing.png: there is no such file"),
        ('<img src="missing.png" alt="">', "link to missing.png: there is no such file"),
    ],
)
def test_a_broken_link_is_found(root: Path, link: str, message: str):
    assert found_in(root, f"# Page\n\nSee {link}.\n") == [(3, message)]


@pytest.mark.parametrize(
    "link",
    [
        "[page](other.md)",
        "[page](other.md#a-title)",
        "[page](other.md#some-code-and-more)",
        "[page](../src)",
        "[here](#page)",
        "[there](https://example.org/missing.md)",
        "`[page](missing.md)`",
    ],
)
def test_a_working_link_is_not(root: Path, link: str):
    assert found_in(root, f"# Page\n\nSee {link}.\n") == []


@pytest.mark.parametrize("path", ["src/missing.py", "src/missing/", "docs/style.md", "src/*.ts"])
def test_a_path_in_backticks_that_does_not_exist_is_found(root: Path, path: str):
    assert found_in(root, f"# Page\n\nSee `{path}`.\n") == [(3, f"`{path}`: there is no such file")]


@pytest.mark.parametrize(
    "path",
    [
        "src/there.py",
        "src/",
        "src/*.py",
        "src/dist",
        "src/dist/x.js",
        "elsewhere/x.py",
        "/src/x",
        "src/<name>",
        "a b/c",
    ],
)
def test_a_path_that_exists_is_built_or_is_outside_the_repository_is_not(root: Path, path: str):
    assert found_in(root, f"See `{path}`.\n") == []


def test_a_readme_may_name_paths_of_its_folder(root: Path):
    (root / "docs" / "tests").mkdir()
    (root / "docs" / "tests" / "there.py").touch()
    text = "`tests/there.py`\n`tests/missing.py`\n"
    assert found_in(root, text, "docs/README.md") == [(2, "`tests/missing.py`: there is no such file")]
    assert found_in(root, text) == []


def test_only_the_comments_of_the_settings_are_prose(root: Path):
    text = "# It goes\n# on.\n#NAME=goes on" + WORD * 30 + "\n# " + WORD * 20 + "x\n"
    assert found_in(root, text, ".env.example") == [
        (1, '"goes on": write continues'),
        (4, "103 columns; prose wraps at 100"),
    ]


def test_it_reads_tracked_documents_and_sources_of_clean_folders(root: Path):
    (root / "generated").mkdir()
    names = ["page.md", "page.txt", "unclean.py", "src/data.json", "src/there.py", ".env.example", "generated/table.md"]
    for name in [*names, "untracked.md"]:
        (root / name).touch()
    run = ["git", "-C", str(root)]
    subprocess.run([*run, "init", "--quiet"], check=True)
    subprocess.run([*run, "add", *names], check=True)
    assert prose.tracked(root, RULES) == [".env.example", "page.md", "src/there.py"]


def test_the_documents_of_this_checkout_pass():
    answer = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout) == (0, "")


def test_a_problem_is_printed_with_its_line_and_the_exit_status_is_1(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (root / "page.md").write_text("Fine.\n\nIt is told.\n")
    subprocess.run(["git", "-C", str(root), "init", "--quiet"], check=True)
    subprocess.run(["git", "-C", str(root), "add", "page.md"], check=True)
    monkeypatch.setattr(prose, "ROOT", root)
    assert prose.main() == 1
    assert capsys.readouterr().out.startswith('page.md:3: "is told": write ')


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('"""It goes on."""\n', 1),
        ('"""A module.\n\nIt goes\non.\n"""\n', 3),
        ("def f():\n\t# It goes on.\n    return 1  # and on\n", 2),
        ("x = 1\t# it goes on\n", 1),
        ("# It goes\n# on.\n", 1),
        ('"""A text."""\nX = """goes on"""\n"""It goes on."""\n', 3),
    ],
)
def test_a_phrase_in_a_docstring_or_comment_is_found(root: Path, text: str, line: int):
    assert found_in(root, text, "src/there.py") == [(line, '"goes on": write continues')]


@pytest.mark.parametrize(
    "text",
    [
        'X = "goes on"\n',
        'X = """\n# It goes on.\n"""\n',
        '"""It `goes on`."""\n',
        '"""It goes"""\nx = 1\n"""On and on."""\n',
        "x = 1  #goes on\n",
    ],
)
def test_code_is_no_prose(root: Path, text: str):
    assert found_in(root, text, "src/there.py") == []


def test_a_phrase_in_a_comment_of_another_source_is_found(root: Path):
    assert found_in(root, "x: 1\n# It goes on.\n", "src/x.yaml") == [(2, '"goes on": write continues')]


@pytest.mark.parametrize(("docstring", "word"), [("Whether it works.", "Whether"), ("What, if anything.", "What")])
def test_a_docstring_begins_with_a_verb_or_a_noun_phrase(root: Path, docstring: str, word: str):
    message = f'a docstring that begins with "{word}": begin with a verb or a noun phrase'
    assert found_in(root, f'def f():\n    """{docstring}"""\n', "src/there.py") == [(2, message)]
    assert found_in(root, f'"""Return it. {docstring}"""\n', "src/there.py") == []


@pytest.mark.parametrize("name", ["test_gone", "gone.py", "gone.test.ts"])
def test_a_file_or_test_that_does_not_exist_is_found(root: Path, name: str):
    (root / "docs" / "page.md").write_text(f"See `{name}`, `test_there`, `there.py` and `any.other`.\n")
    problems = prose.check(root, ["docs/page.md"], RULES, {"test_there", "there.py"})
    assert [problem.message for problem in problems] == [f"`{name}`: there is no such file or test"]
