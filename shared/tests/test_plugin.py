"""The plugin of the tests: which tests share a stack, and when it stops."""

import subprocess
import sys
from pathlib import Path

CONFTEST = """
import pytest

@pytest.fixture(scope="session")
def stack():
    print("stack starts")
    yield
    print("stack stops")
"""
FIRST = "def test_first(stack): print('first')\n"
SECOND = "def test_second(stack): print('second')\ndef test_third(stack): print('third')\n"
ALONE = "def test_alone(): print('alone')\n"


def test_a_stack_stops_after_the_last_test_that_shares_it(tmp_path: Path):
    folder = tmp_path / "tests-e2e"
    folder.mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_a.py").write_text(FIRST)
    (folder / "operations").mkdir()
    (folder / "operations" / "test_c.py").write_text(SECOND)
    (folder / "test_b.py").write_text(ALONE)
    command = [sys.executable, "-P", "-m", "pytest", "-p", "shared.testing.plugin", "-p", "no:randomly", "-qs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    words = [word.strip(".") for word in done.stdout.replace("stack s", "stack-s").split()]
    steps = [word for word in words if word in {"stack-starts", "first", "second", "third", "stack-stops", "alone"}]
    assert steps == ["stack-starts", "second", "third", "first", "stack-stops", "alone"]
