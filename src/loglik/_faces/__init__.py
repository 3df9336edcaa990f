"""How results look: HTML, pictures."""
