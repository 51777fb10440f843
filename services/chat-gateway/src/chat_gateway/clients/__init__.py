"""Typed clients of the other services.

Calls raise DomainError if the service rejects them, and Unavailable if their outcome is unknown.
"""
