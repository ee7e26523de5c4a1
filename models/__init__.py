"""Recipes of the project's own networks, one folder each, and what they share."""
