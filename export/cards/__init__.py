"""What a person says of a network, and a first card written by looking at it."""
