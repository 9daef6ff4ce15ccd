"""Chemical reactions: tables of which all outcomes were measured, and a reactor by its mechanism."""
