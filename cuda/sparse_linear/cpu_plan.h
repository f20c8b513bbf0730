#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "cpu_variant.h"

/** The plan, and what the parts of the calls on the CPU share. */
namespace kofn::linear {

struct Free {
    void operator()(void* memory) const { std::free(memory); }
};

/** Memory that begins at a multiple of 64 bytes. */
using Aligned = std::unique_ptr<void, Free>;

/** Fills in lists and weights of a plan whose method is chosen, in the order in which the loops read them. */
void pack(kofn_linear_plan& plan, const kofn_linear& linear);

}  // namespace kofn::linear

/** A layer made ready; nothing in it changes once it is made. */
struct kofn_linear_plan {
    kofn_linear linear; /* without the arrays */
    int32_t batch, precision;
    int32_t most_threads, threads; /* that a run may name, and that are worth it */
    const kofn::linear::Variant* variant;

    kofn::linear::Method method;
    int vectors;           /* of images, side by side; 0 if images are not in lanes */
    bool narrow;           /* indices of 16 bits */
    int64_t sets;          /* of outputs */
    int64_t groups, group; /* of images, and how many images are one */
    int64_t parts;         /* that the sets are cut into: a task is a part for a group */

    kofn::linear::Aligned indices, weights, bias;
    int64_t bytes;
    std::string description;
};
