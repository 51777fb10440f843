"""`python -m media`"""

from media.main import create_app
from media.settings import MediaSettings
from shared.service.app import run_app

if __name__ == "__main__":
    settings = MediaSettings.load()
    run_app(create_app(settings), settings)
