"""Load and figures: WebChat on one core, beside a tutorial's chat and a bare loop on the same core."""
