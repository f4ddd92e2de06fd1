"""Many customers at once, for as long as one likes, while processes are killed: used by a test and a benchmark."""
