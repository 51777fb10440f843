import shared.startup  # noqa: F401 - it disables garbage collection during the imports below
from rooms.main import MIGRATIONS, create_app
from rooms.operator_commands import forget_redis, new_epoch
from rooms.settings import RoomsSettings
from shared.command_line import run_command

if __name__ == "__main__":
    commands = {"new-epoch": new_epoch, "forget-redis": forget_redis}
    run_command(RoomsSettings.load(), create_app, MIGRATIONS, commands)
