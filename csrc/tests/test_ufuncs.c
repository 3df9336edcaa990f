/* Every ufunc loop at every level, generically from the list of kernels: memory, layouts, floating-point state.
 *
 * For each kernel the loop runs on contiguous arrays that end at a forbidden page; that result is the reference for
 * all other ways to lay out the same values, which must give the same bits. Whether the values are right is the matter of
 * test_accuracy.c and of the Python tests. */
#include <ctype.h>
#include <math.h>

#include "check.h"

enum { MAX_ARGS = 8, MAX_AXES = 5, MAX_DIMS = 4 };

/* One argument of a kernel: its letter, and its axes: the outer one, then core dimensions by number. */
typedef struct {
    char letter;
    int axes; /* with the outer one */
    int dim[MAX_AXES];
} argument;

typedef struct {
    const loglik_ufunc_info *info;
    int nin, nargs, ndims; /* ndims: number of distinct core dimensions */
    argument args[MAX_ARGS];
} kernel;

static kernel parse(const loglik_ufunc_info *info) {
    kernel k = {.info = info};
    for (const char *t = info->types; *t; t++) {
        if (*t == '-') {
            k.nin = k.nargs;
            t++;
        } else {
            k.args[k.nargs++] = (argument){.letter = *t, .axes = 1};
        }
    }
    char names[MAX_DIMS][16] = {{0}};
    int arg = -1;
    for (const char *s = info->signature ? info->signature : ""; *s; s++) {
        if (*s == '(') {
            arg++;
        } else if (islower((unsigned char)*s)) {
            const size_t length = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");
            int dim = 0;
            while (dim < k.ndims && (strncmp(names[dim], s, length) != 0 || names[dim][length])) {
                dim++;
            }
            if (dim == k.ndims) {
                memcpy(names[k.ndims++], s, length);
            }
            k.args[arg].dim[k.args[arg].axes++] = dim;
            s += length - 1;
        }
    }
    return k;
}

static size_t item_size(char letter, int is_double) {
    return letter == 'i' ? 4 : letter == 'd' || is_double ? 8 : 4;
}

static ptrdiff_t axis_size(const argument *a, int axis, ptrdiff_t outer, const ptrdiff_t *dims) {
    return axis == 0 ? outer : dims[a->dim[axis]];
}

static ptrdiff_t total_size(const argument *a, ptrdiff_t outer, const ptrdiff_t *dims) {
    ptrdiff_t total = 1;
    for (int axis = 0; axis < a->axes; axis++) {
        total *= axis_size(a, axis, outer, dims);
    }
    return total;
}

/* How logical values lie in memory. */
typedef struct {
    const char *name;
    int at_end;     /* the last byte is followed by a forbidden page, else the first one preceded */
    int gap;        /* in elements of the fastest axis */
    int fortran;    /* the outer axis is the fastest */
    int reversed;   /* bit mask of axes with negative strides */
    int zero_outer; /* inputs repeat one value or matrix along the outer axis */
} layout;

static const layout LAYOUTS[] = {
    {"contiguous, at the end of a page", 1, 1, 0, 0, 0},
    {"contiguous, at the start of a page", 0, 1, 0, 0, 0},
    {"Fortran order", 1, 1, 1, 0, 0},
    {"every third element, backwards", 1, 3, 0, 0x1f, 0},
    {"every second element", 1, 2, 0, 0, 0},
    {"every second element, the outer axis backwards", 0, 2, 0, 0x01, 0},
};

typedef struct {
    guarded memory;
    char *origin; /* of the element with all indices 0 */
    ptrdiff_t strides[MAX_AXES];
} placed;

static placed place(const argument *a, size_t item, ptrdiff_t outer, const ptrdiff_t *dims, const layout *l) {
    placed p = {.origin = NULL};
    const ptrdiff_t total = total_size(a, outer, dims);
    ptrdiff_t stride = (ptrdiff_t)item * l->gap, offset = 0;
    for (int step = 0; step < a->axes; step++) {
        const int axis = l->fortran ? step : a->axes - 1 - step;
        const ptrdiff_t size = axis_size(a, axis, outer, dims);
        const int backwards = l->reversed >> axis & 1;
        p.strides[axis] = backwards ? -stride : stride;
        offset += backwards && size > 0 ? (size - 1) * stride : 0;
        stride *= size;
    }
    p.memory = guarded_new(total ? ((size_t)(total - 1) * (size_t)l->gap + 1) * item : 0, l->at_end);
    memset(p.memory.data, 0xa5, p.memory.size);
    p.origin = p.memory.data + (total ? offset : 0);
    return p;
}

