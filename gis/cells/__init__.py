"""How an area is cut into cells: pieces round buildings, the search for good cells, and straight borders."""
