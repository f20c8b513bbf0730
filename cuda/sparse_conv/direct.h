#pragma once

#include <cstdint>

/**
 * The direct method, for lists that each output has alone: what its kernel and its host code share.
 *
 * A lane computes a patch of outputs of one plane in registers; `lanes` lanes, a patch each, work for the same output
 * channel and its list, so that a warp has 32 / lanes lists in hand. Patches of all images are counted through, so that
 * small planes fill lanes too. What patches read, halo included, is staged in shared memory, a channel after the other
 * in a ring of `places` chunks of `chunk` channels. In step t, chunk t + 1 comes while entries of chunks up to t are
 * computed with. `ends` says how far each list goes in a step. Because the ring holds several chunks, lists need not
 * keep pace with the chunks: the host cuts them so that all advance alike, and lanes do not wait for longer lists.
 */
namespace kofn::conv {

constexpr int32_t DIRECT_THREADS = 512; /* of a block, at most; then no thread has more than 128 registers */

/** What the blocks of some outputs stage, and how far their lists go with it. */
struct DirectPart {
    int32_t first_channel, channels; /* in Direct::channels: those that some of its outputs keep, ascending */
    int64_t first_end;               /* in Direct::ends: [chunks][outputs of a block] */
};

/** An output: where its list begins, where its plane lies, its bias. */
struct alignas(16) DirectOutput {
    int64_t first; /* entry of all lists */
    int32_t plane;
    float bias;
};

/** The kernel's parameter. Blocks are counted as [tiles][output blocks]. */
struct Direct {
    const void *x, *residual;
    void* y;
    const float* records;     /* [entries of all lists][record]: weights, then the place of the channel in the ring */
    const DirectOutput* list; /* [outputs] */
    const int32_t* channels;  /* offsets of planes */
    const int32_t* ends;      /* entries that are done after a step */
    const DirectPart* parts;  /* [output blocks] */

    int32_t batch, inputs, outputs, activation;
    int32_t height, width, out_height, out_width;
    int32_t out_origin, out_image, out_row, out_column; /* of y: where the first is, and from one to the next */
    int32_t rows, columns, stride_rows, stride_columns, padding_rows, padding_columns;

    int32_t lanes, patches, patch_rows, patch_columns; /* patches: of all images; of one, down and across */
    int32_t in_rows, in_columns, pitch, patch_words, plane_words; /* of what a patch reads; of a channel in the ring */
    int32_t record, chunk, places, ring_words, items;
    int32_t vectors; /* items are four neighbouring pixels */
    int32_t tiles, output_blocks, block_outputs;

    int32_t threads() const { return block_outputs * lanes; }
};

/** What a lane does for an entry: multiplications, and floats read from shared memory. */
struct DirectWork {
    int32_t products, reads;
};

/** A word of a channel in the ring and where it comes from: an element of the input's first channel, or −1 for a zero. */
struct DirectItem {
    int32_t word, source;
};

}  // namespace kofn::conv
