#pragma once

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fiber.h"

/**
 * Runs grids: one block after the other, its threads as fibers, shared memory, and the barrier of the block. A thread
 * runs until it waits; then the next that can run does. When none can and some have not ended, they wait for each other
 * in vain, and that is reported with the place of each.
 */
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

namespace kofn::emulation {

constexpr unsigned WARP = 32;
constexpr unsigned MOST_THREADS = 1024;
constexpr std::size_t SHARED_UNASKED = 48 * 1024;  // what every GPU gives a block without asking
constexpr std::size_t MOST_SHARED = 228 * 1024;    // what any gives to a kernel that asks (cudaFuncSetAttribute)

/** Bytes of dynamic shared memory that kernels have asked for, by the address of their function. */
inline std::size_t& shared_asked(const void* function) {
    static std::map<const void*, std::size_t> asked;
    return asked[function];
}

/** A call that waits for other threads, where it is in the source, and what it brings and takes home. */
struct Wait {
    const char* name = nullptr;  // null while the thread does not wait
    const char* file = nullptr;
    int line = 0;
    unsigned mask = 0;        // lanes that take part, for warp collectives
    std::uint64_t value = 0;  // brought
    unsigned source = 0;      // lane to read, for shuffles
    std::uint64_t result = 0;

    /** Whether two threads wait at the same call for the same lanes. */
    bool meets(const Wait& other) const {
        return line == other.line && mask == other.mask && same(name, other.name) && same(file, other.file);
    }

private:
    static bool same(const char* a, const char* b) {
        return a == b || std::strcmp(a, b) == 0;
    }
};

struct Thread {
    Fiber fiber;
    Wait wait;
    unsigned arrived = 0;  // of the lanes of a collective whose lowest lane is this thread
    bool ended = true;
};

/** The state of the block that runs; there is one, since one block runs at a time. */
struct Machine {
    const char* kernel = nullptr;
    std::function<void()> body;
    unsigned grid = 0, block = 0, threads = 0;
    std::uint64_t serial = 0;  // counts blocks over all launches

    Fiber host;
    Thread pool[MOST_THREADS];  // their fibers are made when first needed, and stay
    unsigned fibers = 0;
    unsigned current = 0, live = 0, at_barrier = 0;
    std::vector<unsigned> ready = std::vector<unsigned>(MOST_THREADS);  // a ring; a thread is in it at most once
    unsigned first_ready = 0, count_ready = 0;

    alignas(256) unsigned char shared[MOST_SHARED];
    std::size_t dynamic_shared = 0, shared_used = MOST_SHARED, shared_limit = SHARED_UNASKED;

    Thread& thread() { return pool[current]; }

