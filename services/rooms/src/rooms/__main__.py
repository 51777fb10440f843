from rooms.main import create_app
from rooms.settings import RoomsSettings
from shared.service.app import run_app

settings = RoomsSettings.load()
run_app(create_app(settings), settings)