/* Calls visit for each element in logical C order with its address. */
#define FOR_EACH_ELEMENT(a, p, outer, dims, address, i)                                                     \
    for (ptrdiff_t i = 0, total_ = total_size(a, outer, dims); i < total_; i++)                             \
        for (char *address = element_address(a, p, outer, dims, i); address; address = NULL)

static char *element_address(const argument *a, const placed *p, ptrdiff_t outer, const ptrdiff_t *dims, ptrdiff_t i) {
    char *address = p->origin;
    for (int axis = a->axes - 1; axis >= 0; axis--) {
        const ptrdiff_t size = axis_size(a, axis, outer, dims);
        address += i % size * p->strides[axis];
        i /= size;
    }
    return address;
}

static double load(const char *p, char letter, int is_double) {
    double d;
    float f;
    int32_t i;
    if (letter == 'i') {
        memcpy(&i, p, 4);
        return i;
    }
    if (item_size(letter, is_double) == 8) {
        memcpy(&d, p, 8);
        return d;
    }
    memcpy(&f, p, 4);
    return f;
}

static void store(char *p, char letter, int is_double, double value) {
    const float f = (float)value;
    const int32_t i = (int32_t)value;
    if (letter == 'i') {
        memcpy(p, &i, 4);
    } else if (item_size(letter, is_double) == 8) {
        memcpy(p, &value, 8);
    } else {
        memcpy(p, &f, 4);
    }
}

static const double SPECIAL[] = {0.0,       -0.0,       INFINITY, -INFINITY, NAN,     1.0,     -1.0,  0.5,    0x1p-149,
                                 -0x1p-149, 0x1p-1074,  -0x1p-1074, 1e-310,  3.4e38,  -3.4e38, 1e308, -1e308, 88.8,
                                 -103.9,    709.8,      -745.2,   36.7,      -36.7,   0x1p-60, 20.0,  1e5,    2.0};

/* Logical values of an input. A square matrix becomes positive definite, so that factorisations get somewhere. */
static void fill(const argument *a, double *values, ptrdiff_t outer, const ptrdiff_t *dims, int special) {
    const ptrdiff_t total = total_size(a, outer, dims);
    const int last = a->axes - 1, square = a->axes >= 3 && a->dim[last] == a->dim[last - 1];
    for (ptrdiff_t i = 0; i < total; i++) {
        values[i] = 4.0 * random_signed();
        if (special == 1 && random_bits() % 4 == 0) {
            values[i] = SPECIAL[random_bits() % (sizeof SPECIAL / sizeof *SPECIAL)];
        } else if (special == 2) { /* any bit pattern */
            const uint64_t bits = random_bits();
            memcpy(&values[i], &bits, 8);
        }
    }
    if (square && special == 0) {
        const ptrdiff_t d = dims[a->dim[last]];
        for (ptrdiff_t i = 0; i < total; i++) {
            const ptrdiff_t column = i % d, row = i / d % d;
            values[i] = row == column ? 4.0 * (double)d + 1.0 : row > column ? values[i] : values[i - (column - row) * (1 - d)];
        }
        for (ptrdiff_t m = 0; m < total; m += d * d) {
            for (ptrdiff_t row = 0; row < d; row++) {
                for (ptrdiff_t column = row + 1; column < d; column++) {
                    values[m + row * d + column] = values[m + column * d + row];
                }
            }
        }
    }
}

static int same(double a, double b) { return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0; }

typedef struct {
    const char *level, *type;
    const kernel *k;
    loglik_loop loop;
    int is_double;
    ptrdiff_t outer;
    const ptrdiff_t *dims;
    double *values[MAX_ARGS]; /* logical: of inputs given, of outputs from the reference run */
} run;

