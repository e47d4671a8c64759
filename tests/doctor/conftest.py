"""Certificates for the tests of the link."""

from tls_kit import certificates

__all__ = ["certificates"]
