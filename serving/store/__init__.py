"""What was received, what was answered and what was said of it: SQLite by default, PostgreSQL by URL."""
