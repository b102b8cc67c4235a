/* nbody.c: bodies that attract each other, by a tree that is built anew for every step.
 *
 * Each step puts all bodies into an octree, a block for each leaf and each branch, sums up masses from the leaves,
 * walks the tree once for every body, and frees it. There are hundreds of computed interactions for each block: this
 * program is nearly neutral on purpose. It shows what an allocator is worth where little is allocated, and whether the
 * places that it gives to blocks help or hinder a program that mostly reads them.
 *
 * Proof: the tree holds every body and the whole mass, and the acceleration of some bodies is that of the sum over all
 * pairs, but for the error that the method has.
 *
 * source: Barnes and Hut, "A Hierarchical O(N log N) Force-Calculation Algorithm", Nature 324, 1986.
 *
 * nbody [SCALE] */
#include "work.h"

#include <math.h>

enum { BODIES = 4096, AXES = 3, OCTANTS = 8, USUAL_STEPS = 14, SAMPLE_STEP = 512 };

static const double OPENING = 0.6; /* a branch that looks smaller than this, size over distance, is taken as one body */
static const double SOFTENING = 1e-4, TIME_STEP = 1e-3, LEAST_HALF = 1e-12, ERROR_MOST = 0.02;

struct body {
    double place[AXES], speed[AXES], pull[AXES];
    double mass;
};

/* Starts every leaf and every branch; a leaf is nothing else. */
struct node {
    double centre_of_mass[AXES], mass;
    size_t bodies; /* 1: a leaf */
};

struct branch {
    struct node node;
    double middle[AXES], half; /* its cube reaches `half` to both sides of the middle */
    struct node *children[OCTANTS];
};

static size_t operations; /* nodes made */

static struct node *leaf_new(const struct body *body)
{
    struct node *leaf = take(sizeof *leaf);
    *leaf = (struct node){.mass = body->mass, .bodies = 1};
    memcpy(leaf->centre_of_mass, body->place, sizeof body->place);
    operations++;
    return leaf;
}

static struct branch *branch_new(const double *middle, double half)
{
    struct branch *branch = take(sizeof *branch);
    *branch = (struct branch){.half = half};
    memcpy(branch->middle, middle, sizeof branch->middle);
    operations++;
    return branch;
}

/* The child whose octant holds the place; bit i of its number: above the middle on axis i. */
static struct node **child_at(struct branch *branch, const double *place)
{
    size_t octant = 0;
    for (size_t axis = 0; axis < AXES; axis++)
        octant |= (size_t)(place[axis] >= branch->middle[axis]) << axis;
    return &branch->children[octant];
}

/* An empty branch for the octant of `branch` that holds the place. */
static struct branch *octant_new(const struct branch *branch, const double *place)
{
    double middle[AXES];
    const double half = branch->half / 2;
    if (half < LEAST_HALF)
        fail("two bodies are at one place");
    for (size_t axis = 0; axis < AXES; axis++)
        middle[axis] = branch->middle[axis] + (place[axis] >= branch->middle[axis] ? half : -half);
    return branch_new(middle, half);
}

/* Put a leaf below `branch`. Where another leaf is in its place, a branch takes that place, until the two are apart. */
static void insert(struct branch *branch, struct node *leaf)
{
    for (;;) {
        branch->node.bodies++;
        struct node **child = child_at(branch, leaf->centre_of_mass);
        if (*child == NULL) {
            *child = leaf;
            return;
        }
        if ((*child)->bodies == 1) {
            struct node *other = *child;
            struct branch *between = octant_new(branch, other->centre_of_mass);
            *child_at(between, other->centre_of_mass) = other;
            between->node.bodies = 1;
            *child = &between->node;
            branch = between;
        } else {
            branch = (struct branch *)*child;
        }
    }
}

/* Fill in mass and centre of mass of all branches, from the leaves up. */
static void sum_up(struct node *node)
{
    if (node->bodies == 1)
        return;
    const struct branch *branch = (const struct branch *)node;
    for (size_t i = 0; i < OCTANTS; i++) {
        struct node *child = branch->children[i];
        if (child == NULL)
            continue;
        sum_up(child);
        node->mass += child->mass;
        for (size_t axis = 0; axis < AXES; axis++)
            node->centre_of_mass[axis] += child->mass * child->centre_of_mass[axis];
    }
    for (size_t axis = 0; axis < AXES; axis++)
        node->centre_of_mass[axis] /= node->mass;
}

static void tree_free(struct node *node)
{
    if (node == NULL)
        return;
    if (node->bodies > 1)
        for (size_t i = 0; i < OCTANTS; i++)
            tree_free(((struct branch *)node)->children[i]);
    free(node);
}

