"""`hedge-monitor`: the console script."""

import sys

from monitor.errors import ConfigError, MonitorError


def main() -> None:
    """Run the command line. Exits 0 when all is well, 1 when a check or run found a problem, 2 for usage and configuration errors."""
    from monitor.cli import app

    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        sys.exit(2)
    except MonitorError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
