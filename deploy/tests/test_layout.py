"""The data services have the same layout: a file of a certain name has the same purpose in each of them."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("auth", "social", "rooms", "media")
TOP = {"__init__.py", "__main__.py", "main.py", "settings.py", "consumers.py", "py.typed"}
OPTIONAL = {"operator_commands.py"}
LAYERS = {"api", "service", "storage", "domain"}
MAIN_LINES = 40


def source(service: str) -> Path:
    return ROOT / "services" / service / "src" / service


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name != "__pycache__"}


@pytest.mark.parametrize("service", SERVICES)
def test_files_and_layers_of_a_service(service: str):
    assert names(source(service)) - OPTIONAL == TOP | LAYERS


@pytest.mark.parametrize("service", SERVICES)
def test_the_same_files_in_each_layer(service: str):
    assert {"schemas.py", "dependencies.py", "internal.py"} <= names(source(service) / "api")
    assert "dependencies.py" in names(source(service) / "service")
    assert "tables.py" in names(source(service) / "storage")


@pytest.mark.parametrize("service", SERVICES)
def test_main_is_a_table_of_contents(service: str):
    lines = (source(service) / "main.py").read_text().splitlines()
    assert len(lines) <= MAIN_LINES
    assert {line for line in lines if line.startswith(("def ", "async def "))} == {
        f"async def build(service: DataService, settings: {service.title()}Settings) -> Dependencies:",
        f"def create_app(settings: {service.title()}Settings) -> FastAPI:",
    }
