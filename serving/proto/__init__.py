"""The gateway's API and its generated code."""
