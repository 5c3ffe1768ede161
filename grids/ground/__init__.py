"""The ground: editions of the grid, how they are checked, drawn, compared, published and brought into force."""
