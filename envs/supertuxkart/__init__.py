"""SuperTuxKart as a source of driving experience; its engine (GPL-3) runs in a separate program, ``worker``."""
