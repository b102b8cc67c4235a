/* tree_builder.c: the front half of a compiler, unit after unit.
 *
 * For each unit the text of some functions is generated, cut into tokens (each with a string of its own), and parsed
 * into syntax trees, whose nodes differ in size by their number of children. Names are kept once for a unit, in a hash
 * table that grows; a second table finds functions. Then constants are folded: sub-trees are freed and smaller ones put
 * in their place. The last 16 units stay, as the modules of a program do. So strings that die at once, nodes that stay,
 * nodes that die in the middle of others, and arrays that grow are all mixed.
 *
 * Proof: each unit is run by an interpreter, before and after folding and once more before it is freed, with the same
 * values each time. Variables of a call are in a hash table, too.
 *
 * The language:  function = "fn" name "(" names ")" block        block = "{" { statement } "}"
 *                statement = name "=" value ";" | "if" value block "else" block | "repeat" number block
 *                value = operand { operator operand }
 *                operand = number | name | name "(" values ")" | "(" value ")"
 *
 * A call's value is what the variable `result` holds at its end. Numbers are unsigned, 64 bits.
 *
 * tree_builder [SCALE] */
#include "work.h"

#include <ctype.h>

enum { USUAL_UNITS = 200, KEPT_UNITS = 16, FUNCTIONS_LOW = 5, FUNCTIONS_HIGH = 40 };
enum { LOCALS = 4, PARAMETERS_MOST = 3, STATEMENTS_MOST = 6, VALUE_DEPTH = 3, BLOCK_DEPTH = 2, REPEATS_MOST = 4 };

static size_t operations; /* nodes made */

/* Room for one more in an array of `count` elements of `bytes` each, whose capacity is the next power of two. */
static void *with_room(void *array, size_t count, size_t bytes)
{
    if (count > 0 && (count & (count - 1)) != 0)
        return array;
    array = realloc(array, (count == 0 ? 1 : 2 * count) * bytes);
    if (array == NULL)
        fail("realloc gave no memory for %zu elements", count);
    return array;
}

/* ---- Names: each one is a block, found by a hash table with open addressing -------------------------------------- */

struct name {
    uint64_t hash;
    size_t length;
    char text[]; /* with a zero at the end */
};

struct entry {
    const struct name *name; /* NULL: free */
    union {
        uint64_t number;
        const struct node *function;
    };
};

struct table {
    size_t count, capacity; /* capacity: 0 or a power of two */
    struct entry *entries;
};

static uint64_t hash_of(const char *text, size_t length)
{
    uint64_t hash = length;
    for (size_t i = 0; i < length; i++)
        hash = mix(hash, (unsigned char)text[i]);
    return hash ^ hash >> 32;
}

/* The entry of that name, or the free one where it would stand. The table has a free entry. */
static struct entry *table_find(const struct table *table, const char *text, size_t length, uint64_t hash)
{
    for (size_t place = hash;; place++) {
        struct entry *entry = &table->entries[place & (table->capacity - 1)];
        const struct name *name = entry->name;
        if (name == NULL || (name->hash == hash && name->length == length && memcmp(name->text, text, length) == 0))
            return entry;
    }
}

/* Keep at least a quarter of the entries free; call before anything is added. */
static void table_make_room(struct table *table)
{
    if (4 * (table->count + 1) <= 3 * table->capacity)
        return;
    const struct table old = *table;
    table->capacity = old.capacity == 0 ? 4 : 2 * old.capacity;
    table->entries = calloc(table->capacity, sizeof *table->entries);
    if (table->entries == NULL)
        fail("calloc gave no memory for %zu entries", table->capacity);
    for (size_t i = 0; i < old.capacity; i++) {
        const struct name *name = old.entries[i].name;
        if (name != NULL)
            *table_find(table, name->text, name->length, name->hash) = old.entries[i];
    }
    free(old.entries);
}

/* The entry of `name`, added when there is none; its value is then 0 or NULL. */
static struct entry *table_entry(struct table *table, const struct name *name)
{
    table_make_room(table);
    struct entry *entry = table_find(table, name->text, name->length, name->hash);
    table->count += entry->name == NULL;
    entry->name = name;
    return entry;
}

/* The entry of `name`, which must be there. */
static struct entry *table_known(const struct table *table, const struct name *name)
{
    struct entry *entry = table->capacity == 0 ? NULL : table_find(table, name->text, name->length, name->hash);
    if (entry == NULL || entry->name == NULL)
        fail("'%s' is unknown", name->text);
    return entry;
}

