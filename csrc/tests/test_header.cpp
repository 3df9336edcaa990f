// The header as C++ sees it: every function has C linkage and is there.
#include <loglik/loglik.h>

int main() {
    const double x[2] = {0.0, 1.0}, covariance[1] = {2.0};
    double out[2] = {0.0, 0.0};
    loglik_loop loop = loglik_find_loop("softplus", LOGLIK_F64);
    int status = loglik_mvn_log_prob_shared_f64(2, 1, x, 1, x, covariance, out, 1);
    return loop == nullptr || loglik_isa() == nullptr || status != LOGLIK_OK || !(out[0] > out[1]);
}