/* Runs the loop with the arrays in layout `l`; as the reference (saves outputs) or against it. Returns the FP state. */
static uint64_t execute(run *r, const layout *l, int is_reference, uint64_t fp) {
    const kernel *const k = r->k;
    placed p[MAX_ARGS];
    char *args[MAX_ARGS];
    ptrdiff_t sizes[1 + MAX_DIMS], steps[MAX_ARGS + MAX_ARGS * MAX_AXES];
    int n_steps = k->nargs;
    sizes[0] = r->outer;
    memcpy(sizes + 1, r->dims, (size_t)k->ndims * sizeof *sizes);
    for (int a = 0; a < k->nargs; a++) {
        const argument *const arg = &k->args[a];
        const int repeated = l->zero_outer && a < k->nin;
        p[a] = place(arg, item_size(arg->letter, r->is_double), repeated ? 1 : r->outer, r->dims, l);
        if (repeated) {
            p[a].strides[0] = 0;
        }
        if (a < k->nin) {
            FOR_EACH_ELEMENT(arg, &p[a], r->outer, r->dims, address, i) {
                store(address, arg->letter, r->is_double, r->values[a][i]);
            }
        }
        args[a] = p[a].origin;
        steps[a] = p[a].strides[0];
        for (int axis = 1; axis < arg->axes; axis++) {
            steps[n_steps++] = p[a].strides[axis];
        }
    }
    fp_write(fp);
    r->loop(args, sizes, steps, NULL);
    const uint64_t after = fp_read();
    fp_write(FP_CLEAN);

    for (int a = 0; a < k->nargs; a++) {
        const argument *const arg = &k->args[a];
        const size_t item = item_size(arg->letter, r->is_double);
        ptrdiff_t wrong = -1;
        FOR_EACH_ELEMENT(arg, &p[a], r->outer, r->dims, address, i) {
            const double value = load(address, arg->letter, r->is_double);
            if (is_reference && a >= k->nin) {
                r->values[a][i] = value;
            } else if (wrong < 0 && !same(value, r->values[a][i])) {
                wrong = i;
            }
        }
        check(wrong < 0, "%s %s %s: argument %d, element %td of %td differs (%s)", r->level, r->type, k->info->name, a,
              wrong, total_size(arg, r->outer, r->dims), l->name);
        if (a >= k->nin) { /* nothing between the elements was written */
            FOR_EACH_ELEMENT(arg, &p[a], r->outer, r->dims, address, i) { memset(address, 0xa5, item); }
            size_t intact = 0;
            while (intact < p[a].memory.size && (unsigned char)p[a].memory.data[intact] == 0xa5) {
                intact++;
            }
            check(intact == p[a].memory.size, "%s %s %s: wrote between the elements of argument %d (%s)", r->level,
                  r->type, k->info->name, a, l->name);
        }
        guarded_free(p[a].memory);
    }
    return after;
}

/* Whether an output is NaN where no input is; for elementwise kernels. */
static int made_nan(const run *r) {
    for (ptrdiff_t i = 0; i < r->outer; i++) {
        int in = 0, out = 0;
        for (int a = 0; a < r->k->nargs; a++) {
            *(a < r->k->nin ? &in : &out) |= isnan(r->values[a][i]);
        }
        if (out && !in) {
            return 1;
        }
    }
    return 0;
}

static void test_state(run *r, uint64_t after_reference) {
    const char *const name = r->k->info->name;
    check((after_reference & ~(uint64_t)FP_INVALID_BIT) == FP_CLEAN, "%s %s %s: left the state %llx", r->level, r->type,
          name, (unsigned long long)after_reference);
    if (r->k->info->signature == NULL) {
        check((after_reference & FP_INVALID_BIT) == (made_nan(r) ? FP_INVALID_BIT : 0u),
              "%s %s %s: the invalid flag is %d", r->level, r->type, name, (int)(after_reference & FP_INVALID_BIT));
    }
    /* A strange state changes neither the results nor itself. */
    const uint64_t strange = FP_STRANGE | FP_ALL_FLAGS, after = execute(r, &LAYOUTS[0], 0, strange);
    check(after == strange, "%s %s %s: state %llx became %llx", r->level, r->type, name, (unsigned long long)strange,
          (unsigned long long)after);
}

