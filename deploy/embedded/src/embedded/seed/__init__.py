"""Fills a running instance with people, rooms and talk over the public HTTP API. Running it twice changes nothing."""
