"""The shell of the house: HTTP, pages, the command line, the worker, and the database that they open."""

import warnings

# FastAPI names each parameter by an alias that pydantic has no use for, and passes over what pydantic says of that; but
# what it passes over so, another thread that does the same at that moment brings back.
warnings.filterwarnings("ignore", message="The 'alias' attribute with value .* was provided to the `Field")
