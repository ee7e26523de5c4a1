"""The board under the program: what it is, how warm it is, what holds its clock down."""
