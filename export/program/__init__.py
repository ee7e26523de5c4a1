"""The float program: the one TFLite network that everything else is made from."""
