"""The shipped OpenDRIVE texts, written by ``write_maps``."""
