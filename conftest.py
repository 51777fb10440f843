"""Fixtures of every test below: real servers, see shared.testing."""

pytest_plugins = ["shared.testing.fixtures"]
