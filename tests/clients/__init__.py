"""Programs that people upload with, unmodified, against the real service on an enforcing store."""
