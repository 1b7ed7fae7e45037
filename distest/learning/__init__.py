"""Learning a discrete distribution from samples that many servers hold."""
