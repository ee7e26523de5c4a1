"""What is inside a TFLite network: its graph, what each layer costs, and how long it takes."""
