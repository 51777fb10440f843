"""Performing the frames of clients: commands, queries, uploads and typing."""
