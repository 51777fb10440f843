import sys

from rooms.main import create_app, new_epoch
from rooms.settings import RoomsSettings
from shared.service.app import run_app

settings = RoomsSettings.load()
match sys.argv[1:]:
    case []:
        run_app(create_app(settings), settings)
    case ["new-epoch"]:
        sys.stdout.write(f"{new_epoch(settings)}\n")
    case _:
        sys.exit("usage: python -m rooms [new-epoch]")
