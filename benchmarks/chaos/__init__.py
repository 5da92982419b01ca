"""What becomes of studies and answers while the parts of a hospital's house are killed, starved and slowed down."""
