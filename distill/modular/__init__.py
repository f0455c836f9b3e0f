"""Modular transfer: a recogniser turns target images into the labels that the proxy policy drives by."""
