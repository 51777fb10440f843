from rooms.main import MIGRATIONS, create_app, new_epoch
from rooms.settings import RoomsSettings
from shared.service.command_line import run_command

if __name__ == "__main__":
    run_command(RoomsSettings.load(), create_app, MIGRATIONS, {"new-epoch": new_epoch})
