"""The city: four-level grid, incidents, whistles, people, deadlines, scores."""
