"""The other services: one typed call each. Errors are Problems; Unavailable: outcome unknown."""
