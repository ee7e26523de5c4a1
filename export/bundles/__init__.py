"""Bundles: written, packed, signed and compared."""
