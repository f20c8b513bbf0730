#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <vector>

#include "block.h"

/**
 * `cp.async` on the host. A copy is made when its thread waits for it, as late as a GPU may be with it; until then a
 * pattern lies where it will be written. So a wait that is missing shows as a wrong result. A thread that ends with
 * copies under way is reported when the next block copies.
 */
namespace kofn::emulation {

struct AsyncCopy {
    void* to;
    const void* from; // null: zeros
    std::size_t bytes;
};

/** What one thread has under way: groups, the last one still open. */
struct AsyncCopies {
    std::uint64_t serial = 0;
    std::deque<std::vector<AsyncCopy>> groups{1};
};

inline AsyncCopies& copies_of_thread() {
    static AsyncCopies of_all[MOST_THREADS];
    Machine& m = machine();
    AsyncCopies& mine = of_all[m.current];
    if (mine.serial != m.serial) {
        mine.serial = m.serial;
        if (mine.groups.size() != 1 || !mine.groups.back().empty()) {
            report("thread %u of an earlier block ended while it copied", m.current);
        }
    }
    return mine;
}

inline void copy_later(void* to, const void* from, std::size_t bytes) {
    if ((reinterpret_cast<std::uintptr_t>(to) | reinterpret_cast<std::uintptr_t>(from)) % bytes != 0) {
        report("cp.async of %zu bytes from %p to %p", bytes, from, to);
    }
    std::memset(to, 0xA5, bytes);
    copies_of_thread().groups.back().push_back({to, from, bytes});
}

inline void finish_copies(std::size_t groups_left) {
    auto& groups = copies_of_thread().groups;
    while (groups.size() > groups_left + 1) {
        for (const AsyncCopy& copy : groups.front()) {
            if (copy.from != nullptr) {
                std::memcpy(copy.to, copy.from, copy.bytes);
            } else {
                std::memset(copy.to, 0, copy.bytes);
            }
        }
        groups.pop_front();
    }
}

}  // namespace kofn::emulation

namespace kofn::cuda {

template <int BYTES>
inline void copy_async(void* shared, const void* global, bool there) {
    static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16, "the sizes of cp.async");
    emulation::copy_later(shared, there ? global : nullptr, BYTES);
}

inline void commit_copies() {
    emulation::copies_of_thread().groups.emplace_back();
}

template <int GROUPS>
inline void wait_for_copies() {
    emulation::finish_copies(GROUPS);
}

}  // namespace kofn::cuda
