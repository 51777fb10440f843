"""`make chaos` on a running stack: one line per fault, and an exit status that depends on the guarantees."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from chaos.__main__ import exit_status, main
from chaos.composed import HTTP_PORT, Composed, Project
from chaos.faults import FAULTS, SHORT
from chaos.report import COLUMNS, line, markdown
from chaos.targets import ONE_VALKEY, container_of
from chaos.trial import Outcome
from checker import Verdict
from containers import CHECKOUT
from stack import Stack

KEPT = Verdict(120, 121, (121, 121), 0, 0, 0, 0, 0, 1.25)
HERE = Path(__file__).parent


@pytest.mark.embedded_only("it breaks the data folder of `make run`")
def test_on_the_stack_of_make_run(stack: Stack, tmp_path: Path):
    table = tmp_path / "table.md"
    options = ("--faults", "valkey-emptied,primary-lost", "--seconds", "1", "--markdown", str(table))
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
        "WEBCHAT_DATA": str(stack.data),
    }
    command = [sys.executable, "-P", "-m", "chaos", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    kept, left_out = done.stdout.splitlines()
    name, _, counts = kept.partition("  ")
    assert name == "valkey-emptied"
    words = counts.split()
    assert words[0:6:2] == list(COLUMNS[:3])
    acked, stored, received = map(int, words[1:6:2])
    assert 50 <= acked == stored == received
    assert "lost 0  repeated 0  reordered 0  gaps 0  unread 0" in counts
    assert words[-1] == "kept"
    assert left_out.split(maxsplit=1) == ["primary-lost", f"left out: {ONE_VALKEY}"]
    assert f"| `valkey-emptied` | {acked} | {acked} | {acked} | 0 | 0 | 0 | 0 | 0 |" in table.read_text()
    assert "- `primary-lost` was left out: there is one Valkey" in table.read_text()


def test_a_folder_where_nothing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--data", str(tmp_path)]) == 2
    expected = f"chaos: no WebChat runs in {tmp_path}: start it with `make run`, or name another folder\n"
    assert capsys.readouterr() == ("", expected)


def test_an_unknown_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--faults", "gateway-killed,earthquake", "--data", str(tmp_path)])
    assert ended.value.code == 2
    assert "there is no earthquake; --list names all" in capsys.readouterr().err


def test_the_list_names_every_fault(capsys: pytest.CaptureFixture[str]):
    assert main(["--list"]) == 0
    assert [one.split()[0] for one in capsys.readouterr().out.splitlines()] == list(FAULTS)
    assert set(SHORT) < set(FAULTS)


@pytest.fixture
def variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file from which compose reads its variables. Skips the test without compose; no engine runs."""
    version = ["docker", "compose", "version"]
    if not shutil.which("docker") or subprocess.run(version, capture_output=True, check=False).returncode:
        pytest.skip("compose is not installed: apt-get install docker-cli docker-compose")
    file = tmp_path / ".env"
    subprocess.run([sys.executable, CHECKOUT / "deploy" / "make_env.py", file], check=True, capture_output=True)
    monkeypatch.setenv("COMPOSE_ENV_FILES", str(file))
    return file


@pytest.mark.usefixtures("variables")
def test_the_containers_of_compose_are_known_by_its_configuration():
    project = Project()
    configuration = json.loads(project.compose("config", "--format", "json"))
    plain, _ = configuration["services"]["nginx"]["ports"]
    assert (str(plain["target"]), plain["published"]) == (HTTP_PORT, "80")
    assert configuration["services"]["chat-gateway"]["deploy"]["replicas"] == 2
    assert container_of(project, "chat-gateway-2") == "webchat-chat-gateway-2"
    assert container_of(project, "valkey") == "webchat-redis-1"
    needed = {need for need in Composed(project).lacks if need != "kill"}
    assert needed == {"proxy", "cluster", "clock", "disk", "slow disk"}


@pytest.mark.usefixtures("variables")
def test_containers_that_do_not_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "webchat-not-running")
    assert main(["--compose"]) == 2
    assert capsys.readouterr().err.startswith("chaos: no containers of compose.yaml run here: ")


def test_a_store_that_is_elsewhere_is_no_container_to_break(variables: Path):
    with variables.open("a") as file:
        file.write("DB_HOST=db.example.org\nREDIS_ENDPOINT=redis.example.org:6379\n")
    lacks = Composed(Project()).lacks
    assert lacks["valkey"] == "redis is elsewhere"
    assert lacks["database"] == "database is elsewhere"


@pytest.mark.parametrize("kind", ["lost", "repeated", "reordered", "gaps", "unread_drift"])
def test_a_broken_guarantee_is_a_failure(kind: str):
    fault = FAULTS["gateway-killed"]
    broken = Verdict(**(vars(KEPT) | {kind: 1, "where": ("follower 2",)}))
    well, ill = Outcome(fault, KEPT), Outcome(fault, broken)
    assert exit_status([well, well]) == 0
    assert exit_status([well, ill, well]) == 1
    assert line(well, 20) == (
        "gateway-killed        acked 120  stored 121  received 121  lost 0  repeated 0  reordered 0  gaps 0"
        "  unread 0  stall 1.2 s  kept"
    )
    assert line(ill, 20).endswith("BROKEN (follower 2)")


def test_faults_that_were_not_tried_are_listed():
    fault = FAULTS["disk-full"]
    left_out, failed = Outcome(fault, left_out="no root"), Outcome(fault, failed="AssertionError: not felt")
    assert exit_status([left_out]) == 2
    assert exit_status([left_out, Outcome(fault, KEPT)]) == 0
    assert exit_status([left_out, failed]) == 1
    assert line(left_out, 10) == "disk-full   left out: no root"
    assert line(failed, 10) == "disk-full   FAILED: AssertionError: not felt"
    table = markdown([left_out, failed, Outcome(fault, KEPT)], "here", 15)
    assert "- `disk-full` was left out: no root." in table
    assert "- `disk-full` failed: AssertionError: not felt." in table
    assert "| `disk-full` | 120 | 121 | 121 | 0 | 0 | 0 | 0 | 0 | 1.2 s |" in table
