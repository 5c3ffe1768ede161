"""The table that answers which polygon holds a point: squares, halved where borders pass."""
