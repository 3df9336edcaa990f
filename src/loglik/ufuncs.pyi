# Written by csrc/tools/make_ufuncs_stub.py
from numpy import ufunc

__all__: list[str]

asymmetry: ufunc  # (d,d)->()
bernoulli_kl: ufunc  # rr->r
bernoulli_log_prob: ufunc  # rr->r
bernoulli_nll: ufunc  # tr->r
cholesky: ufunc  # (d,d)->(d,d),()
erf: ufunc  # r->r
erfc: ufunc  # r->r
exp: ufunc  # r->r
expm1: ufunc  # r->r
gaussian_nll: ufunc  # trr->r
log: ufunc  # r->r
log1p: ufunc  # r->r
log1pmx: ufunc  # r->r
log_ndtr: ufunc  # r->r
log_sigmoid: ufunc  # r->r
mvn_log_prob: ufunc  # (d),(d),(d,d)->(),()
mvn_log_prob_checked: ufunc  # (d),(d),(d,d)->(),()
mvn_log_prob_diagonal: ufunc  # (d),(d),(d)->()
mvn_log_prob_grid: ufunc  # (n,d),(k,d),(k,d,d)->(n,k),(k)
mvn_log_prob_shared: ufunc  # (n,d),(d),(d,d)->(n),()
mvn_log_prob_tril: ufunc  # (n,d),(k,d),(k,d,d)->(n,k),(k)
mvn_log_prob_tril_each: ufunc  # (d),(d),(d,d)->(),()
mvn_log_prob_whitened: ufunc  # (n,d),(k,d),(k,d,d)->(n,k),(k)
mvn_log_prob_whitened_each: ufunc  # (d),(d),(d,d)->(),()
ndtr: ufunc  # r->r
normal_kl: ufunc  # rrrr->r
normal_log_prob: ufunc  # rrr->r
sigmoid: ufunc  # r->r
sincos_2pi: ufunc  # r->rr
softplus: ufunc  # r->r
uniform_log_prob: ufunc  # rrr->r
whiten: ufunc  # (n,d),(d),(d,d)->(n,d)
