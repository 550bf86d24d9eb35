"""Rules for the shape of the code, over its own syntax trees; `tests/test_shape.py` applies them."""
