/* after_report_cxx.cc: a C++ program's handler of SIGABRT after a report: it builds strings and containers, prints, and
 * leaves with a status of its own. */
#include "../lib/test.h"

#include <csignal>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "../lib/blocks.h"

enum { OWN_STATUS = 61 };

/* The words on descriptor 2 behind the report's line. */
static const char farewell[] = "caught signal 6 with 1000 notes, the last \"note 999: the heap still serves a crash "
                               "handler, at least long enough for its words\"\n";

/* Longer than what std::string keeps inside itself. */
static std::string note(int number)
{
    return "note " + std::to_string(number) +
           ": the heap still serves a crash handler, at least long enough for its words";
}

extern "C" void print_and_leave(int number)
{
    std::vector<std::unique_ptr<std::string>> notes;
    std::map<int, std::string> by_number;
    for (int i = 0; i < 1000; i++) {
        notes.push_back(std::unique_ptr<std::string>(new std::string(note(i)))); /* the vector frees what it outgrows */
        by_number[i] = *notes.back();
    }
    for (int i = 0; i < 1000; i++)
        CHECK(*notes[(size_t)i] == note(i) && by_number[i] == note(i));
    std::ostringstream text;
    text << "caught signal " << number << " with " << notes.size() << " notes, the last \"" << by_number[999] << "\"\n";
    const std::string printed = text.str();
    CHECK_EQ(write(STDERR_FILENO, printed.data(), printed.size()), printed.size());
    notes.clear();
    by_number.clear();
    _exit(OWN_STATUS);
}

static void *victim_of(size_t bytes)
{
    void *block = ::operator new(bytes);
    ::operator delete(::operator new(bytes)); /* a second one of its class comes and goes */
    return block;
}

/* The second pointer is another one to the compiler. */
static void delete_twice(void *block)
{
    void *again = TEST_HIDDEN(block);
    ::operator delete(block);
    ::operator delete(again);
}

static void handler_prints_and_leaves(const void *bytes)
{
    void *block = victim_of(*static_cast<const size_t *>(bytes));
    PRINTS(OWN_STATUS, "ashlar: double free of 0x%lx (%zu-byte block, in operator delete)\n%s", (unsigned long)block,
           malloc_usable_size(block), farewell)
    {
        signal(SIGABRT, print_and_leave);
        delete_twice(block);
    }
}

TEST(an_exception_in_the_handler_is_caught_in_it)
{
    void *block = victim_of(100);
    PRINTS(OWN_STATUS, "ashlar: double free of 0x%lx (%zu-byte block, in operator delete)\n", (unsigned long)block,
           malloc_usable_size(block))
    {
        signal(SIGABRT, [](int) {
            try {
                throw std::string(note(1));
            } catch (const std::string &caught) {
                _exit(caught == note(1) ? OWN_STATUS : 1);
            }
        });
        delete_twice(block);
    }
}

TESTS(handlers_in_cxx)
{
    static const size_t sizes[] = {24, 1000, 50000, 300000, HUGE_BYTES + 1};
    for (const size_t &bytes : sizes)
        test_add(handler_prints_and_leaves, &bytes,
                 "a handler in C++ prints and leaves after a double free of %zu bytes", bytes);
}
