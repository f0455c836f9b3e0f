"""CyCADA at the level of pixels: translators between source and target, trained without pairs."""
