"""Checkpoints that come with the package: weights (safetensors) and a card (JSON) each."""
