"""Papers on A4: the need letters of a whistle and the slips of supervision, as PDF with an embedded Chinese font."""