/* The one copy of this text among a unit's names. */
static const struct name *intern(struct table *names, const char *text)
{
    const size_t length = strlen(text);
    const uint64_t hash = hash_of(text, length);
    table_make_room(names);
    struct entry *entry = table_find(names, text, length, hash);
    if (entry->name != NULL)
        return entry->name;
    struct name *name = take(sizeof *name + length + 1);
    *name = (struct name){.hash = hash, .length = length};
    memcpy(name->text, text, length + 1);
    entry->name = name;
    names->count++;
    return name;
}

/* ---- Writing source text ----------------------------------------------------------------------------------------- */

struct writer {
    char *text;
    size_t length, capacity;
    struct random_stream stream;
    size_t function; /* number of the one that is being written */
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format, ...)
{
    enum { PIECE_MOST = 128 };
    if (writer->capacity - writer->length < PIECE_MOST) {
        writer->capacity = writer->capacity == 0 ? KIB : 2 * writer->capacity;
        writer->text = realloc(writer->text, writer->capacity);
        if (writer->text == NULL)
            fail("realloc gave no memory for %zu bytes of text", writer->capacity);
    }
    va_list values;
    va_start(values, format);
    const int written = vsnprintf(writer->text + writer->length, PIECE_MOST, format, values);
    va_end(values);
    if (written < 0 || written >= PIECE_MOST)
        fail("a piece of text is too long");
    writer->length += (size_t)written;
}

static size_t parameters_of(size_t function) { return 1 + function % PARAMETERS_MOST; }

static void put_function_name(struct writer *writer, size_t function)
{
    static const char *const stems[] = {"f", "walk", "measure", "interpolate", "find_nearest_neighbour_of"};
    put(writer, "%s_%zu", stems[function % (sizeof stems / sizeof stems[0])], function);
}

/* The variables of a function: its parameters, then its locals. */
static void put_variable(struct writer *writer, size_t variable)
{
    static const char *const stems[] = {"i", "sum", "offset", "old_value", "remaining_iterations"};
    put(writer, "%s%zu_%zu", stems[variable % (sizeof stems / sizeof stems[0])], variable, writer->function % 8);
}

static void put_any_variable(struct writer *writer)
{
    put_variable(writer, random_below(&writer->stream, parameters_of(writer->function) + LOCALS));
}

/* A value of at most so many levels. Half of the operands are numbers, so that there is much to fold. */
static void put_value(struct writer *writer, size_t depth)
{
    static const char operators[] = "+-*&^<";
    for (size_t left = random_between(&writer->stream, 1, 4); left > 0; left--) {
        const size_t choice = random_below(&writer->stream, 8);
        if (choice < 4) {
            put(writer, "%zu", random_below(&writer->stream, choice == 0 ? 2 : 1000));
        } else if (choice < 6 || depth == 0) {
            put_any_variable(writer);
        } else {
            put(writer, "(");
            put_value(writer, depth - 1);
            put(writer, ")");
        }
        if (left > 1)
            put(writer, " %c ", operators[random_below(&writer->stream, sizeof operators - 1)]);
    }
}

static void put_block(struct writer *writer, size_t depth);

static void put_statement(struct writer *writer, size_t depth)
{
    const size_t choice = depth == 0 ? 0 : random_below(&writer->stream, 8);
    if (choice < 5) {
        put_any_variable(writer);
        put(writer, " = ");
        put_value(writer, VALUE_DEPTH);
        put(writer, ";\n");
    } else if (choice < 7) {
        put(writer, "if ");
        put_value(writer, 1);
        put_block(writer, depth - 1);
        put(writer, "else");
        put_block(writer, depth - 1);
    } else {
        put(writer, "repeat %zu", random_below(&writer->stream, REPEATS_MOST));
        put_block(writer, depth - 1);
    }
}

static void put_block(struct writer *writer, size_t depth)
{
    put(writer, " {\n");
    for (size_t left = random_below(&writer->stream, STATEMENTS_MOST + 1); left > 0; left--)
        put_statement(writer, depth);
    put(writer, "}\n");
}

/* The last statement: a value, and a call of an earlier function, one only, or running a unit would never end. */
static void put_result(struct writer *writer)
{
    put(writer, "result = ");
    put_value(writer, VALUE_DEPTH);
    if (writer->function > 0) {
        const size_t callee = random_below(&writer->stream, writer->function);
        put(writer, " ^ ");
        put_function_name(writer, callee);
        for (size_t i = 0; i < parameters_of(callee); i++) {
            put(writer, i == 0 ? "(" : ", ");
            put_value(writer, 1);
        }
        put(writer, ")");
    }
    put(writer, ";\n");
}

