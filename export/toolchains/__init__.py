"""Other people's builders: what turns a bundle's network into the engine of one accelerator."""
