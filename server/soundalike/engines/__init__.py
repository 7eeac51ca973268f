"""Speech and transcription engines. Heavy imports happen in an engine's host, never here."""
