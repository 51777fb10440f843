"""Sends one message through the running instance and shows its walk, as the logs tell it."""
