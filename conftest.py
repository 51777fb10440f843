"""Plugins of every test below: how a run is ordered and reported, and real servers. See shared.testing."""

pytest_plugins = ["shared.testing.plugin", "shared.testing.fixtures"]
