"""What `maps.sheet` draws with: a page, its letters, and each layer and mark of a map in matplotlib."""
