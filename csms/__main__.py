"""`python -m csms`: the command line."""

from csms.cli import main

if __name__ == "__main__":
    main()
