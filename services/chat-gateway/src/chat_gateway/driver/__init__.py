"""Runs what connections ask for: the only place that awaits on their behalf."""
