"""The race: every way of running each network of a bundle, on the board that will run it."""
