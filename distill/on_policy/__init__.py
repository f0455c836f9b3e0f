"""Learning on the student's own road: what it sees where it drives itself, labelled by the teacher it came from."""
