"""What a process and the owner of a store elsewhere say to each other over HTTP: the link, the questions, and how answers are packed."""
