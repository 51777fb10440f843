"""Turn logging off. Python imports this module at its start if its folder is on PYTHONPATH."""

import logging

logging.disable(logging.CRITICAL)
