"""Side by side with peers: each module prints its own table, and `gridwhistle bench` prints them all."""
