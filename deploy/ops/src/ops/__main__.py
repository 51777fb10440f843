"""Run the process."""

import shared.startup  # noqa: F401 - it disables garbage collection during the imports below
from ops.main import create_app
from ops.settings import OpsSettings
from shared.web.app import run_app

if __name__ == "__main__":
    settings = OpsSettings.load()
    run_app(create_app(settings), settings)
