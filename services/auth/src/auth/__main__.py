from auth.main import create_app
from auth.settings import AuthSettings
from shared.service.app import run_app

settings = AuthSettings.load()
run_app(create_app(settings), settings)
