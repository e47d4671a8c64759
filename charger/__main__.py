"""``python -m charger``."""

from charger.cli import main

if __name__ == "__main__":
    main()
