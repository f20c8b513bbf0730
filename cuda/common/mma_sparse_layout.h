#pragma once

#include <cstdint>

/**
 * Where the operands of `mma.sp` lie in the registers of a warp (PTX ISA, "Matrix fragments for sparse mma.m16n8k32 with
 * .f16 and .bf16 types" and "… sparse mma.m16n8k16 with .tf32"): from a place in a matrix to a lane, one of its four
 * registers, and the lowest bit there. What host code packs with, and the inverse of what the ISA states.
 */
namespace kofn {

struct LanePlace {
    uint32_t lane, reg, bit;
};

/** Kept number `j` (0 … 15) of a row (0 … 15) of A in bf16. */
constexpr LanePlace sparse_a_bf16(uint32_t row, uint32_t j) {
    return {row % 8 * 4 + j % 8 / 2, row / 8 + j / 8 * 2, j % 2 * 16};
}

/** Kept number `j` (0 … 7) of a row of A in tf32. */
constexpr LanePlace sparse_a_tf32(uint32_t row, uint32_t j) {
    return {row % 8 * 4 + j % 4, row / 8 + j / 4 * 2, 0};
}

/**
 * The four bits that say which of chunk `c` (0 … 7) of a row of A are kept. bf16: a chunk is four neighbours, the bits
 * are the lower place and, two bits up, the higher one. tf32: a chunk is two, and the bits are SPARSE_FIRST or _SECOND.
 */
constexpr LanePlace sparse_metadata(uint32_t row, uint32_t c, uint32_t selector) {
    return {row % 8 * 4 + selector * 2 + c / 4, 0, row / 8 * 16 + c % 4 * 4};
}

/** Metadata of tf32: each number counts as two halves, and the bits name the halves that are kept. */
constexpr uint32_t SPARSE_FIRST = 0b0100, SPARSE_SECOND = 0b1110;

/** Row (0 … 31) and column (0 … 7) of B in bf16. */
constexpr LanePlace sparse_b_bf16(uint32_t row, uint32_t column) {
    return {column * 4 + row % 8 / 2, row / 8, row % 2 * 16};
}

/** Row (0 … 15) and column of B in tf32. */
constexpr LanePlace sparse_b_tf32(uint32_t row, uint32_t column) {
    return {column * 4 + row % 4, row / 4, 0};
}

/** Row and column of the sum. */
constexpr LanePlace sparse_d(uint32_t row, uint32_t column) {
    return {row % 8 * 4 + column / 2, row / 8 * 2 + column % 2, 0};
}

}  // namespace kofn
