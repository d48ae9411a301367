"""`python -m interlock.cli`: the same as `interlock`, for those who start it without a script on the PATH."""

from interlock.cli.main import main

if __name__ == "__main__":
    main()
