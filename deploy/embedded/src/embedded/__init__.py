"""All of WebChat on one machine, from Python packages alone: `python -m embedded run`."""
