#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "../common/arithmetic.h"
#include "../common/layer.h"

/**
 * Layers for tests and benchmarks: buffers of the right sizes, filled from a seed, with guards around them that show
 * whether something wrote outside.
 */
namespace kofn {

enum class Granularity { weight, kernel, filter, n_of_m };

/** What the logits of a test look like. */
enum class Logits {
    normal,  /* standard normal */
    equal,   /* all the same: with noise every mask is equally likely, without the first k stay */
    huge,    /* ±1e30 among normal ones: no exponent may overflow */
    ties,    /* one of four values */
    tiny,    /* down to the subnormal numbers, both signs, zeros of both signs */
};

/** A weight [outputs, inputs, rows, columns] and how it is pruned. */
struct LayerSpec {
    Granularity granularity = Granularity::weight;
    int64_t outputs = 1, inputs = 1, rows = 1, columns = 1;
    int64_t m = 1;     /* of n:m */
    int64_t share = 1; /* consecutive outputs with one mask; not for filters */
    int64_t kept = 1;
    Logits logits = Logits::normal;
    uint32_t index = 0;
    int32_t type = KOFN_FLOAT32;

    int64_t weights() const { return outputs * inputs * rows * columns; }
};

/** The layout of kofn_layer for a weight, as org.kofn.mask.MaskLayout makes it. */
inline kofn_layout layout_of(const LayerSpec& spec) {
    const int64_t taps = spec.rows * spec.columns;
    const int64_t filter = spec.inputs * taps;
    const int64_t blocks = spec.outputs / spec.share;
    const int64_t block = filter * spec.share;
    switch (spec.granularity) {
        case Granularity::weight:
            return {{blocks, 1, 1}, {block, 0, 0}, filter, 1, {spec.share, 1}, {filter, 0}};
        case Granularity::kernel:
            return {{blocks, 1, 1}, {block, 0, 0}, spec.inputs, taps, {spec.share, taps}, {filter, 1}};
        case Granularity::filter:
            return {{1, 1, 1}, {spec.weights(), 0, 0}, spec.outputs, filter, {filter, 1}, {1, 0}};
        default:
            return {{blocks, spec.inputs / spec.m, taps}, {block, spec.m * taps, 1}, spec.m, taps, {spec.share, 1},
                    {filter, 0}};
    }
}

/** The number of groups of a layout. */
inline int64_t groups_of(const kofn_layout& layout) {
    return layout.group_sizes[0] * layout.group_sizes[1] * layout.group_sizes[2];
}

/** Memory between two guards. It starts as a pattern, so that what should have been written and was not shows. */
template <class T>
class Buffer {
public:
    explicit Buffer(int64_t size) : size_(size), storage_(static_cast<size_t>(size) + 2 * guard) {
        std::memset(static_cast<void*>(storage_.data()), pattern, storage_.size() * sizeof(T));
    }

    T* data() { return storage_.data() + guard; }
    const T* data() const { return storage_.data() + guard; }
    int64_t size() const { return size_; }
    T& operator[](int64_t i) { return data()[i]; }
    const T& operator[](int64_t i) const { return data()[i]; }

    /** Whether nothing was written outside. */
    bool intact() const { return untouched(0) && untouched(storage_.size() - guard); }

    bool operator==(const Buffer& other) const {
        return size_ == other.size_ && std::memcmp(data(), other.data(), static_cast<size_t>(size_) * sizeof(T)) == 0;
    }
    bool operator!=(const Buffer& other) const { return !(*this == other); }

private:
    static constexpr size_t guard = 64 / sizeof(T); /* a multiple of every alignment in use */
    static constexpr unsigned char pattern = 0xA5;

    bool untouched(size_t from) const {
        auto bytes = reinterpret_cast<const unsigned char*>(storage_.data() + from);
        return std::all_of(bytes, bytes + guard * sizeof(T), [](unsigned char b) { return b == pattern; });
    }

    int64_t size_;
    std::vector<T> storage_;
};

/** One layer with memory of its own. Tensors of `type` are bytes here: two or four a weight. */
struct TestLayer {
    LayerSpec spec;
    kofn_layout layout;
    int64_t groups, candidates, weights, words;

    Buffer<float> logits, latent;
    Buffer<uint8_t> effective, mask;
    Buffer<uint32_t> bits;
    Buffer<int32_t> indices;
    Buffer<uint8_t> effective_gradient;
    Buffer<float> latent_gradient, logit_gradient, temperature_gradient;

    TestLayer(const LayerSpec& of, uint64_t seed)
        : spec(of),
          layout(layout_of(of)),
          groups(groups_of(layout)),
          candidates(layout.candidates),
          weights(of.weights()),
          words((candidates + 31) / 32),
          logits(groups * candidates),
          latent(weights),
          effective(weights * bytes_of_type()),
          mask(groups * candidates),
          bits(groups * words),
          indices(groups * of.kept),
          effective_gradient(weights * bytes_of_type()),
          latent_gradient(weights),
          logit_gradient(groups * candidates),
          temperature_gradient(groups) {
        std::mt19937_64 random(seed);
        std::normal_distribution<float> normal;
        for (int64_t i = 0; i < logits.size(); ++i) {
            logits[i] = logit(random, normal);
        }
        for (int64_t i = 0; i < weights; ++i) {
            const uint64_t both = random();  // uniform in [−2, 2): a weight has many, and normal ones take long
            latent[i] = static_cast<float>(static_cast<int32_t>(both >> 32)) * 0x1p-30f;
            set_effective_gradient(i, static_cast<float>(static_cast<int32_t>(both)) * 0x1p-30f);
        }
    }

