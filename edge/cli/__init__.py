"""The command lines: parse, call, print; no logic."""