static void put_function(struct writer *writer)
{
    const size_t parameters = parameters_of(writer->function);
    put(writer, "fn ");
    put_function_name(writer, writer->function);
    for (size_t i = 0; i < parameters; i++) {
        put(writer, i == 0 ? "(" : ", ");
        put_variable(writer, i);
    }
    put(writer, ") {\n");
    for (size_t i = 0; i < LOCALS; i++) {
        put_variable(writer, parameters + i);
        put(writer, " = %zu;\n", random_below(&writer->stream, 100));
    }
    for (size_t left = random_between(&writer->stream, 1, STATEMENTS_MOST); left > 0; left--)
        put_statement(writer, BLOCK_DEPTH);
    put_result(writer);
    put(writer, "}\n");
}

/* ---- Tokens ------------------------------------------------------------------------------------------------------ */

enum token_kind { TOKEN_WORD, TOKEN_NUMBER, TOKEN_SIGN, TOKEN_END };

struct token {
    enum token_kind kind;
    char *text; /* NULL at the end */
};

struct tokens {
    struct token *items;
    size_t count, next; /* next: where the parser stands */
};

static size_t word_length(const char *text)
{
    size_t length = 1;
    while (isalnum((unsigned char)text[length]) || text[length] == '_')
        length++;
    return length;
}

static void tokens_add(struct tokens *tokens, enum token_kind kind, const char *text, size_t length)
{
    tokens->items = with_room(tokens->items, tokens->count, sizeof *tokens->items);
    char *copy = take(length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    tokens->items[tokens->count++] = (struct token){.kind = kind, .text = copy};
}

static struct tokens tokenise(const char *text)
{
    struct tokens tokens = {.items = NULL};
    while (*text != '\0') {
        const unsigned char first = (unsigned char)*text;
        const size_t length = isalnum(first) ? word_length(text) : 1;
        if (!isspace(first))
            tokens_add(&tokens, isdigit(first) ? TOKEN_NUMBER : isalpha(first) ? TOKEN_WORD : TOKEN_SIGN, text, length);
        text += length;
    }
    tokens_add(&tokens, TOKEN_END, "", 0);
    return tokens;
}

static void tokens_free(struct tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++)
        free(tokens->items[i].text);
    free(tokens->items);
}

static const struct token *ahead(const struct tokens *tokens) { return &tokens->items[tokens->next]; }

/* Step over the next token if it is this one. returns: whether it was. */
static int accept(struct tokens *tokens, const char *text)
{
    const int same = strcmp(ahead(tokens)->text, text) == 0;
    tokens->next += (size_t)same;
    return same;
}

static void expect(struct tokens *tokens, const char *text)
{
    if (!accept(tokens, text))
        fail("'%s' where '%s' is wanted", ahead(tokens)->text, text);
}

/* Step over the next token, which must be of this kind. returns: its text. */
static const char *expect_kind(struct tokens *tokens, enum token_kind kind)
{
    if (ahead(tokens)->kind != kind)
        fail("unexpected '%s'", ahead(tokens)->text);
    return tokens->items[tokens->next++].text;
}

/* ---- Trees ------------------------------------------------------------------------------------------------------- */

enum node_kind {
    NODE_NUMBER,   /* number */
    NODE_VARIABLE, /* name */
    NODE_BINARY,   /* number: the operator; left, right */
    NODE_CALL,     /* name; values */
    NODE_ASSIGN,   /* name; value */
    NODE_IF,       /* condition, block, block */
    NODE_REPEAT,   /* number; block */
    NODE_BLOCK,    /* statements */
    NODE_FUNCTION, /* name; parameters, block */
};

struct node {
    enum node_kind kind;
    uint32_t count;
    union {
        uint64_t number;
        const struct name *name;
    };
    struct node *children[];
};

static struct node *node_new(enum node_kind kind, size_t count)
{
    struct node *node = take(sizeof *node + count * sizeof(struct node *));
    node->kind = kind;
    node->count = (uint32_t)count;
    node->number = 0;
    operations++;
    return node;
}

static struct node *number_node(uint64_t number)
{
    struct node *node = node_new(NODE_NUMBER, 0);
    node->number = number;
    return node;
}

static struct node *named_node(enum node_kind kind, const struct name *name, size_t count)
{
    struct node *node = node_new(kind, count);
    node->name = name;
    return node;
}

