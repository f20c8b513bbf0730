#pragma once

#include <cstdio>
#include <cstdlib>

/**
 * What the tests of this folder need of a test library: CHECK counts and reports, KOFN_EXTENDED asks for the long form.
 */
namespace kofn {

inline long checks_failed = 0;
inline long checks_made = 0;

inline void check(bool holds, const char* what, const char* file, int line) {
    ++checks_made;
    if (!holds && ++checks_failed <= 20) {
        std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    }
}

/** Whether the environment asks for the long form of the tests. */
inline bool extended() {
    const char* value = std::getenv("KOFN_EXTENDED");
    return value != nullptr && value[0] == '1';
}

/** The exit status of a test program; a program that checked nothing has failed. */
inline int checks_summary(const char* program) {
    std::printf("%s: %ld checks, %ld failed\n", program, checks_made, checks_failed);
    return checks_failed == 0 && checks_made > 0 ? 0 : 1;
}

}  // namespace kofn

#define CHECK(condition) ::kofn::check((condition), #condition, __FILE__, __LINE__)
