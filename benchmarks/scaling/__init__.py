"""What more threads, more processes and more faces cost, each beside one, in one run."""