static void node_free(struct node *node)
{
    for (size_t i = 0; i < node->count; i++)
        node_free(node->children[i]);
    free(node);
}

static size_t nodes_in(const struct node *node)
{
    size_t nodes = 1;
    for (size_t i = 0; i < node->count; i++)
        nodes += nodes_in(node->children[i]);
    return nodes;
}

/* Children whose number is not known yet; they end up in a node of the right size. */
struct list {
    struct node **items;
    size_t count;
};

static void list_add(struct list *list, struct node *node)
{
    list->items = with_room(list->items, list->count, sizeof(struct node *));
    list->items[list->count++] = node;
}

static struct node *list_end(struct list *list, enum node_kind kind, const struct name *name)
{
    struct node *node = named_node(kind, name, list->count);
    if (list->count > 0)
        memcpy(node->children, list->items, list->count * sizeof(struct node *));
    free(list->items);
    return node;
}

/* ---- Parsing: one function for each rule of the language --------------------------------------------------------- */

struct parser {
    struct tokens tokens;
    struct table *names;
};

static struct node *parse_value(struct parser *parser, int least);

static struct node *parse_call(struct parser *parser, const struct name *name)
{
    struct list values = {.items = NULL};
    do
        list_add(&values, parse_value(parser, 1));
    while (accept(&parser->tokens, ","));
    expect(&parser->tokens, ")");
    return list_end(&values, NODE_CALL, name);
}

static struct node *parse_operand(struct parser *parser)
{
    struct tokens *tokens = &parser->tokens;
    if (accept(tokens, "(")) {
        struct node *value = parse_value(parser, 1);
        expect(tokens, ")");
        return value;
    }
    if (ahead(tokens)->kind == TOKEN_NUMBER)
        return number_node(strtoull(expect_kind(tokens, TOKEN_NUMBER), NULL, 10));
    const struct name *name = intern(parser->names, expect_kind(tokens, TOKEN_WORD));
    return accept(tokens, "(") ? parse_call(parser, name) : named_node(NODE_VARIABLE, name, 0);
}

/* How tightly an operator binds; 0: it is none. */
static int binding(const struct token *token)
{
    static const char *const levels[] = {"<", "^", "&", "+-", "*"};
    for (int level = 0; token->kind == TOKEN_SIGN && level < 5; level++)
        if (strchr(levels[level], token->text[0]) != NULL)
            return level + 1;
    return 0;
}

/* A value whose operators all bind at least so tightly; equals group from the left. */
static struct node *parse_value(struct parser *parser, int least)
{
    struct node *left = parse_operand(parser);
    for (int level = binding(ahead(&parser->tokens)); level >= least; level = binding(ahead(&parser->tokens))) {
        struct node *both = node_new(NODE_BINARY, 2);
        both->number = (unsigned char)expect_kind(&parser->tokens, TOKEN_SIGN)[0];
        both->children[0] = left;
        both->children[1] = parse_value(parser, level + 1);
        left = both;
    }
    return left;
}

static struct node *parse_block(struct parser *parser);

static struct node *parse_statement(struct parser *parser)
{
    struct tokens *tokens = &parser->tokens;
    struct node *node;
    if (accept(tokens, "if")) {
        node = node_new(NODE_IF, 3);
        node->children[0] = parse_value(parser, 1);
        node->children[1] = parse_block(parser);
        expect(tokens, "else");
        node->children[2] = parse_block(parser);
    } else if (accept(tokens, "repeat")) {
        node = node_new(NODE_REPEAT, 1);
        node->number = strtoull(expect_kind(tokens, TOKEN_NUMBER), NULL, 10);
        node->children[0] = parse_block(parser);
    } else {
        node = named_node(NODE_ASSIGN, intern(parser->names, expect_kind(tokens, TOKEN_WORD)), 1);
        expect(tokens, "=");
        node->children[0] = parse_value(parser, 1);
        expect(tokens, ";");
    }
    return node;
}

static struct node *parse_block(struct parser *parser)
{
    struct list statements = {.items = NULL};
    expect(&parser->tokens, "{");
    while (!accept(&parser->tokens, "}"))
        list_add(&statements, parse_statement(parser));
    return list_end(&statements, NODE_BLOCK, NULL);
}

