"""What one CI step is handed: a job token, and the environment that makes uploaders use it."""
