"""Waiting times of a user: the web client in Chromium, on the same stack as the other scenes."""
