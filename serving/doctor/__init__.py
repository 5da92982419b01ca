"""`kerascope doctor`: what this machine is, what about it is unusual, and whether Kerascope computes rightly on it."""