    /** The layer as the calls take it. */
    kofn_layer view() {
        kofn_layer layer{};
        layer.layout = layout;
        layer.kept = spec.kept;
        layer.index = spec.index;
        layer.effective_type = spec.type;
        layer.logits = logits.data();
        layer.latent = latent.data();
        layer.effective = effective.data();
        layer.mask = mask.data();
        layer.bits = bits.data();
        layer.indices = indices.data();
        layer.effective_gradient = effective_gradient.data();
        layer.latent_gradient = latent_gradient.data();
        layer.logit_gradient = logit_gradient.data();
        layer.temperature_gradient = temperature_gradient.data();
        return layer;
    }

    /** Whether no buffer was written outside. */
    bool intact() const {
        return logits.intact() && latent.intact() && effective.intact() && mask.intact() && bits.intact()
            && indices.intact() && effective_gradient.intact() && latent_gradient.intact() && logit_gradient.intact()
            && temperature_gradient.intact();
    }

    int64_t bytes_of_type() const { return spec.type == KOFN_BFLOAT16 ? 2 : 4; }

    void set_effective_gradient(int64_t i, float value) {
        if (spec.type == KOFN_BFLOAT16) {
            uint16_t half = to_bfloat16(value);
            std::memcpy(effective_gradient.data() + 2 * i, &half, sizeof half);
        } else {
            std::memcpy(effective_gradient.data() + 4 * i, &value, sizeof value);
        }
    }

private:
    float logit(std::mt19937_64& random, std::normal_distribution<float>& normal) {
        switch (spec.logits) {
            case Logits::equal:
                return 0.25f;
            case Logits::huge: {
                uint64_t kind = random() % 4;
                return kind == 0 ? 1e30f : kind == 1 ? -1e30f : normal(random);
            }
            case Logits::ties:
                return static_cast<float>(random() % 4) - 1.5f;
            case Logits::tiny:
                return std::ldexp(normal(random), -static_cast<int>(random() % 160));
            default:
                return normal(random);
        }
    }
};

/** A layer of n candidates in about so many groups, the rest at random. */
inline LayerSpec random_layer_of(std::mt19937_64& random, int64_t n, int64_t groups) {
    const int64_t taps[][2] = {{1, 1}, {1, 1}, {1, 1}, {3, 3}, {3, 3}, {1, 5}, {2, 1}, {7, 7}};
    LayerSpec spec;
    spec.granularity = static_cast<Granularity>(random() % 4);
    spec.share = random() % 3 == 0 ? 1 + static_cast<int64_t>(random() % 4) : 1;
    const int64_t* tap = taps[random() % (n < 100 ? 8 : 5)];
    spec.rows = tap[0];
    spec.columns = tap[1];
    switch (spec.granularity) {
        case Granularity::weight:
            if (n % (spec.rows * spec.columns) != 0) {
                spec.rows = spec.columns = 1;
            }
            spec.inputs = n / (spec.rows * spec.columns);
            spec.outputs = groups * spec.share;
            break;
        case Granularity::kernel:
            spec.inputs = n;
            spec.outputs = groups * spec.share;
            break;
        case Granularity::filter:
            spec.share = 1;
            spec.inputs = 1 + static_cast<int64_t>(random() % (n < 100 ? 40 : 2));
            spec.outputs = n;
            break;
        case Granularity::n_of_m:
            spec.m = n;
            spec.inputs = n * (1 + static_cast<int64_t>(random() % 3));
            spec.outputs = std::max<int64_t>(1, groups * n / (spec.inputs * spec.rows * spec.columns)) * spec.share;
            break;
    }
    switch (random() % 8) {
        case 0: spec.kept = 1; break;
        case 1: spec.kept = n; break;
        case 2: spec.kept = n - n / 16; break;
        case 3: spec.kept = (n + 1) / 2; break;
        default: spec.kept = 1 + static_cast<int64_t>(random() % static_cast<uint64_t>((n + 3) / 4));
    }
    spec.kept = std::clamp<int64_t>(spec.kept, 1, n);
    spec.logits = random() % 2 == 0 ? Logits::normal : static_cast<Logits>(random() % 5);
    spec.index = static_cast<uint32_t>(random() % 100);
    spec.type = random() % 3 == 0 ? KOFN_BFLOAT16 : KOFN_FLOAT32;
    return spec;
}

/**
 * A layer to look for mistakes with: mostly few candidates, and where implementations have their edges: one candidate,
 * n around multiples of 4 and 32, just over 512 and 2048, now and then a large linear layer, rarely the limit of 2²⁰.
 */
inline LayerSpec random_layer(std::mt19937_64& random) {
    const int64_t edges[] = {1, 2, 3, 4, 5, 8, 16, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257};
    const int64_t large[] = {511, 512, 513, 1023, 1024, 1025, 2047, 2048, 2049, 4608, 8191, 16385, 25088};
    const uint64_t kind = random() % 4000;
    if (kind == 0) {
        return random_layer_of(random, int64_t{1} << 20, 1);
    }
    if (kind < 100) {
        return random_layer_of(random, large[random() % 13], 1 + static_cast<int64_t>(random() % 2));
    }
    int64_t n = kind < 2000 ? edges[random() % 19] : 1 + static_cast<int64_t>(random() % 300);
    return random_layer_of(random, n, 1 + static_cast<int64_t>(random() % (n <= 64 ? 200 : 20)));
}

}  // namespace kofn
