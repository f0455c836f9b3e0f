"""Environments: one Gymnasium package per simulator, and the words they share."""
