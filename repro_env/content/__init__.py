"""What differs between two files or folders, by what they hold."""
