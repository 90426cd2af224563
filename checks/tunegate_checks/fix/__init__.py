"""`tunegate fix`: what the data checks find and a program can put right without guessing."""
