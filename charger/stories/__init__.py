"""Stories: what happens to a station, and what it must say; in virtual time, or with a real process."""
