from shared.service.app import run_app
from social.main import create_app
from social.settings import SocialSettings

settings = SocialSettings.load()
run_app(create_app(settings), settings)
