"""An artefact against its float network, on tensors and on the task."""
