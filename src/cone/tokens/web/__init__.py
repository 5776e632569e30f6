"""The shell of all faces: what pages and endpoints stand on, whatever kind of tokens they show."""