static struct node *parse_function(struct parser *parser)
{
    struct tokens *tokens = &parser->tokens;
    struct list parts = {.items = NULL};
    expect(tokens, "fn");
    const struct name *name = intern(parser->names, expect_kind(tokens, TOKEN_WORD));
    expect(tokens, "(");
    do
        list_add(&parts, named_node(NODE_VARIABLE, intern(parser->names, expect_kind(tokens, TOKEN_WORD)), 0));
    while (accept(tokens, ","));
    expect(tokens, ")");
    list_add(&parts, parse_block(parser));
    return list_end(&parts, NODE_FUNCTION, name);
}

/* ---- Folding ----------------------------------------------------------------------------------------------------- */

static uint64_t apply(uint64_t sign, uint64_t left, uint64_t right)
{
    switch (sign) {
    case '+':
        return left + right;
    case '-':
        return left - right;
    case '*':
        return left * right;
    case '&':
        return left & right;
    case '^':
        return left ^ right;
    case '<':
        return left < right;
    default:
        fail("no operator %llu", (unsigned long long)sign);
    }
}

/* Free a node and all its children but one. returns: that one. */
static struct node *only_child(struct node *node, size_t kept)
{
    struct node *const child = node->children[kept];
    for (size_t i = 0; i < node->count; i++)
        if (i != kept)
            node_free(node->children[i]);
    free(node);
    return child;
}

static int is_number(const struct node *node, uint64_t number)
{
    return node->kind == NODE_NUMBER && node->number == number;
}

/* No value has a side effect, so one that is multiplied by 0 need not be computed. */
static struct node *fold_binary(struct node *node)
{
    const struct node *left = node->children[0], *right = node->children[1];
    const uint64_t sign = node->number;
    if (left->kind == NODE_NUMBER && right->kind == NODE_NUMBER) {
        const uint64_t value = apply(sign, left->number, right->number);
        node_free(node);
        return number_node(value);
    }
    for (size_t side = 0; side < 2; side++) {
        const struct node *child = node->children[side];
        if (is_number(child, 0) && (sign == '*' || sign == '&'))
            return only_child(node, side);
        if ((is_number(child, 0) && (sign == '+' || sign == '^' || (sign == '-' && side == 1))) ||
            (is_number(child, 1) && sign == '*'))
            return only_child(node, 1 - side);
    }
    return node;
}

