import shared.startup  # noqa: F401 - it disables garbage collection during the imports below
from media.main import MIGRATIONS, create_app
from media.operator_commands import bring_objects_back, save_objects
from media.settings import MediaSettings
from shared.command_line import run_command

if __name__ == "__main__":
    commands = {"save-objects": save_objects, "bring-objects-back": bring_objects_back}
    run_command(MediaSettings.load(), create_app, MIGRATIONS, commands)