/* An element's bits do not depend on where it stands: each alone gives what it gave in company. */
static void test_alone(run *r) {
    run one = *r;
    double in[MAX_ARGS], out[MAX_ARGS];
    one.outer = 1;
    for (ptrdiff_t i = 0; i < r->outer; i += 1 + r->outer / 40) {
        for (int a = 0; a < r->k->nargs; a++) {
            in[a] = out[a] = r->values[a][i];
            one.values[a] = a < r->k->nin ? &in[a] : &out[a];
        }
        execute(&one, &LAYOUTS[0], 0, FP_CLEAN);
    }
}

static void test_case(run *r, int special) {
    for (int a = 0; a < r->k->nargs; a++) {
        const ptrdiff_t total = total_size(&r->k->args[a], r->outer, r->dims);
        r->values[a] = malloc((size_t)(total ? total : 1) * sizeof(double));
        if (a < r->k->nin) {
            fill(&r->k->args[a], r->values[a], r->outer, r->dims, special);
            for (ptrdiff_t i = 0; i < total && !r->is_double; i++) {
                r->values[a][i] = (float)r->values[a][i];
            }
        }
    }
    const uint64_t after = execute(r, &LAYOUTS[0], 1, FP_CLEAN);
    for (size_t l = 1; l < sizeof LAYOUTS / sizeof *LAYOUTS; l++) {
        execute(r, &LAYOUTS[l], 0, FP_CLEAN);
    }
    test_state(r, after);
    if (r->k->info->signature == NULL) {
        test_alone(r);
        for (int a = 0; a < r->k->nin; a++) { /* one value for all elements: stride 0 */
            for (ptrdiff_t i = 1; i < r->outer; i++) {
                r->values[a][i] = r->values[a][0];
            }
        }
        execute(r, &LAYOUTS[0], 1, FP_CLEAN);
        execute(r, &(layout){"stride 0", 1, 1, 0, 0, 1}, 0, FP_CLEAN);
    }
    for (int a = 0; a < r->k->nargs; a++) {
        free(r->values[a]);
    }
}

static void test_kernel(const loglik_kernels *level, const kernel *k, int is_double) {
    const int lanes = level->vector_bytes / (is_double ? 8 : 4);
    run r = {.level = level->name, .type = is_double ? "float64" : "float32", .k = k,
             .loop = loglik_loop_at(level, k->info->offset, is_double ? LOGLIK_F64 : LOGLIK_F32), .is_double = is_double};
    if (k->info->signature == NULL) {
        const ptrdiff_t sizes[] = {0, 1, lanes - 1, lanes, lanes + 1, 511, 513, 5003};
        const ptrdiff_t none[MAX_DIMS] = {0};
        r.dims = none;
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            for (int special = 0; special < 3; special++) {
                r.outer = sizes[s];
                test_case(&r, special);
            }
        }
        return;
    }
    const ptrdiff_t sizes[] = {1, 2, 3, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, 37};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (int c = 0; c < SIZES * 4; c++) {
        ptrdiff_t dims[MAX_DIMS];
        for (int dim = 0; dim < k->ndims; dim++) { /* every pair of sizes of two dimensions comes up */
            dims[dim] = sizes[(c / (dim == 0 ? 1 : dim == 1 ? 4 : 2) + 3 * dim) % SIZES];
        }
        r.dims = dims;
        r.outer = c % 3;
        test_case(&r, c % 5 == 4 ? 1 + c / 5 % 2 : 0);
    }
}

int main(void) {
    for (const loglik_kernels *const *level = loglik_levels; *level; level++) {
        if (!loglik_level_available(*level)) {
            printf("%s: not on this machine\n", (*level)->name);
            continue;
        }
        for (int i = 0; i < loglik_ufunc_count; i++) {
            const kernel k = parse(&loglik_ufunc_infos[i]);
            test_kernel(*level, &k, 1);
            test_kernel(*level, &k, 0);
        }
        printf("%s: %d kernels\n", (*level)->name, loglik_ufunc_count);
    }
    return checks_end();
}
