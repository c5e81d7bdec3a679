"""`python -m handrefine`: the command line."""

from handrefine.cli.main import main

if __name__ == "__main__":
    main()
