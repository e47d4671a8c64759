"""Fixtures for tests/central."""

from link_harness import certificates

__all__ = ["certificates"]
