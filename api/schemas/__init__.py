"""What comes in and what goes out as JSON, one module per noun.

Bodies are strict: an unknown field, a number as text, NaN, a lone surrogate or a moment without its offset is
refused by name. Answers carry times in the city's offset (+08:00), and telephone numbers masked unless the
reader has to call them.
"""
