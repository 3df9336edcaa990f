/* The current element type is double. Undone by real_undef.h. */
#define T f64
#define R double
#define V vf64
#define VI vi64
#define VU vu64
#define M mf64
#define LANES LANES_f64
#define FN(name) name##_f64
#define REAL_IS_DOUBLE 1
#define C(x) v_set1_f64((double)(x))
#define CI(x) vi_set1_f64(x)
#define M_NONE m_none(f64)
