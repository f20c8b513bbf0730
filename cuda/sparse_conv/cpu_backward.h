#pragma once

#include "cpu_plan.h"
#include "sparse_conv_backward.h"

/** The plan of the backward passes, and what their parts share. */
namespace kofn::conv {

/**
 * The pixels of dx that lie a stride apart, beginning at (row, column): a convolution of stride 1 over dy, of the taps
 * that hit them. Its inputs are the outputs of the forward pass, its outputs the inputs, sorted by the length of their
 * lists.
 */
struct Phase {
    kofn_conv_plan plan;
    int32_t row, column;             /* first pixel */
    int32_t first_row, first_column; /* first tap; the others follow a stride apart */
    std::vector<int32_t> kernels;    /* for each entry of the lists its place among the kernels, −1 if it only fills up */
    int64_t weights = 0;             /* where in the workspace its weights lie, in floats */
};

/** How `data` sees dy and where it writes. */
struct DataPass {
    kofn_tensor gradient; /* dy, with a larger halo where the layout has too small a one: then copied */
    bool copied = false;
    bool apart = false; /* columns of KOFN_PLANES that lie a stride apart are computed in planes of their own */
    int64_t copy = 0;   /* floats of the workspace that a copy takes; planes that are apart follow, then weights */
    int64_t workspace = 0;
    std::vector<Phase> phases;
};

/** Which images and lines `weights` works on at once: so much of x as the second level of cache holds. */
struct Blocks {
    Cut images;      /* into parts of the batch whose sums are added up at the end, in order */
    int64_t at_once; /* images */
    Cut lines, vectors;
};

/** How `weights` goes over x and dy. */
struct WeightsPass {
    GradientKernel kernel;
    Grid grid;
    std::vector<int32_t> offsets; /* [O/b][k], as the loops see x */
    std::vector<int32_t> taps;    /* [R][S] */
    std::vector<GradientImage> images;
    std::vector<uint32_t> lanes; /* for KOFN_BATCH16: [images][vectors] */
    Blocks blocks;
    int64_t workspace = 0, partial = 0; /* floats; those of one part's sums, rounded up */
};

/** Fills in the passes of a plan whose `forward` is set; false if an image of a copy would be too large. */
bool plan_data(kofn_conv_backward& plan, const int32_t* indices);
void plan_weights(kofn_conv_backward& plan, const int32_t* indices);

void run_data(const kofn_conv_backward& plan, const float* weights, const float* grad_output, float* grad_input,
              float* workspace, int32_t threads);
void run_weights(const kofn_conv_backward& plan, const float* input, const float* grad_output, float* grad_weights,
                 float* grad_bias, float* workspace, int32_t threads);

}  // namespace kofn::conv

/** The backward passes made ready; nothing in it changes once it is made. */
struct kofn_conv_backward {
    kofn_conv_plan forward; /* shapes, layouts, and how loops see the input; without weights */
    kofn::conv::DataPass data;
    kofn::conv::WeightsPass weights;
    std::string description;
};
