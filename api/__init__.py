"""The shell of the house: HTTP, pages, the command line, the worker, and the database that they open."""
