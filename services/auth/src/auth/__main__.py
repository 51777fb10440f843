import shared.startup  # noqa: F401 - it disables garbage collection during the imports below
from auth.main import MIGRATIONS, create_app
from auth.settings import AuthSettings
from shared.command_line import run_command

if __name__ == "__main__":
    run_command(AuthSettings.load(), create_app, MIGRATIONS)
