"""The fault matrix (`make chaos`): inject one fault after the other while clients write and read."""
