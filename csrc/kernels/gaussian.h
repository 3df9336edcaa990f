/* Cholesky and multivariate normal densities: the parts in the order in which they build on each other. */
#include "triangular.h"
#include "cholesky.h"
#include "mvn_shared.h"
#include "symmetry.h"
#include "mvn_each.h"
#include "mvn_diagonal.h"
#include "mixture.h"
