"""The tag and the pages in a real browser."""
