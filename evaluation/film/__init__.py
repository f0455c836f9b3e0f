"""Films of episodes: how their frames look, how they are written, and which of them are kept."""
