import shared.startup  # noqa: F401 - it disables garbage collection during the imports below
from shared.command_line import run_command
from social.main import MIGRATIONS, create_app
from social.settings import SocialSettings

if __name__ == "__main__":
    run_command(SocialSettings.load(), create_app, MIGRATIONS)
