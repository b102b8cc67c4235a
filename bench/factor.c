/* factor.c: factor numbers by continued fractions, with a big-integer library that allocates every result.
 *
 * Nearly all blocks are of 8 to 48 bytes, in a handful of sizes, and die within a microsecond; a few thousand (the
 * relations) live until a number is factored. This is what the instructions of malloc and free themselves cost:
 * interpreters with boxed numbers and programs in functional style look like this.
 *
 * Method: the expansion of sqrt(N) yields A and small Q with A^2 = (+-)Q mod N. Q that split over small primes are
 * collected; a product of them that is a square, found by elimination modulo 2, gives X^2 = Y^2 mod N, so gcd(X - Y, N)
 * may be a factor. source: Morrison and Brillhart, "A Method of Factoring and the Factorization of F7", Math. Comp. 29,
 * 1975.
 *
 * factor [SCALE] */
#include "work.h"

/* ---- Big integers: never negative, never changed once made, freed by whoever got them ---------------------------- */

struct number {
    uint32_t length;  /* limbs in use; the highest is not zero; 0 is the number zero */
    uint32_t limbs[]; /* base 2^32, lowest first */
};

static size_t operations; /* numbers made */

static struct number *number_new(uint32_t length)
{
    struct number *number = take(sizeof *number + length * sizeof number->limbs[0]);
    number->length = length;
    operations++;
    return number;
}

static struct number *without_leading_zeros(struct number *number)
{
    while (number->length > 0 && number->limbs[number->length - 1] == 0)
        number->length--;
    return number;
}

static struct number *number_from(uint64_t value)
{
    struct number *number = number_new(2);
    number->limbs[0] = (uint32_t)value;
    number->limbs[1] = (uint32_t)(value >> 32);
    return without_leading_zeros(number);
}

static struct number *number_copy(const struct number *number)
{
    struct number *copy = number_new(number->length);
    memcpy(copy->limbs, number->limbs, number->length * sizeof number->limbs[0]);
    return copy;
}

/* Put `value` in the place of *number, which is freed. */
static void number_replace(struct number **number, struct number *value)
{
    free(*number);
    *number = value;
}

static int compare(const struct number *a, const struct number *b)
{
    if (a->length != b->length)
        return a->length < b->length ? -1 : 1;
    for (uint32_t i = a->length; i-- > 0;)
        if (a->limbs[i] != b->limbs[i])
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
    return 0;
}

