"""How long things take: a subject, run through a scenario, with the machine watched."""
