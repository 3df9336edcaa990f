/* Log-densities, losses and divergences, element by element. */
