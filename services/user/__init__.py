"""Sign-in, sessions, profile and API keys."""
