"""The towns: road network, buildings, plants, furniture, textures."""
