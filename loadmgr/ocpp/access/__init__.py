"""Who may come in: identities, security profiles, passwords, certificates, delays and the waiting room."""
