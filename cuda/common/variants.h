#pragma once

#include <string>
#include <vector>

#include "../gumbel_topk/gumbel_topk.h"

namespace kofn {

/** The CPU's variants that run on this processor. Who asks first changes the one in use: note kofn_cpu_variant before. */
inline const std::vector<std::string>& variants() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> here;
        for (const char* name : {"portable", "avx2", "avx512"}) {
            if (kofn_cpu_use_variant(name) != 0) {
                here.push_back(name);
            }
        }
        return here;
    }();
    return names;
}

}  // namespace kofn
