#pragma once

#include <cstdint>

/** What the gathered method's kernel and its host code share. */
namespace kofn::conv {

/**
 * The kernel's parameter. A tile is `images` × `tile_rows` × `tile_columns` outputs of one plane each; what it reads of a
 * channel is its patch. Along both axes a patch is sorted by the remainder of a coordinate by the stride, so that
 * neighbouring outputs read neighbouring positions whatever the stride is, and a tap is an offset.
 */
struct Gather {
    const void *input, *residual;
    void* output;
    const float* bias;
    const uint32_t* weights; /* [outputs / M][chunks][taps][M / 16][lane][4]: fragments of 16 outputs × 32 bytes */
    const int32_t* list;     /* [outputs / share][chunks · channels of a chunk]: offsets of planes, −1 behind the last */
    int32_t inputs, outputs, height, width, out_height, out_width, batch, share, activation;
    int32_t stride_rows, stride_columns, padding_rows, padding_columns;
    int32_t chunks, taps, step_taps;
    int32_t images, tile_rows, tile_columns, row_tiles, column_tiles, image_tiles, blocks;
    int32_t row_classes, class_rows, column_classes, class_columns; /* of a patch: remainders, and positions of each */
    int32_t offsets[49];                                            /* of taps */

    int32_t patch_row() const { return column_classes * class_columns; }
    int32_t positions() const { return images * row_classes * class_rows * patch_row(); }
    int32_t tiles() const { return image_tiles * row_tiles * column_tiles; }
};

constexpr int32_t GATHER_STAGES = 3;                /* of weights: two on their way while one is in use */
constexpr int32_t GATHER_MOST_SHARED = 48 * 1024;   /* so that every GPU runs it without being asked, several to one SM */

/** Bytes of shared memory: weights, two patches, where positions come from, where pixels read and go to. */
constexpr int32_t gather_shared_bytes(int32_t m, int32_t pixels, int32_t positions, int32_t step_taps) {
    return GATHER_STAGES * step_taps * m * 32 + 2 * positions * 32 + positions * 4 + pixels * 8;
}

/* The least that any shape needs, a tile of one pixel with a patch of at most 8 × 8, fits. */
static_assert(gather_shared_bytes(128, 128, 64, 1) <= GATHER_MOST_SHARED, "no shape may be left without a tile");

}  // namespace kofn::conv
