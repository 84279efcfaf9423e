"""What is read from the system, one file a source, and the loop that reads it."""
