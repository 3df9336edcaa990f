/* Log-densities of points under a Gaussian, and the loss of a classifier with its gradient. */
#include <loglik/loglik.h>
#include <stdio.h>

enum { POINTS = 4, D = 2 };

int main(void) {
    const double x[POINTS][D] = {{0, 0}, {1, 1}, {-1, 2}, {3, 0.5}};
    const double mean[D] = {0.5, 0.5}, covariance[D][D] = {{2, 0.6}, {0.6, 1}}, singular[D][D] = {{1, 2}, {2, 4}};
    double log_density[POINTS];

    printf("loglik %s with %s\n", loglik_version(), loglik_isa());
    int status = loglik_mvn_log_prob_shared_f64(POINTS, D, x[0], D, mean, covariance[0], log_density, 1);
    if (status != LOGLIK_OK) {
        fprintf(stderr, "mvn_log_prob_shared: status %d\n", status);
        return 1;
    }
    for (int i = 0; i < POINTS; i++) {
        printf("log-density %.17g\n", log_density[i]);
    }

    status = loglik_mvn_log_prob_shared_f64(POINTS, D, x[0], D, mean, singular[0], log_density, 1);
    printf("pivot %d is not positive\n", status);

    const float targets[3] = {1, 0, 1}, logits[3] = {2, -1, -80};
    float gradient[3];
    double sum;
    if (loglik_bernoulli_nll_sum_f32(3, targets, logits, NULL, 1.0 / 3, &sum, gradient) != LOGLIK_OK) {
        return 1;
    }
    printf("mean loss %.17g, gradient %.9g %.9g %.9g\n", sum / 3, gradient[0], gradient[1], gradient[2]);
    return 0;
}
