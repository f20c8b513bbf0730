#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "block.h"

/**
 * Warp collectives. Every lane that the mask names must come, with the same mask, to the same call at the same line; the
 * last to come computes what each takes home. (A GPU asks for the same call and mask; the line is our strictness.)
 */
namespace kofn::emulation {

/** Where a call is in the source. */
struct Place {
    const char* file;
    int line;
};

/**
 * Brings a value to a collective, waits for the others, and returns this lane's result. `resolve(warp, mask)` gives
 * every lane of the mask its result when all have come.
 */
template <class Resolve>
inline std::uint64_t meet(const char* name, unsigned mask, std::uint64_t value, unsigned source, Place place,
                          Resolve resolve) {
    Machine& m = machine();
    unsigned first = m.current / WARP * WARP;
    unsigned lane = m.current % WARP;
    Wait& wait = m.thread().wait;
    wait = Wait{name, place.file, place.line, mask, value, source, 0};
    if ((mask >> lane & 1u) == 0) {
        report("lane %u calls %s whose mask %08x leaves it out", lane, name, mask);
    }
    // Counted at the lowest lane of the mask; whether it was the same call for all is seen when the count is full. If it
    // never is, the block comes to rest with threads that wait, and all of them are listed.
    unsigned& arrived = m.pool[first + static_cast<unsigned>(__builtin_ctz(mask))].arrived;
    if (++arrived < static_cast<unsigned>(__builtin_popcount(mask))) {
        run_another();
        return wait.result;
    }
    arrived = 0;
    for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
        const Wait& theirs = m.pool[first + static_cast<unsigned>(__builtin_ctz(rest))].wait;
        if (theirs.name == nullptr || !wait.meets(theirs)) {
            report("%s meets another call", name);
        }
    }
    resolve(m.pool + first, mask);
    for (unsigned i = 0; i < WARP; ++i) {
        unsigned other = m.descending() ? WARP - 1 - i : i;
        if ((mask >> other & 1u) != 0) {
            m.pool[first + other].wait.name = nullptr;
            if (first + other != m.current) {
                make_ready(first + other);
            }
        }
    }
    return wait.result;
}

/** All lanes take home one fold of what they brought. */
template <class Fold>
inline std::uint64_t meet_and_fold(const char* name, unsigned mask, std::uint64_t value, Place place, Fold fold) {
    return meet(name, mask, value, 0, place, [fold](Thread* warp, unsigned lanes) {
        std::uint64_t folded = 0;
        for (unsigned rest = lanes; rest != 0; rest &= rest - 1) {
            unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
            folded = rest == lanes ? warp[lane].wait.value : fold(folded, warp[lane].wait.value);
        }
        for (unsigned rest = lanes; rest != 0; rest &= rest - 1) {
            warp[__builtin_ctz(rest)].wait.result = folded;
        }
    });
}

/** Each lane takes home what the lane brought that it names. */
template <class T>
inline T shuffle(const char* name, unsigned mask, T value, unsigned source, Place place) {
    static_assert(sizeof(T) <= sizeof(std::uint64_t) && std::is_trivially_copyable<T>::value, "not for shuffles");
    std::uint64_t brought = 0;
    std::memcpy(&brought, &value, sizeof value);
    brought = meet(name, mask, brought, source, place, [name](Thread* warp, unsigned lanes) {
        for (unsigned rest = lanes; rest != 0; rest &= rest - 1) {
            Wait& wait = warp[__builtin_ctz(rest)].wait;
            if ((lanes >> wait.source & 1u) == 0) {
                report("%s reads lane %u, which takes no part", name, wait.source);
            }
            wait.result = warp[wait.source].wait.value;
        }
    });
    std::memcpy(&value, &brought, sizeof value);
    return value;
}

inline unsigned lane_of_caller() {
    return machine().current % WARP;
}

}  // namespace kofn::emulation

#define KOFN_PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncwarp(unsigned mask = 0xFFFFFFFFu, KOFN_PLACE) {
    kofn::emulation::meet("__syncwarp", mask, 0, 0, {file, line}, [](kofn::emulation::Thread*, unsigned) {});
}

inline unsigned __ballot_sync(unsigned mask, int predicate, KOFN_PLACE) {
    std::uint64_t bit = predicate != 0 ? std::uint64_t{1} << kofn::emulation::lane_of_caller() : 0;
    return static_cast<unsigned>(kofn::emulation::meet_and_fold(
        "__ballot_sync", mask, bit, {file, line}, [](std::uint64_t a, std::uint64_t b) { return a | b; }));
}

inline int __any_sync(unsigned mask, int predicate, KOFN_PLACE) {
    return static_cast<int>(kofn::emulation::meet_and_fold("__any_sync", mask, predicate != 0, {file, line},
                                                           [](std::uint64_t a, std::uint64_t b) { return a | b; }));
}

inline unsigned __reduce_add_sync(unsigned mask, unsigned value, KOFN_PLACE) {
    return static_cast<unsigned>(kofn::emulation::meet_and_fold("__reduce_add_sync", mask, value, {file, line},
                                                                [](std::uint64_t a, std::uint64_t b) { return a + b; }));
}

template <class T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32, KOFN_PLACE) {
    unsigned lane = kofn::emulation::lane_of_caller();
    unsigned segment = static_cast<unsigned>(width);
    return kofn::emulation::shuffle("__shfl_sync", mask, value,
                                    lane / segment * segment + static_cast<unsigned>(source) % segment, {file, line});
}

template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int flip, int width = 32, KOFN_PLACE) {
    unsigned lane = kofn::emulation::lane_of_caller();
    unsigned segment = static_cast<unsigned>(width);
    unsigned source = lane ^ static_cast<unsigned>(flip);
    bool inside = source / segment <= lane / segment;  // later segments cannot be read; the lane then reads itself
    return kofn::emulation::shuffle("__shfl_xor_sync", mask, value, inside ? source : lane, {file, line});
}

template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, KOFN_PLACE) {
    unsigned lane = kofn::emulation::lane_of_caller();
    bool inside = lane % static_cast<unsigned>(width) >= delta;
    return kofn::emulation::shuffle("__shfl_up_sync", mask, value, inside ? lane - delta : lane, {file, line});
}

template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, KOFN_PLACE) {
    unsigned lane = kofn::emulation::lane_of_caller();
    unsigned segment = static_cast<unsigned>(width);
    bool inside = lane % segment + delta < segment;
    return kofn::emulation::shuffle("__shfl_down_sync", mask, value, inside ? lane + delta : lane, {file, line});
}

#undef KOFN_PLACE