/* What remains of a tree when everything that is known now is computed now. It takes over `node`. */
static struct node *fold(struct node *node)
{
    for (size_t i = 0; i < node->count; i++)
        node->children[i] = fold(node->children[i]);
    if (node->kind == NODE_BINARY)
        return fold_binary(node);
    if (node->kind == NODE_IF && node->children[0]->kind == NODE_NUMBER)
        return only_child(node, node->children[0]->number != 0 ? 1 : 2);
    if (node->kind == NODE_REPEAT && node->number == 1)
        return only_child(node, 0);
    if (node->kind == NODE_REPEAT && node->number == 0) {
        node_free(node);
        return node_new(NODE_BLOCK, 0);
    }
    return node;
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

/* One call: where its names lead. */
struct frame {
    const struct table *functions;
    const struct name *result;
    struct table variables;
};

static uint64_t value_of(struct frame *frame, const struct node *node);

/* Run `function` in a frame of its own. `values` are `count` of at most PARAMETERS_MOST. */
static uint64_t call(const struct frame *caller, const struct node *function, const uint64_t *values, size_t count)
{
    struct frame frame = {.functions = caller->functions, .result = caller->result};
    if (count > PARAMETERS_MOST || count + 1 != function->count)
        fail("%zu values for '%s', which wants %u", count, function->name->text, function->count - 1);
    for (size_t i = 0; i < count; i++)
        table_entry(&frame.variables, function->children[i]->name)->number = values[i];
    (void)value_of(&frame, function->children[count]);
    const uint64_t result = table_known(&frame.variables, frame.result)->number;
    free(frame.variables.entries);
    return result;
}

static uint64_t value_of_call(struct frame *frame, const struct node *node)
{
    uint64_t values[PARAMETERS_MOST];
    if (node->count > PARAMETERS_MOST)
        fail("%u values for '%s'", node->count, node->name->text);
    for (size_t i = 0; i < node->count; i++)
        values[i] = value_of(frame, node->children[i]);
    return call(frame, table_known(frame->functions, node->name)->function, values, node->count);
}

/* The value of a tree; that of a statement means nothing. */
static uint64_t value_of(struct frame *frame, const struct node *node)
{
    switch (node->kind) {
    case NODE_NUMBER:
        return node->number;
    case NODE_VARIABLE:
        return table_known(&frame->variables, node->name)->number;
    case NODE_BINARY:
        return apply(node->number, value_of(frame, node->children[0]), value_of(frame, node->children[1]));
    case NODE_CALL:
        return value_of_call(frame, node);
    case NODE_ASSIGN: {
        const uint64_t value = value_of(frame, node->children[0]);
        return table_entry(&frame->variables, node->name)->number = value;
    }
    case NODE_IF:
        return value_of(frame, node->children[value_of(frame, node->children[0]) != 0 ? 1 : 2]);
    case NODE_REPEAT:
        for (uint64_t i = 0; i < node->number; i++)
            (void)value_of(frame, node->children[0]);
        return 0;
    case NODE_BLOCK:
        for (size_t i = 0; i < node->count; i++)
            (void)value_of(frame, node->children[i]);
        return 0;
    case NODE_FUNCTION:
        break;
    }
    fail("a node of kind %d has no value", (int)node->kind);
}

/* ---- Units ------------------------------------------------------------------------------------------------------- */

struct unit {
    struct table names, functions;
    struct list trees;
    uint64_t value; /* of all functions, before anything was folded */
};

/* Run every function of the unit. returns: a checksum of their values. */
static uint64_t unit_value(struct unit *unit)
{
    const struct frame outermost = {.functions = &unit->functions, .result = intern(&unit->names, "result")};
    uint64_t checksum = 0;
    for (size_t i = 0; i < unit->trees.count; i++) {
        const struct node *function = unit->trees.items[i];
        const uint64_t values[PARAMETERS_MOST] = {i, 7 * i + 1, 1000 - i};
        checksum = mix(checksum, call(&outermost, function, values, function->count - 1));
    }
    return checksum;
}

static void unit_check(struct unit *unit)
{
    if (unit_value(unit) != unit->value)
        fail("a unit of %zu functions has another value than before folding", unit->trees.count);
}

static void unit_parse(struct unit *unit, const char *text)
{
    struct parser parser = {.tokens = tokenise(text), .names = &unit->names};
    while (ahead(&parser.tokens)->kind != TOKEN_END) {
        struct node *function = parse_function(&parser);
        list_add(&unit->trees, function);
        table_entry(&unit->functions, function->name)->function = function;
    }
    tokens_free(&parser.tokens);
}

/* Fold every function. returns: nodes that remain. A function itself stays where it is. */
static size_t unit_fold(struct unit *unit)
{
    size_t before = 0, after = 0;
    for (size_t i = 0; i < unit->trees.count; i++) {
        before += nodes_in(unit->trees.items[i]);
        unit->trees.items[i] = fold(unit->trees.items[i]);
        after += nodes_in(unit->trees.items[i]);
    }
    if (after >= before)
        fail("folding left %zu of %zu nodes", after, before);
    return after;
}

/* Write, parse, run, fold, and run again. */
static struct unit *unit_build(size_t number, uint64_t *checksum)
{
    struct unit *unit = take(sizeof *unit);
    struct writer writer = {.stream = random_from(number)};
    *unit = (struct unit){.value = 0};
    const size_t functions = random_between(&writer.stream, FUNCTIONS_LOW, FUNCTIONS_HIGH);
    for (; writer.function < functions; writer.function++)
        put_function(&writer);
    unit_parse(unit, writer.text);
    free(writer.text);
    unit->value = unit_value(unit);
    const size_t left = unit_fold(unit);
    unit_check(unit);
    *checksum = mix(mix(*checksum, left), unit->value);
    return unit;
}

static void unit_free(struct unit *unit)
{
    if (unit == NULL)
        return;
    unit_check(unit);
    for (size_t i = 0; i < unit->trees.count; i++)
        node_free(unit->trees.items[i]);
    for (size_t i = 0; i < unit->names.capacity; i++)
        free((void *)unit->names.entries[i].name);
    free(unit->trees.items);
    free(unit->names.entries);
    free(unit->functions.entries);
    free(unit);
}

int main(int count, char **values)
{
    static struct unit *kept[KEPT_UNITS];
    const size_t units = scaled(count, values, USUAL_UNITS);
    uint64_t checksum = 0;
    for (size_t i = 0; i < units; i++) {
        unit_free(kept[i % KEPT_UNITS]);
        kept[i % KEPT_UNITS] = unit_build(i, &checksum);
    }
    for (size_t i = 0; i < KEPT_UNITS; i++)
        unit_free(kept[i]);
    print_result("tree_builder", operations, checksum);
    return finish();
}
