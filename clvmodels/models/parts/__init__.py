"""What purchase models are composed of: purchase processes, lifetimes, calendars; a file each, in the papers' terms."""
