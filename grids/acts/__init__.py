"""What people and clocks do with a case: each act is a function here, under one lock, with its trace."""
