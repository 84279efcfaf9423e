"""What records a program without changing it: one file a kind of program."""
