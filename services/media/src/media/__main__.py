from media.main import MIGRATIONS, create_app
from media.settings import MediaSettings
from shared.service.command_line import run_command

if __name__ == "__main__":
    run_command(MediaSettings.load(), create_app, MIGRATIONS)