/* The tree of all bodies, in a cube that holds them. */
static struct node *tree_build(const struct body *bodies)
{
    double half = 0, mass = 0;
    for (size_t i = 0; i < BODIES; i++) {
        mass += bodies[i].mass;
        for (size_t axis = 0; axis < AXES; axis++)
            half = fmax(half, fabs(bodies[i].place[axis]));
    }
    struct branch *root = branch_new((double[AXES]){0}, half);
    for (size_t i = 0; i < BODIES; i++)
        insert(root, leaf_new(&bodies[i]));
    sum_up(&root->node);
    if (root->node.bodies != BODIES || fabs(root->node.mass - mass) > 1e-9 * mass)
        fail("the tree holds %zu bodies of mass %g, not %d of %g", root->node.bodies, root->node.mass, BODIES, mass);
    return &root->node;
}

/* ---- Forces ------------------------------------------------------------------------------------------------------ */

/* Add to `pull` what `mass` at `from` does to a body at `place`. A body does nothing to itself. */
static void attract(double *pull, const double *place, const double *from, double mass)
{
    double way[AXES], square = SOFTENING;
    for (size_t axis = 0; axis < AXES; axis++) {
        way[axis] = from[axis] - place[axis];
        square += way[axis] * way[axis];
    }
    const double strength = mass / (square * sqrt(square));
    for (size_t axis = 0; axis < AXES; axis++)
        pull[axis] += strength * way[axis];
}

/* Whether a branch is so far away that its bodies may count as one. */
static int is_far(const struct branch *branch, const double *place)
{
    double square = 0;
    for (size_t axis = 0; axis < AXES; axis++) {
        const double way = branch->node.centre_of_mass[axis] - place[axis];
        square += way * way;
    }
    return 4 * branch->half * branch->half < OPENING * OPENING * square;
}

static void attract_by_tree(double *pull, const double *place, const struct node *node)
{
    const struct branch *branch = (const struct branch *)node;
    if (node->bodies == 1 || is_far(branch, place)) {
        attract(pull, place, node->centre_of_mass, node->mass);
        return;
    }
    for (size_t i = 0; i < OCTANTS; i++)
        if (branch->children[i] != NULL)
            attract_by_tree(pull, place, branch->children[i]);
}

/* Fail unless the pulls by the tree are those of all pairs. Every 512th body is tried, for the mean of their errors. */
static void check_pulls(const struct body *bodies)
{
    double error = 0, whole = 0;
    for (size_t i = 0; i < BODIES; i += SAMPLE_STEP) {
        double exact[AXES] = {0};
        for (size_t other = 0; other < BODIES; other++)
            attract(exact, bodies[i].place, bodies[other].place, bodies[other].mass);
        for (size_t axis = 0; axis < AXES; axis++) {
            error += fabs(exact[axis] - bodies[i].pull[axis]);
            whole += fabs(exact[axis]);
        }
    }
    if (!(error <= ERROR_MOST * whole))
        fail("the pulls by the tree are wrong by %g %%", 100 * error / whole);
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

static double random_unit(struct random_stream *stream) { return (double)(random_next(stream) >> 11) * 0x1p-53; }

/* A ball of bodies at rest, denser in the middle. */
static void bodies_scatter(struct body *bodies)
{
    struct random_stream stream = random_from(0);
    for (size_t i = 0; i < BODIES; i++) {
        double square = 0, place[AXES];
        for (size_t axis = 0; axis < AXES; axis++) {
            place[axis] = 2 * random_unit(&stream) - 1;
            square += place[axis] * place[axis];
        }
        bodies[i] = (struct body){.mass = (0.5 + random_unit(&stream)) / BODIES};
        for (size_t axis = 0; axis < AXES; axis++)
            bodies[i].place[axis] = place[axis] * square;
    }
}

static void bodies_move(struct body *bodies)
{
    for (size_t i = 0; i < BODIES; i++)
        for (size_t axis = 0; axis < AXES; axis++) {
            bodies[i].speed[axis] += TIME_STEP * bodies[i].pull[axis];
            bodies[i].place[axis] += TIME_STEP * bodies[i].speed[axis];
        }
}

static void step(struct body *bodies)
{
    struct node *tree = tree_build(bodies);
    for (size_t i = 0; i < BODIES; i++) {
        memset(bodies[i].pull, 0, sizeof bodies[i].pull);
        attract_by_tree(bodies[i].pull, bodies[i].place, tree);
    }
    tree_free(tree);
    check_pulls(bodies);
    bodies_move(bodies);
}

int main(int count, char **values)
{
    struct body *bodies = take(BODIES * sizeof *bodies);
    uint64_t checksum = 0;
    bodies_scatter(bodies);
    for (size_t left = scaled(count, values, USUAL_STEPS); left > 0; left--)
        step(bodies);
    for (size_t i = 0; i < BODIES; i++)
        for (size_t axis = 0; axis < AXES; axis++) {
            uint64_t bits;
            memcpy(&bits, &bodies[i].place[axis], sizeof bits);
            checksum = mix(checksum, bits);
        }
    free(bodies);
    print_result("nbody", operations, checksum);
    return finish();
}
