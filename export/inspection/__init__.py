"""What is true of an artefact: precision, nearness, cost and time of each layer."""
