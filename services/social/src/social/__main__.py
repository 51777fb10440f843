from shared.command_line import run_command
from social.main import MIGRATIONS, create_app
from social.settings import SocialSettings

if __name__ == "__main__":
    run_command(SocialSettings.load(), create_app, MIGRATIONS)
