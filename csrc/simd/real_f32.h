/* The current element type is float. Undone by real_undef.h. */
#define T f32
#define R float
#define V vf32
#define VI vi32
#define VU vu32
#define M mf32
#define LANES LANES_f32
#define FN(name) name##_f32
#define REAL_IS_DOUBLE 0
#define C(x) v_set1_f32((float)(x))
#define CI(x) vi_set1_f32(x)
#define M_NONE m_none(f32)
