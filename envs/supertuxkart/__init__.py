"""SuperTuxKart: the kart racing game as a source domain."""
