"""`python -m adserver` → the command line."""

from adserver.cli import main

if __name__ == "__main__":  # workers import this module again
    main()
