"""Fair shares, measured: one attacker with a valid session beside ordinary people, who must hardly notice."""