static struct number *add(const struct number *a, const struct number *b)
{
    const uint32_t longer = a->length > b->length ? a->length : b->length;
    struct number *sum = number_new(longer + 1);
    uint64_t carry = 0;
    for (uint32_t i = 0; i <= longer; i++) {
        carry += (uint64_t)(i < a->length ? a->limbs[i] : 0) + (i < b->length ? b->limbs[i] : 0);
        sum->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return without_leading_zeros(sum);
}

/* a - b; `a` is at least `b`. */
static struct number *subtract(const struct number *a, const struct number *b)
{
    struct number *difference = number_new(a->length);
    int64_t carry = 0;
    for (uint32_t i = 0; i < a->length; i++) {
        carry += (int64_t)a->limbs[i] - (i < b->length ? b->limbs[i] : 0);
        difference->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return without_leading_zeros(difference);
}

static struct number *multiply(const struct number *a, const struct number *b)
{
    struct number *product = number_new(a->length + b->length);
    memset(product->limbs, 0, product->length * sizeof product->limbs[0]);
    for (uint32_t i = 0; i < a->length; i++) {
        uint64_t carry = 0;
        for (uint32_t j = 0; j < b->length; j++) {
            carry += (uint64_t)a->limbs[i] * b->limbs[j] + product->limbs[i + j];
            product->limbs[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        product->limbs[i + b->length] = (uint32_t)carry;
    }
    return without_leading_zeros(product);
}

/* a / divisor; the remainder goes to *rest. `divisor` is not 0. */
static struct number *divide_small(const struct number *a, uint32_t divisor, uint32_t *rest)
{
    struct number *quotient = number_new(a->length);
    uint64_t remainder = 0;
    for (uint32_t i = a->length; i-- > 0;) {
        remainder = remainder << 32 | a->limbs[i];
        quotient->limbs[i] = (uint32_t)(remainder / divisor);
        remainder %= divisor;
    }
    *rest = (uint32_t)remainder;
    return without_leading_zeros(quotient);
}

/* number * 2^bits in a result one limb longer than `number`, leading zeros kept; `bits` < 32. */
static struct number *shifted_left(const struct number *number, unsigned bits)
{
    struct number *result = number_new(number->length + 1);
    uint64_t carry = 0;
    for (uint32_t i = 0; i < number->length; i++) {
        carry |= (uint64_t)number->limbs[i] << bits;
        result->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    result->limbs[number->length] = (uint32_t)carry;
    return result;
}

static struct number *shifted_right(const struct number *number, unsigned bits)
{
    struct number *result = number_new(number->length);
    for (uint32_t i = 0; i < number->length; i++) {
        const uint64_t high = i + 1 < number->length ? number->limbs[i + 1] : 0;
        result->limbs[i] = (uint32_t)((high << 32 | number->limbs[i]) >> bits);
    }
    return without_leading_zeros(result);
}

/* window[0..length] -= factor * divisor[0..length-1]. returns: 1 when that went below zero, else 0. */
static int subtract_product(uint32_t *window, const uint32_t *divisor, uint32_t length, uint64_t factor)
{
    uint64_t product = 0;
    int64_t borrow = 0;
    for (uint32_t i = 0; i <= length; i++) {
        product += i < length ? factor * divisor[i] : 0;
        borrow += (int64_t)window[i] - (uint32_t)product;
        window[i] = (uint32_t)borrow;
        borrow >>= 32;
        product >>= 32;
    }
    return borrow < 0;
}

/* window[0..length] += divisor[0..length-1], the carry out dropped. */
static void add_back(uint32_t *window, const uint32_t *divisor, uint32_t length)
{
    uint64_t carry = 0;
    for (uint32_t i = 0; i <= length; i++) {
        carry += (uint64_t)window[i] + (i < length ? divisor[i] : 0);
        window[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* a / b for b of two limbs or more and a of no fewer; *rest gets the remainder. source: Knuth, TAOCP 2, 4.3.1, D. */
static struct number *divide_long(const struct number *a, const struct number *b, struct number **rest)
{
    const uint32_t length = b->length, steps = a->length - length + 1;
    const unsigned shift = (unsigned)__builtin_clz(b->limbs[length - 1]);
    struct number *remainder = shifted_left(a, shift), *divisor = shifted_left(b, shift);
    struct number *quotient = number_new(steps);
    const uint64_t top = divisor->limbs[length - 1], next = divisor->limbs[length - 2];
    for (uint32_t i = steps; i-- > 0;) {
        uint32_t *window = remainder->limbs + i;
        const uint64_t head = (uint64_t)window[length] << 32 | window[length - 1];
        uint64_t digit = head / top, left = head % top;
        while (digit >> 32 != 0 || digit * next > (left << 32 | window[length - 2])) {
            digit--;
            left += top;
            if (left >> 32 != 0)
                break;
        }
        if (subtract_product(window, divisor->limbs, length, digit)) {
            digit--;
            add_back(window, divisor->limbs, length);
        }
        quotient->limbs[i] = (uint32_t)digit;
    }
    *rest = shifted_right(without_leading_zeros(remainder), shift);
    free(remainder);
    free(divisor);
    return without_leading_zeros(quotient);
}

/* a / b; *rest gets the remainder. `b` is not zero. */
static struct number *divide(const struct number *a, const struct number *b, struct number **rest)
{
    if (compare(a, b) < 0) {
        *rest = number_copy(a);
        return number_from(0);
    }
    if (b->length > 1)
        return divide_long(a, b, rest);
    uint32_t remainder;
    struct number *quotient = divide_small(a, b->limbs[0], &remainder);
    *rest = number_from(remainder);
    return quotient;
}

static struct number *quotient_of(const struct number *a, const struct number *b)
{
    struct number *rest, *quotient = divide(a, b, &rest);
    free(rest);
    return quotient;
}

static struct number *remainder_of(const struct number *a, const struct number *b)
{
    struct number *rest, *quotient = divide(a, b, &rest);
    free(quotient);
    return rest;
}

static uint32_t remainder_small(const struct number *a, uint32_t divisor)
{
    uint32_t rest;
    free(divide_small(a, divisor, &rest));
    return rest;
}

/* a * b mod modulus */
static struct number *multiply_modulo(const struct number *a, const struct number *b, const struct number *modulus)
{
    struct number *product = multiply(a, b);
    number_replace(&product, remainder_of(product, modulus));
    return product;
}

static struct number *greatest_common_divisor(const struct number *a, const struct number *b)
{
    struct number *x = number_copy(a), *y = number_copy(b);
    while (y->length > 0) {
        struct number *rest = remainder_of(x, y);
        free(x);
        x = y;
        y = rest;
    }
    free(y);
    return x;
}

/* The largest number whose square is at most `number`. source: Newton's iteration from above. */
static struct number *square_root(const struct number *number)
{
    struct number *root = number_copy(number);
    for (;;) {
        uint32_t odd;
        struct number *next = quotient_of(number, root);
        number_replace(&next, add(next, root));
        number_replace(&next, divide_small(next, 2, &odd));
        if (compare(next, root) >= 0) {
            free(next);
            return root;
        }
        number_replace(&root, next);
    }
}

static struct number *number_parse(const char *digits)
{
    struct number *ten = number_from(10), *number = number_from(0);
    for (; *digits != '\0'; digits++) {
        struct number *digit = number_from((uint64_t)(*digits - '0'));
        number_replace(&number, multiply(number, ten));
        number_replace(&number, add(number, digit));
        free(digit);
    }
    free(ten);
    return number;
}

static uint64_t number_checksum(const struct number *number)
{
    uint64_t checksum = number->length;
    for (uint32_t i = 0; i < number->length; i++)
        checksum = mix(checksum, number->limbs[i]);
    return checksum;
}

/* ---- Relations: A^2 = (-1)^sign * product of primes, modulo N ---------------------------------------------------- */

enum { PRIMES = 120, EXTRA_RELATIONS = 12, RELATIONS = PRIMES + EXTRA_RELATIONS };

struct relation {
    struct number *a;
    uint8_t exponents[1 + PRIMES]; /* [0] is the sign */
};

/* The primes p modulo which N is a square: no other prime divides a Q. */
struct factor_base {
    uint32_t primes[PRIMES];
};

static int is_prime(uint32_t candidate)
{
    for (uint32_t divisor = 2; divisor * divisor <= candidate; divisor++)
        if (candidate % divisor == 0)
            return 0;
    return 1;
}

/* Is `residue` a square modulo the prime `prime`? source: Euler's criterion. */
static int is_square_modulo(uint32_t residue, uint32_t prime)
{
    uint64_t power = 1, base = residue;
    for (uint32_t exponent = (prime - 1) / 2; exponent > 0; exponent /= 2) {
        power = exponent % 2 != 0 ? power * base % prime : power;
        base = base * base % prime;
    }
    return power <= 1;
}

static void factor_base_make(struct factor_base *base, const struct number *n)
{
    base->primes[0] = 2;
    uint32_t candidate = 3;
    for (int found = 1; found < PRIMES; candidate += 2)
        if (is_prime(candidate) && is_square_modulo(remainder_small(n, candidate), candidate))
            base->primes[found++] = candidate;
}

/* Divide `q` by the primes of the base. returns: whether nothing but 1 was left; then `exponents` are valid. */
static int split(const struct number *q, const struct factor_base *base, uint8_t *exponents)
{
    struct number *left = number_copy(q);
    memset(exponents, 0, PRIMES);
    for (int i = 0; i < PRIMES; i++) {
        uint32_t rest;
        struct number *quotient = divide_small(left, base->primes[i], &rest);
        while (rest == 0) {
            exponents[i]++;
            number_replace(&left, quotient);
            quotient = divide_small(left, base->primes[i], &rest);
        }
        free(quotient);
    }
    const int complete = left->length == 1 && left->limbs[0] == 1;
    free(left);
    return complete;
}

/* The state of the expansion of sqrt(N) after some steps: Q, the step before's Q, P, and A modulo N likewise. */
struct expansion {
    struct number *root, *p, *q, *q_before, *a, *a_before;
    unsigned steps;
};

static void expansion_start(struct expansion *state, const struct number *n)
{
    state->root = square_root(n);
    state->p = number_copy(state->root);
    state->q_before = number_from(1);
    struct number *square = multiply(state->root, state->root);
    state->q = subtract(n, square);
    free(square);
    state->a_before = number_from(1);
    state->a = number_copy(state->root);
    state->steps = 1;
}

static void expansion_end(struct expansion *state)
{
    struct number *const all[] = {state->root, state->p, state->q, state->q_before, state->a, state->a_before};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

/* Digit b = (root + P) / Q; then P' = b Q - P, Q' = Q_before + b (P - P'), A' = b A + A_before. */
static void expansion_step(struct expansion *state, const struct number *n)
{
    struct number *digit = add(state->root, state->p);
    number_replace(&digit, quotient_of(digit, state->q));
    struct number *p = multiply(digit, state->q);
    number_replace(&p, subtract(p, state->p));
    const int falls = compare(state->p, p) >= 0;
    struct number *change = falls ? subtract(state->p, p) : subtract(p, state->p);
    number_replace(&change, multiply(digit, change));
    struct number *q = falls ? add(state->q_before, change) : subtract(state->q_before, change);
    struct number *a = multiply_modulo(digit, state->a, n);
    number_replace(&a, add(a, state->a_before));
    number_replace(&a, remainder_of(a, n));
    free(change);
    free(digit);
    number_replace(&state->p, p);
    number_replace(&state->q_before, state->q);
    state->q = q;
    number_replace(&state->a_before, state->a);
    state->a = a;
    state->steps++;
}

static void relations_collect(struct relation *relations, const struct factor_base *base, const struct number *n)
{
    struct expansion state;
    expansion_start(&state, n);
    for (size_t found = 0; found < RELATIONS; expansion_step(&state, n)) {
        struct relation *relation = &relations[found];
        if (!split(state.q, base, relation->exponents + 1))
            continue;
        relation->exponents[0] = state.steps % 2;
        relation->a = number_copy(state.a);
        found++;
    }
    expansion_end(&state);
}

/* ---- A square among the products --------------------------------------------------------------------------------- */

/* One row of the matrix modulo 2: which primes have an odd exponent, and which relations were combined. */
struct row {
    uint8_t odd[1 + PRIMES];
    uint8_t combined[RELATIONS];
};

static void row_add(struct row *row, const struct row *other)
{
    for (size_t i = 0; i < sizeof row->odd; i++)
        row->odd[i] ^= other->odd[i];
    for (size_t i = 0; i < sizeof row->combined; i++)
        row->combined[i] ^= other->combined[i];
}

/* Gauss: afterwards every row from the returned index on has no odd exponent. */
static size_t eliminate(struct row **rows)
{
    size_t rank = 0;
    for (size_t column = 0; column < 1 + PRIMES; column++) {
        size_t pivot = rank;
        while (pivot < RELATIONS && rows[pivot]->odd[column] == 0)
            pivot++;
        if (pivot == RELATIONS)
            continue;
        struct row *const chosen = rows[pivot];
        rows[pivot] = rows[rank];
        rows[rank] = chosen;
        for (size_t i = rank + 1; i < RELATIONS; i++)
            if (rows[i]->odd[column] != 0)
                row_add(rows[i], chosen);
        rank++;
    }
    return rank;
}

/* X = product of the A, Y = product of p^(e/2) of the combined relations. returns: gcd(X + Y, n). */
static struct number *divisor_from(const struct row *row, const struct relation *relations,
                                   const struct factor_base *base, const struct number *n)
{
    unsigned exponents[1 + PRIMES] = {0};
    struct number *x = number_from(1), *y = number_from(1);
    for (size_t i = 0; i < RELATIONS; i++) {
        if (row->combined[i] == 0)
            continue;
        number_replace(&x, multiply_modulo(x, relations[i].a, n));
        for (size_t j = 0; j < 1 + PRIMES; j++)
            exponents[j] += relations[i].exponents[j];
    }
    for (size_t j = 0; j < PRIMES; j++) {
        struct number *prime = number_from(base->primes[j]);
        for (unsigned half = exponents[1 + j] / 2; half > 0; half--)
            number_replace(&y, multiply_modulo(y, prime, n));
        free(prime);
    }
    number_replace(&x, add(x, y));
    number_replace(&x, greatest_common_divisor(x, n));
    free(y);
    return x;
}

static struct row *row_from(const struct relation *relations, size_t index)
{
    struct row *row = take(sizeof *row);
    memset(row, 0, sizeof *row);
    for (size_t j = 0; j < sizeof row->odd; j++)
        row->odd[j] = relations[index].exponents[j] % 2;
    row->combined[index] = 1;
    return row;
}

/* returns: a divisor of `n` other than 1 and `n`; NULL when every square was a trivial one. */
static struct number *divisor_of(const struct number *n)
{
    struct factor_base base;
    struct row *rows[RELATIONS];
    struct relation *relations = take(RELATIONS * sizeof *relations);
    factor_base_make(&base, n);
    relations_collect(relations, &base, n);
    for (size_t i = 0; i < RELATIONS; i++)
        rows[i] = row_from(relations, i);
    struct number *found = NULL, *one = number_from(1);
    for (size_t i = eliminate(rows); i < RELATIONS && found == NULL; i++) {
        found = divisor_from(rows[i], relations, &base, n);
        if (compare(found, one) == 0 || compare(found, n) == 0)
            number_replace(&found, NULL);
    }
    free(one);
    for (size_t i = 0; i < RELATIONS; i++) {
        free(rows[i]);
        free(relations[i].a);
    }
    free(relations);
    return found;
}

/* Factor `digits` and check that the two factors give it back. returns: a checksum of both. */
static uint64_t factor(const char *digits)
{
    struct number *n = number_parse(digits), *rest, *divisor = divisor_of(n);
    if (divisor == NULL)
        fail("no divisor of %s was found", digits);
    struct number *cofactor = divide(n, divisor, &rest);
    struct number *product = multiply(divisor, cofactor);
    if (rest->length != 0 || compare(product, n) != 0)
        fail("a wrong divisor of %s was found", digits);
    const uint64_t checksum = number_checksum(divisor) ^ number_checksum(cofactor);
    struct number *const all[] = {n, rest, divisor, cofactor, product};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
    return checksum;
}

/* Products of two random primes of 13 digits each. */
static const char *const semiprimes[] = {
    "49476298282112574848824529", "23712712180366655738280577", "36548292395188557223924561",
    "57612993968865709198401671", "21032915547222677934451859", "24965543671766322174758573",
    "57234308233272855308488901", "86862612267212104833595271", "21178364799537238681010801",
    "41412380094122672814182767",
};

enum { USUAL_NUMBERS = 5 };

int main(int count, char **values)
{
    const size_t numbers = scaled(count, values, USUAL_NUMBERS);
    uint64_t checksum = 0;
    for (size_t i = 0; i < numbers; i++)
        checksum = mix(checksum, factor(semiprimes[i % (sizeof semiprimes / sizeof semiprimes[0])]));
    print_result("factor", operations, checksum);
    return finish();
}
