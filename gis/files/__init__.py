"""Files of areas as people bring and take them: what they are, and how each kind is read and written safely."""
