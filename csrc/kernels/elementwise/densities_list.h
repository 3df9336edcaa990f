/* Part of kernel_list.h: log-densities, losses and divergences, element by element; divergences of rows of probabilities. */
#define LOGLIK_DOC_ROWS(formula)                                                                            \
    "Of (p, q, p_eps, q_eps): " formula "\n\n"                                                              \
    "The entries of a row of p must be at least 0 and total 1 within 8 k p_eps, else the result is NaN; `info` is 0, 1 where p\n" \
    "is not so, 2 where q is not, 3 where neither is. Rows that total 1 within 4 p_eps are taken as they are, others are divided\n" \
    "by their total. p_eps, q_eps: the spacing of the numbers at 1 in the type that p, q were rounded to; infinite: any total.\n\n" \
    "Accuracy: 8 ulp of the sum over these rows."

#define LOGLIK_UFUNCS_DENSITIES(X)                                                                          \
    X(normal_log_prob, NULL, "rrr->r",                                                                      \
      "Log-density of the normal distribution in nats.\n\n"                                                 \
      "normal_log_prob(x, loc, scale) = -((x - loc)/scale)^2/2 - log(scale) - log(2 pi)/2\n\n"              \
      "A scale that is not positive gives NaN; x = +-inf gives -inf. x - loc and the square do not\n"       \
      "overflow unless the result does.\n\n"                                                                \
      "Accuracy: |error| <= 4 u (sum of the absolute terms), u = 2**-53 or 2**-24.")                        \
    X(uniform_log_prob, NULL, "rrr->r",                                                                     \
      "Log-density of the uniform distribution in nats.\n\n"                                                \
      "uniform_log_prob(x, low, high) = -log(high - low) on the closed interval, -inf outside.\n\n"         \
      "Bounds that are not finite or not in order (low < high) give NaN.\n\n"                               \
      "Accuracy: |error| <= 2 u (1 + |result|).")                                                           \
    X(bernoulli_log_prob, NULL, "rr->r",                                                                    \
      "Log-probability of a Bernoulli variable in nats, from its logits.\n\n"                               \
      "bernoulli_log_prob(x, logits) = log_sigmoid(logits) for x = 1, log_sigmoid(-logits) for x = 0,\n"    \
      "-inf for any other x; NaN propagates.\n\n"                                                           \
      "Accuracy: 2 ulp in float64, 1 ulp in float32.")                                                      \
    X(bernoulli_nll, NULL, "tr->r",                                                                         \
      "Bernoulli negative log-likelihood (binary cross-entropy) in nats, from logits.\n\n"                  \
      "bernoulli_nll(targets, logits) = log(1 + exp(logits)) - targets*logits, computed as\n"               \
      "c*|logits| + log1p(exp(-|logits|)), c = targets where logits < 0 and 1 - targets elsewhere:\n"       \
      "two terms that are not negative, nothing clamped.\n\n"                                               \
      "logits = -inf gives 0 for targets = 0 and +inf otherwise, logits = +inf mirrored. Targets outside\n" \
      "[0, 1] give NaN. The dtype of the targets does not decide that of the result.\n\n"                   \
      "Accuracy: 4 ulp.")                                                                                   \
    X(gaussian_nll, NULL, "trr->r",                                                                         \
      "Gaussian negative log-likelihood in nats, from mean and variance.\n\n"                               \
      "gaussian_nll(targets, mean, variance) = (targets - mean)^2/(2 variance) + log(variance)/2\n"         \
      "+ log(2 pi)/2. A variance that is not positive gives NaN. The dtype of the targets does not\n"       \
      "decide that of the result.\n\n"                                                                      \
      "Accuracy: |error| <= 4 u (sum of the absolute terms).")                                              \
    X(normal_kl, NULL, "rrrr->r",                                                                           \
      "Kullback-Leibler divergence of two normal distributions in nats.\n\n"                                \
      "normal_kl(p_loc, p_scale, q_loc, q_scale) = log(q_scale/p_scale) - 1/2\n"                            \
      "+ (p_scale^2 + (p_loc - q_loc)^2)/(2 q_scale^2), never negative.\n\n"                                \
      "Computed as (e - log(1+e))/2 + ((p_loc - q_loc)/q_scale)^2/2 with e = (p_scale/q_scale)^2 - 1 from\n" \
      "the difference of the scales, so that nearly equal arguments keep their digits. A scale that is\n"   \
      "not positive gives NaN.\n\n"                                                                         \
      "Accuracy: 8 ulp.")                                                                                   \
    X(bernoulli_kl, NULL, "rr->r",                                                                          \
      "Kullback-Leibler divergence of two Bernoulli distributions in nats, from probabilities.\n\n"         \
      "bernoulli_kl(p, q) = p log(p/q) + (1-p) log((1-p)/(1-q)) with 0 log 0 = 0; +inf where q is 0 or 1\n" \
      "and p is not; never negative. Arguments outside [0, 1] give NaN.\n\n"                                \
      "Computed as relative_entropy(p, q) + relative_entropy(1-p, 1-q) from the difference of p and q, so\n" \
      "that nearly equal arguments keep their digits.\n\n"                                                  \
      "Accuracy: 8 ulp.")                                                                                   \
    X(bernoulli_js, NULL, "rr->r",                                                                          \
      "Jensen-Shannon divergence of two Bernoulli distributions in nats, from probabilities.\n\n"           \
      "bernoulli_js(p, q) = js_term(p, q) + js_term(1-p, 1-q), from the difference of p and q; in\n"       \
      "[0, log 2]. Arguments outside [0, 1] give NaN.\n\n"                                                  \
      "Accuracy: 8 ulp.")                                                                                   \
    X(relative_entropy, NULL, "rr->r",                                                                      \
      "One term of a Kullback-Leibler divergence in nats, never negative.\n\n"                              \
      "relative_entropy(p, q) = p log(p/q) + q - p for p, q >= 0 with 0 log 0 = 0: q where p is 0, +inf\n" \
      "where q is 0 and p is not. Its sum over distributions p and q is KL(p || q), since the terms q - p\n" \
      "add up to 0; with them no term cancels another. Negative arguments give NaN.\n\n"                    \
      "Computed as p (x - log(1+x)) with x = (q - p)/p, so that nearly equal arguments keep their digits.\n\n" \
      "Accuracy: 8 ulp.")                                                                                   \
    X(js_term, NULL, "rr->r",                                                                               \
      "One term of a Jensen-Shannon divergence in nats, never negative.\n\n"                                \
      "js_term(p, q) = (p log(p/m) + q log(q/m))/2 with m = (p + q)/2, for p, q >= 0 with 0 log 0 = 0. Its\n" \
      "sum over distributions p and q is their divergence. Negative arguments give NaN.\n\n"                \
      "Computed as (p+q)/4 ((1+t) log(1+t) + (1-t) log(1-t)) with t = (q-p)/(p+q), by an even polynomial\n" \
      "up to |t| = 1/2.\n\n"                                                                                \
      "Accuracy: 8 ulp.")                                                                                   \
    X(js_integrand, NULL, "r->r",                                                                           \
      "What the Jensen-Shannon divergence is the mean of, as a function of the log-ratio, in nats.\n\n"     \
      "js_integrand(x) = log 2 - H(sigmoid(x)) = js_term(2 sigmoid(x), 2 sigmoid(-x)), with H the entropy of a\n" \
      "Bernoulli variable; in [0, log 2] and even in x. Its mean over samples of (p + q)/2 at\n"             \
      "x = log p - log q is their divergence.\n\n"                                                          \
      "Accuracy: 8 ulp.")                                                                                   \
    X(uniform_kl, NULL, "rrrr->r",                                                                          \
      "Kullback-Leibler divergence of two uniform distributions in nats.\n\n"                               \
      "uniform_kl(p_low, p_high, q_low, q_high) = log((q_high - q_low)/(p_high - p_low)) where q covers p,\n" \
      "+inf elsewhere. Bounds that are not finite or not in order (low < high) give NaN.\n\n"               \
      "Computed as log1p of what q has outside p, in widths of p.\n\n"                                      \
      "Accuracy: 8 ulp.")                                                                                   \
    X(categorical_kl, "(k),(k),(),()->(),()", "rrdd->ri",                                                   \
      "Kullback-Leibler divergence of rows of probabilities in nats.\n\n"                                   \
      LOGLIK_DOC_ROWS("the sum of relative_entropy(p, q) over the last axis."))                             \
    X(categorical_js, "(k),(k),(),()->(),()", "rrdd->ri",                                                   \
      "Jensen-Shannon divergence of rows of probabilities in nats.\n\n"                                     \
      LOGLIK_DOC_ROWS("the sum of js_term(p, q) over the last axis, at most log 2."))                       \
    X(categorical_cross_entropy, "(k),(k),(),()->(),()", "rrdd->ri",                                        \
      "Cross-entropy of rows of probabilities in nats.\n\n"                                                 \
      LOGLIK_DOC_ROWS("the sum of -p log q over the last axis, with 0 log 0 = 0."))

#define LOGLIK_FUNCTIONS_DENSITIES(X, R, T)

#define LOGLIK_UNTYPED_DENSITIES(X)
