"""Pictures in, the range of every tensor out."""