    // The order in which threads run changes from block to block, in four ways; upwards is the first.
    bool descending() const { return serial % 4 == 1; }
    bool eager() const { return serial % 4 >= 2; }  // who has waited least goes on first, as far as it can
    bool at_random() const { return serial % 4 == 3; }  // the same, but now and then another has its turn
    std::uint32_t random = 1;
};

inline Machine& machine() {
    static Machine the_machine;
    return the_machine;
}

/** Says what is wrong, where, and with which threads; then aborts. */
[[noreturn]] inline void report(const char* format, ...) {
    Machine& m = machine();
    std::fflush(stdout);
    std::fprintf(stderr, "kernel %s, block %u of %u: ", m.kernel, m.block, m.grid);
    va_list arguments;
    va_start(arguments, format);
    std::vfprintf(stderr, format, arguments);
    va_end(arguments);
    std::fputc('\n', stderr);
    // Threads by what they do: waiting at one place, or ended.
    std::vector<bool> told(m.threads, false);
    for (unsigned i = 0; i < m.threads; ++i) {
        if (told[i]) {
            continue;
        }
        const Wait& here = m.pool[i].wait;
        std::string list;
        for (unsigned j = i; j < m.threads; ++j) {
            const Wait& there = m.pool[j].wait;
            bool both_run = here.name == nullptr && there.name == nullptr;
            bool both_wait = here.name != nullptr && there.name != nullptr && here.meets(there);
            if (m.pool[j].ended == m.pool[i].ended && (both_run || both_wait)) {
                told[j] = true;
                list += " " + std::to_string(j);
            }
        }
        if (m.pool[i].ended) {
            std::fprintf(stderr, "  ended:%s\n", list.c_str());
        } else if (here.name != nullptr) {
            std::fprintf(stderr, "  at %s, mask %08x, %s:%d:%s\n", here.name, here.mask, here.file, here.line,
                         list.c_str());
        } else {
            std::fprintf(stderr, "  running:%s\n", list.c_str());
        }
    }
    std::abort();
}

/** Lets a thread run when its turn comes. */
inline void make_ready(unsigned thread) {
    Machine& m = machine();
    if (m.eager()) {
        m.first_ready = (m.first_ready + MOST_THREADS - 1) % MOST_THREADS;
        m.ready[m.first_ready] = thread;
    } else {
        m.ready[(m.first_ready + m.count_ready) % MOST_THREADS] = thread;
    }
    ++m.count_ready;
}

/** The thread whose turn it is. */
inline unsigned next_ready() {
    Machine& m = machine();
    unsigned& first = m.ready[m.first_ready];
    if (m.at_random()) {
        m.random = m.random * 1664525u + 1013904223u;  // Numerical Recipes
        if (m.random >> 28 == 0) {
            std::swap(first, m.ready[(m.first_ready + (m.random >> 8) % m.count_ready) % MOST_THREADS]);
        }
    }
    m.first_ready = (m.first_ready + 1) % MOST_THREADS;
    --m.count_ready;
    return first;
}

/** Leaves the thread that runs for the next that can, or for the host if there is none. */
inline void run_another() {
    Machine& m = machine();
    Fiber& from = m.thread().fiber;
    if (m.count_ready == 0) {
        from.switch_to(m.host);
        return;
    }
    unsigned next = next_ready();
    if (next != m.current) {
        m.current = next;
        from.switch_to(m.thread().fiber);
    }
}

/** What a thread's fiber does, for all blocks to come. */
[[noreturn]] inline void thread_life() {
    Machine& m = machine();
    m.thread().fiber.arrived();
    for (;;) {
        m.body();
        m.thread().ended = true;
        --m.live;
        run_another();
    }
}

/** Runs one block to its end. */
inline void run_block() {
    Machine& m = machine();
    ++m.serial;
    std::memset(m.shared, 0xA5, m.shared_used);
    m.shared_used = m.dynamic_shared;
    m.live = m.threads;
    m.at_barrier = 0;
    for (; m.fibers < m.threads; ++m.fibers) {
        m.pool[m.fibers].fiber = Fiber::starting(thread_life);
    }
    for (unsigned i = 0; i < m.threads; ++i) {
        Thread& thread = m.pool[i];
        thread.ended = false;
        thread.wait.name = nullptr;
        thread.arrived = 0;
        make_ready(m.descending() ? m.threads - 1 - i : i);
    }
    m.current = next_ready();
    m.host.switch_to(m.thread().fiber);
    if (m.live > 0) {
        report("%u threads wait for others that do not come", m.live);
    }
}

/** Runs a grid. Kernels do not start kernels, and launches do not overlap. */
inline void launch(const char* kernel, const void* function, dim3 grid, dim3 block, std::size_t dynamic_shared_bytes,
                   std::function<void()> body) {
    Machine& m = machine();
    m.kernel = kernel;
    m.grid = grid.x;
    m.threads = block.x;
    m.block = 0;
    m.shared_limit = std::max(SHARED_UNASKED, shared_asked(function));
    if (grid.x == 0 || grid.y * grid.z != 1 || block.x == 0 || block.x > MOST_THREADS || block.y * block.z != 1 ||
        dynamic_shared_bytes > m.shared_limit) {
        m.threads = 0;
        report("cannot be launched: %u blocks of %u threads, %zu bytes", grid.x, block.x, dynamic_shared_bytes);
    }
    m.host = Fiber::of_caller();
    m.body = std::move(body);
    m.dynamic_shared = (dynamic_shared_bytes + 15) / 16 * 16;
    for (m.block = 0; m.block < m.grid; ++m.block) {
        run_block();
    }
}

inline void* dynamic_shared() {
    return machine().shared;
}

/** A __shared__ variable: gets its place in the block's memory when the first thread of a block comes by. */
class SharedVariable {
public:
    template <class T>
    T& in_this_block() {
        Machine& m = machine();
        if (serial_ != m.serial) {
            serial_ = m.serial;
            place_ = (m.shared_used + 15) / 16 * 16;
            m.shared_used = place_ + sizeof(T);
            if (m.shared_used > m.shared_limit) {
                report("%zu bytes of shared memory", m.shared_used);
            }
        }
        return *reinterpret_cast<T*>(m.shared + place_);
    }

private:
    std::uint64_t serial_ = 0;
    std::size_t place_ = 0;
};

inline dim3 thread_index() {
    return {machine().current, 0, 0};
}
inline dim3 block_index() {
    return {machine().block, 0, 0};
}
inline dim3 block_size() {
    return {machine().threads, 1, 1};
}
inline dim3 grid_size() {
    return {machine().grid, 1, 1};
}

}  // namespace kofn::emulation

/** The barrier of the block. Stricter than a GPU: all threads must come, ended ones do not count, to the same line. */
inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    using namespace kofn::emulation;
    Machine& m = machine();
    Wait& wait = m.thread().wait;
    wait.name = "__syncthreads";
    wait.file = file;
    wait.line = line;
    wait.mask = 0;
    if (++m.at_barrier < m.threads) {
        run_another();
        return;
    }
    m.at_barrier = 0;
    for (unsigned i = 0; i < m.threads; ++i) {
        if (!wait.meets(m.pool[i].wait)) {
            report("threads meet at different barriers");
        }
    }
    for (unsigned i = 0; i < m.threads; ++i) {
        unsigned thread = m.descending() ? m.threads - 1 - i : i;
        m.pool[thread].wait.name = nullptr;
        if (thread != m.current) {
            make_ready(thread);
        }
    }
}
