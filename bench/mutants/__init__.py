"""Mutation tests: plant small bugs in the hot modules, one at a time, and count those that a test detects."""
