#include "cpu_gradient.h"

/** Tables of the loops for gradients of kernels; CMakeLists.txt compiles this for several instruction sets. */
namespace kofn::conv::KOFN_VARIANT {
namespace {

/** Rows of dy that a strip may have: what is loaded of x twice, for strips that touch, is 2 rows of each. */
template <int Lanes, int Stride>
GradientFunction rows_of(int lines) {
    switch (lines) {
        case 1: return rows_gradient<Lanes, Stride, 1>;
        case 2: return rows_gradient<Lanes, Stride, 2>;
        case 4: return rows_gradient<Lanes, Stride, 4>;
        case 7: return rows_gradient<Lanes, Stride, 7>;
        case 8: return rows_gradient<Lanes, Stride, 8>;
        default: return nullptr;
    }
}

/** Sources that fit in registers beside a vector of x and one of dy for each output. */
constexpr int sources_of(int outputs) {
    const int room = (registers - 2 - outputs) / outputs;
    return room < 8 ? room : 8;
}

template <int Lanes>
GradientFunction taps_of(int outputs) {
    switch (outputs) {
        case 1: return taps_gradient<Lanes, sources_of(1), 1>;
        case 2: return taps_gradient<Lanes, sources_of(2), 2>;
        case 4: return taps_gradient<Lanes, sources_of(4), 4>;
        default: return nullptr;
    }
}

template <int Lanes>
GradientFunction gradient_of(const GradientKernel& kernel) {
    if (kernel.method == GradientKernel::rows) {
        return kernel.stride == 1 ? rows_of<Lanes, 1>(kernel.lines) : rows_of<Lanes, 2>(kernel.lines);
    }
    return taps_of<Lanes>(kernel.outputs);
}

}  // namespace

GradientFunction gradient(const GradientKernel& kernel, double& loads) {
    if (kernel.method == GradientKernel::rows) {
        loads = (3.0 * ((kernel.lines - 1) * kernel.stride + 3) + kernel.lines) / (9 * kernel.lines);
    } else {
        const int outputs = kernel.outputs, sources = sources_of(outputs);
        loads = static_cast<double>(sources + outputs) / (sources * outputs);
    }
    return kernel.lanes == widest ? gradient_of<widest>(kernel) : gradient_of<narrowest>(kernel);
}

}  // namespace kofn::conv::KOFN_VARIANT
